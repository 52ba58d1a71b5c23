import assert from "node:assert/strict";
import { Cron } from "croner";
import fc from "fast-check";
import { createSchedule, type Schedule, type ScheduleOptions } from "../../../src/cron/schedule.ts";
import { CronError } from "../../../src/cron/schedule-error.ts";
import { parseZone } from "../../../src/cron/zone.ts";

// NUPTSE_CRON_EXPRESSIONS sets how many expressions each property tries, NUPTSE_CRON_SEED another seed.
const parameters = {
  numRuns: Number(process.env["NUPTSE_CRON_EXPRESSIONS"] ?? 3000),
  seed: Number(process.env["NUPTSE_CRON_SEED"] ?? 20_240_310),
};

const zones = [
  "UTC",
  "America/New_York",
  "Europe/London",
  "Australia/Lord_Howe",
  "Asia/Shanghai",
  "America/Santiago",
  "Africa/Casablanca",
  "Asia/Kathmandu",
  "Antarctica/Troll",
  "Pacific/Apia",
] as const;

/** One element of a list: a value, a range, a range with a step, an open step. */
function element(minimum: number, maximum: number): fc.Arbitrary<string> {
  const step = fc.integer({ min: 2, max: Math.max(2, Math.floor((maximum - minimum) / 2)) });
  return fc
    .tuple(
      fc.integer({ min: minimum, max: maximum }),
      fc.integer({ min: minimum, max: maximum }),
      step,
      fc.constantFrom("value", "value", "range", "stepped", "open"),
    )
    .map(([one, other, by, shape]) => {
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      return { value: `${one}`, range: `${from}-${to}`, stepped: `${from}-${to}/${by}`, open: `${one}/${by}` }[shape];
    });
}

function field(minimum: number, maximum: number, starred: readonly string[] = ["*"]): fc.Arbitrary<string> {
  const list = fc.array(element(minimum, maximum), { minLength: 1, maxLength: 3 }).map((elements) => elements.join(","));
  return fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...starred) }, { weight: 5, arbitrary: list });
}

const minute = field(0, 59, ["*", "*/5", "*/20", "*/7"]);
const hour = field(0, 23, ["*", "*", "*/2", "*/5"]);
const month = fc.oneof(
  { weight: 3, arbitrary: fc.constant("*") },
  { weight: 1, arbitrary: field(1, 12) },
  { weight: 1, arbitrary: fc.constantFrom("JAN-MAR", "dec", "FEB") },
);

const unix = fc
  .tuple(minute, hour, field(1, 31), month, fc.oneof(field(0, 6), fc.constantFrom("*", "MON-FRI", "0", "7", "sun")))
  .map((fields) => fields.join(" "));

const quartzDays = fc.oneof(
  fc
    .oneof(
      field(1, 31),
      fc.constantFrom("L", "LW"),
      fc.integer({ min: 1, max: 31 }).map((day) => `${day}W`),
    )
    .map((day) => [day, "?"] as const),
  fc
    .oneof(
      field(1, 7),
      fc.constantFrom("MON-FRI", "WED"),
      fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 5 })).map(([day, nth]) => `${day}#${nth}`),
      fc.integer({ min: 1, max: 7 }).map((day) => `${day}L`),
    )
    .map((day) => ["?", day] as const),
);
const second = fc.oneof(
  { weight: 3, arbitrary: fc.constant("0") },
  { weight: 1, arbitrary: fc.array(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 3 }).map(String) },
);
const quartz = fc
  .tuple(second, minute, hour, quartzDays, month)
  .map(([s, m, h, [day, weekday], mon]) => [s, m, h, day, mon, weekday].join(" "));

const instant = fc.integer({ min: Date.UTC(2009, 0, 1) / 1000, max: Date.UTC(2040, 0, 1) / 1000 }).map((seconds) => seconds * 1000);
/** Two thirds of the instants are within two days of a change of offset. */
const zoneAndInstant = fc
  .tuple(fc.constantFrom(...zones), instant, fc.integer({ min: -172_800, max: 7200 }), fc.integer({ min: 0, max: 2 }))
  .map(([zone, time, shift, near]) => {
    const { end } = parseZone(zone).segmentAt(time);
    return { zone, from: near === 0 || !Number.isFinite(end) ? time : end + shift * 1000 };
  });

/** The schedule, or undefined where no date matches. */
function scheduleOf(options: ScheduleOptions): Schedule | undefined {
  try {
    return createSchedule(options);
  } catch (error) {
    if (error instanceof CronError && error.neverFires) return undefined;
    throw error;
  }
}

function five(next: (after: number) => number | undefined, from: number): readonly string[] {
  const times: string[] = [];
  for (let time = next(from); time !== undefined && times.length < 5; time = next(time)) times.push(new Date(time).toISOString());
  return times;
}

function cronerOf(text: string, timezone: string): Cron {
  return new Cron(text, {
    timezone,
    paused: true,
    sloppyRanges: true,
    alternativeWeekdays: text.split(" ").length > 5,
    fixedTimeRule: "no-wildcard",
  });
}

describe("cron/properties", function () {
  this.timeout(0);

  it("Unix and Quartz expressions fire when croner says so, by the Once rule", () => {
    fc.assert(
      fc.property(fc.oneof(unix, quartz), zoneAndInstant, (text, { zone, from }) => {
        const schedule = scheduleOf({ crons: [text], timeZone: zone, anchor: 0 });
        if (schedule === undefined) return;
        const croner = cronerOf(text, zone);
        assert.deepEqual(
          five((after) => schedule.next(after), from),
          five((after) => croner.nextRun(new Date(after))?.getTime(), from),
        );
      }),
      parameters,
    );
  });

  for (const dst of ["Once", "Quartz"] as const) {
    it(`${dst}: previous is the inverse of next`, () => {
      fc.assert(
        fc.property(fc.oneof(unix, quartz), zoneAndInstant, (text, { zone, from }) => {
          const schedule = scheduleOf({ crons: [text], timeZone: zone, dst, anchor: 0 });
          const first = schedule?.next(from);
          if (schedule === undefined || first === undefined) return;
          let time = first;
          for (let turn = 0; turn < 5; turn++) {
            const following = schedule.next(time);
            if (following === undefined) return;
            assert.ok(following > time);
            assert.equal(schedule.previous(following), time, `before ${new Date(following).toISOString()}`);
            assert.equal(schedule.previous(following + 1), following);
            time = following;
          }
        }),
        parameters,
      );
    });
  }

  it("between and newestBetween see the same fire times", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(unix, quartz), { minLength: 1, maxLength: 3 }),
        zoneAndInstant,
        fc.constantFrom("Once" as const, "Quartz" as const),
        (crons, { zone, from }, dst) => {
          const schedule = scheduleOf({ crons, timeZone: zone, dst, anchor: 0 });
          if (schedule === undefined) return;
          const to = from + 6 * 3_600_000;
          const { times } = schedule.between(from, to, 100_000);
          assert.deepEqual(schedule.newestBetween(from, to, 100_000), { times, total: times.length });
        },
      ),
      { ...parameters, numRuns: Math.min(parameters.numRuns, 20000) },
    );
  });

  // Where croner means something else, and why we do not follow it.
  const differences: readonly {
    name: string;
    text: string;
    zone?: string;
    from: string;
    want: readonly string[];
    wantCroner: readonly string[] | "refused";
  }[] = [
    {
      name: "*/n keeps vixie's star bit, so both day fields must match; croner takes either",
      text: "0 0 */10 * SUN",
      from: "2024-01-02",
      want: ["2024-01-21", "2024-02-11"],
      wantCroner: ["2024-01-07", "2024-01-11"],
    },
    {
      name: "Quartz's bare L weekday is every Saturday",
      text: "0 0 0 ? * L",
      from: "2024-01-01",
      want: ["2024-01-06", "2024-01-13"],
      wantCroner: "refused",
    },
    {
      name: "Quartz counts back from the last day",
      text: "0 0 0 L-3 * ?",
      from: "2024-01-01",
      want: ["2024-01-28", "2024-02-26"],
      wantCroner: "refused",
    },
    {
      name: "Quartz has the weekday nearest a day before the last",
      text: "0 0 0 L-1W * ?",
      from: "2024-01-01",
      want: ["2024-01-30", "2024-02-28"],
      wantCroner: "refused",
    },
    {
      name: "Quartz ranges wrap around",
      text: "0 0 0 ? * FRI-MON",
      from: "2024-01-01",
      want: ["2024-01-05", "2024-01-06"],
      wantCroner: "refused",
    },
    {
      name: "Quartz drops a step after a name",
      text: "0 0 0 1 JAN-DEC/3 ?",
      from: "2024-01-20",
      want: ["2024-02-01", "2024-03-01"],
      wantCroner: ["2024-04-01", "2024-07-01"],
    },
    {
      name: "Quartz takes the first letters of a long name",
      text: "0 0 0 ? * MONDAY",
      from: "2024-01-01",
      want: ["2024-01-08", "2024-01-15"],
      wantCroner: "refused",
    },
    {
      name: "Quartz takes a step 0 for the value alone",
      text: "0 0 0/0 * * ?",
      from: "2024-01-01",
      want: ["2024-01-02", "2024-01-03"],
      wantCroner: "refused",
    },
    {
      name: "Quartz applies # to the first weekday of the list",
      text: "0 0 0 ? * MON,FRI#2",
      from: "2024-01-01",
      want: ["2024-01-08", "2024-02-12"],
      wantCroner: ["2024-01-08", "2024-01-12"],
    },
    {
      name: "an open step on Sunday as 7 is Sunday",
      text: "0 0 * * 7/2",
      from: "2024-01-01",
      want: ["2024-01-07", "2024-01-14"],
      wantCroner: [],
    },
    {
      name: "a step beyond the field is the first value, with a warning",
      text: "0 */30 * * *",
      from: "2024-01-01",
      want: ["2024-01-02", "2024-01-03"],
      wantCroner: "refused",
    },
    {
      name: "only hour and minute decide whether a time is fixed; croner counts seconds too",
      text: "*/30 30 2 * * ?",
      zone: "America/New_York",
      from: "2024-03-10T05:00:00Z",
      want: ["2024-03-10T07:00:00Z", "2024-03-11T06:30:00Z"],
      wantCroner: ["2024-03-11T06:30:00Z", "2024-03-11T06:30:30Z"],
    },
  ];
  for (const tc of differences) {
    it(`differs from croner: ${tc.name}`, () => {
      const zone = tc.zone ?? "UTC";
      const iso = (times: readonly string[]) => times.map((time) => new Date(time).toISOString());
      const schedule = createSchedule({ crons: [tc.text], timeZone: zone, anchor: 0 });
      const from = Date.parse(tc.from);
      assert.deepEqual(five((after) => schedule.next(after), from).slice(0, 2), iso(tc.want));
      if (tc.wantCroner === "refused") assert.throws(() => cronerOf(tc.text, zone));
      else
        assert.deepEqual(
          cronerOf(tc.text, zone)
            .nextRuns(2, new Date(from))
            .map((time) => time.toISOString()),
          iso(tc.wantCroner),
        );
    });
  }
});
