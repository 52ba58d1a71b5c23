import assert from "node:assert/strict";
import fc from "fast-check";
import { CalendarError, mostCalendarBytes, parseCalendar } from "../../../src/cron/calendar.ts";
import { createSchedule, type Schedule } from "../../../src/cron/schedule.ts";

const local = (wall: number): string => new Date(wall).toISOString().slice(0, 16);
const windowsOf = (text: string): readonly string[] => parseCalendar(text).map(({ from, to }) => `${local(from)} ${local(to)}`);

describe("a calendar's text", () => {
  const cases: readonly { readonly name: string; readonly text: string; readonly want: readonly string[] }[] = [
    { name: "nothing is an empty calendar", text: "\n  \n# only words\n", want: [] },
    { name: "a date is the whole day", text: "2026-10-01", want: ["2026-10-01T00:00 2026-10-02T00:00"] },
    { name: "a span holds both its dates", text: "2026-10-01/2026-10-07", want: ["2026-10-01T00:00 2026-10-08T00:00"] },
    {
      name: "a span with times of day ends before its end",
      text: "2026-10-01T22:00/2026-10-02T06:00",
      want: ["2026-10-01T22:00 2026-10-02T06:00"],
    },
    {
      name: "comments, blanks and all kinds of line ends",
      text: "  2026-05-01   # Labour Day\r\n2026-12-25\n",
      want: ["2026-05-01T00:00 2026-05-02T00:00", "2026-12-25T00:00 2026-12-26T00:00"],
    },
    {
      name: "entries may come in any order, overlap and touch",
      text: "2026-10-05\n2026-10-01/2026-10-03\n2026-10-02/2026-10-04",
      want: ["2026-10-01T00:00 2026-10-06T00:00"],
    },
    { name: "29 February of a leap year", text: "2028-02-29", want: ["2028-02-29T00:00 2028-03-01T00:00"] },
  ];
  for (const tc of cases) it(tc.name, () => assert.deepEqual(windowsOf(tc.text), tc.want));

  const wrong: readonly { readonly name: string; readonly text: string; readonly at: string; readonly says: RegExp }[] = [
    { name: "no date at all", text: "2026-10-01\nNational Day", at: "2:1", says: /"National Day" is not understood; write 2026-10-01/ },
    { name: "a month that does not exist", text: "2026-13-01", at: "1:6", says: /no month 13; months go from 01 to 12/ },
    { name: "a day that does not exist", text: "\n\n  2027-02-29", at: "3:11", says: /no day 29 in 2027-02; its days go from 01 to 28/ },
    { name: "an end that cannot be read", text: "2026-10-01/2026-10-7", at: "1:12", says: /"2026-10-7" is not understood/ },
    { name: "an end before the beginning", text: "2026-10-07/2026-10-01", at: "1:12", says: /the end is before the beginning/ },
    { name: "no time between the ends", text: "2026-10-01T22:00/2026-10-01T22:00", at: "1:18", says: /the end is not after the beginning/ },
    { name: "a time of day without an end", text: "2026-10-01T22:00", at: "1:17", says: /an end is missing/ },
    { name: "one end with a time of day", text: "2026-10-01/2026-10-02T06:00", at: "1:12", says: /both ends must be dates, or both/ },
    { name: "a time that does not exist", text: "2026-10-01T24:00/2026-10-02T06:00", at: "1:12", says: /"24:00" is no time of day/ },
    { name: "a year before schedules begin", text: "1969-12-31", at: "1:1", says: /before 1970/ },
    { name: "more than is read", text: "#".repeat(mostCalendarBytes + 1), at: "1:1", says: /at most 65536 are read/ },
  ];
  for (const tc of wrong)
    it(`is refused with line and column: ${tc.name}`, () => {
      assert.throws(
        () => parseCalendar(tc.text),
        (error) => {
          assert.ok(error instanceof CalendarError);
          assert.equal(`${error.line}:${error.column}`, tc.at);
          assert.match(error.message, tc.says);
          return true;
        },
      );
    });
});

function scheduleOf(cron: string, exclude: string, treatAsWeekday = "", timeZone = "Etc/UTC"): Schedule {
  const calendars = { exclude: parseCalendar(exclude), treatAsWeekday: parseCalendar(treatAsWeekday) };
  return createSchedule({ crons: [cron], timeZone, anchor: 0, calendars });
}

const instants = (schedule: Schedule, from: string, to: string): readonly string[] =>
  schedule.between(Date.parse(from), Date.parse(to), 1000).times.map((time) => `${new Date(time).toISOString().slice(0, 16)}Z`);

/** 2026-10-01 is a Thursday, 2026-10-10 and 2026-10-17 are Saturdays. */
describe("fire times by calendars (decision 43)", () => {
  interface Case {
    readonly name: string;
    readonly cron: string;
    readonly exclude?: string;
    readonly treatAsWeekday?: string;
    readonly zone?: string;
    readonly from: string;
    readonly to: string;
    readonly want: readonly string[];
  }
  const cases: readonly Case[] = [
    {
      name: "Exclude leaves a date out",
      cron: "0 9 * * 1-5",
      exclude: "2026-10-01/2026-10-02",
      from: "2026-09-29T12:00Z",
      to: "2026-10-06T12:00Z",
      want: ["2026-09-30T09:00Z", "2026-10-05T09:00Z", "2026-10-06T09:00Z"],
    },
    {
      name: "dates are those of the job's zone",
      cron: "0 1 * * *",
      exclude: "2026-10-01",
      zone: "Asia/Shanghai",
      from: "2026-09-29T00:00Z",
      to: "2026-10-02T00:00Z",
      want: ["2026-09-29T17:00Z", "2026-10-01T17:00Z"],
    },
    {
      name: "a blackout with times of day ends before its end",
      cron: "0 * * * *",
      exclude: "2026-10-01T22:00/2026-10-02T06:00",
      from: "2026-10-01T20:30Z",
      to: "2026-10-02T07:00Z",
      want: ["2026-10-01T21:00Z", "2026-10-02T06:00Z", "2026-10-02T07:00Z"],
    },
    {
      name: "on a make-up Saturday MON-FRI matches",
      cron: "0 0 9 ? * MON-FRI",
      treatAsWeekday: "2026-10-10",
      from: "2026-10-08T12:00Z",
      to: "2026-10-12T12:00Z",
      want: ["2026-10-09T09:00Z", "2026-10-10T09:00Z", "2026-10-12T09:00Z"],
    },
    {
      name: "on a make-up Saturday SAT does not match, since it does not hold all of MON-FRI",
      cron: "0 9 * * 6",
      treatAsWeekday: "2026-10-10",
      from: "2026-10-01T12:00Z",
      to: "2026-10-20T12:00Z",
      want: ["2026-10-03T09:00Z", "2026-10-17T09:00Z"],
    },
    {
      name: "MON-SAT holds all of MON-FRI, and TUE-SAT does not",
      cron: "0 9 * * 2-6",
      treatAsWeekday: "2026-10-10",
      from: "2026-10-09T12:00Z",
      to: "2026-10-13T12:00Z",
      want: ["2026-10-13T09:00Z"],
    },
    {
      name: "other fields are as usual: the hour, and a day of the month",
      cron: "30 8 10 * *",
      treatAsWeekday: "2026-10-10\n2026-10-11",
      from: "2026-10-01T00:00Z",
      to: "2026-10-31T00:00Z",
      want: ["2026-10-10T08:30Z"],
    },
    {
      name: "where both match one instant, TreatAsWeekday wins over Exclude",
      cron: "0 9 * * 1-5",
      exclude: "2026-10-01/2026-10-12",
      treatAsWeekday: "2026-10-10",
      from: "2026-09-30T12:00Z",
      to: "2026-10-13T12:00Z",
      want: ["2026-10-10T09:00Z", "2026-10-13T09:00Z"],
    },
    {
      name: "with a day of the month or a weekday (crontab's rule) either is enough on a make-up Saturday too",
      cron: "0 9 10 * 1-5",
      treatAsWeekday: "2026-10-10\n2026-10-17",
      from: "2026-10-09T12:00Z",
      to: "2026-10-18T12:00Z",
      want: ["2026-10-10", "2026-10-12", "2026-10-13", "2026-10-14", "2026-10-15", "2026-10-16", "2026-10-17"].map(
        (date) => `${date}T09:00Z`,
      ),
    },
    {
      name: "@every is left out by Exclude, and has no day of week",
      cron: "@every 12h",
      exclude: "2026-10-02",
      treatAsWeekday: "2026-10-03",
      from: "2026-10-01T01:00Z",
      to: "2026-10-04T00:00Z",
      want: ["2026-10-01T12:00Z", "2026-10-03T00:00Z", "2026-10-03T12:00Z", "2026-10-04T00:00Z"],
    },
    {
      name: "an excluded night in New York holds both passes of the hour that comes twice",
      cron: "0,30 * * * *",
      exclude: "2026-11-01T01:00/2026-11-01T02:00",
      zone: "America/New_York",
      from: "2026-11-01T04:15Z",
      to: "2026-11-01T07:30Z",
      want: ["2026-11-01T04:30Z", "2026-11-01T07:00Z", "2026-11-01T07:30Z"],
    },
    {
      name: "half an hour twice on Lord Howe, and only its first part left out",
      cron: "*/10 * * * *",
      exclude: "2026-04-05T01:30/2026-04-05T01:40",
      zone: "Australia/Lord_Howe",
      from: "2026-04-04T14:15Z",
      to: "2026-04-04T15:25Z",
      want: ["14:20", "14:40", "14:50", "15:10", "15:20"].map((time) => `2026-04-04T${time}Z`),
    },
    {
      name: "Apia's lost day may stand in a calendar, and changes nothing",
      cron: "0 12 * * *",
      exclude: "2011-12-30",
      zone: "Pacific/Apia",
      from: "2011-12-28T00:00Z",
      to: "2012-01-01T12:00Z",
      want: ["2011-12-28T22:00Z", "2011-12-29T22:00Z", "2011-12-30T22:00Z", "2011-12-31T22:00Z"],
    },
  ];
  for (const tc of cases)
    it(tc.name, () => {
      const schedule = scheduleOf(tc.cron, tc.exclude ?? "", tc.treatAsWeekday, tc.zone);
      assert.deepEqual(instants(schedule, tc.from, tc.to), tc.want);
    });

  it("what is left out for ever is recognised", () => {
    const schedule = scheduleOf("0 9 * * *", "1970-01-01/9999-12-31");
    assert.equal(schedule.next(Date.parse("2026-10-01T00:00Z")), undefined);
    assert.equal(schedule.previous(Date.parse("2026-10-01T00:00Z")), undefined);
  });

  it("a job by the second that rests for a century is asked once for each edge of the zone's offsets", () => {
    const schedule = scheduleOf("* * * * * ?", "2026-01-01/2125-12-31", "", "Europe/Berlin");
    assert.equal(schedule.next(Date.parse("2026-06-01T00:00Z")), Date.parse("2125-12-31T23:00:00Z"));
    assert.equal(schedule.previous(Date.parse("2126-01-01T00:00+01:00")), Date.parse("2025-12-31T22:59:59Z"));
  });

  it("next, previous and a plain filter over the days agree", () => {
    const day = (index: number) => new Date(Date.UTC(2026, 2, 20) + index * 86_400_000).toISOString().slice(0, 10);
    const dates = fc.uniqueArray(fc.integer({ min: 0, max: 24 }), { maxLength: 12 });
    const zones = fc.constantFrom("Etc/UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Shanghai");
    const crons = fc.constantFrom("0 */5 * * *", "30 2 * * *", "0 9 * * 1-5", "15 1 * * 6,0", "0 0 * * *", "0 9 1 * 1-6");
    fc.assert(
      fc.property(dates, dates, zones, crons, (excluded, treated, zone, cron) => {
        const schedule = scheduleOf(cron, excluded.map(day).join("\n"), treated.map(day).join("\n"), zone);
        const from = Date.UTC(2026, 2, 20) + 86_400_000;
        const to = from + 20 * 86_400_000;
        const found = schedule.between(from, to, 10_000).times;
        const format = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
        const dateOf = (time: number) => format.format(time);
        const usual = createSchedule({ crons: [cron], timeZone: zone, anchor: 0 });
        const anyDay = cron.replace("1-5", "*").replace("1-6", "*");
        const weekday = createSchedule({ crons: [cron.endsWith("1 * 1-6") ? "0 9 * * *" : anyDay], timeZone: zone, anchor: 0 });
        const treatedDates = new Set(treated.map(day));
        const excludedDates = new Set(excluded.map(day));
        const want = [
          ...usual.between(from, to, 10_000).times.filter((time) => !treatedDates.has(dateOf(time)) && !excludedDates.has(dateOf(time))),
          ...(cron.endsWith("6,0") ? [] : weekday.between(from, to, 10_000).times.filter((time) => treatedDates.has(dateOf(time)))),
        ].sort((a, b) => a - b);
        assert.deepEqual(found, want);
        const back: number[] = [];
        for (let time = schedule.previous(to + 1); time !== undefined && time > from; time = schedule.previous(time)) back.push(time);
        assert.deepEqual(back.reverse(), want);
      }),
      { numRuns: 300 },
    );
  });
});
