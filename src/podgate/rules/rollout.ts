import type { QueuedPod } from "./queued-pod.ts";

/** What of a Deployment says how many pods its roll-out may have besides those that it replaces. */
export interface Rollout {
  readonly replicas: number;
  /** Pods; 0 where old ones go first. */
  readonly maxSurge: number;
}

/**
 * Pods that may begin though the queue has no room: else the roll-out of a Deployment in a full queue would wait for itself, since old pods go only
 * when new ones serve. Only of the newest template, at most maxSurge, no more than there are beyond the replicas, and no more than the older pods
 * that the queue has admitted: whoever surges again and again gets no more than twice his share. The queue counts such a pod once it has room for
 * it, which it has when an old one goes.
 * @param live pods of the Deployment that have not ended, the oldest first
 */
export function surgePods(live: readonly QueuedPod[], { replicas, maxSurge }: Rollout): readonly QueuedPod[] {
  const standing = live.filter(({ terminating }) => !terminating);
  const gated = standing.filter(({ state }) => state === "gated");
  const revision = gated.at(-1)?.revision;
  if (revision === undefined) return [];
  const surging = standing.filter(({ isSurge }) => isSurge).length;
  const replaced = standing.filter((pod) => pod.state === "released" && !pod.isSurge && pod.revision !== revision).length;
  const most = Math.min(standing.length - replicas, maxSurge, replaced) - surging;
  return most <= 0 ? [] : gated.filter((pod) => pod.revision === revision).slice(0, most);
}

/** Reads the fields of a Deployment, with Kubernetes' defaults: 25 %, rounded up. */
export function rolloutOf(spec: {
  readonly replicas?: number;
  readonly strategy?: { readonly type?: string; readonly rollingUpdate?: { readonly maxSurge?: number | string } };
}): Rollout {
  const replicas = spec.replicas ?? 1;
  if (spec.strategy?.type === "Recreate") return { replicas, maxSurge: 0 };
  const surge = spec.strategy?.rollingUpdate?.maxSurge ?? "25%";
  if (typeof surge === "number") return { replicas, maxSurge: surge };
  const percent = /^(\d+)%$/.exec(surge);
  return { replicas, maxSurge: percent === null ? 0 : Math.ceil((replicas * Number(percent[1])) / 100) };
}
