import type { ContainerStatus, Pod } from "../../api/core.ts";
import { defaultContainer } from "../../api/default-container.ts";
import { identityOf, type KubeObject } from "../../api/meta.ts";
import { annotations, itemOfLabel, labels } from "../../api/names.ts";
import { haveContainersEnded } from "../../api/pod-end.ts";
import { progressConditions } from "../../api/pod-conditions.ts";
import { parseTime } from "../../base/time.ts";
import type { DispatchRecord, TaskState } from "./resident/dispatch-record.ts";

/** Why a run was started. */
export type RunKind = "Schedule" | "Misfire" | "Dependency" | AskedKind;

/** Why a run was started that a JobRequest asked for: a run now, the failed items of another run, a fire time of the past. */
export type AskedKind = "Requested" | "Retry" | "Backfill";

const askedKinds: ReadonlySet<string> = new Set<AskedKind>(["Requested", "Retry", "Backfill"]);

/** Whether a JobRequest asked for a run of this kind: such a run does not stand for a fire time of the schedule. */
export const isAsked = (kind: string | undefined): kind is AskedKind => kind !== undefined && askedKinds.has(kind);

/** What the annotation nuptse.dev/run of every pod tells, so that the newest attempt alone rebuilds its item's history (decision 15). */
export interface RunAnnotation {
  readonly kind: RunKind;
  readonly fireTime: string;
  readonly revision: string;
  /** The set of items of the run, as text. */
  readonly items: string;
  /** Failures before this attempt that counted. */
  readonly counted: number;
  /** Losses before this attempt that did not count. */
  readonly lost: number;
  /** Nodes that this attempt must not use. */
  readonly nodes: readonly string[];
  /** The node on which this attempt must repeat the one before it. */
  readonly pinned?: string;
  /** The instant for which the first pods of the run were created. */
  readonly since: string;
  /** The UID of the JobRequest that asked for the run. */
  readonly request?: string;
  /** The run ends with a reduce. */
  readonly reduce?: true;
  /** Items with which the run stood admitted to its queue when the pod was created; absent = it is of none. */
  readonly admitted?: number;
  /** How often that had been lowered before; absent = never. */
  readonly lowered?: number;
}

/** What the operator keeps of a pod that works on an item. Instants are milliseconds since the epoch. */
export interface AttemptPod extends KubeObject {
  /** The ElasticJob's name and UID. */
  readonly job: string;
  readonly jobUid: string;
  readonly run: string;
  /** reduceItem for the reduce. */
  readonly item: number;
  readonly attempt: number;
  readonly history: RunAnnotation;
  /** The TenantQueue whose share it takes. */
  readonly queue?: string;
  readonly createdAt: number;
  readonly node?: string;
  /** The pod's address. */
  readonly ip?: string;
  readonly scheduledAt?: number;
  /** When all ordinary containers had started. */
  readonly startedAt?: number;
  /** Why a container waits, such as ErrImagePull. */
  readonly waiting?: string;
  readonly deletion?: { readonly at: number; readonly graceMs: number };
  readonly disrupted: boolean;
  /** Conditions that may tell why it ended, as "DisruptionTarget=True"; absent = none. */
  readonly conditions?: readonly string[];
  readonly end?: AttemptEnd;
  /** Set when it is no pod but a task at an executor: the RunnerApp, what stands in status of it, and what is known besides. */
  readonly executor?: {
    readonly runner: string;
    readonly record: DispatchRecord;
    readonly state?: TaskState;
    /** Nobody knows yet whether its executor has heard of it: status names it ahead, and it is being asked about. */
    readonly isUncertain?: true;
  };
  /** Set when it is no attempt of ours: what its labels say, as those of a copy do. */
  readonly foreign?: { readonly jobUid: string; readonly run: string };
}

/** The pod's own account of its end. */
export interface AttemptEnd {
  /** A container has told how it ended; else only the phase says that the pod did. */
  readonly terminated: boolean;
  readonly success: boolean;
  /** Of the container that stands for the pod. */
  readonly exitCode?: number;
  /** Exit codes other than 0 of all containers that have ended; absent = none. */
  readonly failedCodes?: readonly number[];
  readonly finishedAt?: number;
  readonly message: string;
  readonly reason: string;
}

/** Keeps of a pod what rules read; undefined when it is no attempt of ours or somebody rewrote its labels. */
export function attemptPod(pod: Pod): AttemptPod | undefined {
  const own = pod.metadata.labels ?? {};
  const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller);
  const run = own[labels.run];
  const item = itemOfLabel(own[labels.item]);
  const attempt = Number(own[labels.attempt]);
  const history = parseHistory(pod.metadata.annotations?.[annotations.run]);
  if (owner === undefined || owner.uid !== own[labels.jobUid] || run === undefined || history === undefined) return undefined;
  if (!Number.isInteger(item) || !Number.isInteger(attempt)) return undefined;
  const { metadata, status } = pod;
  const scheduled = status?.conditions?.find((condition) => condition.type === "PodScheduled" && condition.status === "True");
  const statuses = status?.containerStatuses ?? [];
  const deletedAt = parseTime(metadata.deletionTimestamp);
  const startedAt = containersStartedAt(pod, statuses);
  const waiting = statuses.find((container) => container.state?.waiting !== undefined)?.state?.waiting?.reason;
  const end = attemptEnd(pod, statuses);
  const scheduledAt = parseTime(scheduled?.lastTransitionTime);
  const conditions = (status?.conditions ?? []).filter((condition) => !progressConditions.has(condition.type));
  return {
    metadata: identityOf(metadata),
    job: owner.name,
    jobUid: owner.uid,
    run,
    item,
    attempt,
    history,
    ...(own[labels.queue] !== undefined && { queue: own[labels.queue] }),
    createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    ...(pod.spec.nodeName !== undefined && { node: pod.spec.nodeName }),
    ...(status?.podIP !== undefined && { ip: status.podIP }),
    ...(scheduledAt !== undefined && { scheduledAt }),
    ...(startedAt !== undefined && { startedAt }),
    ...(waiting !== undefined && { waiting }),
    ...(deletedAt !== undefined && { deletion: { at: deletedAt, graceMs: (metadata.deletionGracePeriodSeconds ?? 0) * 1000 } }),
    disrupted: status?.conditions?.some((condition) => condition.type === "DisruptionTarget" && condition.status === "True") ?? false,
    ...(conditions.length > 0 && { conditions: conditions.map((condition) => `${condition.type}=${condition.status}`) }),
    ...(end !== undefined && { end }),
  };
}

let lastHistoryText: string | undefined;
let lastHistory: RunAnnotation | undefined;

/** The pods of a run mostly carry the same text, so the last one read is kept: parsing it once saves time and memory. */
function parseHistory(text: string | undefined): RunAnnotation | undefined {
  if (text === undefined) return undefined;
  if (text === lastHistoryText) return lastHistory;
  try {
    const value = JSON.parse(text) as RunAnnotation;
    if (typeof value.fireTime !== "string" || typeof value.revision !== "string" || !Array.isArray(value.nodes)) return undefined;
    lastHistoryText = text;
    lastHistory = value;
    return value;
  } catch {
    return undefined;
  }
}

function containersStartedAt(pod: Pod, statuses: readonly ContainerStatus[]): number | undefined {
  if (statuses.length < pod.spec.containers.length) return undefined;
  let latest = 0;
  for (const { state } of statuses) {
    if (state?.running === undefined && state?.terminated === undefined) return undefined;
    latest = Math.max(latest, parseTime(state.running?.startedAt ?? state.terminated?.startedAt) ?? 0);
  }
  return latest;
}

function attemptEnd(pod: Pod, statuses: readonly ContainerStatus[]): AttemptEnd | undefined {
  const phase = pod.status?.phase;
  const finished = phase === "Succeeded" || phase === "Failed";
  const ended = statuses.filter((container) => container.state?.terminated !== undefined);
  const terminated = haveContainersEnded(pod);
  if (!finished && !terminated) return undefined;
  const name = defaultContainer(pod);
  // An init container that failed is the reason why no ordinary one began.
  const sidecars = new Set(pod.spec.initContainers?.flatMap((container) => (container.restartPolicy === "Always" ? container.name : [])));
  const failed = (container: ContainerStatus) => (container.state?.terminated?.exitCode ?? 0) !== 0;
  const init = pod.status?.initContainerStatuses?.find((container) => failed(container) && !sidecars.has(container.name));
  const main = (ended.find((container) => container.name === name) ?? ended[0] ?? init)?.state?.terminated;
  const finishedTimes = ended.map((container) => parseTime(container.state?.terminated?.finishedAt) ?? 0);
  const finishedAt = finishedTimes.length === 0 ? undefined : Math.max(...finishedTimes);
  const failedCodes = [...ended, ...(init === undefined ? [] : [init])].flatMap((container) => container.state?.terminated?.exitCode || []);
  const oom = ended.find((container) => container.state?.terminated?.reason === "OOMKilled");
  const allZero = terminated && ended.every((container) => container.state?.terminated?.exitCode === 0);
  return {
    terminated: ended.length > 0 || init !== undefined,
    // Failed with nothing but zeros: the kubelet evicted it or its time was over, and the program took the TERM for an order to end.
    success: phase !== "Failed" && (allZero || (phase === "Succeeded" && ended.length === 0)),
    ...(main !== undefined && { exitCode: main.exitCode }),
    ...(failedCodes.length > 0 && { failedCodes }),
    ...(finishedAt !== undefined && finishedAt > 0 && { finishedAt }),
    message: main?.message ?? pod.status?.message ?? "",
    // Not "Completed" when it is another container that failed.
    reason: pod.status?.reason ?? (oom ?? ended.find(failed))?.state?.terminated?.reason ?? main?.reason ?? "",
  };
}

/** What an attempt's end means. Lost = it was taken from the item, through no fault of the program. */
export interface Verdict {
  readonly outcome: "Succeeded" | "Failed" | "Lost" | "Withdrawn";
  /** One word: Completed, Error, OOMKilled, NodeGone, Vanished, Disrupted, StartTimeout, ImagePull, ItemTimeout, ... */
  readonly reason: string;
  readonly at: number;
  readonly exitCode?: number;
  readonly message: string;
}

/** Why the operator itself is ending an attempt; stands in status before the pod is deleted (decision 6). */
export type StopReason =
  | "StartTimeout"
  | "ImagePull"
  | "ItemTimeout"
  | "NotScheduled"
  | "Unschedulable"
  | "Reclaimed"
  | "Unreachable"
  | "NodeGone"
  | "Superseded";

/** Stops through no fault of the attempt and no loss of its node: the next one follows uncounted. */
const withdrawing: ReadonlySet<StopReason | undefined> = new Set<StopReason>(["NotScheduled", "Unschedulable", "Reclaimed"]);

/** Stops with which the attempt also gave back its share of the queue. */
export const isGivenBack = (reason: string): boolean => reason === "Unschedulable" || reason === "Reclaimed";

/** What is known of an attempt besides its pod. */
export interface AttemptContext {
  /** Our recorded intention about it. */
  readonly stop?: StopReason;
  /** Its end was seen while nobody had asked for its deletion yet: a later deletionTimestamp does not change what it means. */
  readonly endedUndeleted?: boolean;
  /** When its node was found to be surely deleted, and its own deletion had been asked for. */
  readonly nodeGoneAt?: number;
  /** When the object was surely seen to be gone. */
  readonly vanishedAt?: number;
  /** When its node had been unreachable for so long that it is taken for dead (failover.unreachableSeconds). */
  readonly givenUpAt?: number;
}

/**
 * What has become of an attempt, or undefined while it may still be at work (decision 4). A deletionTimestamp and DisruptionTarget end
 * nothing by themselves: the program may go on.
 */
export function judge(pod: AttemptPod, context: AttemptContext = {}): Verdict | undefined {
  const { end } = pod;
  const goneAt = context.vanishedAt ?? context.nodeGoneAt ?? context.givenUpAt;
  if (end === undefined && goneAt === undefined) return undefined;
  // An end without a time of its own counts from the creation, so that waits that are measured from it do come to an end.
  const at = end?.finishedAt ?? goneAt ?? pod.createdAt;
  const account = { at, message: end?.message ?? "", ...(end?.exitCode !== undefined && { exitCode: end.exitCode }) };
  const succeeded = end?.success === true && (context.endedUndeleted === true || endedBeforeDeletion(pod));
  if (context.stop !== undefined && withdrawing.has(context.stop) && !succeeded)
    return { ...account, outcome: "Withdrawn", reason: context.stop };
  if ((context.stop === "Unreachable" || context.stop === "NodeGone") && !succeeded)
    return { ...account, outcome: "Lost", reason: context.stop };
  // A program that finished its work while we were about to stop it has finished its work.
  if (context.stop !== undefined && !succeeded) return { ...account, outcome: "Failed", reason: context.stop };
  if (succeeded) return { ...account, outcome: "Succeeded", reason: "Completed" };
  if (end === undefined) return { ...account, outcome: "Lost", reason: goneReason(context) };
  if (end.reason === "DeadlineExceeded") return { ...account, outcome: "Failed", reason: "ItemTimeout" };
  if (pod.deletion !== undefined || pod.disrupted) return { ...account, outcome: "Lost", reason: "Disrupted" };
  // A kubelet that is short of something calls its evictions disruptions; without that the pod went over a limit of its own (decision 18).
  if (end.reason === "Evicted") return { ...account, outcome: "Failed", reason: "Evicted" };
  if (!end.terminated) return { ...account, outcome: "Lost", reason: end.reason || "Rejected" };
  return { ...account, outcome: "Failed", reason: end.reason || "Error" };
}

function goneReason({ nodeGoneAt, vanishedAt }: AttemptContext): string {
  if (nodeGoneAt !== undefined) return "NodeGone";
  return vanishedAt !== undefined ? "Vanished" : "Unreachable";
}

/** A deletion that is shortened once its grace is over gets the instant of that for its timestamp, and a grace of 0 or 1 s. */
const shortenedGraceMs = 1000;

/**
 * Whether the pod tells that its program ended before anybody asked for its deletion. deletionTimestamp is the request's time plus grace;
 * both sides have whole seconds, and equal ones count as disrupted. The kubelet's last act, a deletion with a grace of 0, moves the
 * timestamp to its own instant: when the first request came can then not be read any more.
 */
export function endedBeforeDeletion({ end, deletion }: AttemptPod): boolean {
  if (end === undefined || deletion === undefined) return end !== undefined;
  if (deletion.graceMs <= shortenedGraceMs) return false;
  return end.finishedAt !== undefined && end.finishedAt < deletion.at - deletion.graceMs;
}
