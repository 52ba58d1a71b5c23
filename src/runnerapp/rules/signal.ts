import type { Pod } from "../../api/core.ts";
import { isImagePull } from "../../api/image-pull.ts";
import { serviceGate } from "../../api/names.ts";
import { progressConditions } from "../../api/pod-conditions.ts";
import type { RetryFacts } from "../../api/retry-rule.ts";
import { parseTime } from "../../base/time.ts";
import { type ContainerEnd, endOf, newestEnd, type RoleStatus, roleStatuses, stopped } from "./container-end.ts";

/** What ended or ails the pod of an instance. */
export type SignalKind =
  /** It runs and is Ready. */
  | "Serving"
  /** All containers run; it is not Ready. */
  | "NotReady"
  /** All containers are ready; we have taken it out of service. */
  | "OutOfService"
  /** On its way, within its time: being scheduled, set up or restarted. */
  | "Starting"
  /** A container ended with another code than 0, or was killed by its liveness probe, and the kubelet has not restarted it yet. */
  | "Exit"
  | "OOMKilled"
  /** A program that should go on for ever ended with 0. */
  | "Completed"
  | "Evicted"
  /** Taken for a pod of higher priority, or with its node's orderly shutdown. */
  | "Disrupted"
  /** The kubelet did not take it: OutOfcpu, NodeAffinity, UnexpectedAdmissionError, ... */
  | "Rejected"
  | "StartTimeout"
  /** A reference that cannot be resolved, such as a ConfigMap that is not there: the spec's fault. */
  | "ConfigError"
  /** The image cannot be pulled; not yet for longer than the start time-out. */
  | "ImagePull"
  /** The image could not be pulled within the start time-out. */
  | "ImagePullTimeout"
  | "NodeLost"
  | "Unschedulable"
  /** Its deletion has been asked for. */
  | "Deleted";

/** How retries answer a kind of signal. */
export interface Reaction {
  /**
   * What it counts as. Local: one failure on its node, and another node only when `sameNode` is used up. Move: another node at once, and
   * one of `otherNodes` is used. Replace: a new pod at once, and nothing is used up. None: no act of retries.
   */
  readonly counts: "Local" | "Move" | "Replace" | "None";
  /** Whether its node is to blame: AtOnce, only WhenExhausted (`sameNode` used up there), or Never. */
  readonly blames: "AtOnce" | "WhenExhausted" | "Never";
}

const none: Reaction = { counts: "None", blames: "Never" };

/**
 * The table of research/runners.md 5a. ImagePullTimeout moves only where the same revision could be pulled elsewhere: else the image is
 * bad, and no other node helps. A lost node is answered by evacuation, which surges before anything is deleted.
 */
export const reactions: Readonly<Record<SignalKind, Reaction>> = {
  Serving: none,
  NotReady: none,
  OutOfService: none,
  Starting: none,
  Exit: { counts: "Local", blames: "WhenExhausted" },
  OOMKilled: { counts: "Local", blames: "Never" },
  Completed: { counts: "Local", blames: "Never" },
  Evicted: { counts: "Move", blames: "AtOnce" },
  Disrupted: { counts: "Replace", blames: "Never" },
  Rejected: { counts: "Move", blames: "AtOnce" },
  StartTimeout: { counts: "Move", blames: "AtOnce" },
  ConfigError: none,
  ImagePull: none,
  ImagePullTimeout: { counts: "Move", blames: "AtOnce" },
  NodeLost: none,
  Unschedulable: none,
  Deleted: none,
};

/** A signal and what is told of it. Instants are milliseconds since the epoch. */
export interface Signal extends RetryFacts {
  readonly kind: SignalKind;
  /** In the words of Kubernetes, such as "OutOfcpu" or "CrashLoopBackOff"; "" = it has none. */
  readonly word: string;
  readonly message: string;
  /** Of the last container that ended; absent = none has. */
  readonly exitCode?: number;
  /** Since when: the end, the last change of the condition; absent = not told. */
  readonly since?: number;
  /** When it will become another by time alone. */
  readonly changesAt?: number;
}

export interface SignalContext {
  readonly now: number;
  /** spec.startTimeoutSeconds: from scheduling until all containers have started. */
  readonly startTimeoutMs: number;
  /** So long may a node be unheard of before what is on it counts as lost. */
  readonly nodeLostMs: number;
  /** Since when the pod's node is unheard of, or was found to be gone; absent = it is heard of. */
  readonly nodeLostSince?: number;
}

/** The kubelet's words for a pod that it had taken and ended because its node went down in order. */
const shutdowns: ReadonlySet<string> = new Set(["Terminated", "NodeShutdown", "Shutdown"]);
/** What containers wait for while all goes well. */
const ordinaryWaits: ReadonlySet<string> = new Set(["ContainerCreating", "PodInitializing"]);
/** What the kubelet says when a container's spec cannot be carried out on any node. */
const configErrors: ReadonlySet<string> = new Set(["CreateContainerConfigError", "InvalidImageName"]);

/**
 * What ended or ails a pod now, first match: being deleted, the phase (Failed never heals by itself), the lost node, no node yet, a
 * container that waits, one that has ended, readiness. Restarts that are over are not seen here: see {@link countRestarts}.
 */
export function signalOf(pod: Pod, context: SignalContext): Signal {
  const { metadata } = pod;
  const statuses = roleStatuses(pod);
  const facts = retryFacts(pod, statuses);
  const say = (kind: SignalKind, more: Partial<Signal> = {}): Signal => ({ kind, word: "", message: "", ...facts, ...more });
  if (metadata.deletionTimestamp !== undefined) return say("Deleted", { word: disruptionReason(pod) ?? "" });
  if (hasEnded(pod)) return ended(pod, statuses, say);
  if (context.nodeLostSince !== undefined) {
    const lostAt = context.nodeLostSince + context.nodeLostMs;
    if (lostAt <= context.now) return say("NodeLost", { reason: "NodeLost", since: context.nodeLostSince });
    const signal = alive(pod, statuses, context, say);
    return { ...signal, changesAt: Math.min(lostAt, signal.changesAt ?? lostAt) };
  }
  return alive(pod, statuses, context, say);
}

type Say = (kind: SignalKind, more?: Partial<Signal>) => Signal;

function ended(pod: Pod, statuses: readonly RoleStatus[], say: Say): Signal {
  const { status } = pod;
  const word = status?.reason ?? "";
  const message = status?.message ?? "";
  if (word === "Evicted") return say("Evicted", { word, message, reason: "Evicted" });
  const taken = disruptionReason(pod);
  if (word === "Preempting" || shutdowns.has(word) || taken !== undefined) {
    const lost = shutdowns.has(word) || taken === "DeletionByPodGC" || taken === "DeletionByTaintManager";
    return say("Disrupted", { word: word || (taken ?? ""), message, reason: lost ? "NodeLost" : "Evicted" });
  }
  const last = newestEnd(statuses);
  // The kubelet refused it before it made any container.
  if (last === undefined && status?.phase === "Failed" && !statuses.some(({ state }) => state?.running !== undefined))
    return say("Rejected", { word, message });
  return say(endKind(last), { word: word || (last?.reason ?? ""), message: message || (last?.message ?? ""), ...endFacts(last) });
}

function alive(pod: Pod, statuses: readonly RoleStatus[], context: SignalContext, say: Say): Signal {
  const scheduled = conditionOf(pod, "PodScheduled");
  if (pod.spec.nodeName === undefined) {
    const since = parseTime(scheduled?.lastTransitionTime);
    const more = { word: scheduled?.reason ?? "", message: scheduled?.message ?? "", ...(since !== undefined && { since }) };
    return say(scheduled?.reason === "Unschedulable" ? "Unschedulable" : "Starting", more);
  }
  const boundAt = parseTime(scheduled?.lastTransitionTime) ?? parseTime(pod.metadata.creationTimestamp) ?? context.now;
  const deadline = boundAt + context.startTimeoutMs;
  const waits = statuses.flatMap(({ state }) => state?.waiting ?? []);
  const waiting = waits.find(({ reason = "" }) => !ordinaryWaits.has(reason)) ?? waits[0];
  const word = waiting?.reason ?? "";
  const message = waiting?.message ?? "";
  // A mistake of the spec stays one, however long it lasts.
  if (configErrors.has(word)) return say("ConfigError", { word, message });
  const last = newestEnd(statuses.filter(stopped));
  if (last !== undefined)
    return say(endKind(last), { word: word || (last.reason ?? ""), message: last.message || message, ...endFacts(last) });
  if (!haveStarted(pod, statuses)) {
    const late = deadline <= context.now;
    if (isImagePull(word)) {
      const more = { word, message, since: boundAt, reason: "ImagePull" as const };
      return late ? say("ImagePullTimeout", more) : say("ImagePull", { ...more, changesAt: deadline });
    }
    if (late) return say("StartTimeout", { word, message, since: boundAt, reason: "StartTimeout" });
    return say("Starting", { word, message, since: boundAt, changesAt: deadline });
  }
  const ready = conditionOf(pod, "Ready");
  const since = parseTime(ready?.lastTransitionTime);
  const more = { word: ready?.reason ?? "", message: ready?.message ?? "", ...(since !== undefined && { since }) };
  const isOut = conditionOf(pod, serviceGate)?.status === "False" && conditionOf(pod, "ContainersReady")?.status === "True";
  return say(isOut ? "OutOfService" : ready?.status === "True" ? "Serving" : "NotReady", more);
}

const conditionOf = (pod: Pod, type: string) => pod.status?.conditions?.find((condition) => condition.type === type);

/** Why the pod was taken away by somebody who says so; undefined = nobody does. */
function disruptionReason(pod: Pod): string | undefined {
  const condition = conditionOf(pod, "DisruptionTarget");
  return condition?.status === "True" ? condition.reason : undefined;
}

/** Whether the app is to have another pod in its place: it is no more, or the kubelet gave it up. */
export const hasEnded = (pod: Pod): boolean => pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded";

/** All have been started once; one that is being restarted had started before. */
function haveStarted(pod: Pod, statuses: readonly RoleStatus[]): boolean {
  const started = statuses.filter(
    ({ role, state, restartCount = 0 }) => role === "Main" && (state?.running !== undefined || restartCount > 0),
  );
  return started.length >= pod.spec.containers.length;
}

/** The kind of a container's end. */
export function endKind(end: ContainerEnd | undefined): "Exit" | "OOMKilled" | "Completed" {
  if (end?.reason === "OOMKilled") return "OOMKilled";
  return end?.exitCode === 0 ? "Completed" : "Exit";
}

function endFacts(end: ContainerEnd | undefined): Partial<Signal> {
  if (end === undefined) return {};
  const since = parseTime(end.finishedAt);
  return {
    exitCode: end.exitCode,
    ...(since !== undefined && { since }),
    ...(end.reason === "OOMKilled" && { reason: "OOMKilled" as const }),
  };
}

function retryFacts(pod: Pod, statuses: readonly RoleStatus[]): RetryFacts {
  const failedCodes = statuses.flatMap((status) => (stopped(status) ? endOf(status)?.exitCode || [] : []));
  const conditions = (pod.status?.conditions ?? []).filter(({ type }) => !progressConditions.has(type));
  return {
    ...(failedCodes.length > 0 && { failedCodes }),
    ...(conditions.length > 0 && { conditions: conditions.map(({ type, status }) => `${type}=${status}`) }),
  };
}
