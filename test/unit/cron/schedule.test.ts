import assert from "node:assert/strict";
import { createSchedule, type ScheduleOptions } from "../../../src/cron/schedule.ts";
import { CronError, ScheduleError, ZoneError } from "../../../src/cron/schedule-error.ts";

const at = (text: string) => Date.parse(text);
const iso = (times: readonly (number | undefined)[]) =>
  times.map((time) => (time === undefined ? "none" : new Date(time).toISOString().replace(".000Z", "Z")));

/** Local time of a zone, to make wants readable. */
const local = (times: readonly number[], timeZone: string) =>
  times.map((time) =>
    new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium", hourCycle: "h23" }).format(time),
  );

const newYork = "America/New_York";
const lordHowe = "Australia/Lord_Howe";

const rules: readonly {
  name: string;
  crons: readonly string[];
  timeZone: string;
  dst?: "Once" | "Quartz";
  from: string;
  want: readonly string[];
}[] = [
  {
    name: "Once: several fixed times inside a gap are one fire time at its end",
    crons: ["15,45 2 * * *"],
    timeZone: newYork,
    from: "2024-03-10T00:00:00-05:00",
    want: ["2024-03-10T07:00:00Z", "2024-03-11T06:15:00Z"],
  },
  {
    name: "Once: a fixed time at a gap's end and one inside it are one fire time",
    crons: ["0 2,3 * * *"],
    timeZone: newYork,
    from: "2024-03-10T00:00:00-05:00",
    want: ["2024-03-10T07:00:00Z", "2024-03-11T06:00:00Z"],
  },
  {
    name: "Once: a step in the minutes follows elapsed time, so that the lost hour is lost",
    crons: ["*/30 2 * * *"],
    timeZone: newYork,
    from: "2024-03-10T00:00:00-05:00",
    want: ["2024-03-11T06:00:00Z", "2024-03-11T06:30:00Z"],
  },
  {
    name: "Once: a step in the minutes runs through both passes",
    crons: ["*/30 1 * * *"],
    timeZone: newYork,
    from: "2024-11-03T00:00:00-04:00",
    want: ["2024-11-03T05:00:00Z", "2024-11-03T05:30:00Z", "2024-11-03T06:00:00Z", "2024-11-03T06:30:00Z", "2024-11-04T06:00:00Z"],
  },
  {
    name: "Once: asked within the second pass, the fixed time of the first is over",
    crons: ["30 1 * * *"],
    timeZone: newYork,
    from: "2024-11-03T01:00:00-05:00",
    want: ["2024-11-04T06:30:00Z"],
  },
  {
    name: "Once: Lord Howe's half-hour gap",
    crons: ["15 2 * * *"],
    timeZone: lordHowe,
    from: "2024-10-05T12:00:00Z",
    // 2024-10-06 02:00 +10:30 becomes 02:30 +11.
    want: ["2024-10-05T15:30:00Z", "2024-10-06T15:15:00Z"],
  },
  {
    name: "Once: every 20 minutes through Lord Howe's half-hour overlap",
    crons: ["*/20 * * * *"],
    timeZone: lordHowe,
    from: "2024-04-06T14:15:00Z",
    // 01:20, 01:40 +11; 01:40 +10:30; 02:00.
    want: ["2024-04-06T14:20:00Z", "2024-04-06T14:40:00Z", "2024-04-06T15:10:00Z", "2024-04-06T15:30:00Z"],
  },
  {
    name: "Once: nothing is owed for the day that Apia lost",
    crons: ["0 12 * * *"],
    timeZone: "Pacific/Apia",
    from: "2011-12-29T00:00:00-10:00",
    want: ["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"],
  },
  {
    name: "Once: hourly through the day that Apia lost",
    crons: ["0 * * * *"],
    timeZone: "Pacific/Apia",
    from: "2011-12-29T22:30:00-10:00",
    want: ["2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z"],
  },
  {
    name: "Once: a time in Troll's gap of two hours",
    crons: ["30 1 * * *"],
    timeZone: "Antarctica/Troll",
    from: "2024-03-30T12:00:00Z",
    want: ["2024-03-31T01:00:00Z", "2024-03-31T23:30:00Z"],
  },
  {
    name: "Quartz: a fixed time inside a gap is skipped",
    crons: ["0 30 2 * * ?"],
    timeZone: newYork,
    dst: "Quartz",
    from: "2024-03-09T12:00:00-05:00",
    want: ["2024-03-11T06:30:00Z"],
  },
  {
    name: "Quartz: a wall inside Lord Howe's gap carries the search past the next one",
    crons: ["0 10,35 * * * ?"],
    timeZone: lordHowe,
    dst: "Quartz",
    from: "2024-10-05T15:05:00Z",
    // From 01:35 the minute wraps to 02:10, which reads 02:40, so that 02:35 +11 is missed.
    want: ["2024-10-05T16:10:00Z", "2024-10-05T16:35:00Z"],
  },
  {
    name: "Quartz: a year without its only time has none",
    crons: ["0 30 2 10 3 ? 2024"],
    timeZone: newYork,
    dst: "Quartz",
    from: "2024-01-01T00:00:00Z",
    want: ["none"],
  },
  {
    name: "29 February, over the year 2100 which has none",
    crons: ["0 0 29 2 *"],
    timeZone: "UTC",
    from: "2093-01-01T00:00:00Z",
    want: ["2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"],
  },
  {
    name: "29 February on a Sunday, 40 years apart around 2100",
    crons: ["0 0 0 ? 2 SUN#5"],
    timeZone: "UTC",
    from: "2080-01-01T00:00:00Z",
    want: ["2088-02-29T00:00:00Z", "2128-02-29T00:00:00Z"],
  },
  {
    name: "years far off",
    crons: ["30 2 1 1 *"],
    timeZone: newYork,
    from: "9997-06-01T00:00:00Z",
    want: ["9998-01-01T07:30:00Z", "9999-01-01T07:30:00Z", "none"],
  },
  {
    name: "either day field when both are restricted",
    crons: ["0 0 13 * 5"],
    timeZone: "UTC",
    from: "2024-09-01T00:00:00Z",
    want: [
      "2024-09-06T00:00:00Z",
      "2024-09-13T00:00:00Z",
      "2024-09-20T00:00:00Z",
      "2024-09-27T00:00:00Z",
      "2024-10-04T00:00:00Z",
      "2024-10-11T00:00:00Z",
      "2024-10-13T00:00:00Z",
    ],
  },
  {
    name: "both day fields when one begins with a star (vixie's star bit)",
    crons: ["0 0 */10 * SUN"],
    timeZone: "UTC",
    from: "2024-01-02T00:00:00Z",
    want: ["2024-01-21T00:00:00Z", "2024-02-11T00:00:00Z", "2024-03-31T00:00:00Z"],
  },
  {
    name: "0 and 7 are Sunday, and FRI-SUN reaches it",
    crons: ["0 0 * * 7", "0 1 * * 0", "0 2 * * FRI-SUN"],
    timeZone: "UTC",
    from: "2024-01-05T12:00:00Z",
    want: ["2024-01-06T02:00:00Z", "2024-01-07T00:00:00Z", "2024-01-07T01:00:00Z", "2024-01-07T02:00:00Z"],
  },
  {
    name: "the union of crons, duplicates merged, dialects mixed",
    crons: ["0 */6 * * *", "0 0 12,13 * * ?", "@daily"],
    timeZone: "UTC",
    from: "2024-01-01T06:00:00Z",
    want: ["2024-01-01T12:00:00Z", "2024-01-01T13:00:00Z", "2024-01-01T18:00:00Z", "2024-01-02T00:00:00Z"],
  },
  {
    name: "1W on a Saturday is Monday the 3rd, on a Sunday Monday the 2nd",
    crons: ["0 0 0 1W * ?"],
    timeZone: "UTC",
    from: "2024-06-01T00:00:00Z",
    want: ["2024-06-03T00:00:00Z", "2024-07-01T00:00:00Z", "2024-08-01T00:00:00Z", "2024-09-02T00:00:00Z"],
  },
  {
    name: "LW and L-2",
    crons: ["0 0 0 LW,L-2 * ?"],
    timeZone: "UTC",
    from: "2024-06-01T00:00:00Z",
    want: ["2024-06-28T00:00:00Z", "2024-07-29T00:00:00Z", "2024-07-31T00:00:00Z", "2024-08-29T00:00:00Z", "2024-08-30T00:00:00Z"],
  },
  {
    name: "the last Friday",
    crons: ["0 0 0 ? * 6L"],
    timeZone: "UTC",
    from: "2024-02-01T00:00:00Z",
    want: ["2024-02-23T00:00:00Z", "2024-03-29T00:00:00Z", "2024-04-26T00:00:00Z"],
  },
  {
    name: "wrapping ranges of hours, months and weekdays",
    crons: ["0 0 22-2/2 ? NOV-FEB FRI-MON"],
    timeZone: "UTC",
    from: "2024-10-31T00:00:00Z",
    // 1 November 2024 is a Friday.
    want: ["2024-11-01T00:00:00Z", "2024-11-01T02:00:00Z", "2024-11-01T22:00:00Z", "2024-11-02T00:00:00Z"],
  },
  {
    name: "every other year",
    crons: ["0 0 0 1 1 ? 2024/2"],
    timeZone: "UTC",
    from: "2024-06-01T00:00:00Z",
    want: ["2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z"],
  },
  {
    name: "a fixed offset",
    crons: ["0 8 * * *"],
    timeZone: "GMT+8",
    from: "2024-01-01T00:00:00Z",
    want: ["2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"],
  },
];

describe("cron/schedule", () => {
  for (const tc of rules) {
    it(tc.name, () => {
      const schedule = createSchedule({ crons: tc.crons, timeZone: tc.timeZone, dst: tc.dst, anchor: 0 });
      const got: (number | undefined)[] = [];
      while (got.length < tc.want.length)
        got.push(schedule.next(got.length === 0 ? at(tc.from) : (got.at(-1) ?? Number.POSITIVE_INFINITY)));
      assert.deepEqual(iso(got), tc.want);
      const found = got.filter((each) => each !== undefined);
      const [first] = found;
      const last = found.at(-1);
      if (first === undefined || last === undefined) return;
      const back: number[] = [];
      for (let time = schedule.previous(last + 1); time !== undefined && time >= first; time = schedule.previous(time)) back.unshift(time);
      assert.deepEqual(iso(back), iso(found), "backwards");
    });
  }

  const hourly = (options: Partial<ScheduleOptions> = {}) => createSchedule({ crons: ["0 * * * *"], anchor: 0, ...options });

  it("next is strictly after and previous strictly before, to the millisecond", () => {
    const noon = at("2024-01-01T12:00:00Z");
    const hour = 3_600_000;
    assert.deepEqual(
      [noon - 1, noon, noon + 1].map((time) => hourly().next(time)),
      [noon, noon + hour, noon + hour],
    );
    assert.deepEqual(
      [noon - 1, noon, noon + 1].map((time) => hourly().previous(time)),
      [noon - hour, noon - hour, noon],
    );
  });

  it("fires at startAt, not before, and not at endAt", () => {
    const schedule = hourly({ startAt: at("2024-01-01T10:00:00Z"), endAt: at("2024-01-01T12:00:00Z") });
    assert.deepEqual(iso(schedule.between(0, at("2025-01-01T00:00:00Z"), 10).times), ["2024-01-01T10:00:00Z", "2024-01-01T11:00:00Z"]);
    assert.deepEqual(
      iso([
        schedule.next(at("2024-01-01T11:00:00Z")),
        schedule.previous(at("2024-01-01T10:00:00Z")),
        schedule.previous(at("2030-01-01T00:00:00Z")),
      ]),
      ["none", "none", "2024-01-01T11:00:00Z"],
    );
  });

  it("between takes the oldest, open at from and closed at to", () => {
    const from = at("2024-01-01T00:00:00Z");
    assert.deepEqual(hourly().between(from, from + 2 * 3_600_000, 2), {
      times: [from + 3_600_000, from + 2 * 3_600_000],
      truncated: false,
    });
    assert.deepEqual(hourly().between(from, from + 2 * 3_600_000, 1), { times: [from + 3_600_000], truncated: true });
    assert.deepEqual(hourly().between(from, from, 1), { times: [], truncated: false });
  });

  it("newestBetween takes the newest, counts all, and stops counting at 100,000", () => {
    const from = at("2024-01-01T00:00:00Z");
    assert.deepEqual(hourly().newestBetween(from, from + 5 * 3_600_000, 2), {
      times: [from + 4 * 3_600_000, from + 5 * 3_600_000],
      total: 5,
    });
    assert.deepEqual(hourly().newestBetween(from, from, 2), { times: [], total: 0 });
    const secondly = createSchedule({ crons: ["* * * * * ?"], anchor: 0 }).newestBetween(from, from + 200_000_000, 3);
    assert.deepEqual([secondly.total, secondly.times], [100_000, [from + 199_998_000, from + 199_999_000, from + 200_000_000]]);
  });

  it("@every counts from creation, first after one interval", () => {
    const schedule = createSchedule({ crons: ["@every 90s"], anchor: at("2024-01-01T00:00:10Z") });
    assert.deepEqual(iso(schedule.between(0, at("2024-01-01T00:05:00Z"), 10).times), [
      "2024-01-01T00:01:40Z",
      "2024-01-01T00:03:10Z",
      "2024-01-01T00:04:40Z",
    ]);
    assert.deepEqual(iso([schedule.previous(at("2024-01-01T00:01:41Z")), schedule.previous(at("2024-01-01T00:01:40Z"))]), [
      "2024-01-01T00:01:40Z",
      "none",
    ]);
  });

  it("@every counts from startAt, beginning with it, whatever the clocks do", () => {
    const schedule = createSchedule({ crons: ["@every 24h"], anchor: 0, startAt: at("2024-03-09T12:00:00-05:00"), timeZone: newYork });
    assert.deepEqual(local(schedule.between(0, at("2024-03-12T00:00:00Z"), 10).times, newYork), [
      "2024-03-09 12:00:00",
      "2024-03-10 13:00:00",
      "2024-03-11 13:00:00",
    ]);
  });

  it("an anchor with parts of a second gives whole seconds", () => {
    const schedule = createSchedule({ crons: ["@every 1s"], anchor: 0, startAt: 1500 });
    assert.deepEqual(schedule.between(0, 4000, 10).times, [2000, 3000, 4000]);
  });

  it("no crons never fire", () =>
    assert.deepEqual(
      [createSchedule({ crons: [], anchor: 0 }).next(0), createSchedule({ crons: [], anchor: 0 }).previous(1e12)],
      [undefined, undefined],
    ));

  it("Quartz: asked within the first pass, both directions skip the rest of it", () => {
    const schedule = createSchedule({ crons: ["0 0/30 * * * ?"], timeZone: newYork, dst: "Quartz", anchor: 0 });
    const from = at("2024-11-03T01:15:00-04:00");
    const to = at("2024-11-03T02:00:00-05:00");
    const want = ["2024-11-03T06:30:00Z", "2024-11-03T07:00:00Z"];
    assert.deepEqual(iso(schedule.between(from, to, 10).times), want);
    assert.deepEqual(schedule.newestBetween(from, to, 10), { times: want.map(at), total: 2 });
  });

  it("Once: what is owed at a gap's end is next in the second before it too", () => {
    const schedule = createSchedule({ crons: ["30 2 * * *"], timeZone: "Europe/Berlin", anchor: 0 });
    const gapEnd = at("2026-03-29T01:00:00Z");
    for (const early of [1, 500, 1000, 1001]) assert.equal(schedule.next(gapEnd - early), gapEnd);
    assert.equal(schedule.next(gapEnd), at("2026-03-30T00:30:00Z"));
  });

  it("Quartz: every second through a gap", () => {
    const schedule = createSchedule({ crons: ["* * * * * ?"], timeZone: newYork, dst: "Quartz", anchor: 0 });
    const gapEnd = at("2024-03-10T07:00:00Z");
    assert.deepEqual(schedule.between(gapEnd - 2000, gapEnd + 1000, 10).times, [gapEnd - 1000, gapEnd, gapEnd + 1000]);
    assert.deepEqual(schedule.newestBetween(gapEnd - 2000, gapEnd + 4 * 3_600_000, 1).total, 14_402);
  });

  it("a time that lies in the gap of every year has no next fire time by elapsed time, and says so at once", () => {
    const schedule = createSchedule({ crons: ["0 0/30 2 ? 3 SUN#2 2007-2099"], timeZone: newYork, anchor: 0 });
    assert.deepEqual([schedule.next(at("2024-01-01T00:00:00Z")), schedule.previous(at("2024-01-01T00:00:00Z"))], [undefined, undefined]);
  });

  it("errors name the part of the schedule", () => {
    const path = (options: Partial<ScheduleOptions>) => {
      try {
        hourly(options);
      } catch (error) {
        return error instanceof ScheduleError ? [error.constructor, error.path] : error;
      }
      return undefined;
    };
    assert.deepEqual(path({ crons: ["0 * * * *", "0 0 30 2 *"] }), [CronError, "crons[1]"]);
    assert.deepEqual(path({ timeZone: "CST" }), [ZoneError, "timeZone"]);
    assert.deepEqual(path({ startAt: 5, endAt: 5 }), [ScheduleError, "endAt"]);
  });

  it("warnings name the expression", () => {
    const [warning] = createSchedule({ crons: ["0 * * * *", "0 0 0 ? * 2-6"], anchor: 0 }).warnings;
    assert.match(warning ?? "", /^crons\[1\]: day-of-week/);
  });
});
