import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { CronError } from "../../../src/cron/schedule-error.ts";
import { createSchedule } from "../../../src/cron/schedule.ts";
import { parseZone } from "../../../src/cron/zone.ts";

// Rows made by running Quartz 2.5.2 (`quartz_2_5_2`), and by hand after the rule of ISC and Debian cron (`iscRule`). The other columns are for information.

interface Row {
  readonly id: string;
  readonly tz: string;
  readonly from: string;
  readonly quartzExpr: string;
  readonly quartz_2_5_2: readonly string[] | { readonly error: string };
  readonly vixieExpr: string | null;
  readonly iscRule: readonly string[] | null;
  readonly note: string;
}

const rows = JSON.parse(readFileSync(new URL("../../cases/cron.json", import.meta.url), "utf8")) as readonly Row[];

/** An instant, or a local time of the zone (first pass where it was twice). */
function instantOf(text: string, timeZone: string): number {
  if (/(?:Z|[+-]\d\d:\d\d)$/.test(text)) return Date.parse(text);
  const meaning = parseZone(timeZone).meaningOf(Date.parse(`${text}Z`));
  return meaning.kind === "Overlap" ? meaning.first : meaning.instant;
}

function utc(times: readonly number[]): readonly string[] {
  return times.map((time) => new Date(time).toISOString());
}

describe("cron/case table", () => {
  for (const row of rows) {
    const from = instantOf(row.from, row.tz);
    const want = row.quartz_2_5_2;
    const common = { timeZone: row.tz, anchor: from };

    if ("error" in want) {
      it(`${row.id}: refuses ${row.quartzExpr} ${row.note}`, () => {
        assert.throws(() => createSchedule({ ...common, crons: [row.quartzExpr], dialect: "Quartz" }), CronError);
      });
    } else if (want.length === 0) {
      it(`${row.id}: knows that ${row.quartzExpr} never fires`, () => {
        assert.throws(
          () => createSchedule({ ...common, crons: [row.quartzExpr], dialect: "Quartz" }),
          (error: unknown) => error instanceof CronError && error.neverFires,
        );
      });
    } else {
      it(`${row.id}: ${row.quartzExpr} in ${row.tz} fires as in Quartz ${row.note}`, () => {
        const schedule = createSchedule({ ...common, crons: [row.quartzExpr], dialect: "Quartz", dst: "Quartz" });
        assert.deepEqual(utc(schedule.between(from, Number.MAX_SAFE_INTEGER, 3).times), utc(want.map((time) => Date.parse(time))));
      });
    }

    const { iscRule } = row;
    if (iscRule === null) continue;
    // Where the row has no Unix expression its Quartz one must follow the same rule.
    for (const [dialect, text] of [
      ["Unix", row.vixieExpr],
      ["Quartz", row.quartzExpr],
    ] as const) {
      if (text === null) continue;
      it(`${row.id}: ${text} in ${row.tz} fires by the Once rule ${row.note}`, () => {
        const schedule = createSchedule({ ...common, crons: [text], dialect });
        assert.deepEqual(utc(schedule.between(from, Number.MAX_SAFE_INTEGER, 3).times), utc(iscRule.map((time) => Date.parse(time))));
      });
    }
  }
});
