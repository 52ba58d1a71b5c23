import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { nuptse } from "./program-double.ts";

describe("cli/cron next", () => {
  it("prints a table in the zone, in UTC and from now", async () => {
    const outcome = await nuptse(["cron", "next", "30 2 * * *", "--time-zone", "Europe/Berlin", "--count", "2"]);
    assert.equal(outcome.code, 0);
    assert.deepEqual(outcome.results, [
      "LOCAL (Europe/Berlin)            UTC                    FROM NOW",
      "Sun 2026-11-22 02:30:00 +01:00   2026-11-22T01:30:00Z   in 9 h 30 min",
      "Mon 2026-11-23 02:30:00 +01:00   2026-11-23T01:30:00Z   in 1 d 9 h",
    ]);
    assert.deepEqual(outcome.notes, []);
  });

  const json = [
    {
      name: "--from in the zone counts from local time, and an equal instant is not after it",
      args: ["0 12 * * *", "--time-zone", "Asia/Shanghai", "--from", "2024-01-01T12:00", "--count", "1"],
      want: ["2024-01-02T04:00:00Z"],
    },
    {
      name: "--from with an offset is that instant",
      args: ["0 * * * *", "--from", "2024-01-01T12:30:00+05:30", "--count", "1"],
      want: ["2024-01-01T08:00:00Z"],
    },
    {
      name: "--dialect unix reads six fields as wrong and five as right",
      args: ["0 0 * * 7", "--dialect", "unix", "--from", "2024-01-01", "--count", "1"],
      want: ["2024-01-07T00:00:00Z"],
    },
    {
      name: "@every counts from --from",
      args: ["@every 90s", "--from", "2024-01-01T00:00:00Z", "--count", "2"],
      want: ["2024-01-01T00:01:30Z", "2024-01-01T00:03:00Z"],
    },
    {
      name: "a year that ends gives fewer than were asked for",
      args: ["0 0 0 1 1 ? 2027", "--from", "2024-01-01"],
      want: ["2027-01-01T00:00:00Z"],
    },
    { name: "nothing more is an empty array", args: ["0 0 0 1 1 ? 2020", "--from", "2024-01-01"], want: [] },
  ];
  for (const tc of json) {
    it(tc.name, async () => {
      const outcome = await nuptse(["cron", "next", ...tc.args, "-o", "json"]);
      assert.deepEqual({ code: outcome.code, notes: outcome.notes }, { code: 0, notes: [] });
      assert.deepEqual(
        outcome.results.map((line) => JSON.parse(line)),
        [tc.want],
      );
    });
  }

  const refused = [
    { name: "a date that never comes", args: ["0 0 30 2 *"], want: /^error: cron expression: day-of-month, character 5: / },
    { name: "a minute out of range", args: ["61 * * * *"], want: /^error: cron expression: minute, character 1: / },
    { name: "too few fields", args: ["* * *"], want: /^error: cron expression: character 1: 3 fields/ },
    {
      name: "an unknown zone",
      args: ["* * * * *", "--time-zone", "Mars/Base"],
      want: /^error: --time-zone: unknown time zone "Mars\/Base"/,
    },
    { name: "an abbreviation of a zone", args: ["* * * * *", "--time-zone", "CST"], want: /^error: --time-zone: "CST" is an abbreviation/ },
    { name: "30 February as --from", args: ["* * * * *", "--from", "2024-02-30"], want: /^error: --from: "2024-02-30" is not a time/ },
    { name: "an hour 25 as --from", args: ["* * * * *", "--from", "2024-02-01T25:00"], want: /^error: --from: / },
    { name: "a count of 0", args: ["* * * * *", "--count", "0"], want: /^error: option '--count <count>' argument '0' is invalid/ },
    { name: "an unknown dialect", args: ["* * * * *", "--dialect", "cron"], want: /Allowed choices are quartz, unix/ },
    { name: "an expression without quotation marks", args: ["0", "0", "12", "?", "*", "WED"], want: /^error: too many arguments/ },
    {
      name: "a flag that is not there",
      args: ["* * * * *", "--form", "x"],
      want: /^error: unknown option '--form' \(Did you mean --from\?\)$/,
    },
    { name: "no expression", args: [], want: /^error: missing required argument 'expression'/ },
  ];
  for (const tc of refused) {
    it(`refuses ${tc.name} with exit code 2 and one line`, async () => {
      const outcome = await nuptse(["cron", "next", ...tc.args]);
      assert.equal(outcome.code, 2);
      assert.deepEqual(outcome.results, []);
      assert.equal(outcome.notes.length, 1);
      assert.match(outcome.notes[0] ?? "", tc.want);
      assert.doesNotMatch(outcome.notes[0] ?? "", /\n/);
    });
  }

  // The rows' wants were made by running Quartz 2.5.2; the engine's own test reads them too, this one goes through the flags.
  interface Row {
    readonly id: string;
    readonly tz: string;
    readonly from: string;
    readonly quartzExpr: string;
    readonly quartz_2_5_2: readonly string[] | { readonly error: string };
  }
  const rows = JSON.parse(readFileSync(new URL("../../cases/cron.json", import.meta.url), "utf8")) as readonly Row[];
  for (const row of rows) {
    it(`${row.id}: ${row.quartzExpr} as in Quartz, from ${row.from}`, async () => {
      const flags = ["--time-zone", row.tz, "--dialect", "quartz", "--dst", "quartz", "--from", row.from, "--count", "3", "-o", "json"];
      const outcome = await nuptse(["cron", "next", row.quartzExpr, ...flags]);
      const want = row.quartz_2_5_2;
      if ("error" in want || want.length === 0) assert.equal(outcome.code, 2);
      else {
        const got = JSON.parse(outcome.results[0] ?? "[]") as readonly string[];
        assert.deepEqual(
          got.map((text) => Date.parse(text)),
          want.map((text) => Date.parse(text)),
        );
      }
    });
  }
});

describe("cli/cron explain", () => {
  it("says an expression in words, with the zone", async () => {
    const outcome = await nuptse(["cron", "explain", "30 2 * * MON-FRI", "--time-zone", "Europe/Berlin"]);
    assert.deepEqual(
      { code: outcome.code, results: outcome.results, notes: outcome.notes },
      { code: 0, results: ["At 02:30 on weekdays, Europe/Berlin time."], notes: [] },
    );
  });

  it("warns of a numeric weekday in Quartz", async () => {
    const outcome = await nuptse(["cron", "explain", "0 30 2 ? * 2"]);
    assert.equal(outcome.code, 0);
    assert.match(outcome.notes[0] ?? "", /^warning: /);
  });

  it("refuses a bad expression with exit code 2 and one line", async () => {
    const outcome = await nuptse(["cron", "explain", "0 30 2 ? * FOO"]);
    assert.equal(outcome.code, 2);
    assert.match(outcome.notes.join("|"), /^error: cron expression: day-of-week, character \d+: [^|]*$/);
  });
});
