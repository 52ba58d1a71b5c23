import assert from "node:assert/strict";
import { type CronDialect, parseCron } from "../../../src/cron/expression.ts";
import { CronError } from "../../../src/cron/schedule-error.ts";

const refused: readonly {
  name: string;
  text: string;
  dialect?: CronDialect;
  wantField: string;
  wantPosition: number;
  wantWords: RegExp;
}[] = [
  { name: "an empty text", text: " ", wantField: "expression", wantPosition: 1, wantWords: /empty/ },
  { name: "four fields", text: "0 0 * *", wantField: "expression", wantPosition: 1, wantWords: /4 fields; write 5 / },
  { name: "eight fields", text: "0 0 0 * * ? 2024 1", wantField: "expression", wantPosition: 1, wantWords: /8 fields/ },
  {
    name: "five fields as Quartz",
    text: "0 0 * * *",
    dialect: "Quartz",
    wantField: "expression",
    wantPosition: 1,
    wantWords: /Quartz has 6 or 7/,
  },
  { name: "six fields as Unix", text: "0 0 0 * * *", dialect: "Unix", wantField: "expression", wantPosition: 11, wantWords: /has 5/ },
  {
    name: "a minute out of range",
    text: "60 * * * *",
    wantField: "minute",
    wantPosition: 1,
    wantWords: /60 is out of range; write 0 to 59/,
  },
  {
    name: "an hour out of range in a list",
    text: "0 1,24 * * *",
    wantField: "hour",
    wantPosition: 5,
    wantWords: /24 is out of range; write 0 to 23/,
  },
  { name: "the end of a range out of range", text: "0 0 1-32 * *", wantField: "day-of-month", wantPosition: 7, wantWords: /write 1 to 31/ },
  {
    name: "the position counts blanks in front",
    text: "  0 0 * 13 *",
    wantField: "month",
    wantPosition: 9,
    wantWords: /write 1 to 12 or JAN to DEC/,
  },
  { name: "an unknown name", text: "0 0 * * MOM", wantField: "day-of-week", wantPosition: 9, wantWords: /"MOM" is not a name/ },
  {
    name: "a wrapping range in Unix, with the two ranges to write",
    text: "0 22-2 * * *",
    wantField: "hour",
    wantPosition: 6,
    wantWords: /write 22-23,0-2/,
  },
  { name: "the step 0 in Unix", text: "*/0 * * * *", wantField: "minute", wantPosition: 3, wantWords: /step 0/ },
  { name: "a step that is no number", text: "*/x * * * *", wantField: "minute", wantPosition: 3, wantWords: /followed by a number/ },
  { name: "two steps", text: "*/2/3 * * * *", wantField: "minute", wantPosition: 4, wantWords: /only one/ },
  { name: "an empty list element", text: "1,,2 * * * *", wantField: "minute", wantPosition: 3, wantWords: /empty element/ },
  { name: "a question mark in Unix", text: "0 0 ? * ?", wantField: "day-of-month", wantPosition: 5, wantWords: /write \* instead/ },
  { name: "L in Unix", text: "0 0 L * *", wantField: "day-of-month", wantPosition: 5, wantWords: /Quartz dialect/ },
  { name: "# in Unix", text: "0 0 * * 5#3", wantField: "day-of-week", wantPosition: 10, wantWords: /Quartz dialect/ },
  {
    name: "both day fields in Quartz",
    text: "0 0 0 1 * MON",
    wantField: "day-of-week",
    wantPosition: 11,
    wantWords: /cannot both be given; write "\?"/,
  },
  { name: "two stars in Quartz", text: "0 0 0 * * *", wantField: "day-of-week", wantPosition: 11, wantWords: /write "\?"/ },
  {
    name: "a star beside a weekday in Quartz points at the star",
    text: "0 0 0 * * MON",
    wantField: "day-of-month",
    wantPosition: 7,
    wantWords: /write "\?"/,
  },
  { name: "two question marks", text: "0 0 0 ? * ?", wantField: "day-of-week", wantPosition: 11, wantWords: /one of/ },
  {
    name: "a question mark for the hour",
    text: "0 0 ? * * ?",
    wantField: "hour",
    wantPosition: 5,
    wantWords: /day-of-month and day-of-week only/,
  },
  {
    name: "the weekday 0 in Quartz",
    text: "0 0 0 ? * 0",
    wantField: "day-of-week",
    wantPosition: 11,
    wantWords: /write 1 to 7 or SUN to SAT/,
  },
  { name: "the weekday 8 in Quartz", text: "0 0 0 ? * 1,8", wantField: "day-of-week", wantPosition: 13, wantWords: /out of range/ },
  { name: "a sixth weekday", text: "0 0 0 ? * 6#6", wantField: "day-of-week", wantPosition: 13, wantWords: /1 to 5/ },
  { name: "two ordinals", text: "0 0 0 ? * 2#1,3#2", wantField: "day-of-week", wantPosition: 15, wantWords: /only one "#"/ },
  { name: "L among other weekdays", text: "0 0 0 ? * SAT,L", wantField: "day-of-week", wantPosition: 15, wantWords: /cannot be combined/ },
  {
    name: "a range of long names, of which Quartz would read the first day alone",
    text: "0 0 0 ? * MONDAY-FRIDAY",
    wantField: "day-of-week",
    wantPosition: 14,
    wantWords: /write MON-FRI/,
  },
  { name: "L-31", text: "0 0 0 L-31 * ?", wantField: "day-of-month", wantPosition: 9, wantWords: /at most 30/ },
  { name: "32W", text: "0 0 0 32W * ?", wantField: "day-of-month", wantPosition: 7, wantWords: /out of range/ },
  {
    name: "a step of 60 seconds",
    text: "0/60 * * * * ?",
    wantField: "second",
    wantPosition: 3,
    wantWords: /greater than the field; write 1 to 59/,
  },
  { name: "a step of 24 hours", text: "0 0 */24 * * ?", wantField: "hour", wantPosition: 7, wantWords: /write 1 to 23/ },
  { name: "an open step", text: "0/ * * * * ?", wantField: "second", wantPosition: 3, wantWords: /followed by a number/ },
  {
    name: "an unknown month in a range",
    text: "0 0 0 1 JAN-FOO ?",
    wantField: "month",
    wantPosition: 13,
    wantWords: /"FOO" is not a name/,
  },
  { name: "years that run backwards", text: "0 0 0 1 1 ? 2030-2028", wantField: "year", wantPosition: 13, wantWords: /write 2028-2030/ },
  { name: "a year beyond 2099", text: "0 0 0 1 1 ? 2100", wantField: "year", wantPosition: 13, wantWords: /write 1970 to 2099/ },
  { name: "an unknown macro", text: "@fortnightly", wantField: "expression", wantPosition: 1, wantWords: /@weekly/ },
  { name: "a macro with a field after it", text: "@daily 5", wantField: "expression", wantPosition: 8, wantWords: /takes nothing/ },
  { name: "a macro as Quartz", text: "@daily", dialect: "Quartz", wantField: "expression", wantPosition: 1, wantWords: /6 or 7/ },
  { name: "@every without a duration", text: "@every", wantField: "@every", wantPosition: 7, wantWords: /missing/ },
  { name: "@every of nothing", text: "@every 0s", wantField: "@every", wantPosition: 8, wantWords: /1s/ },
  { name: "@every with a fraction", text: "@every 1.5h", wantField: "@every", wantPosition: 8, wantWords: /not a duration/ },
  { name: "30 February", text: "0 0 30 2 *", wantField: "day-of-month", wantPosition: 5, wantWords: /"30" never comes.*never fire/ },
  { name: "30 February in Quartz", text: "0 0 0 30 2 ?", wantField: "day-of-month", wantPosition: 7, wantWords: /never fire/ },
  { name: "31st of the short months", text: "0 0 31 4,6,9,11 *", wantField: "day-of-month", wantPosition: 5, wantWords: /never fire/ },
  {
    name: "29 February of a year that has none",
    text: "0 0 0 29 2 ? 2025-2027",
    wantField: "day-of-month",
    wantPosition: 7,
    wantWords: /in the years given/,
  },
  {
    name: "the fifth Monday of a February without one",
    text: "0 0 0 ? 2 MON#5 2025",
    wantField: "day-of-week",
    wantPosition: 11,
    wantWords: /never fire/,
  },
  {
    name: "30 February on a Monday by the star rule",
    text: "0 0 30 2 */2",
    wantField: "day-of-month",
    wantPosition: 5,
    wantWords: /never fire/,
  },
];

const accepted: readonly { name: string; text: string; dialect?: CronDialect }[] = [
  { name: "29 February on the fifth Sunday comes every 28 years", text: "0 0 0 ? 2 SUN#5" },
  { name: "30 February or a Friday fires on Fridays", text: "0 0 30 2 5" },
  { name: "names in small letters", text: "0 0 * jan-mar mon" },
  { name: "long names in Quartz", text: "0 0 0 ? JANUARY MONDAY" },
  { name: "an explicit dialect beside the right number of fields", text: "0 0 * * *", dialect: "Unix" },
  { name: "a macro as Unix", text: "@weekly", dialect: "Unix" },
  { name: "a slash alone is a star", text: "/5 * * * * ?" },
  { name: "past years, since windows of the past are asked for", text: "0 15 10 * * ? 2005" },
  { name: "tabs between fields", text: "0\t0 *\t* *" },
];

const warned: readonly { name: string; text: string; wantWarning: RegExp }[] = [
  { name: "numbers of weekdays in Quartz", text: "0 0 0 ? * 2-6", wantWarning: /1 = Sunday/ },
  { name: "a step after a name in Quartz", text: "0 0 0 ? * MON-FRI/2", wantWarning: /drops the step/ },
  { name: "the step 0 in Quartz", text: "0 0 0/0 * * ?", wantWarning: /as 0 alone/ },
  { name: "L alone as a weekday", text: "0 0 0 ? * L", wantWarning: /every Saturday/ },
  { name: "an ordinal in a list", text: "0 0 0 ? * MON,FRI#2", wantWarning: /drops the others/ },
  { name: "a step that leaves the first value alone", text: "*/90 * * * *", wantWarning: /first value alone/ },
];

describe("cron/expression", () => {
  for (const tc of refused) {
    it(`refuses ${tc.name}`, () => {
      assert.throws(
        () => parseCron(tc.text, { dialect: tc.dialect }),
        (error: unknown) => {
          assert.ok(error instanceof CronError, String(error));
          assert.match(error.message, tc.wantWords);
          assert.deepEqual([error.field, error.position], [tc.wantField, tc.wantPosition], error.message);
          assert.ok(error.message.includes(`character ${tc.wantPosition}`));
          return true;
        },
      );
    });
  }
  for (const tc of accepted) it(`accepts ${tc.name}`, () => assert.equal(parseCron(tc.text, { dialect: tc.dialect }).text, tc.text));
  for (const tc of warned) {
    it(`warns of ${tc.name}`, () =>
      assert.ok(
        parseCron(tc.text).warnings.some((warning) => tc.wantWarning.test(warning)),
        parseCron(tc.text).warnings.join(),
      ));
  }
  it("tells impossible dates from syntax errors", () => {
    const neverFires = (text: string) => {
      try {
        parseCron(text);
      } catch (error) {
        return error instanceof CronError && error.neverFires;
      }
      return undefined;
    };
    assert.deepEqual(["0 0 30 2 *", "0 0 0 1 1 ? 2150", "0 0 32 1 *", "0 0 1 1 *"].map(neverFires), [true, true, false, undefined]);
  });
  it("ends quickly on hostile texts", () => {
    for (const text of [
      "9".repeat(5000),
      `${"1,".repeat(5000)}1 * * * *`,
      `0 0 1-${"9".repeat(400)} * *`,
      `*/${"9".repeat(400)} * * * *`,
      "\u0000 * * * *",
      "🙂 * * * *",
    ]) {
      try {
        parseCron(text);
      } catch (error) {
        assert.ok(error instanceof CronError);
      }
    }
  });
});
