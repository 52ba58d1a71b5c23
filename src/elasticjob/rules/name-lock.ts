import type { AttemptPod } from "./attempt.ts";
import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";

/** An API server executes no request that was sent longer ago (kube-apiserver --request-timeout, its default). */
const requestTimeoutMs = 60_000;
/** Times of creation are whole seconds. */
const secondMs = 1000;

/**
 * The name of an attempt is its lock (elasticjob.md), for as long as its object stands. Where a leader was deposed while its create of the attempt was
 * on its way, we make that pod, and it goes again, the late create begins the attempt anew, beside the next one. So after such a pod the next
 * attempt waits until that create can come no more; -Infinity = it cannot.
 */
export function freeNameUntil({ lateWritesFrom, serverNow, now }: ObservedJob, run: LiveRun, pod: AttemptPod): number {
  const isGoing = pod.deletion !== undefined || run.vanishedAt.has(pod);
  if (lateWritesFrom === undefined || !isGoing) return Number.NEGATIVE_INFINITY;
  const createdAt = pod.createdAt + now - (serverNow ?? now);
  return createdAt + secondMs > lateWritesFrom ? lateWritesFrom + requestTimeoutMs : Number.NEGATIVE_INFINITY;
}
