import assert from "node:assert/strict";
import { createSchedule } from "../../src/cron/schedule.ts";
import { Ledger } from "../../src/simulator/world/ledger.ts";
import { dueTimes, manyJobs } from "../bench/support/many-jobs.ts";
import { judgeRuns, playLoad } from "../bench/support/simulated-load.ts";

const from = Date.UTC(2026, 10, 21, 12);

describe("simulation of many jobs", function () {
  this.timeout(120_000);

  it("10,000 jobs have as many schedules, and fire when they are said to", () => {
    const jobs = manyJobs(10_000, 4);
    assert.equal(new Set(jobs.map(({ cron }) => cron)).size, 10_000);
    for (const job of jobs.filter((_, index) => index % 97 === 0)) {
      const schedule = createSchedule({ crons: [job.cron], anchor: from });
      assert.deepEqual(schedule.between(from - 1, from + 7_200_000 - 1, 100).times, dueTimes(job, from, from + 7_200_000), job.cron);
    }
  });

  it("every fire time runs exactly once by the world's ledger", async () => {
    const { runs, problems, largestDelayMs } = await playLoad({ jobs: 120, perHour: 4, runs: 240 });
    assert.deepEqual(problems, []);
    assert.equal(runs, 240);
    assert.ok(largestDelayMs < 1000, `${largestDelayMs} ms`);
  });

  it("the judge sees a run that is missing, one that came twice and one that nobody asked for", () => {
    const [job] = manyJobs(1, 1);
    const ledger = new Ledger();
    const at = dueTimes(job as NonNullable<typeof job>, from, from + 7_200_000);
    const run = (uid: string, fireTime: number, exitCode: number) => {
      const pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          uid,
          name: uid,
          labels: {
            "nuptse.dev/job": "job-0",
            "nuptse.dev/job-uid": "j",
            "nuptse.dev/run": new Date(fireTime)
              .toISOString()
              .replaceAll(/[-:]|\.\d+/g, "")
              .toLowerCase(),
          },
        },
        spec: { containers: [] },
      } as const;
      ledger.created(pod, fireTime);
      ledger.started(pod, "n1", fireTime);
      ledger.ended(pod, "n1", fireTime, { work: { exitCode, reason: "Completed" } });
    };
    run("a", at[0] as number, 0);
    run("b", at[0] as number, 0);
    run("c", from + 60_000, 0);
    const { runs, problems } = judgeRuns([job as NonNullable<typeof job>], ledger, from, from + 7_200_000);
    assert.equal(runs, 1);
    assert.deepEqual(problems, [
      "job-0 at 2026-11-21T12:00:00Z had a second pod",
      "job-0 at 2026-11-21T12:01:00Z was not due",
      "job-0 at 2026-11-21T13:00:00Z did not run",
    ]);
  });
});
