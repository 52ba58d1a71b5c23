import assert from "node:assert/strict";
import fc from "fast-check";
import { formatMicros, formatMillis, formatSeconds, parseTime } from "../../../src/base/time.ts";

describe("times", () => {
  const instant = Date.UTC(2026, 10, 21, 16, 0, 0, 250);
  it("as Kubernetes writes metadata", () => assert.equal(formatSeconds(instant), "2026-11-21T16:00:00Z"));
  it("whole seconds are those of Date, in any order of days and at both ends of one", () => {
    const edges = [0, -1, 999, 1000, 86_399_999, 86_400_000, Date.UTC(2024, 1, 29, 23, 59, 59, 999), Date.UTC(9999, 11, 31, 23, 59, 59)];
    const more = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 });
    const check = (time: number) => assert.equal(formatSeconds(time), `${new Date(time).toISOString().slice(0, 19)}Z`);
    for (const time of [...edges, ...edges]) check(time);
    fc.assert(fc.property(more, check), { seed: 5, numRuns: 2000 });
    assert.throws(() => formatSeconds(Number.NaN), RangeError);
  });
  it("with milliseconds", () => assert.equal(formatMillis(instant), "2026-11-21T16:00:00.250Z"));
  it("MicroTime has six digits", () => assert.equal(formatMicros(instant), "2026-11-21T16:00:00.250000Z"));
  it("all are read back", () => {
    assert.equal(parseTime(formatMillis(instant)), instant);
    assert.equal(parseTime(formatMicros(instant)), instant);
    assert.equal(parseTime("2026-11-21T17:00:00+01:00"), instant - 250);
  });
  it("what is absent or no time is undefined", () => {
    for (const text of [undefined, null, "", "soon"]) assert.equal(parseTime(text), undefined);
  });
});
