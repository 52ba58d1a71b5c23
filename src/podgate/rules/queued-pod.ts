import type { Amounts } from "../../api/admission.ts";
import type { Pod, Toleration } from "../../api/core.ts";
import { identityOf, type KubeObject } from "../../api/meta.ts";
import { annotations, labels, queueGate } from "../../api/names.ts";
import { parseTime } from "../../base/time.ts";
import { podRequest, type RequestingPod } from "../../quota/pod-request.ts";

/** A pod that somebody else made and labelled with a queue, as the cache keeps it: only what its admission needs. */
export interface QueuedPod extends KubeObject {
  readonly queue: string;
  /** The workload that it is of, within its namespace. */
  readonly workload: PodWorkloadRef;
  /**
   *   gated     the gate keeps it from the scheduler
   *   released  it may run, runs, or is being deleted after it could
   *   ended     Succeeded or Failed
   */
  readonly state: "gated" | "released" | "ended";
  readonly succeeded: boolean;
  readonly terminating: boolean;
  readonly createdAt: number;
  readonly request: Amounts;
  /** As its annotation says it; absent = 0. */
  readonly priorityText?: string;
  /** What it can last at most once it runs, with its grace; absent = for ever. */
  readonly lastsSeconds?: number;
  /** Of a pod of a Deployment: the hash of its template. */
  readonly revision?: string;
  /** It began as surge of a roll-out. */
  readonly isSurge: boolean;
  /** As the label of its group says it. */
  readonly groupTotalText?: string;
  /** Since when the scheduler finds no node for it. */
  readonly unschedulableSince?: number;
  /** What of it an admission changes; only of gated ones. */
  readonly gate?: GatedSpec;
}

/** The fields of a gated pod that are changed when it is released. */
export interface GatedSpec {
  readonly gates: readonly string[];
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: readonly Toleration[];
  readonly hasAnnotations: boolean;
}

/** Pods that are one workload: those of one controller, of one pod group, or one pod alone. */
export interface PodWorkloadRef {
  /** Deployment, Job, StatefulSet, ...; PodGroup; Pod. */
  readonly kind: string;
  readonly name: string;
}

const defaultGraceSeconds = 30;

/** Reads a pod that carries the label of a queue. */
export function queuedPod(pod: Pod): QueuedPod {
  const { metadata, spec, status } = pod;
  const own = metadata.labels ?? {};
  const notes = metadata.annotations ?? {};
  const gates = (spec.schedulingGates ?? []).map(({ name }) => name);
  const ended = status?.phase === "Succeeded" || status?.phase === "Failed";
  const isGated = !ended && gates.includes(queueGate);
  const revision = own["pod-template-hash"];
  const groupTotal = own[labels.podGroupTotal] ?? notes[labels.podGroupTotal];
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  const unschedulable = scheduled?.status === "False" && scheduled.reason === "Unschedulable";
  const since = unschedulable ? parseTime(scheduled?.lastTransitionTime ?? undefined) : undefined;
  const priority = notes[annotations.queuePriority];
  return {
    metadata: identityOf(metadata),
    queue: own[labels.queue] ?? "",
    workload: workloadOf(pod),
    state: ended ? "ended" : isGated ? "gated" : "released",
    succeeded: status?.phase === "Succeeded",
    terminating: metadata.deletionTimestamp !== undefined,
    createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    request: podRequest(pod as RequestingPod),
    ...(priority !== undefined && { priorityText: priority }),
    ...(spec.activeDeadlineSeconds !== undefined && {
      lastsSeconds: spec.activeDeadlineSeconds + (spec.terminationGracePeriodSeconds ?? defaultGraceSeconds),
    }),
    ...(revision !== undefined && { revision }),
    isSurge: notes[annotations.surge] === "true",
    ...(groupTotal !== undefined && { groupTotalText: groupTotal }),
    ...(since !== undefined && { unschedulableSince: since }),
    ...(isGated && {
      gate: {
        gates,
        ...(spec.nodeSelector !== undefined && { nodeSelector: spec.nodeSelector }),
        ...(spec.tolerations !== undefined && { tolerations: spec.tolerations }),
        hasAnnotations: metadata.annotations !== undefined,
      },
    }),
  };
}

/**
 * A group that is named wins, then the controller. Pods of a Deployment are of the Deployment, so that what old ReplicaSets give back the new one
 * takes: a ReplicaSet of a Deployment is named by it and the hash of the template.
 */
function workloadOf({ metadata }: Pod): PodWorkloadRef {
  const own = metadata.labels ?? {};
  const group = own[labels.podGroup];
  if (group !== undefined && group !== "") return { kind: "PodGroup", name: group };
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return { kind: "Pod", name: metadata.name };
  const suffix = `-${own["pod-template-hash"] ?? ""}`;
  if (owner.kind === "ReplicaSet" && suffix !== "-" && owner.name.endsWith(suffix) && owner.name.length > suffix.length)
    return { kind: "Deployment", name: owner.name.slice(0, -suffix.length) };
  return { kind: owner.kind, name: owner.name };
}
