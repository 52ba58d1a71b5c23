import assert from "node:assert/strict";
import fc from "fast-check";
import { skewedClock, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createServerTime } from "../../../src/kube/server-time.ts";

const start = Date.parse("2026-03-01T00:00:00Z");

describe("kube/server-time", () => {
  it("knows nothing before the first answer", () => {
    const clock = new VirtualClock(start);
    const time = createServerTime(clock);
    assert.deepEqual([time.offsetMs(), time.uncertaintyMs(), time.now()], [undefined, Number.POSITIVE_INFINITY, start]);
  });

  it("is right to half a second and half of the round trip after one answer", () => {
    const time = createServerTime(new VirtualClock(start));
    // the server's clock showed 12 to 13 s between our 10.0 and 10.2 s
    time.observe({ serverMs: start + 12_000, sentMs: start + 10_000, receivedMs: start + 10_200 });
    assert.deepEqual([time.offsetMs(), time.uncertaintyMs()], [2400, 600]);
  });

  it("becomes better with answers at other parts of a second", () => {
    const time = createServerTime(new VirtualClock(start));
    time.observe({ serverMs: start + 12_000, sentMs: start + 10_000, receivedMs: start + 10_000 });
    time.observe({ serverMs: start + 12_000, sentMs: start + 10_800, receivedMs: start + 10_800 });
    // 2000..3000 and 1200..2200
    assert.deepEqual([time.offsetMs(), time.uncertaintyMs()], [2100, 100]);
  });

  it("takes the newest answer when the server's clock was set", () => {
    const time = createServerTime(new VirtualClock(start));
    time.observe({ serverMs: start + 12_000, sentMs: start + 10_000, receivedMs: start + 10_000 });
    time.observe({ serverMs: start + 3_612_000, sentMs: start + 11_000, receivedMs: start + 11_000 });
    assert.equal(time.offsetMs(), 3_601_500);
  });

  it("forgets what it measured with a clock of ours that was set", () => {
    let skew = 3_600_000;
    const clock = skewedClock(new VirtualClock(start), () => skew);
    const time = createServerTime(clock);
    time.observe({ serverMs: start, sentMs: clock.now(), receivedMs: clock.now() });
    assert.equal(time.offsetMs(), 500 - 3_600_000);
    skew = 0;
    assert.equal(time.offsetMs(), undefined);
    time.observe({ serverMs: start, sentMs: clock.now(), receivedMs: clock.now() });
    assert.equal(time.offsetMs(), 500);
  });

  it("the true offset is always within the bounds, whatever the round trips, for hours", () => {
    const trip = fc.record({
      pauseMs: fc.nat(50_000),
      tripMs: fc.nat(3000),
      shareBeforeAnswer: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: -100_000_000, max: 100_000_000 }),
        fc.array(trip, { minLength: 1, maxLength: 200 }),
        (offset, trips) => {
          const clock = new VirtualClock(start);
          const time = createServerTime(clock);
          const advance = (milliseconds: number) => {
            clock.after(milliseconds, () => undefined);
            while (clock.step());
          };
          for (const each of trips) {
            advance(each.pauseMs);
            const sentMs = clock.now();
            advance(each.tripMs);
            const answeredAt = sentMs + each.tripMs * each.shareBeforeAnswer + offset;
            time.observe({ serverMs: Math.floor(answeredAt / 1000) * 1000, sentMs, receivedMs: clock.now() });
            const error = Math.abs((time.offsetMs() ?? Number.NaN) - offset);
            assert.ok(error <= time.uncertaintyMs() + 1e-6, `${error} > ${time.uncertaintyMs()}`);
            assert.ok(time.uncertaintyMs() <= 500 + each.tripMs / 2 + 1e-6);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
