import assert from "node:assert/strict";
import fc from "fast-check";
import { formatSeconds } from "../../../src/base/time.ts";
import { Notes } from "../../../src/convert/conversion.ts";
import { cronJobSchedule } from "../../../src/convert/cron-job-schedule.ts";
import { Fields } from "../../../src/convert/fields.ts";
import { createSchedule } from "../../../src/cron/schedule.ts";
import { robfigTimes } from "../../support/robfig.ts";

const now = Date.parse("2026-03-20T00:00:00Z");
const years = 9 * 366 * 86_400_000;

function part(minimum: number, maximum: number): fc.Arbitrary<string> {
  const number = fc.integer({ min: minimum, max: maximum });
  const step = fc.integer({ min: 1, max: maximum });
  return fc.oneof(
    number.map(String),
    fc.tuple(number, number).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    fc.tuple(number, number, step).map(([a, b, by]) => `${Math.min(a, b)}-${Math.max(a, b)}/${by}`),
    fc.tuple(number, step).map(([a, by]) => `${a}/${by}`),
    step.map((by) => `*/${by}`),
  );
}

const list = (minimum: number, maximum: number) =>
  fc.array(part(minimum, maximum), { minLength: 1, maxLength: 3 }).map((parts) => parts.join(","));
const field = (minimum: number, maximum: number) =>
  fc.oneof({ weight: 1, arbitrary: fc.constantFrom("*", "?") }, { weight: 2, arbitrary: list(minimum, maximum) });

describe("convert/cron-job-schedule", function () {
  this.timeout(60_000);

  it("a CronJob's expression, as robfig reads it, and the converted one have the same fire times", () => {
    const expressions = fc.tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)).map((fields) => fields.join(" "));
    let compared = 0;
    fc.assert(
      fc.property(expressions, (expression) => {
        const wanted = robfigTimes(expression, 0, now, now + years, 6).map(formatSeconds);
        const schedule = cronJobSchedule(new Fields({ schedule: expression }, "spec"), { timeZone: "Etc/UTC", now }, new Notes());
        const found =
          schedule === undefined
            ? []
            : createSchedule({ crons: schedule.crons, anchor: now })
                .between(now, now + years, 6)
                .times.map(formatSeconds);
        assert.deepEqual(found, wanted);
        compared += wanted.length;
      }),
      { numRuns: 1500, seed: 20_260_320 },
    );
    assert.ok(compared > 5000, `${compared} fire times`);
  });

  const cases = [
    { name: "Go's durations", schedule: "@every 1h30m10s", want: ["@every 5410s"] },
    { name: "parts of a second are cut off", schedule: "@every 2500ms", want: ["@every 2s"] },
    { name: "a second is the shortest", schedule: "@every 10ms", want: ["@every 1s"] },
    { name: "what is no duration leaves no schedule", schedule: "@every often", want: undefined },
    { name: "six fields are refused by a CronJob, and here", schedule: "0 0 0 * * *", want: undefined },
    { name: "an unknown zone", schedule: "TZ=Mars/Base 0 0 * * *", want: undefined },
  ];
  for (const tc of cases) {
    it(`${tc.name}: ${tc.schedule}`, () => {
      const notes = new Notes();
      const schedule = cronJobSchedule(new Fields({ schedule: tc.schedule }, "spec"), { timeZone: "Etc/UTC", now }, notes);
      assert.deepEqual(schedule?.crons, tc.want);
      assert.equal(notes.all()[0]?.path, "spec.schedule");
    });
  }
});
