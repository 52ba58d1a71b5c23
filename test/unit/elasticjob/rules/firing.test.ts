import assert from "node:assert/strict";
import { createSchedule } from "../../../../src/cron/schedule.ts";
import type { MisfirePolicy } from "../../../../src/elasticjob/rules/effective-spec.ts";
import { type Occupied, sortDueFireTimes } from "../../../../src/elasticjob/rules/firing.ts";
import { at } from "../../../support/builders/elastic-job.ts";

const everyMinute = createSchedule({ crons: ["* * * * *"], anchor: 0 });
const hhmm = (times: readonly number[]) => times.map((time) => new Date(time).toISOString().slice(11, 16)).join(" ");

interface Case {
  readonly name: string;
  /** Handled up to here. */
  readonly after: string;
  readonly now: string;
  readonly termStart: string;
  readonly misfire?: Partial<MisfirePolicy>;
  readonly taken?: readonly string[];
  readonly mayHaveBegun?: string;
  /** "from-to"; to absent = still at work. */
  readonly occupied?: readonly (readonly [string, string?])[];
  readonly wantFire?: string;
  readonly wantKeep?: string;
  readonly wantDropped?: { readonly Downtime?: number; readonly Overlap?: number; readonly Deadline?: number };
  readonly wantDroppedTimes?: string;
  readonly wantSettled?: string;
}

/** Decision 13. */
const cases: readonly Case[] = [
  {
    name: "what may have begun is not missed: the API server did not say whether it created the pod, and the deadline has passed",
    after: "11:58:00",
    now: "12:00:40",
    termStart: "09:00:00",
    misfire: { startingDeadlineMs: 30_000 },
    mayHaveBegun: "12:00:00",
    wantFire: "12:00",
    wantDropped: { Deadline: 1 },
    wantDroppedTimes: "11:59",
  },
  {
    name: "the fire time that has just come fires",
    after: "11:59:00",
    now: "12:00:00",
    termStart: "09:00:00",
    wantFire: "12:00",
  },
  { name: "nothing is due a millisecond before it", after: "11:59:00", now: "11:59:59.999", termStart: "09:00:00" },
  { name: "what is handled is not due again", after: "12:00:00", now: "12:00:59", termStart: "09:00:00" },
  {
    name: "it is only late, and fires, when this leader's term had begun and nothing was in the way",
    after: "11:57:00",
    now: "12:00:00",
    termStart: "11:00:00",
    wantFire: "11:58 11:59 12:00",
  },
  {
    name: "a fire time that has a run is not due",
    after: "11:58:00",
    now: "12:00:00",
    termStart: "09:00:00",
    taken: ["11:59:00"],
    wantFire: "12:00",
  },
  {
    name: "before this leader's term it is Downtime: FireOnce keeps the newest",
    after: "11:55:00",
    now: "11:59:30",
    termStart: "11:59:30",
    wantKeep: "11:59",
    wantDropped: { Downtime: 3 },
    wantDroppedTimes: "11:56 11:57 11:58",
    wantSettled: "11:59",
  },
  {
    name: "Downtime with Skip keeps none",
    after: "11:55:00",
    now: "11:59:30",
    termStart: "11:59:30",
    misfire: { onDowntime: "Skip" },
    wantDropped: { Downtime: 4 },
    wantDroppedTimes: "11:56 11:57 11:58 11:59",
    wantSettled: "11:59",
  },
  {
    name: "Downtime with FireAll keeps the newest `limit`, oldest first",
    after: "11:50:00",
    now: "11:59:30",
    termStart: "11:59:30",
    misfire: { onDowntime: "FireAll", limit: 3 },
    wantKeep: "11:57 11:58 11:59",
    wantDropped: { Downtime: 6 },
    wantDroppedTimes: "11:51 11:52 11:53 11:54 11:55 11:56",
    wantSettled: "11:59",
  },
  {
    name: "a fire time at the very start of the term is only late",
    after: "11:58:00",
    now: "11:59:30",
    termStart: "11:59:00",
    wantFire: "11:59",
  },
  {
    name: "Overlap if a run was in the way at that instant (startedAt <= F < endedAt)",
    after: "11:55:00",
    now: "11:59:30",
    termStart: "09:00:00",
    occupied: [["11:55:00", "11:58:00"]],
    wantFire: "11:58 11:59",
    wantDropped: { Overlap: 2 },
    wantDroppedTimes: "11:56 11:57",
    wantSettled: "11:57",
  },
  {
    name: "Overlap whoever was leading: a restart in the middle of a long run fires nothing (onOverlap Skip)",
    after: "09:00:00",
    now: "11:59:30",
    termStart: "10:30:00",
    occupied: [["09:00:00"]],
    wantDropped: { Overlap: 179 },
    wantSettled: "11:59",
  },
  {
    name: "Overlap with FireOnce keeps the newest",
    after: "11:55:00",
    now: "11:59:30",
    termStart: "09:00:00",
    misfire: { onOverlap: "FireOnce" },
    occupied: [["11:55:00"]],
    wantKeep: "11:59",
    wantDropped: { Overlap: 3 },
    wantDroppedTimes: "11:56 11:57 11:58",
    wantSettled: "11:59",
  },
  {
    name: "Overlap and Downtime each keep by their own rule, together in order",
    after: "11:54:00",
    now: "11:59:30",
    termStart: "11:59:30",
    misfire: { onOverlap: "FireOnce", onDowntime: "FireAll", limit: 2 },
    occupied: [["11:54:00", "11:56:30"]],
    wantKeep: "11:56 11:58 11:59",
    wantDropped: { Overlap: 1, Downtime: 1 },
    wantDroppedTimes: "11:55 11:57",
    wantSettled: "11:59",
  },
  {
    name: "older than startingDeadlineSeconds is missed for good",
    after: "11:55:00",
    now: "11:59:30",
    termStart: "09:00:00",
    misfire: { startingDeadlineMs: 100_000 },
    wantFire: "11:58 11:59",
    wantDropped: { Deadline: 2 },
    wantDroppedTimes: "11:56 11:57",
    wantSettled: "11:57",
  },
  {
    name: "exactly startingDeadlineSeconds old is not too old",
    after: "11:57:00",
    now: "11:59:30",
    termStart: "09:00:00",
    misfire: { startingDeadlineMs: 90_000 },
    wantFire: "11:58 11:59",
  },
];

describe("what becomes of fire times that have passed", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const misfire: MisfirePolicy = {
        onDowntime: "FireOnce",
        onOverlap: "Skip",
        limit: 10,
        startingDeadlineMs: Number.POSITIVE_INFINITY,
        ...tc.misfire,
      };
      const now = at(tc.now);
      const occupied: Occupied[] = (tc.occupied ?? []).map(([from, to]) => ({
        from: at(from),
        to: to === undefined ? Number.POSITIVE_INFINITY : at(to),
      }));
      const due = sortDueFireTimes(
        everyMinute,
        { after: at(tc.after), until: now, now, termStart: at(tc.termStart) },
        misfire,
        new Set(tc.taken?.map(at)),
        occupied,
        (time) => tc.mayHaveBegun !== undefined && time === at(tc.mayHaveBegun),
      );
      assert.equal(hhmm(due.fire), tc.wantFire ?? "");
      assert.equal(hhmm(due.keep), tc.wantKeep ?? "");
      assert.deepEqual(due.dropped, { Downtime: 0, Overlap: 0, Deadline: 0, ...tc.wantDropped });
      if (tc.wantDroppedTimes !== undefined) assert.equal(hhmm(due.droppedTimes), tc.wantDroppedTimes);
      if (tc.wantSettled !== undefined) assert.equal(hhmm(due.settledUpTo === undefined ? [] : [due.settledUpTo]), tc.wantSettled);
    });
  }

  it("a week without a leader is counted to the last minute, and costs a look at the newest few hundred only", () => {
    const week = 7 * 24 * 3_600_000;
    const now = at("12:00:30");
    const due = sortDueFireTimes(
      everyMinute,
      { after: now - week, until: now, now, termStart: now },
      { onDowntime: "FireOnce", onOverlap: "Skip", limit: 10, startingDeadlineMs: Number.POSITIVE_INFINITY },
      new Set(),
      [],
    );
    assert.equal(due.dropped.Downtime, 7 * 24 * 60 - 1);
    assert.equal(hhmm(due.keep), "12:00");
    assert.ok(due.droppedTimes.length > 200, "more than status.outcomes lists, so that it knows where its knowledge begins");
  });

  it("what passed behind a run of five hours is Overlap to the first minute", () => {
    const now = at("12:00:30");
    const due = sortDueFireTimes(
      everyMinute,
      { after: at("07:00:00"), until: now, now, termStart: at("06:00:00") },
      { onDowntime: "FireOnce", onOverlap: "Skip", limit: 10, startingDeadlineMs: Number.POSITIVE_INFINITY },
      new Set(),
      [{ from: at("07:00:00"), to: now }],
    );
    assert.deepEqual(due.dropped, { Downtime: 0, Overlap: 300, Deadline: 0 });
  });
});
