import type { ElasticJob } from "../../../src/api/elastic-job.gen.ts";
import { formatSeconds } from "../../../src/base/time.ts";
import { simulateAnnotation } from "../../../src/simulator/world/pod-script.ts";

/** A job of the load, and the seconds of the hour at which it fires, by which the load judges; nothing of src/cron has read them. */
export interface LoadedJob {
  readonly name: string;
  readonly cron: string;
  readonly secondsOfHour: readonly number[];
}

/** How many of a job's turns in an hour differ from job to job. */
const lateTurns = 9;

/**
 * So many jobs that fire `perHour` times an hour each, no two of them on the same schedule, and all of them together evenly over time. Quartz
 * expressions: one second, and irregular minutes. Throws RangeError where there are not as many different schedules.
 */
export function manyJobs(count: number, perHour: number): readonly LoadedJob[] {
  const gap = 60 / perHour;
  if (!Number.isInteger(gap)) throw new RangeError("runs an hour of a job must divide 60");
  // The spread of a job's minutes: each may be late by less than a gap, which makes schedules with the same beginning differ.
  const distinct = 60 * gap * gap ** Math.min(perHour - 1, lateTurns);
  if (count > distinct) throw new RangeError(`there are ${distinct} different schedules of this kind, and ${count} jobs were asked for`);
  return Array.from({ length: count }, (_, index) => {
    const second = index % 60;
    const first = Math.floor(index / 60) % gap;
    const shape = Math.floor(index / 60 / gap);
    const minutes = Array.from({ length: perHour }, (__, turn) => {
      const late = turn >= 1 && turn <= lateTurns ? Math.floor(shape / gap ** (turn - 1)) % gap : first;
      return turn * gap + late;
    });
    return {
      name: `job-${index}`,
      cron: `${second} ${minutes.join(",")} * * * ?`,
      secondsOfHour: minutes.map((minute) => minute * 60 + second),
    };
  });
}

/** The fire times in [from, to), ascending; `from` begins an hour. */
export function dueTimes(job: LoadedJob, from: number, to: number): readonly number[] {
  const times: number[] = [];
  for (let hour = from; hour < to; hour += 3_600_000) {
    for (const second of job.secondsOfHour) if (hour + second * 1000 < to) times.push(hour + second * 1000);
  }
  return times;
}

/** The job's manifest; nothing fires before `startAt` or from `endAt` on. */
export function manifestOf(job: LoadedJob, startAt: number, endAt: number): ElasticJob {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { namespace: "load", name: job.name },
    spec: {
      schedule: { crons: [job.cron], startAt: formatSeconds(startAt), endAt: formatSeconds(endAt) },
      template: {
        metadata: { annotations: { [simulateAnnotation]: JSON.stringify({ runMs: [500, 2000] }) } },
        spec: { containers: [{ name: "work", image: "registry.example/work:1.0", command: ["/bin/work"] }] },
      },
    },
  } as ElasticJob;
}
