import assert from "node:assert/strict";
import { formatMicros, formatMillis, formatSeconds, parseTime } from "../../../src/base/time.ts";

describe("times", () => {
  const instant = Date.UTC(2026, 10, 21, 16, 0, 0, 250);
  it("as Kubernetes writes metadata", () => assert.equal(formatSeconds(instant), "2026-11-21T16:00:00Z"));
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
