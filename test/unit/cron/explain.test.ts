import assert from "node:assert/strict";
import { explainCron } from "../../../src/cron/explain.ts";
import { parseCron } from "../../../src/cron/expression.ts";

const cases: readonly (readonly [text: string, want: string])[] = [
  ["30 2 * * 1-5", "at 02:30 on weekdays"],
  ["30 2 * * *", "at 02:30 every day"],
  ["0 9,12,15 1,15 * *", "at 09:00, 12:00 and 15:00 on the 1st and 15th of the month"],
  ["* * * * *", "every minute"],
  ["*/5 * * * *", "every 5 minutes"],
  ["*/7 * * * *", "every 7 minutes from minute 0"],
  ["0 * * * *", "at minute 0 of every hour"],
  ["0 */2 * * *", "at minute 0 of every 2nd hour"],
  ["*/15 9-17 * * MON-FRI", "every 15 minutes from 09:00 to 17:59 on weekdays"],
  ["*/10 2 * * *", "every 10 minutes of the hour from 02:00"],
  ["5,35 8-18/2 * * *", "at minutes 5 and 35 of every 2nd hour from 08:00 to 18:59"],
  ["0 0 1 1 *", "at 00:00 on the 1st of January"],
  ["0 0 1-7 6-8 *", "at 00:00 on the 1st to 7th of June to August"],
  ["0 0 1/5 * *", "at 00:00 on every 5th day from the 1st of the month"],
  ["0 0 13 * 5", "at 00:00 on the 13th of the month and also on Friday"],
  ["0 0 */10 * SUN", "at 00:00 on every 10th day from the 1st of the month, if that is a Sunday"],
  ["0 0 * 12 SAT,SUN", "at 00:00 on weekends in December"],
  ["* * * * * ?", "every second"],
  ["*/10 * * * * ?", "every 10 seconds"],
  ["15 10 3 * * ? 2026-2030", "at 03:10:15 every day in 2026 to 2030"],
  ["15 10 * * * ?", "at second 15 during minute 10 of every hour"],
  ["0 15 10 L-2 * ?", "at 10:15 on the day 2 before the last of the month"],
  ["0 0 0 LW * ?", "at 00:00 on the last weekday of the month"],
  ["0 0 0 15W,L 3 ?", "at 00:00 on the weekday nearest the 15th and the last day of March"],
  ["0 0 0 ? * FRI#3", "at 00:00 on the third Friday of the month"],
  ["0 0 0 ? 1,7 6L", "at 00:00 on the last Friday of January and July"],
  ["0 0 22-2 * * ?", "at minute 0 of every hour from 22:00 to 02:59"],
  ["@daily", "at 00:00 every day"],
  ["@every 90s", "every 1 minute and 30 seconds, counted from the start of the schedule"],
  ["@every 1h", "every hour, counted from the start of the schedule"],
];

describe("cron/explain", () => {
  for (const [text, want] of cases) it(`${text} is "${want}"`, () => assert.equal(explainCron(parseCron(text)), want));
});
