import type { Action, Plan } from "../../api/action.ts";
import type { WorkloadWant } from "../../api/admission.ts";
import { clockOffWaitMs, isClockOff } from "../../api/clock-skew.ts";
import type { Notification } from "../../api/notification.ts";
import { runnerApps } from "../../api/resource.ts";
import { createsOf, type CreationContext, placementFor } from "./creation.ts";
import { stepBudget } from "./disruption-budget-step.ts";
import { upFrom } from "./drain.ts";
import { type EffectiveSpec, effectiveSpec } from "./effective-spec.ts";
import { eventsOf } from "./events.ts";
import { type FleetSteps, fleetSteps, type Side } from "./fleet-arithmetic.ts";
import { planForeignFleet } from "./foreign-fleet.ts";
import { type Healing, signalsOf, type Signals, stepHealing } from "./healing.ts";
import { isChanging } from "./in-place.ts";
import { candidatesOf, isResizeRefused, prefetchesFor, stepChanges } from "./in-place-step.ts";
import { availableFrom, type InstancePod, isLiving } from "./instance.ts";
import { type Moves, stepMoves } from "./moves.ts";
import { isMisplaced, nextExpiry } from "./node-rules.ts";
import { notificationsOf } from "./notifications.ts";
import type { ObservedApp } from "./observed.ts";
import { stepOptions } from "./option-step.ts";
import { type QueueTurn, queueTurn, wantOf } from "./queue-turn.ts";
import { type Records, recordsOf } from "./records.ts";
import { replacementRevision } from "./replacement-revision.ts";
import { collectRevisions, dataOf, type RevisionStep, stepRevision } from "./revision.ts";
import { type Rollout, stepRollout, withoutLeaving } from "./rollout.ts";
import { drainedFrom, stepService } from "./service-step.ts";
import { stepStatus } from "./status.ts";
import { withMoves } from "./storm-brake.ts";
import { byWorth, type Standing, victims } from "./victims.ts";

export interface RunnerAppPlan extends Plan {
  /** What the fleet asks of its queue; absent when nothing was thought about: then what it asked for stands. */
  readonly wants?: readonly WorkloadWant[];
  /** It was asked to give back more than it agreed to. */
  readonly declines: boolean;
  /** Whom to tell of what the status records, once it is written. */
  readonly notifications: readonly Notification[];
}

/** A plan that writes nothing. */
export const nothingToDo: RunnerAppPlan = { actions: [], reasons: [], declines: false, notifications: [] };

const never = Number.POSITIVE_INFINITY;
/** Of one plan, as with what it makes: neither what comes meanwhile nor the next instances are to wait until all of a large fleet have gone. */
const mostRemovals = 100;

/**
 * The whole of the thinking about one RunnerApp:
 * 1. the revision of its spec, which the API server has accepted, and what its queue leaves it,
 * 2. what ails its instances, and what follows: retries, nodes that are left out,
 * 3. moves away from nodes that are taken or lost,
 * 4. where its roll-out stands: which revision, for how many, whether something stops it,
 * 5. by the one arithmetic, how many instances are made and removed now, and which; some of those are changed in place instead,
 * 6. who is in service: what goes or is changed leaves it first,
 * 7. the status, written when something must not wait; nothing is done of what is not recorded yet (decision 6).
 */
export function planRunnerApp(observed: ObservedApp): RunnerAppPlan {
  const { app, now } = observed;
  if (app.metadata.deletionTimestamp !== undefined) return { ...nothingToDo, reasons: ["being deleted"] };
  if (isClockOff(observed)) return { ...nothingToDo, reasons: ["the clock is off"], wakeAt: now + clockOffWaitMs };
  if (app.spec.endpoints !== undefined) return { ...nothingToDo, ...planForeignFleet(observed) };
  const revision = revisionOf(observed);
  const pods = observed.pods.map((pod) => asKnown(observed, pod));
  const existing = pods.filter(({ hasEnded }) => !hasEnded).length;
  const wish = effectiveSpec(app.spec);
  const turn = queueTurn(observed, wish, existing);
  const spec = effectiveSpec(app.spec, turn.most);
  const stored = recordsOf(app.status ?? {});

  const signals = signalsOf(observed, pods, spec);
  const healing = stepHealing(observed, pods, signals, spec, stored);
  const options = stepOptions(observed, pods, signals, spec, stored);
  const records: Records = { ...stored, series: healing.retries.series, exclusion: healing.exclusion.state, options: options.tries };
  const living = pods.filter(isLiving);
  const moves = stepMoves(observed, living, signals, spec, stored, healing.retries.brake, turn.mayCreate);
  const rollout = withoutLeaving(stepRollout(observed, spec, revision, living, healing.failed), living.filter(moves.begins));

  const context = { observed, spec, turn, records, pods };
  const unfit = new Set(options.remove);
  const withoutNode = new Set(pods.filter(({ metadata }) => unfit.has(metadata.uid as string)));
  const gone = new Set([...goneOf(context, moves, healing, signals), ...withoutNode]);
  const counted = [...moves.counted, ...pods.filter((pod) => pod.hasEnded && !pod.isDeleting)].filter((pod) => !gone.has(pod));
  const draining = moves.counted.filter((pod) => gone.has(pod) && drainedFrom(observed, spec, pod) > now).length;
  const standing = standingOf(observed, spec, rollout, moves, healing);
  const isUpdate = (pod: InstancePod) => pod.revision === rollout.goal;
  const sides = { update: counted.filter(isUpdate), others: counted.filter((pod) => !isUpdate(pod)) };
  const replacements = replacementsOf(moves, rollout, living, standing).slice(0, turn.mayCreate);
  const changes = { observed, spec, turn, ...(rollout.goal !== undefined && { goal: rollout.goal }) };
  const candidates = candidatesOf(changes, sides.others, (pod) => standing.isDue(pod) || standing.isMoving(pod));
  // What is changed in place needs no other beside it, as long as one may be out of service.
  const surges = candidates.size === 0 || spec.maxUnavailable === 0;
  const surge = surges ? Math.max(0, spec.maxSurge - moves.extra - moves.toCome) : 0;
  const stepsWith = (mayCreate: number) =>
    rollout.goal === undefined ? idle : fleetSteps({ ...numbersOf(spec, rollout, sides, standing, surge, mayCreate), draining });
  const steps = stepsWith(turn.mayCreate - replacements.length);
  const wanted = leavingNow(steps, sides, standing);
  const surplus = wanted.slice(0, mostRemovals);
  const inPlace = stepChanges(changes, candidates, surplus, steps.short, living);
  const leaving = new Set([...gone, ...surplus.filter((pod) => !inPlace.kept.has(pod))]);
  const creates = createsOf(
    { ...context, leaving },
    {
      replacements,
      fleet: [
        { revision: rollout.stable, count: steps.create.stable },
        { revision: rollout.goal, count: steps.create.update },
      ],
      restarting: counted
        .filter((pod) => isRestartDue(observed, spec, pod) && !leaving.has(pod) && !standing.isMoving(pod))
        .sort(byWorth(standing)),
    },
  );

  const out = new Set([...inPlace.out, ...moves.out]);
  const carriers = carriersOf(observed, moves, [...leaving, ...out], living, standing);
  const service = stepService({ observed, spec, living, leaving, out, carriers });
  const brake = withMoves(healing.retries.brake, spec.retry.storm, now, moves.plan.moves);
  const next: Records = { ...records, brake: moves.plan.moves === 0 ? healing.retries.brake : brake, evacuations: moves.plan.evacuations };
  const written = stepStatus({ observed, wish, spec, revision, rollout, turn, records: next, pods, signals, moves, options });
  const actions: Action[] = [
    ...(revision.kind === "pending" ? revision.actions : []),
    ...stepBudget(observed, spec),
    ...service.actions,
    ...inPlace.actions,
    ...prefetchesFor(
      changes,
      candidates,
      { changing: living.filter(isStillChanging), others: sides.others },
      rollout.count - sides.update.length,
      standing,
    ),
    ...creates.actions,
    ...(written.patch === undefined ? [] : eventsOf(observed, rollout, healing, moves, options, written.next)),
    ...(revision.kind === "ready" ? collectRevisions(observed, spec.revisionHistoryLimit, usedRevisions(rollout, pods)) : []),
  ];
  const wakeAt = Math.min(
    written.wakeAt,
    creates.wakeAt,
    surplus.length < wanted.length ? now : never,
    service.wakeAt,
    inPlace.wakeAt,
    nextAvailable(now, spec, living),
    spec.restartedAt !== undefined && spec.restartedAt > now ? spec.restartedAt : never,
    healing.retries.wakeAt ?? never,
    healing.exclusion.wakeAt ?? never,
    moves.plan.wakeAt ?? never,
    options.wakeAt ?? never,
    nextExpiry(spec.nodeRules, next.exclusion.exclusions, now) ?? never,
    ...[...signals.values()].map(({ changesAt }) => changesAt ?? never),
  );
  return {
    actions,
    ...(written.patch !== undefined && { status: { resource: runnerApps, object: app, status: written.patch } }),
    ...(wakeAt < never && { wakeAt }),
    reasons: [],
    wants: wantsOf(observed, wish, rollout, turn, moves, existing, turn.queue === undefined ? idle : stepsWith(never)),
    declines: turn.declines,
    notifications: written.patch === undefined ? [] : notificationsOf(observed, written.next, healing.exclusion.added),
  };
}

/** What is wrong in the spec is never rolled out; the fleet is kept as it was. */
function revisionOf(observed: ObservedApp): RevisionStep {
  const [problem] = observed.problems;
  return problem === undefined ? stepRevision(observed) : { kind: "refused", message: `${problem.path}: ${problem.message}` };
}

const idle: FleetSteps = {
  create: { update: 0, stable: 0 },
  remove: { update: { unavailable: 0, available: 0 }, others: { unavailable: 0, available: 0 } },
  due: 0,
  short: 0,
};

interface Sides {
  readonly update: readonly InstancePod[];
  readonly others: readonly InstancePod[];
}

/** Pods that go at once: what retries and moves say, and what does not serve and is to be made anew. */
function goneOf(
  context: Omit<CreationContext, "leaving">,
  moves: Moves,
  { gone, retries }: Healing,
  signals: Signals,
): ReadonlySet<InstancePod> {
  const { observed, pods, spec } = context;
  const deleted = new Set(moves.plan.acts.flatMap(({ kind, pod }) => (kind === "Delete" ? pod : [])));
  const series = new Map(retries.series.map((each) => [each.instance, each]));
  return new Set(
    pods.filter((pod) => {
      if (pod.isDeleting) return false;
      if (gone.has(pod) || deleted.has(pod.metadata.uid as string)) return true;
      if (pod.readySince !== undefined) return false;
      if (isRestartDue(observed, spec, pod) || isOfOtherQueue(spec, pod) || isResizeRefused(observed, spec, pod)) return true;
      const isWaiting = signals.get(pod)?.kind === "Unschedulable";
      return isWaiting && isMisplaced(pod.leftOut, placementFor(context, series.get(pod.instance)), false);
    }),
  );
}

function standingOf(observed: ObservedApp, spec: EffectiveSpec, { stable }: Rollout, moves: Moves, healing: Healing): Standing {
  return {
    now: observed.now,
    minReadyMs: spec.minReadyMs,
    ...(stable !== undefined && { stable }),
    isDue: (pod) =>
      healing.due.has(pod) || isRestartDue(observed, spec, pod) || isOfOtherQueue(spec, pod) || isResizeRefused(observed, spec, pod),
    isMoving: moves.isMoving,
  };
}

/** With what the cache does not show yet, and no sooner in service than the gateways have it. */
function asKnown({ memory, drain, now }: ObservedApp, pod: InstancePod): InstancePod {
  const uid = pod.metadata.uid as string;
  if (memory.deleted.has(uid)) return { ...pod, isDeleting: true };
  const from = pod.readySince === undefined ? undefined : upFrom(drain, uid, pod.readySince, now);
  return from === undefined ? pod : { ...pod, upFrom: from };
}

const isStillChanging = (pod: InstancePod): boolean => isChanging(pod.facts, pod.inPlace);

/** A cache that is no older than this is believed: a kubelet takes longer to find that an instance does not serve any more. */
const freshMs = 5000;

/**
 * Who serves in the stead of those that go: of a move its replacement; else, one for each, the instances that became available last, since they are why
 * one may go now. That they still do is looked at past the cache, unless that has proved to be fresh.
 */
function carriersOf(
  { podsAgeMs = never }: ObservedApp,
  { plan }: Moves,
  going: readonly InstancePod[],
  living: readonly InstancePod[],
  { now, minReadyMs }: Standing,
): ReadonlyMap<InstancePod, InstancePod> {
  if (podsAgeMs <= freshMs) return new Map();
  const byUid = new Map(living.map((pod) => [pod.metadata.uid as string, pod]));
  const replacements = new Map(plan.evacuations.map(({ pod, replacement }) => [pod, byUid.get(replacement ?? "")]));
  const serving = going.filter((pod) => pod.readySince !== undefined);
  if (serving.length === 0) return new Map();
  const gone = new Set(going);
  const newest = living
    .filter((pod) => !gone.has(pod) && availableFrom(pod, minReadyMs) <= now)
    .sort((a, b) => (b.readySince as number) - (a.readySince as number));
  return new Map(
    serving.flatMap((pod): readonly (readonly [InstancePod, InstancePod])[] => {
      const carrier = replacements.get(pod.metadata.uid as string) ?? newest.shift();
      return carrier === undefined ? [] : [[pod, carrier]];
    }),
  );
}

/** Created before spec.restartedAt, once that has come; or somebody wants it replaced. */
function isRestartDue({ now }: Pick<ObservedApp, "now">, { restartedAt }: EffectiveSpec, pod: InstancePod): boolean {
  if (pod.restart) return true;
  if (restartedAt === undefined || restartedAt > now) return false;
  return (pod.restartedAt ?? Number.NEGATIVE_INFINITY) < restartedAt && pod.createdAt < restartedAt;
}

/** It counts in a queue that spec does not name any more. */
const isOfOtherQueue = ({ queue }: EffectiveSpec, pod: InstancePod): boolean => queue.name !== undefined && pod.queue !== queue.name;

function numbersOf(
  spec: EffectiveSpec,
  { stable, goal, count }: Rollout,
  { update, others }: Sides,
  standing: Standing,
  maxSurge: number,
  mayCreate: number,
) {
  const heals = stable !== undefined && stable !== goal;
  return {
    replicas: spec.replicas,
    target: count,
    maxSurge,
    mostLiving: spec.replicas + spec.maxSurge,
    maxUnavailable: spec.maxUnavailable,
    rolling: heals || others.length > 0,
    heals,
    update: sideOf(update, standing),
    others: sideOf(others, standing),
    mayCreate: Math.max(0, mayCreate),
  };
}

function sideOf(pods: readonly InstancePod[], { now, minReadyMs, isDue, isMoving }: Standing): Side {
  return {
    living: pods.length,
    available: pods.filter((pod) => availableFrom(pod, minReadyMs) <= now).length,
    due: pods.filter((pod) => pod.readySince !== undefined && isDue(pod) && !isMoving(pod)).length,
  };
}

function leavingNow(steps: FleetSteps, { update, others }: Sides, standing: Standing): readonly InstancePod[] {
  const surplus = [...victims(update, steps.remove.update, standing), ...victims(others, steps.remove.others, standing)];
  if (steps.due === 0) return surplus;
  const chosen = new Set(surplus);
  const due = [...update, ...others].filter((pod) => !chosen.has(pod) && standing.isDue(pod) && !standing.isMoving(pod));
  return [...surplus, ...due.sort(byWorth(standing)).slice(0, steps.due)];
}

/**
 * What comes in the place of instances that move: of the revision that is rolled out only where that is still missing and all that have it serve,
 * since a move must not go around what stops a roll-out.
 */
function replacementsOf(
  { plan }: Moves,
  { goal, stable = goal, count, canary }: Rollout,
  living: readonly InstancePod[],
  { now, minReadyMs }: Standing,
): readonly { readonly old: InstancePod; readonly revision: string }[] {
  const surges = new Set(plan.acts.flatMap(({ kind, pod }) => (kind === "Surge" ? pod : [])));
  if (surges.size === 0 || goal === undefined || stable === undefined) return [];
  const updated = living.filter(({ revision }) => revision === goal);
  const isProven = updated.every((pod) => availableFrom(pod, minReadyMs) <= now);
  let missing = isProven ? count - updated.length : 0;
  const paused = canary?.phase === "Paused" || canary?.phase === "AutoPaused";
  return living
    .filter(({ metadata }) => surges.has(metadata.uid as string))
    .map((old) => {
      const updatesNext = old.revision !== goal && missing > 0;
      if (updatesNext) missing--;
      const failed = canary?.failedInstances?.includes(old.instance) === true;
      const ask = { stable, update: goal, paused, updatesNext };
      return { old, revision: replacementRevision({ revision: old.revision, failed }, ask) };
    });
}

/** When the next instance that is ready counts as available. */
function nextAvailable(now: number, spec: EffectiveSpec, living: readonly InstancePod[]): number {
  let next = never;
  for (const pod of living) {
    const from = availableFrom(pod, spec.minReadyMs);
    if (from > now && from < next) next = from;
  }
  return next;
}

const usedRevisions = ({ update, stable }: Rollout, pods: readonly InstancePod[]): ReadonlySet<string | undefined> =>
  new Set([update, stable, ...pods.map(({ revision }) => revision)]);

function wantsOf(
  observed: ObservedApp,
  wish: EffectiveSpec,
  rollout: Rollout,
  { queue }: QueueTurn,
  { plan }: Moves,
  existing: number,
  { create }: FleetSteps,
): readonly WorkloadWant[] {
  const data = dataOf(observed.revisions, rollout.goal);
  if (queue === undefined || data === undefined || (wish.replicas === 0 && existing === 0)) return [];
  const surging = plan.evacuations.filter(({ phase, replacement }) => phase === "Surging" && replacement === undefined).length;
  const more = create.update + create.stable + Math.min(surging, wish.evacuation.maxSurge);
  const wanted = wish.replicas === 0 ? 0 : Math.max(wish.replicas, existing + more);
  return [wantOf(observed, wish, queue, data, { existing, wanted })];
}
