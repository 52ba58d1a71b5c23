import type { ElasticJobRun } from "../../api/elastic-job.gen.ts";
import { IntervalSet } from "../../base/interval-set.ts";

/** The entry of an ended run some of whose failed items somebody calls succeeded; without failed items the run is Succeeded. */
export function markedRun(entry: ElasticJobRun, items: IntervalSet, message: string): ElasticJobRun {
  const succeeded = IntervalSet.parse(entry.succeeded).addAll(items);
  const failed = IntervalSet.parse(entry.failed).minus(items);
  const failures = (entry.failures ?? []).filter((failure) => !items.has(failure.item ?? -1));
  const { failures: _before, ...rest } = entry;
  return {
    ...rest,
    ...(failed.size === 0 && { phase: "Succeeded", reason: "MarkedSucceeded" }),
    message: message.slice(0, 1024),
    succeeded: succeeded.toString(),
    failed: failed.toString(),
    ...(failures.length > 0 && { failures }),
  };
}
