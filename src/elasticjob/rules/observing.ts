import type { ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import { formatSeconds } from "../../base/time.ts";
import type { NewestFireTimes } from "../../cron/schedule.ts";
import type { ObservedJob } from "./observed.ts";

/** Fire times that status shows while a namespace is observed. */
const mostShown = 20;

/**
 * `status.observed` while the namespace is only observed: how many fire times have passed, and the newest of them. It begins anew with each
 * stretch of observation, and goes with its end.
 * @param passed fire times that have passed unrecorded
 */
export function nextObserved(
  { job, observing, now }: ObservedJob,
  passed: NewestFireTimes | undefined,
): NonNullable<ElasticJobStatus["observed"]> | undefined {
  if (observing !== true) return undefined;
  const { since = formatSeconds(now), count = 0, fireTimes = [] } = job.status?.observed ?? {};
  if (passed === undefined) return { since, count, ...(fireTimes.length > 0 && { fireTimes }) };
  const newest = [...fireTimes, ...passed.times.map(formatSeconds)].slice(-mostShown);
  return { since, count: count + passed.total, ...(newest.length > 0 && { fireTimes: newest }) };
}
