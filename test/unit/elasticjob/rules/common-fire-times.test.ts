import assert from "node:assert/strict";
import { createSchedule } from "../../../../src/cron/schedule.ts";
import { neverMeet } from "../../../../src/elasticjob/rules/common-fire-times.ts";

const at = (time: string): number => Date.parse(`2026-11-21T${time}Z`);
const every = (cron: string, endAt?: string) =>
  createSchedule({ crons: [cron], anchor: at("00:00:00"), ...(endAt !== undefined && { endAt: at(endAt) }) });

describe("whether schedules can ever meet", () => {
  const cases: readonly { readonly name: string; readonly crons: readonly (readonly [string, string?])[]; readonly want: boolean }[] = [
    { name: "every 4 and every 5 minutes do", crons: [["0 */4 * * * ?"], ["0 */5 * * * ?"]], want: false },
    { name: "odd and even minutes never do", crons: [["0 1/2 * * * ?"], ["0 0/2 * * * ?"]], want: true },
    {
      name: "after their last common fire time schedules that end have met: that is no mistake",
      crons: [
        ["0 */4 * * * ?", "12:35:00"],
        ["0 */5 * * * ?", "12:35:00"],
      ],
      want: false,
    },
    { name: "one that ends is enough", crons: [["0 1/2 * * * ?", "12:35:00"], ["0 0/2 * * * ?"]], want: false },
    { name: "one that has ended proves nothing", crons: [["0 1/2 * * * ?", "12:00:00"], ["0 0/2 * * * ?"]], want: false },
  ];
  for (const { name, crons, want } of cases)
    it(name, () =>
      assert.equal(
        neverMeet(
          crons.map(([cron, endAt]) => every(cron, endAt)),
          at("12:21:45"),
        ),
        want,
      ),
    );
});
