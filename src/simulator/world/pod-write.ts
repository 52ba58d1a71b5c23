import type { Pod, PodCondition, PodStatus } from "../../api/core.ts";
import { pods } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import type { KubeClient } from "../../kube/client.ts";
import { statusOf } from "./failure.ts";
import { formatSeconds } from "../../base/time.ts";

/** The fields of status to set: null removes one, absent leaves it. */
export type PodStatusChange = { readonly [field in keyof PodStatus]?: PodStatus[field] | null };

/**
 * Writes part of a pod's status, computed from its latest version, with that version as precondition: lists are replaced whole by a
 * merge patch, and the conditions of others must survive. A `change` of undefined means that there is nothing to write.
 * Returns what the server stored, or undefined when nothing was written, be it that the pod is gone or has a namesake now.
 * Throws the client's error for any failure but 404 and a conflict.
 */
export async function patchPodStatus(
  client: KubeClient,
  pod: Pod,
  change: (latest: Pod) => PodStatusChange | undefined,
): Promise<Pod | undefined> {
  const ref = { namespace: pod.metadata.namespace ?? "default", name: pod.metadata.name };
  let latest = pod;
  for (;;) {
    const status = change(latest);
    if (status === undefined) return undefined;
    const metadata = { resourceVersion: latest.metadata.resourceVersion, uid: latest.metadata.uid };
    try {
      return await client.patch<Pod>(pods, ref, { type: "merge", body: { metadata, status } }, { subresource: "status" });
    } catch (error) {
      const code = statusOf(error);
      if (code === 404) return undefined;
      if (code !== 409) throw error;
    }
    try {
      latest = await client.get<Pod>(pods, ref);
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
    if (latest.metadata.uid !== pod.metadata.uid) return undefined;
  }
}

/** The conditions of the pod with `changes` in place of those of their types; a transition time moves only with the status. */
export function withConditions(pod: Pod, changes: readonly PodCondition[], now: number): readonly PodCondition[] {
  const held = pod.status?.conditions ?? [];
  const result = new Map(held.map((condition) => [condition.type, condition]));
  for (const change of changes) {
    const before = result.get(change.type);
    const since = before?.status === change.status ? before.lastTransitionTime : undefined;
    result.set(change.type, { lastProbeTime: null, ...change, lastTransitionTime: since ?? formatSeconds(now) });
  }
  return [...result.values()];
}

/** How a pod is told to leave its node; the reasons are Kubernetes' own. */
export interface Disruption {
  readonly reason:
    | "EvictionByEvictionAPI"
    | "DeletionByTaintManager"
    | "DeletionByPodGC"
    | "PreemptionByScheduler"
    | "TerminationByKubelet";
  readonly message: string;
  /** Absent = the pod's own. */
  readonly gracePeriodSeconds?: number;
  /** Set phase Failed in the same write, as PodGC does for pods that no kubelet will ever end. */
  readonly fail?: boolean;
}

/**
 * Marks the pod with DisruptionTarget=True and then deletes it, in this order and in two requests, as Kubernetes does. A pod that is
 * gone already is success.
 */
export async function disruptPod(client: KubeClient, clock: Clock, pod: Pod, disruption: Disruption): Promise<void> {
  await patchPodStatus(client, pod, (latest) => {
    const phase = latest.status?.phase;
    if (phase === "Succeeded" || phase === "Failed") return undefined;
    const condition = { type: "DisruptionTarget", status: "True", reason: disruption.reason, message: disruption.message };
    const conditions = withConditions(latest, [condition], clock.now());
    return disruption.fail === true ? { conditions, phase: "Failed" } : { conditions };
  });
  try {
    await client.delete(
      pods,
      { namespace: pod.metadata.namespace ?? "default", name: pod.metadata.name },
      {
        ...(pod.metadata.uid === undefined ? {} : { uid: pod.metadata.uid }),
        ...(disruption.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: disruption.gracePeriodSeconds }),
      },
    );
  } catch (error) {
    const code = statusOf(error);
    if (code !== 404 && code !== 409) throw error;
  }
}

/** What `kubectl drain` does to one pod by the eviction subresource. */
export function evictPod(client: KubeClient, clock: Clock, pod: Pod): Promise<void> {
  return disruptPod(client, clock, pod, { reason: "EvictionByEvictionAPI", message: "Eviction API: evicting" });
}
