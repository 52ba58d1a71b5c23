import assert from "node:assert/strict";
import { createScaledClock } from "../../../src/base/scaled-clock.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";

const start = Date.UTC(2026, 10, 22);

describe("base/scaled-clock", () => {
  it("shows what the other one shows at first, and goes so many times as fast", async () => {
    const inner = new VirtualClock(start);
    const clock = createScaledClock(inner, { speed: 60 });
    assert.deepEqual([clock.now(), clock.monotonic()], [start, 0]);
    await inner.runUntil(start + 1_000);
    assert.deepEqual([clock.now(), clock.monotonic()], [start + 60_000, 60_000]);
  });

  it("may begin at another time", async () => {
    const inner = new VirtualClock(start);
    const clock = createScaledClock(inner, { speed: 1, startsAt: start + 5_000 });
    await inner.runUntil(start + 10);
    assert.equal(clock.now(), start + 5_010);
  });

  it("fires timers at their time or later, never before, whatever the rounding", async () => {
    for (const speed of [3, 7, 60, 600]) {
      const inner = new VirtualClock(start);
      const clock = createScaledClock(inner, { speed });
      const early: number[] = [];
      for (const delay of [0, 1, 10, 999, 60_000]) {
        const due = clock.now() + delay;
        clock.after(delay, () => {
          if (clock.now() < due) early.push(delay);
        });
      }
      await inner.runUntil(start + 100_000);
      assert.deepEqual(early, []);
    }
  });

  it("an hour at 60x lasts a minute, and can be called off", async () => {
    const inner = new VirtualClock(start);
    const clock = createScaledClock(inner, { speed: 60 });
    const fired: string[] = [];
    clock.after(3_600_000, () => fired.push("kept"));
    clock.after(3_600_000, () => fired.push("cancelled")).cancel();
    await inner.runUntil(start + 59_999);
    assert.deepEqual(fired, []);
    await inner.runUntil(start + 60_001);
    assert.deepEqual(fired, ["kept"]);
  });
});
