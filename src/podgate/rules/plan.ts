import type { PatchAction, Plan } from "../../api/action.ts";
import type { AdmissionAnswer, WorkloadWant } from "../../api/admission.ts";
import type { ObjectRef } from "../../api/meta.ts";
import type { QueueChoice } from "../../api/queue-access.ts";
import { podReasons } from "../../api/reasons.ts";
import { annotations } from "../../api/names.ts";
import { byAge, type HeldPart, type Part, partsOf, priorityOf, togetherPart } from "./parts.ts";
import { groupState } from "./pod-group.ts";
import type { PodWorkloadRef, QueuedPod } from "./queued-pod.ts";
import { countedAs, poolMismatch, releaseOf } from "./release.ts";
import { type Rollout, surgePods } from "./rollout.ts";

/** A workload of somebody else's pods as it is observed. */
export interface ObservedPodWorkload {
  readonly now: number;
  readonly key: ObjectRef;
  readonly workload: PodWorkloadRef;
  /** All that exist, ended ones included. */
  readonly pods: readonly QueuedPod[];
  /** By the queue that pods name; undefined = not known yet. */
  readonly choices: ReadonlyMap<string, QueueChoice | undefined>;
  readonly answers: ReadonlyMap<string, AdmissionAnswer>;
  readonly held: ReadonlyMap<string, HeldPart>;
  /** Pods that the API server would not release, by UID. */
  readonly refused: ReadonlyMap<string, { readonly message: string; readonly retryAt: number }>;
  /** Of a Deployment, once it has been read. */
  readonly rollout?: Rollout;
}

export interface PodWorkloadPlan extends Plan {
  readonly actions: readonly PatchAction[];
  /** undefined = it is not known yet what may be asked for. */
  readonly wants?: readonly WorkloadWant[];
  readonly held: ReadonlyMap<string, HeldPart>;
  /** Why pods wait, to be told on one of them; absent = none does. */
  readonly waiting?: WaitingPod;
  /** Whether pods wait that may be surge: the Deployment is to be read. */
  readonly asksForRollout: boolean;
}

export interface WaitingPod {
  readonly pod: QueuedPod;
  readonly reason: string;
  readonly message: string;
}

/** Controllers of these kinds do not make a new pod for one that has ended well. */
const finite: ReadonlySet<string> = new Set(["Job", "Pod", "PodGroup"]);

/** What is asked for, which pods are released, and what is told: the same pods and answers always give the same plan. */
export function planPodWorkload(observed: ObservedPodWorkload): PodWorkloadPlan {
  const { now, workload, choices, answers } = observed;
  const live = observed.pods.filter(({ state }) => state !== "ended").toSorted(byAge);
  const queues = new Set(live.map(({ queue }) => queue));
  const nothing = { actions: [], held: observed.held, asksForRollout: false };
  if ([...queues].some((queue) => !choices.has(queue) || choices.get(queue) === undefined))
    return { ...nothing, reasons: ["the queues are not known yet"] };
  const refused = live.filter(({ queue }) => choices.get(queue)?.kind === "refused");
  const taken = live.filter((pod) => !refused.includes(pod));
  const misfit = taken.find((pod) => pod.state === "gated" && priorityOf(pod) === undefined);
  const usable = taken.filter((pod) => pod.state !== "gated" || priorityOf(pod) !== undefined);
  const { parts, held, wakeAt, group } = split(observed, usable);

  const actions: PatchAction[] = [];
  const left: WaitingPod[] = [];
  for (const part of parts) {
    const answer = answers.get(part.want.part);
    const allowed = Math.max(0, (answer?.allowed ?? 0) - (part.together ? 0 : part.released.length));
    const absorbed = part.surging.slice(0, allowed);
    actions.push(...absorbed.map(countedAs));
    const places = part.together ? (allowed > 0 ? part.gated.length : 0) : allowed - absorbed.length;
    for (const [at, pod] of part.gated.entries()) {
      const obstacle = at < places ? obstacleOf(observed, pod, answer) : answer?.waits;
      if (obstacle !== undefined) left.push({ pod, reason: obstacle.reason, message: obstacle.message });
      else if (at < places) actions.push(releaseOf(pod, answer?.pool, false));
    }
  }
  const released = new Set(actions.map(({ uid }) => uid));
  const surge =
    observed.rollout === undefined
      ? []
      : surgePods(
          live.filter(({ metadata }) => !released.has(metadata.uid as string)),
          observed.rollout,
        );
  for (const pod of surge) actions.push(releaseOf(pod, answers.get(partOf(parts, pod)?.want.part ?? "")?.pool, true));

  const homeless = live.find(({ state, unschedulableSince }) => state === "released" && unschedulableSince !== undefined);
  const late = homeless === undefined ? undefined : lateness(homeless, answers, parts);
  const waiting =
    refusedPod(refused, choices) ??
    badPriority(misfit) ??
    group ??
    left[0] ??
    (late !== undefined && late.due <= now ? late.told : undefined);
  const retries = left.flatMap(({ pod }) => observed.refused.get(pod.metadata.uid as string)?.retryAt ?? []);
  const due = Math.min(wakeAt, ...retries, late !== undefined && late.due > now ? late.due : Number.POSITIVE_INFINITY);
  return {
    actions,
    wants: parts.map(({ want }) => want),
    held,
    ...(waiting !== undefined && { waiting }),
    ...(due < Number.POSITIVE_INFINITY && { wakeAt: due }),
    asksForRollout: workload.kind === "Deployment" && left.length > 0 && live.some(({ state }) => state === "released"),
    reasons: [waiting?.reason ?? "all have begun"],
  };
}

/** Why an admitted pod is not released all the same. */
function obstacleOf({ now, refused }: ObservedPodWorkload, pod: QueuedPod, answer: AdmissionAnswer | undefined) {
  const mismatch = poolMismatch(pod, answer?.pool);
  if (mismatch !== undefined) return { reason: podReasons.poolMismatch, message: mismatch };
  const refusal = refused.get(pod.metadata.uid as string);
  return refusal === undefined || refusal.retryAt <= now ? undefined : { reason: podReasons.releaseRefused, message: refusal.message };
}

interface Split {
  readonly parts: readonly Part[];
  readonly held: ReadonlyMap<string, HeldPart>;
  readonly wakeAt: number;
  /** Why the pods of a group do not ask for their share. */
  readonly group?: WaitingPod;
}

function split({ now, workload, pods, held }: ObservedPodWorkload, live: readonly QueuedPod[]): Split {
  if (workload.kind !== "PodGroup" || live.length === 0) return partsOf({ now, pods: live, resident: !finite.has(workload.kind), held });
  const state = groupState(pods);
  if (state.kind === "together") return { parts: [togetherPart("group", live)], held: new Map(), wakeAt: Number.POSITIVE_INFINITY };
  const begun = live.filter((pod) => state.kind === "begun" || pod.state === "released");
  const gated = live.find((pod) => pod.state === "gated");
  const apart = partsOf({ now, pods: begun, resident: false, held: new Map() });
  if (state.kind === "begun" || gated === undefined) return apart;
  const reason = state.kind === "wrong" ? podReasons.podGroupInvalid : podReasons.podGroupIncomplete;
  return { ...apart, group: { pod: gated, reason, message: state.message } };
}

const partOf = (parts: readonly Part[], pod: QueuedPod): Part | undefined => parts.find(({ gated }) => gated.includes(pod));

function refusedPod(refused: readonly QueuedPod[], choices: ObservedPodWorkload["choices"]): WaitingPod | undefined {
  const pod = refused.find(({ state }) => state === "gated");
  const choice = pod === undefined ? undefined : choices.get(pod.queue);
  return pod === undefined || choice?.kind !== "refused" ? undefined : { pod, reason: choice.reason, message: choice.message };
}

function badPriority(pod: QueuedPod | undefined): WaitingPod | undefined {
  if (pod === undefined) return undefined;
  const message = `the annotation ${annotations.queuePriority} must be a whole number from -1000 to 1000; it is ${JSON.stringify(pod.priorityText)}`;
  return { pod, reason: podReasons.priorityInvalid, message };
}

/** A pod that finds no node keeps its share: whoever owns it decides what becomes of it (decision 24). */
function lateness(
  pod: QueuedPod,
  answers: ObservedPodWorkload["answers"],
  parts: readonly Part[],
): { readonly due: number; readonly told: WaitingPod } | undefined {
  const part = parts.find(({ released }) => released.includes(pod));
  const patience = answers.get(part?.want.part ?? "")?.unschedulableMs ?? Number.POSITIVE_INFINITY;
  if (patience === Number.POSITIVE_INFINITY) return undefined;
  const message = `was admitted, and finds no node since ${patience / 1000} s; it keeps its share of the TenantQueue ${pod.queue} until it is deleted`;
  return { due: (pod.unschedulableSince ?? 0) + patience, told: { pod, reason: podReasons.notScheduled, message } };
}
