import type { RunnerAppStatus } from "../../api/runner-app.gen.ts";
import { labels } from "../../api/names.ts";
import { mergePatch } from "../../base/diff.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import { conditionsOf, type Situation } from "./conditions.ts";
import { lagsFrom } from "./drain.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import type { Signals } from "./healing.ts";
import { instanceReason, lastExitText } from "./instance-reason.ts";
import { availableFrom, type InstancePod, isLiving, restartsOf } from "./instance.ts";
import type { Moves } from "./moves.ts";
import type { ObservedApp } from "./observed.ts";
import type { QueueTurn } from "./queue-turn.ts";
import { type Records, recordsStatus } from "./records.ts";
import type { OptionsPlan } from "./resource-options.ts";
import type { RetrySeries } from "./retry-series.ts";
import type { Signal } from "./signal.ts";
import { dataOf, type RevisionStep } from "./revision.ts";
import { isStanding, type Rollout } from "./rollout.ts";

/** All that status tells of. */
export interface StatusInput {
  readonly observed: ObservedApp;
  /** What the user wants, and the same as far as the queue lets it. */
  readonly wish: EffectiveSpec;
  readonly spec: EffectiveSpec;
  readonly revision: RevisionStep;
  readonly rollout: Rollout;
  readonly turn: QueueTurn;
  readonly records: Records;
  readonly pods: readonly InstancePod[];
  readonly signals: Signals;
  readonly moves: Moves;
  readonly options: OptionsPlan;
}

export interface StatusStep {
  /** The status as it ought to be. */
  readonly next: RunnerAppStatus;
  /** Absent = nothing is written now. */
  readonly patch?: Readonly<Record<string, unknown>>;
  readonly wakeAt: number;
}

/** Counts alone are written at most so often: a roll-out of 1,000 instances costs some 50 patches. */
const countsIntervalMs = 2000;
const mostInstances = 20;
const mostText = 1024;
const never = Number.POSITIVE_INFINITY;

/** The status as it ought to be, and whether it is written now: at once when something but counts has changed. */
export function stepStatus(input: StatusInput): StatusStep {
  const { app, memory, now } = input.observed;
  const current = app.status ?? {};
  const { next, wakeAt } = nextStatus(input);
  const patch = mergePatch(current as Record<string, unknown>, next as unknown as Record<string, unknown>);
  if (patch === undefined) return { next, wakeAt };
  const due = (memory.wroteAt ?? -never) + countsIntervalMs;
  if (!isUrgent(patch) && due > now) return { next, wakeAt: Math.min(wakeAt, due) };
  return { next, patch, wakeAt };
}

/** Fields of which nothing follows. */
const counts: ReadonlySet<string> = new Set([
  "replicas",
  "readyReplicas",
  "availableReplicas",
  "updatedReplicas",
  "progressedAt",
  "instances",
  "summary",
]);

const isUrgent = (patch: Readonly<Record<string, unknown>>): boolean => Object.keys(patch).some((field) => !counts.has(field));

function nextStatus({ observed, wish, spec, revision, rollout, turn, records, pods, signals, moves, options }: StatusInput) {
  const { app, now } = observed;
  const living = pods.filter(isLiving);
  const update = living.filter((pod) => pod.revision === rollout.update);
  const current = app.status ?? {};
  const isAvailable = (pod: InstancePod) => availableFrom(pod, spec.minReadyMs) <= now;
  const available = living.filter(isAvailable).length;
  const updatedAvailable = update.filter(isAvailable).length;
  const { canary, goal, count } = rollout;
  const wanted = goal === rollout.update ? count : 0;
  const isComplete =
    goal !== undefined &&
    spec.replicas === wish.replicas &&
    available >= spec.replicas &&
    living.length === spec.replicas &&
    (goal === rollout.update ? updatedAvailable >= wanted && living.length - update.length <= spec.replicas - wanted : update.length === 0);
  const isDone = isComplete && wanted >= spec.replicas && goal === rollout.update && !isStanding(canary?.phase);
  const stable = isDone ? goal : (rollout.stable ?? current.stableRevision);
  const numbers = {
    replicas: living.length,
    readyReplicas: living.filter((pod) => pod.readySince !== undefined).length,
    availableReplicas: available,
    updatedReplicas: update.length,
  };
  const isChanging = goal !== undefined && !isComplete && !isStanding(canary?.phase);
  const progressedAt = isChanging ? progressOf(observed, numbers) : undefined;
  const deadline = progressedAt === undefined ? never : progressedAt + spec.progressDeadlineMs;
  const lagAt = lagOf(observed, living);
  const situation: Situation = {
    wish,
    spec,
    turn,
    exhausted: records.series.filter(({ exhaustedAt }) => exhaustedAt !== undefined).length,
    stalledMoves: moves.plan.stalled.length,
    unfit: options.unfit.length,
    isGatewayLagging: lagAt <= now,
    revision,
    rollout,
    available,
    living: living.length,
    isComplete,
    isLate: deadline <= now,
  };
  const images = dataOf(observed.revisions, rollout.update)?.template.spec.containers.map(({ image }) => image ?? "");
  const instances = instancesOf(observed, pods, signals, records, moves);
  const excluded = records.exclusion.exclusions.map(({ node }) => node).join(",");
  const canaryText = canary === undefined || isDone ? undefined : shareText(update.length, spec.replicas);
  const next: RunnerAppStatus = {
    ...(app.metadata.generation !== undefined && { observedGeneration: app.metadata.generation }),
    ...collisions(observed, revision),
    ...numbers,
    desiredReplicas: spec.replicas,
    labelSelector: `${labels.app}=${app.metadata.name}`,
    ...(stable !== undefined && { stableRevision: stable }),
    ...(rollout.update !== undefined && { updateRevision: rollout.update }),
    ...(progressedAt !== undefined && { progressedAt: formatSeconds(progressedAt) }),
    ...(canary !== undefined && !isDone && { canary }),
    summary: {
      ...(canaryText !== undefined && { canary: canaryText }),
      ...(excluded !== "" && { nodesExcluded: excluded.slice(0, mostText) }),
      ...(images !== undefined && { images: images.join(",").slice(0, mostText) }),
    },
    ...(turn.admitted !== undefined && { admitted: turn.admitted }),
    ...recordsStatus(records),
    // Written by the controller of services.
    ...(current.services !== undefined && { services: current.services }),
    ...(instances.length > 0 && { instances }),
    conditions: [...conditionsOf(observed, situation)],
  };
  const later = [deadline, lagAt].filter((at) => at > now);
  return { next, wakeAt: Math.min(never, ...later) };
}

/** From when on gateways lag behind with instances that are in service; Infinity = they do not. */
function lagOf({ drain }: ObservedApp, living: readonly InstancePod[]): number {
  if (drain === undefined) return never;
  const from = living.flatMap(({ metadata, readySince }) =>
    readySince === undefined ? [] : (lagsFrom(drain, metadata.uid as string, readySince) ?? []),
  );
  return Math.min(never, ...from);
}

function collisions({ app }: ObservedApp, revision: RevisionStep): Pick<RunnerAppStatus, "collisionCount"> {
  const known = app.status?.collisionCount ?? 0;
  const count = revision.kind === "collision" ? known + 1 : known;
  return count === 0 ? {} : { collisionCount: count };
}

/** A step further is more new ones, more that are available, or fewer old ones; a changed spec counts as one. */
function progressOf(
  { app, now }: ObservedApp,
  numbers: Required<Pick<RunnerAppStatus, "replicas" | "availableReplicas" | "updatedReplicas">>,
) {
  const status = app.status ?? {};
  const known = parseTime(status.progressedAt);
  const old = (of: typeof status) => (of.replicas ?? 0) - (of.updatedReplicas ?? 0);
  const isFurther =
    status.observedGeneration !== app.metadata.generation ||
    numbers.updatedReplicas > (status.updatedReplicas ?? 0) ||
    numbers.availableReplicas > (status.availableReplicas ?? 0) ||
    old(numbers) < old(status);
  return known === undefined || isFurther ? Math.floor(now / 1000) * 1000 : known;
}

const shareText = (part: number, whole: number): string => (whole === 0 ? "0%" : `${Math.floor((100 * part) / whole)}%`);

type InstanceRow = NonNullable<RunnerAppStatus["instances"]>[number];

function instancesOf(
  { now }: ObservedApp,
  pods: readonly InstancePod[],
  signals: Signals,
  { series }: Records,
  { isMoving }: Moves,
): readonly InstanceRow[] {
  const known = new Map(series.map((each) => [each.instance, each]));
  return pods
    .filter((pod) => !pod.isDeleting && (isMoving(pod) || (pod.readySince === undefined && now - pod.createdAt >= youngMs)))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .slice(0, mostInstances)
    .map((pod) => rowOf(pod, signals.get(pod), known.get(pod.instance), isMoving(pod)));
}

/** What has only just been made is expected not to serve. */
const youngMs = 10_000;

function rowOf(pod: InstancePod, signal: Signal | undefined, series: RetrySeries | undefined, evacuating: boolean): InstanceRow {
  const restarts = restartsOf(pod);
  const lastExit = signal === undefined ? undefined : lastExitText(signal);
  const exhausted = series?.exhaustedAt !== undefined;
  const { sameNodeUsed = 0, otherNodesUsed = 0 } = series ?? {};
  return {
    pod: pod.metadata.name,
    name: pod.instance,
    ...(pod.node !== undefined && { node: pod.node }),
    reason: instanceReason({ ...(signal !== undefined && { signal }), evacuating, exhausted }),
    ...(restarts > 0 && { restarts }),
    ...(sameNodeUsed > 0 && { sameNodeUsed }),
    ...(otherNodesUsed > 0 && { otherNodesUsed }),
    ...(lastExit !== undefined && { lastExit }),
  };
}
