import { firstMatch, type RetryFacts } from "../../api/retry-rule.ts";
import { backoffDelay } from "../../base/backoff.ts";
import { parseTime } from "../../base/time.ts";
import type { ContainerEnd, RoleStatus } from "./container-end.ts";
import { type CountedEnds, countRestarts } from "./restart-count.ts";
import { isForgiven, isTroubled, type PodOrigin, type RetryMove, type RetrySeries, type RunnerRetryPolicy } from "./retry-series.ts";
import { endKind, reactions, type Signal } from "./signal.ts";

/** A pod that is pinned to its node and is not scheduled after this long goes anywhere, as in ElasticJob (decision 18). */
const pinnedPatienceMs = 60_000;

/** The newest pod of an instance that is not being deleted. */
export interface RetryPod {
  readonly uid: string;
  /** Absent = not scheduled yet. */
  readonly node?: string;
  readonly createdAt: number;
  readonly statuses: readonly RoleStatus[];
  readonly signal: Signal;
  /** Its phase is Failed or Succeeded: the kubelet starts nothing in it any more. */
  readonly ended: boolean;
  /** How often we made a container end ourselves, by name; absent = never. */
  readonly asked?: ReadonlyMap<string, number>;
}

export interface RetryInstance extends PodOrigin {
  readonly name: string;
  /** Absent = none yet, or it is being deleted. */
  readonly pod?: RetryPod;
}

/** What retries need to know of nodes and of the rest of the app. */
export interface RetryContext {
  readonly now: number;
  /** Whether a node can take the instance again: there, heard of, not being taken, not excluded. */
  mayReuse(node: string): boolean;
  /** Whether the node itself is short of memory: then a killed container is its fault, too. */
  hasMemoryPressure(node: string): boolean;
  /** Whether the revision's image was pulled on another node than this. */
  pulledElsewhere(revision: string, node: string): boolean;
}

/** A node at which a failure is laid. */
export interface NodeBlame {
  readonly node: string;
  readonly at: number;
  readonly revision: string;
  /** The kind of the signal. */
  readonly reason: string;
}

/** A pod to be deleted, with a precondition on its UID; the replacement is made like any missing instance, where `creationOf` says. */
export interface RetryAct {
  readonly instance: string;
  readonly pod: string;
  readonly kind: RetryMove["kind"];
  /** It happens to serve: only within the budget of unavailability. */
  readonly serving: boolean;
}

export interface RetryStep {
  /** What is to stand in status; undefined = nothing. */
  readonly series?: RetrySeries;
  /** Only what the stored series already held: records come before acts (decision 6). */
  readonly act?: RetryAct;
  /** To be stored in the same write as the series, or a crash would count it twice. */
  readonly blame?: NodeBlame;
  /** Retries are used up with this step, and were not before: worth one event. */
  readonly exhausted?: true;
  /** When time alone will change something. */
  readonly wakeAt?: number;
}

/**
 * What follows for one instance (runnerapp.md 3.4). Local before cross-machine: the first failures are the kubelet's to restart, in the
 * same pod; the last of `sameNode` (from 2 on), and any in a pod that has ended, gets a new pod on the node, with an empty disk and without
 * the kubelet's back-off; after that another node, `otherNodes` times. A function of what is stored and what is there, so doing it twice
 * is doing it once: an end is counted in the same write as the decision it leads to, and the act follows from that write.
 */
export function retryStep(
  stored: RetrySeries | undefined,
  instance: RetryInstance,
  policy: RunnerRetryPolicy,
  context: RetryContext,
): RetryStep {
  const { pod } = instance;
  const known = stored === undefined || isForgiven(stored, instance) ? undefined : notOfFuture(stored, context.now);
  if (pod === undefined) return known === undefined ? {} : { series: known, ...wake(dueAt(known, policy), context.now) };
  const series = onPod(known, instance, pod);
  if (known !== undefined && isForgotten(series, pod, policy, context.now))
    return remembering(forget(series, countRestarts(pod.statuses, series.seen, pod.asked), isServing(pod)));
  const waits = wake(Math.min(dueAt(series, policy), forgottenAt(series, pod, policy), pod.signal.changesAt ?? never), context.now);
  if (series.exhaustedAt !== undefined) return { series, ...waits };
  if (series.move !== undefined) return moving(series, series.move, pod, stored, context, waits);
  if (waitsInVain(series, pod, context)) return { series: withMove(series, pod, "Anywhere", context.now) };
  const pinnedUntil = series.pinned !== undefined && pod.node === undefined ? pod.createdAt + pinnedPatienceMs : never;
  const outcome = judge(series, pod, policy, context);
  if (outcome !== undefined) return outcome;
  return { ...remembering(series, known), ...wake(Math.min(waits.wakeAt ?? never, pinnedUntil), context.now) };
}

const never = Number.POSITIVE_INFINITY;
const wake = (at: number, now: number): { readonly wakeAt?: number } => (at === never || at <= now ? {} : { wakeAt: at });
const isServing = ({ signal }: RetryPod): boolean => signal.kind === "Serving";

/** After the clock was set back, what was decided in what is now the future was decided now: waits keep their length. */
function notOfFuture(series: RetrySeries, now: number): RetrySeries {
  const { move, exhaustedAt } = series;
  if ((move?.decidedAt ?? now) <= now && (exhaustedAt ?? now) <= now) return series;
  return {
    ...series,
    ...(move !== undefined && { move: { ...move, decidedAt: now, notBefore: now + move.notBefore - move.decidedAt } }),
    ...(exhaustedAt !== undefined && { exhaustedAt: now }),
  };
}

/** The series as far as it is about this pod: a new pod has no ends yet, and fulfils the move that it was made for. */
function onPod(known: RetrySeries | undefined, { name, revision, restartedAt }: RetryInstance, { uid }: RetryPod): RetrySeries {
  const none = { sameNodeUsed: 0, otherNodesUsed: 0, nodes: [], seen: [] };
  if (known === undefined) return { instance: name, revision, ...(restartedAt !== undefined && { restartedAt }), pod: uid, ...none };
  if (known.pod === uid) return known;
  const { move, pinned: _, ...rest } = known;
  if (move === undefined) return { ...rest, pod: uid, seen: [] };
  return {
    ...rest,
    pod: uid,
    seen: [],
    sameNodeUsed: move.kind === "OtherNode" ? 0 : rest.sameNodeUsed,
    ...(move.kind === "SameNode" && move.node !== undefined && { pinned: move.node }),
  };
}

/** When the stored decision leads to something. */
function dueAt({ move, exhaustedAt }: RetrySeries, policy: RunnerRetryPolicy): number {
  if (exhaustedAt !== undefined) return exhaustedAt + policy.resetAfterMs;
  return move?.notBefore ?? never;
}

/** When an instance that serves will have done so for long enough; never where nothing is to be forgotten. */
function forgottenAt(series: RetrySeries, pod: RetryPod, { resetAfterMs }: RunnerRetryPolicy): number {
  if (!isServing(pod) || pod.signal.since === undefined || !isTroubled(series)) return never;
  return pod.signal.since + resetAfterMs;
}

function isForgotten(series: RetrySeries, pod: RetryPod, policy: RunnerRetryPolicy, now: number): boolean {
  const anew = series.exhaustedAt === undefined ? never : series.exhaustedAt + policy.resetAfterMs;
  return Math.min(forgottenAt(series, pod, policy), anew) <= now;
}

/** All is as if it had never failed, but that the ends until now are counted. Only one that served is told of anew when it fails again. */
function forget({ instance, revision, restartedAt, pod, rounds }: RetrySeries, { seen }: CountedEnds, served: boolean): RetrySeries {
  return {
    instance,
    revision,
    ...(restartedAt !== undefined && { restartedAt }),
    pod,
    seen,
    sameNodeUsed: 0,
    otherNodesUsed: 0,
    nodes: [],
    ...(!served && rounds !== undefined && { rounds }),
  };
}

/** A series that tells nothing is not kept, unless it takes the place of one that did. */
function remembering(series: RetrySeries, known?: RetrySeries): RetryStep {
  return known !== undefined || series.seen.length > 0 || isTroubled(series) ? { series } : {};
}

function moving(
  series: RetrySeries,
  move: RetryMove,
  pod: RetryPod,
  stored: RetrySeries | undefined,
  { now, mayReuse }: RetryContext,
  waits: { readonly wakeAt?: number },
): RetryStep {
  // It was to go since it did not start, and has started meanwhile.
  if (isServing(pod) && series.seen.length === 0) return { series: withoutMove(series), ...waits };
  if (move.kind === "SameNode" && (move.node === undefined || !mayReuse(move.node)))
    return { series: { ...series, move: { ...move, kind: "Anywhere" } } };
  const recorded = stored?.move?.pod === pod.uid && stored.move.granted;
  if (!recorded || now < move.notBefore) return { series, ...waits };
  return { series, act: { instance: series.instance, pod: pod.uid, kind: move.kind, serving: isServing(pod) } };
}

function withoutMove({ move: _, ...series }: RetrySeries): RetrySeries {
  return series;
}

/** Pinned to a node that does not take it. */
function waitsInVain({ pinned }: RetrySeries, pod: RetryPod, { now, mayReuse }: RetryContext): boolean {
  return pinned !== undefined && pod.node === undefined && (!mayReuse(pinned) || now - pod.createdAt >= pinnedPatienceMs);
}

/** @param isFailure the storm brake has to let it through; else it is nothing that a storm is made of */
function withMove(
  series: RetrySeries,
  pod: RetryPod,
  kind: RetryMove["kind"],
  now: number,
  { delayMs, isFailure }: { readonly delayMs: number; readonly isFailure: boolean } = { delayMs: 0, isFailure: false },
): RetrySeries {
  const { pinned: _, ...rest } = series;
  const move: RetryMove = {
    kind,
    pod: pod.uid,
    ...(pod.node !== undefined && { node: pod.node }),
    decidedAt: now,
    notBefore: now + delayMs,
    granted: !isFailure,
  };
  return { ...rest, move };
}

/** Counts what is new of a pod and decides; undefined = nothing is new. */
function judge(before: RetrySeries, pod: RetryPod, policy: RunnerRetryPolicy, context: RetryContext): RetryStep | undefined {
  const { signal } = pod;
  const ends = countRestarts(pod.statuses, before.seen, pod.asked);
  const series = { ...before, seen: ends.seen };
  const { counts } = reactions[signal.kind];
  if (counts === "Move" || counts === "Replace") {
    if (signal.kind === "ImagePullTimeout" && !(pod.node !== undefined && context.pulledElsewhere(series.revision, pod.node)))
      return undefined;
    return answer({ series, pod, policy, context, facts: signal, kind: signal.kind, local: 0 });
  }
  // A pod that is over is one failure, also when no container tells of an end that is new.
  const local = Math.max(ends.count, pod.ended ? 1 : 0);
  if (local === 0) return ends.seen.length === before.seen.length && sameSeen(ends, before) ? undefined : { series };
  const facts = ends.count > 0 ? ends : signal;
  const kind = ends.end === undefined ? signal.kind : endKind(ends.end);
  const anew = ranFor(ends.end) >= policy.resetAfterMs;
  const from = anew ? { ...series, sameNodeUsed: 0, otherNodesUsed: 0, nodes: [] } : series;
  return answer({ series: from, pod, policy, context, facts, kind, local: anew ? 1 : local });
}

const sameSeen = (ends: CountedEnds, before: RetrySeries): boolean =>
  ends.seen.every((container, index) => {
    const known = before.seen[index];
    return known?.name === container.name && known.ends === container.ends && known.asked === container.asked;
  });

const ranFor = (end: ContainerEnd | undefined): number => (parseTime(end?.finishedAt) ?? 0) - (parseTime(end?.startedAt) ?? never);

interface Failure {
  readonly series: RetrySeries;
  readonly pod: RetryPod;
  readonly policy: RunnerRetryPolicy;
  readonly context: RetryContext;
  /** What rules match on. */
  readonly facts: RetryFacts;
  readonly kind: Signal["kind"];
  /** So many failures on the node; 0 = one that no repetition there would help. */
  readonly local: number;
}

function answer(failure: Failure): RetryStep {
  const { series, pod, policy, context, kind, local } = failure;
  const { now } = context;
  const rule = firstMatch(policy.rules, failure.facts)?.action;
  const gone = pod.ended || local === 0;
  if (rule === "FailInstance") return exhaust(failure, series);
  if (rule === "Ignore" || (rule === undefined && reactions[kind].counts === "Replace"))
    return { series: gone ? withMove(series, pod, "Anywhere", now) : series };
  const failed = series.sameNodeUsed + local;
  const counted = { ...series, sameNodeUsed: failed };
  if (local > 0 && failed <= policy.sameNode) {
    if (!pod.ended && (failed < policy.sameNode || policy.sameNode === 1)) return { series: counted };
    const stays = pod.node !== undefined && context.mayReuse(pod.node);
    const delayMs = backoffDelay(policy.backoff, failed);
    return { series: withMove(counted, pod, stays ? "SameNode" : "Anywhere", now, { delayMs, isFailure: true }) };
  }
  if (series.otherNodesUsed >= policy.otherNodes) return exhaust(failure, counted);
  const otherNodesUsed = series.otherNodesUsed + 1;
  const moved = { ...counted, otherNodesUsed, nodes: withNode(series.nodes, pod.node) };
  return {
    series: withMove(moved, pod, "OtherNode", now, { delayMs: backoffDelay(policy.backoff, otherNodesUsed), isFailure: true }),
    ...blameOf(failure),
  };
}

const withNode = (nodes: readonly string[], node: string | undefined): readonly string[] =>
  node === undefined || nodes.includes(node) ? nodes : [...nodes, node];

/** Its pod stays, if it has one: the kubelet goes on, and people can look at it. */
function exhaust(failure: Failure, series: RetrySeries): RetryStep {
  const rounds = (series.rounds ?? 0) + 1;
  return {
    series: { ...series, exhaustedAt: failure.context.now, rounds },
    ...blameOf(failure),
    ...(rounds === 1 && { exhausted: true as const }),
  };
}

function blameOf({ series, pod: { node }, kind, context }: Failure): { readonly blame?: NodeBlame } {
  if (node === undefined) return {};
  const blamed = reactions[kind].blames !== "Never" || (kind === "OOMKilled" && context.hasMemoryPressure(node));
  return blamed ? { blame: { node, at: context.now, revision: series.revision, reason: kind } } : {};
}
