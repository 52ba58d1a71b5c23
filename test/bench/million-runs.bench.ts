/**
 * A day's load on virtual time: 10,000 jobs with distinct schedules at the pace of a million runs a day, the operator as it is, the embedded API
 * server with its validation in every write, nodes, scheduler and kubelets. Every run is judged by the world's own ledger against fire times
 * that were computed apart. Then 1,000 jobs at the same pace and with the same runs a second: what a run costs must not grow with the jobs.
 *
 * Real seconds are those from the first fire time to the end of the last run, on one thread.
 */
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { rounded } from "./support/figures.ts";
import { tell } from "./support/progress.ts";
import { playLoad, type SimulatedLoadResult } from "./support/simulated-load.ts";

const bench: Bench = async (words) => {
  const choice = readArguments(words, { jobs: 10_000, runs: 250_000, "small-jobs": 1000, "small-runs": 50_000 });
  const { jobs, "small-jobs": smallJobs } = choice;
  // As many runs a second: fewer jobs fire more often.
  const small = await playLoad({ jobs: smallJobs, perHour: perHour(smallJobs), runs: choice["small-runs"] }, tell);
  const large = await playLoad({ jobs, perHour: perHour(jobs), runs: choice.runs }, tell);
  for (const problem of [...small.problems, ...large.problems]) tell(problem);
  const costRatio = millisPerRun(large) / millisPerRun(small);
  return {
    name: "million-runs",
    figures: {
      runs: large.runs,
      problems: small.problemCount + large.problemCount,
      seconds: rounded(large.seconds, 1),
      millisPerRun: rounded(millisPerRun(large)),
      millisPerRunFewJobs: rounded(millisPerRun(small)),
      costRatio: rounded(costRatio, 2),
      peakRssMiB: Math.round(large.peakRss / 2 ** 20),
      largestDelayMs: large.largestDelayMs,
    },
    targets: {
      runs: { min: choice.runs },
      problems: { max: 0 },
      seconds: { max: 600 },
      costRatio: { max: 1.5 },
    },
    table: {
      columns: ["jobs", "runs", "virtual hours", "arming, s", "seconds", "of CPU", "ms a run", "peak RSS, MiB", "largest delay, ms"],
      rows: [row(smallJobs, small), row(jobs, large)],
    },
  };
};

/** 40,000 runs an hour in all, 11 a second. */
function perHour(jobs: number): number {
  const wanted = 40_000 / jobs;
  return [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30].findLast((each) => each <= wanted) ?? 1;
}

function millisPerRun({ seconds, runs }: SimulatedLoadResult): number {
  return (seconds * 1000) / runs;
}

function row(jobs: number, result: SimulatedLoadResult): readonly string[] {
  return [
    String(jobs),
    String(result.runs),
    result.virtualHours.toFixed(2),
    result.armingSeconds.toFixed(1),
    result.seconds.toFixed(1),
    result.cpuSeconds.toFixed(1),
    millisPerRun(result).toFixed(3),
    String(Math.round(result.peakRss / 2 ** 20)),
    String(result.largestDelayMs),
  ];
}

export default bench;
