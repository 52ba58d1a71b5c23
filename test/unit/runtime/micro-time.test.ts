import assert from "node:assert/strict";
import { microTime } from "../../../src/runtime/micro-time.ts";

describe("micro time", () => {
  for (const [ms, want] of [
    [0, "1970-01-01T00:00:00.000000Z"],
    [Date.UTC(2026, 10, 21, 9, 0, 0, 7), "2026-11-21T09:00:00.007000Z"],
    [1500.75, "1970-01-01T00:00:01.500000Z"],
  ] as const) {
    it(`writes ${ms} as ${want}`, () => assert.equal(microTime(ms), want));
  }
});
