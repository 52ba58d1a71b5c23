import assert from "node:assert/strict";
import { createSystemClock } from "../../../src/base/clock.ts";
import { skewedClock, VirtualClock } from "../../../src/base/virtual-clock.ts";

describe("virtual clock", () => {
  it("stands still, and fires timers in order, those of one instant as they were set", async () => {
    const clock = new VirtualClock(1000);
    const fired: string[] = [];
    clock.after(20, () => fired.push(`b@${clock.now()}`));
    clock.after(10, () => fired.push(`a@${clock.now()}`));
    clock.after(20, () => fired.push(`c@${clock.now()}`));
    assert.equal(clock.nextDue(), 1010);
    await clock.runUntil(1020);
    assert.deepEqual(fired, ["a@1010", "b@1020", "c@1020"]);
    assert.equal(clock.monotonic(), 20);
  });

  it("a cancelled timer does not fire, and is not waited for", () => {
    const clock = new VirtualClock(0);
    const timer = clock.after(5, () => assert.fail("cancelled"));
    timer.cancel();
    timer.cancel();
    assert.equal(clock.nextDue(), undefined);
    assert.equal(clock.step(), false);
    assert.equal(clock.now(), 0);
  });

  it("a negative delay is now; time never goes back", () => {
    const clock = new VirtualClock(100);
    clock.after(-50, () => {});
    assert.equal(clock.step(), true);
    assert.equal(clock.now(), 100);
  });

  it("fires what timers set on their way, up to the limit and not beyond", async () => {
    const clock = new VirtualClock(0);
    let count = 0;
    const again = () => {
      count++;
      clock.after(10, again);
    };
    clock.after(10, again);
    await clock.runUntil(55);
    assert.equal(count, 5);
    assert.equal(clock.now(), 55);
  });

  it("sleep resolves at its time", async () => {
    const clock = new VirtualClock(0);
    let woke = -1;
    const slept = clock.sleep(30).then(() => {
      woke = clock.now();
    });
    await clock.runUntil(100);
    await slept;
    assert.equal(woke, 30);
  });

  it("sleep rejects with the signal's reason, and leaves no timer behind", async () => {
    const clock = new VirtualClock(0);
    const controller = new AbortController();
    const slept = clock.sleep(30, controller.signal);
    controller.abort(new Error("enough"));
    await assert.rejects(slept, /enough/);
    assert.equal(clock.nextDue(), undefined);
    await assert.rejects(clock.sleep(1, AbortSignal.abort(new Error("before"))), /before/);
  });

  it("a skewed clock shifts wall time alone", () => {
    const clock = new VirtualClock(1000);
    let offset = 3_600_000;
    const skewed = skewedClock(clock, () => offset);
    assert.equal(skewed.now(), 3_601_000);
    assert.equal(skewed.monotonic(), 0);
    offset = 0;
    assert.equal(skewed.now(), 1000);
  });
});

describe("system clock", () => {
  it("fires no timer early", async () => {
    const clock = createSystemClock();
    const from = clock.monotonic();
    await clock.sleep(3);
    assert.ok(clock.monotonic() - from >= 3);
  });

  it("a delay beyond 24.8 days does not fire at once (decision 81)", async () => {
    const clock = createSystemClock({ background: true });
    let fired = false;
    const timer = clock.after(2 ** 31 + 1000, () => {
      fired = true;
    });
    await clock.sleep(5);
    timer.cancel();
    assert.equal(fired, false);
  });
});
