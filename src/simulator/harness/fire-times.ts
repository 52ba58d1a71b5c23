import type { ElasticJobSpec } from "../../api/elastic-job.gen.ts";
import { parseTime } from "../../base/time.ts";

/**
 * The simulation's own, plain reading of schedules, kept apart from the operator's: it knows "0 *\/5 * * * ?" (every five minutes) and
 * "*\/2 * * * * ?" (every two seconds) with divisors of 60, and nothing else.
 */
export function periodOf(cron: string): number {
  const minutes = /^0 \*\/(\d+) \* \* \* \?$/.exec(cron);
  if (minutes !== null) return Number(minutes[1]) * 60_000;
  const seconds = /^\*\/(\d+) \* \* \* \* \?$/.exec(cron);
  if (seconds !== null) return Number(seconds[1]) * 1000;
  throw new RangeError(`the simulation cannot read the schedule "${cron}"`);
}

/** The fire times of a spec in (after, upTo], whether it is suspended or not. */
export function fireTimesBetween(spec: ElasticJobSpec, after: number, upTo: number): readonly number[] {
  const cron = spec.schedule?.crons[0];
  if (cron === undefined) return [];
  const period = periodOf(cron);
  const from = Math.max(after + 1, parseTime(spec.schedule?.startAt) ?? Number.NEGATIVE_INFINITY);
  const to = Math.min(upTo, (parseTime(spec.schedule?.endAt) ?? Number.POSITIVE_INFINITY) - 1);
  const times: number[] = [];
  for (let time = Math.ceil(from / period) * period; time <= to; time += period) times.push(time);
  return times;
}

/** The fire time in a run id such as 20261121t123100z; undefined when it holds none. */
export function fireTimeOfRun(run: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)z$/.exec(run);
  return match === null ? undefined : parseTime(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`);
}

/** Whether two specs fire alike: a change of anything else drops nothing that is owed. */
export function sameSchedule(a: ElasticJobSpec, b: ElasticJobSpec): boolean {
  return JSON.stringify([a.schedule, a.suspend ?? false]) === JSON.stringify([b.schedule, b.suspend ?? false]);
}
