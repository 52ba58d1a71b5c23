import type { ElasticJob } from "../../../api/elastic-job.gen.ts";
import { getOrMake } from "../../../base/map.ts";
import { hasEnded } from "../live-run.ts";
import { clockMarginMs, recordsOf } from "./dispatch-record.ts";
import { namedRun } from "./named-run.ts";
import type { PlaceClaim } from "./observed-fleet.ts";

const nothing: ReadonlyMap<string, number> = new Map();

/**
 * What the stored status says that a job has at work in fleets, and may have: never less than it really has. It stands for the job's own word until that is
 * looked at.
 */
export function storedClaims(job: ElasticJob, now: number): readonly PlaceClaim[] {
  const held = new Map<string, Map<string, number>>();
  const hold = (runner: string, instance: string) => {
    const counts = getOrMake(held, runner, () => new Map<string, number>());
    counts.set(instance, (counts.get(instance) ?? 0) + 1);
  };
  for (const entry of job.status?.active ?? [])
    if (entry.runner !== undefined && !hasEnded(entry)) for (const { instance } of recordsOf(entry)) hold(entry.runner, instance);
  // One that went on for longer would have an entry by now.
  const named = namedRun(job, { jitterMs: 0, itemTimeoutMs: Number.POSITIVE_INFINITY }, now);
  if (named !== undefined && now - named.record.at < clockMarginMs) hold(named.runner, named.record.instance);
  return [...held].map(([runner, counts]) => ({ runner, held: counts, wanted: nothing, priority: 0, since: Number.POSITIVE_INFINITY }));
}
