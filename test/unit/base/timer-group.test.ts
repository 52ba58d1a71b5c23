import assert from "node:assert/strict";
import { TimerGroup } from "../../../src/base/timer-group.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";

describe("a group of timers", () => {
  const setting = () => {
    const clock = new VirtualClock(0);
    const due: string[] = [];
    return { clock, due, timers: new TimerGroup(clock), note: (name: string) => () => void due.push(name) };
  };

  it("fires each when it is due", async () => {
    const { clock, due, timers, note } = setting();
    timers.after(20, note("late"));
    timers.after(10, note("early"));
    await clock.runUntil(100);
    assert.deepEqual(due, ["early", "late"]);
  });

  it("cancelled: what was due does not happen, what is asked for later does", async () => {
    const { clock, due, timers, note } = setting();
    timers.after(10, note("before"));
    timers.cancel();
    timers.after(10, note("after"));
    await clock.runUntil(100);
    assert.deepEqual(due, ["after"]);
  });

  it("closed: nothing happens any more", async () => {
    const { clock, due, timers, note } = setting();
    timers.after(10, note("before"));
    timers.close();
    timers.after(10, note("after"));
    await clock.runUntil(100);
    assert.deepEqual(due, []);
  });
});
