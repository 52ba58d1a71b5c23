import type { AttemptPod } from "./attempt.ts";
import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";

/**
 * When a pod's node, or the executor of a task, will have been unreachable for failover.unreachableSeconds; undefined while it is heard of, or
 * without that field.
 */
export function givenUpFrom({ spec, nodes }: ObservedJob, pod: AttemptPod): number | undefined {
  if (spec.unreachableMs === Number.POSITIVE_INFINITY || pod.node === undefined) return undefined;
  const since = pod.executor === undefined ? nodes.unreachableSince(pod.node) : pod.executor.state?.silentSince;
  return since === undefined ? undefined : since + spec.unreachableMs;
}

/**
 * When an attempt was given up for its unreachable node; undefined while it is not. Only one that we decided to end by a record, and whose deletion the
 * server has taken, so that a returning kubelet ends it (decision 20). Once the node is heard of again its definite end is waited for.
 */
export function givenUpAt(observed: ObservedJob, run: LiveRun, pod: AttemptPod): number | undefined {
  if (pod.deletion === undefined) return undefined;
  const recorded = run.succeeded.has(pod.item) || run.failed.has(pod.item);
  const decidedAt = run.stops.get(`${pod.item}/${pod.attempt}`)?.at ?? run.ending?.at ?? (recorded ? 0 : undefined);
  const from = decidedAt === undefined ? undefined : givenUpFrom(observed, pod);
  return from === undefined || from > observed.now ? undefined : Math.max(from, decidedAt as number);
}

/** When the pod's node was found to be deleted; undefined for one that was gone before the pod was bound to it, and came back under its name. */
export function nodeGoneFrom({ memory }: ObservedJob, pod: AttemptPod): number | undefined {
  // What stands there is the name of an instance.
  if (pod.executor !== undefined) return undefined;
  const goneAt = pod.node === undefined ? undefined : memory.goneNodes.get(pod.node);
  return goneAt !== undefined && goneAt >= (pod.scheduledAt ?? pod.createdAt) ? goneAt : undefined;
}
