import type { EventAction } from "../api/action.ts";
import type { Admission } from "../api/admission.ts";
import type { KubeObject, ObjectRef } from "../api/meta.ts";
import { waitReasons } from "../api/reasons.ts";
import { apiVersionOf, pods as podResource } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import { getOrMake } from "../base/map.ts";
import { type Controller, keyOf } from "../runtime/controller.ts";
import type { HeldPart } from "./rules/parts.ts";
import { type ObservedPodWorkload, planPodWorkload, type WaitingPod } from "./rules/plan.ts";
import type { QueuedPod } from "./rules/queued-pod.ts";
import type { Rollout } from "./rules/rollout.ts";
import { workloadOfName, workloadUid } from "./rules/workload-key.ts";

export interface PodGateControllerOptions {
  readonly clock: Pick<Clock, "now">;
  readonly admission: Admission;
  /** All pods of a workload. */
  readonly podsOf: (key: ObjectRef) => readonly QueuedPod[];
  /** What is known of the roll-out of a Deployment; while nothing is, the key comes again once it is. */
  readonly rolloutOf: (key: ObjectRef, deployment: string) => Rollout | undefined;
}

/** What is remembered of a workload; nothing of it is needed to be right after a restart. */
interface Notes {
  held: ReadonlyMap<string, HeldPart>;
  /** Pods of it waited when it was last looked at, and may be surge. */
  asksForRollout: boolean;
  /** Pods that the API server would not release, by UID: its word, and when to try again. */
  readonly refused: Map<string, { readonly message: string; readonly retryAt: number }>;
  waiting: { readonly reason: string; readonly since: number } | undefined;
  told: { readonly reason: string; readonly at: number } | undefined;
}

/** Most pods wait for moments only: nobody is told of those. */
const tellAfterMs = 5_000;
/** Of one workload at most so often (decision 26). */
const tellAgainMs = 60_000;
const refusedWaitMs = 60_000;

/** Puts the workloads of somebody else's pods before their queues, and takes the gate from those that are admitted. */
export function createPodGateController(options: PodGateControllerOptions): Controller<ObservedPodWorkload> {
  const { clock, admission } = options;
  const notes = new Map<string, Notes>();
  const notesOf = (key: string): Notes =>
    getOrMake(notes, key, () => ({
      held: new Map(),
      asksForRollout: false,
      refused: new Map(),
      waiting: undefined,
      told: undefined,
    }));

  return {
    name: "podgate",

    observe(key) {
      const pods = options.podsOf(key);
      const known = notes.get(keyOf(key));
      if (pods.length === 0 && (known === undefined || known.held.size === 0)) return undefined;
      const workload = pods[0]?.workload ?? workloadOfName(key.name);
      const queues = new Set(pods.map(({ queue }) => queue));
      const rollout = workload.kind === "Deployment" && known?.asksForRollout === true ? options.rolloutOf(key, workload.name) : undefined;
      return {
        now: clock.now(),
        key,
        workload,
        pods,
        choices: new Map([...queues].map((queue) => [queue, admission.queueFor(key.namespace as string, queue)])),
        answers: admission.answersFor(workloadUid(key)),
        held: known?.held ?? new Map(),
        refused: known?.refused ?? new Map(),
        ...(rollout !== undefined && { rollout }),
      };
    },

    plan(observed) {
      const { key, workload, now } = observed;
      const { wants, held, asksForRollout, waiting, wakeAt, ...plan } = planPodWorkload(observed);
      const known = notesOf(keyOf(key));
      known.held = held;
      // Its answer comes as another look at the key.
      if (asksForRollout && !known.asksForRollout) options.rolloutOf(key, workload.name);
      known.asksForRollout = asksForRollout;
      if (wants !== undefined) admission.declare({ ...workload, namespace: key.namespace as string, uid: workloadUid(key) }, wants);
      const told = tell(known, waiting, now);
      const due = Math.min(wakeAt ?? Number.POSITIVE_INFINITY, told.due ?? Number.POSITIVE_INFINITY);
      return {
        ...plan,
        actions: told.event === undefined ? plan.actions : [...plan.actions, told.event],
        ...(due < Number.POSITIVE_INFINITY && { wakeAt: due }),
      };
    },

    settle(key, { now, pods }, results) {
      const { refused } = notesOf(keyOf(key));
      const uids = new Set(pods.map(({ metadata }) => metadata.uid));
      for (const uid of refused.keys()) if (!uids.has(uid)) refused.delete(uid);
      for (const { action, outcome } of results) {
        if (action.tag !== "patch") continue;
        refused.delete(action.uid);
        if (outcome.kind === "forbidden" || outcome.kind === "invalid")
          refused.set(action.uid, { message: outcome.message, retryAt: now + refusedWaitMs });
      }
    },

    forget(key) {
      notes.delete(keyOf(key));
      admission.forget(workloadUid(key));
    },
  };
}

/** Says once why pods wait, when they have for a while, or when they are to be looked at again for that. */
function tell(known: Notes, waiting: WaitingPod | undefined, now: number): { readonly event?: EventAction; readonly due?: number } {
  if (waiting === undefined) {
    known.waiting = undefined;
    // Whoever waits again is told again.
    if (known.told !== undefined) known.told = { reason: "", at: known.told.at };
    return {};
  }
  const { pod, reason, message } = waiting;
  if (known.waiting?.reason !== reason) known.waiting = { reason, since: now };
  if (known.told?.reason === reason) return {};
  const due = Math.max(known.waiting.since + tellAfterMs, (known.told?.at ?? Number.NEGATIVE_INFINITY) + tellAgainMs);
  if (due > now) return { due };
  known.told = { reason, at: now };
  const { name, namespace, uid } = pod.metadata;
  const regarding: KubeObject = {
    apiVersion: apiVersionOf(podResource),
    kind: podResource.kind,
    metadata: { name, ...(namespace !== undefined && { namespace }), ...(uid !== undefined && { uid }) },
  };
  return {
    event: {
      tag: "event",
      regarding,
      type: reason === waitReasons.queuePending ? "Normal" : "Warning",
      reason,
      note: message.slice(0, 1024),
    },
  };
}
