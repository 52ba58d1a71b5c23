import assert from "node:assert/strict";
import { formatDuration, parseDuration } from "../../../src/base/duration.ts";

describe("base/duration", () => {
  const read = [
    { text: "90s", want: 90_000 },
    { text: "10m", want: 600_000 },
    { text: "1h30m", want: 5_400_000 },
    { text: "2d", want: 172_800_000 },
    { text: "1w", want: 604_800_000 },
    { text: "0s", want: 0 },
    { text: "", want: undefined },
    { text: "10", want: undefined },
    { text: "1.5h", want: undefined },
    { text: "-1h", want: undefined },
    { text: "1h 30m", want: undefined },
    { text: "10ms", want: undefined },
  ];
  for (const { text, want } of read) it(`reads "${text}" as ${want} ms`, () => assert.equal(parseDuration(text), want));

  const written = [
    { ms: 0, want: "0s" },
    { ms: 999, want: "0s" },
    { ms: 61_000, want: "1m1s" },
    { ms: 3_600_000, want: "1h" },
    { ms: 3_601_000, want: "1h" },
    { ms: 5_400_000, want: "1h30m" },
    { ms: 604_800_000, want: "7d" },
    { ms: 90_061_000, want: "1d1h" },
  ];
  for (const { ms, want } of written) it(`writes ${ms} ms as ${want}`, () => assert.equal(formatDuration(ms), want));
});
