import type { Action } from "../../api/action.ts";
import { itemsPerChunk, labels, reduceItem } from "../../api/names.ts";
import { pods as podResource } from "../../api/resource.ts";
import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import type { Reduction } from "./reduce.ts";
import { unwrittenChunks } from "./results-file.ts";

/** How long a collection that was told to go is left alone before it is told again. */
export const cleanupPatienceMs = 60_000;

/**
 * Deletes the pods of a large run's chunks once every item of a chunk is recorded as ended (decisions 3 and 21), and its results are written
 * down for the reduce.
 */
export function cleanUpChunks(observed: ObservedJob, run: LiveRun, reduction: Reduction | undefined): readonly Action[] {
  if (run.recorded === undefined || run.items.size <= itemsPerChunk || observed.foreignRuns?.has(run.id)) return [];
  const open = new Set<number>();
  for (const item of run.items) if (!run.succeeded.has(item) && !run.failed.has(item)) open.add(Math.floor(item / itemsPerChunk));
  const unwritten = reduction === undefined ? undefined : unwrittenChunks(run, run.pods, reduction.file);
  const full = new Set<number>();
  for (const pod of run.pods) {
    if (pod.executor !== undefined) continue;
    const chunk = Math.floor(pod.item / itemsPerChunk);
    if (!open.has(chunk) && unwritten?.has(chunk) !== true && pod.item !== reduceItem) full.add(chunk);
  }
  const actions: Action[] = [];
  for (const chunk of full) {
    const labelSelector = `${labels.jobUid}=${observed.job.metadata.uid},${labels.run}=${run.id},${labels.chunk}=${chunk}`;
    if ((observed.memory.cleanups.get(labelSelector) ?? Number.NEGATIVE_INFINITY) + cleanupPatienceMs > observed.now) continue;
    actions.push({
      tag: "deleteCollection",
      resource: podResource,
      namespace: observed.job.metadata.namespace as string,
      labelSelector,
      limit: itemsPerChunk,
    });
  }
  return actions;
}
