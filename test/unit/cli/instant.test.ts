import assert from "node:assert/strict";
import { UsageError } from "../../../src/cli/command-context.ts";
import { distance, localTime } from "../../../src/cli/cron-output.ts";
import { parseInstant } from "../../../src/cli/instant.ts";
import { parseZone } from "../../../src/cron/zone.ts";

const berlin = parseZone("Europe/Berlin");

describe("cli/instant", () => {
  const cases = [
    { name: "UTC", text: "2026-11-21T16:00:00Z", want: "2026-11-21T16:00:00.000Z" },
    { name: "an offset", text: "2026-11-21T16:00:00-08:00", want: "2026-11-22T00:00:00.000Z" },
    { name: "parts of a second", text: "2026-11-21T16:00:00.25Z", want: "2026-11-21T16:00:00.250Z" },
    { name: "local time in winter", text: "2026-11-21T16:00", want: "2026-11-21T15:00:00.000Z" },
    { name: "local time in summer, with a blank", text: "2026-07-01 16:00:30", want: "2026-07-01T14:00:30.000Z" },
    { name: "a date is its first instant", text: "2026-07-01", want: "2026-06-30T22:00:00.000Z" },
    { name: "a local time that came twice is its first pass", text: "2026-10-25T02:30", want: "2026-10-25T00:30:00.000Z" },
    { name: "a local time that was skipped is the end of the gap", text: "2026-03-29T02:30", want: "2026-03-29T01:00:00.000Z" },
  ];
  for (const tc of cases) {
    it(tc.name, () => assert.equal(new Date(parseInstant("--from", tc.text, berlin)).toISOString(), tc.want));
  }

  for (const text of ["", "now", "2026-13-01", "2026-02-29", "2026-11-21T24:01", "21.11.2026", "2026-11-21T16", "1700000000"]) {
    it(`refuses "${text}"`, () => assert.throws(() => parseInstant("--from", text, berlin), UsageError));
  }
});

describe("cli/cron-output", () => {
  it("shows local time with its offset", () => {
    assert.equal(localTime(Date.UTC(2026, 0, 1, 23, 0, 0), parseZone("GMT-03:30")), "Thu 2026-01-01 19:30:00 -03:30");
  });

  const distances = [
    { milliseconds: 0, want: "now" },
    { milliseconds: 1000, want: "in 1 s" },
    { milliseconds: 61_000, want: "in 1 min 1 s" },
    { milliseconds: 3_601_000, want: "in 1 h" },
    { milliseconds: 90_000_000, want: "in 1 d 1 h" },
    { milliseconds: -7_500_000, want: "2 h 5 min ago" },
  ];
  for (const tc of distances) it(`${tc.milliseconds} ms is "${tc.want}"`, () => assert.equal(distance(tc.milliseconds), tc.want));
});
