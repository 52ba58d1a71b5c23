import assert from "node:assert/strict";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { PortLedger } from "../../../../src/runnerapp/services/port-ledger.ts";

describe("ports that are held", () => {
  it("by who is about to have one, or had it less than a minute ago", async () => {
    const clock = new VirtualClock(0);
    const ledger = new PortLedger(clock);
    ledger.hold(21_000, "a/api");
    assert.deepEqual(
      [ledger.isHeld(21_000, "b/api"), ledger.isHeld(21_000, "a/other"), ledger.isHeld(21_000, "a/api")],
      [true, true, false],
    );
    await clock.runUntil(59_999);
    assert.equal(ledger.isHeld(21_000, "b/api"), true);
    await clock.runUntil(60_000);
    assert.equal(ledger.isHeld(21_000, "b/api"), false);
  });

  it("nobody takes one that another holds", () => {
    const ledger = new PortLedger(new VirtualClock(0));
    ledger.hold(21_000, "a/api");
    ledger.hold(21_000, "b/api");
    assert.deepEqual([ledger.isHeld(21_000, "a/api"), ledger.isHeld(21_000, "b/api")], [false, true]);
  });

  it("in the first minute of a term, when nobody knows what was freed before, the search does not begin with the lowest", async () => {
    const clock = new VirtualClock(0);
    const ledger = new PortLedger(clock);
    ledger.beginTerm();
    assert.notEqual(ledger.offsetFor("a"), ledger.offsetFor("b"));
    await clock.runUntil(60_000);
    assert.deepEqual([ledger.offsetFor("a"), ledger.offsetFor("b")], [0, 0]);
  });
});
