import type { Action } from "../../../api/action.ts";
import type { ElasticJobStatusAssignments } from "../../../api/elastic-job.gen.ts";
import type { Fleet } from "../../../api/fleet.ts";
import { selects, selectorText } from "../../../api/label-selector.ts";
import { conditionReasons, runnerWaits } from "../../../api/reasons.ts";
import type { AttemptPod } from "../attempt.ts";
import { failoverEvent } from "../attempt-pods.ts";
import type { ItemSweep } from "../item-sweep.ts";
import type { LiveRun } from "../live-run.ts";
import type { NodeFacts, ObservedJob } from "../observed.ts";
import type { RevisionData } from "../pod.ts";
import { revisionOf } from "../revision.ts";
import { clockMarginMs, type DispatchRecord } from "./dispatch-record.ts";
import { namedRun } from "./named-run.ts";
import type { ObservedFleet } from "./observed-fleet.ts";
import { type Placement, place } from "./placement.ts";
import { dispatchTask, probeAgainMs, probeInstance, recallTask, type TaskContext, totalOf } from "./task-actions.ts";

const never = Number.POSITIVE_INFINITY;
/** After its instant a run may be handed over without a record for so long, and for so much of the time that its item has. */
const latestMs = 30_000;
const latestShare = 0.1;
/** What was handed over without a record is looked at after so long, whatever its executor says. */
const lookAgainMs = 1000;

/** A run whose items are dispatched to the instances of a fleet. */
export interface ResidentRun {
  readonly runner: string;
  /** The same picture with instances in the place of nodes. */
  readonly observed: ObservedJob;
  readonly context: TaskContext;
  readonly seen: ObservedFleet | undefined;
}

/** What a step of a run does at executors. */
export interface ResidentStep {
  readonly runner: string;
  /** Dispatches to be recorded now. */
  readonly assigned: readonly DispatchRecord[];
  /** How many of them follow a loss. */
  readonly lost: number;
  readonly assignments?: ElasticJobStatusAssignments;
  /** Items that can never be done, since their instance is gone. */
  readonly orphans: readonly number[];
  readonly actions: readonly Action[];
  /** Its one attempt is handed over without a record of its own: the stored status names it ahead. */
  readonly isNamedAhead?: true;
  readonly waits?: { readonly reason: string; readonly message: string };
  readonly wakeAt: number;
}

/** What is special about a run that needs no pods; undefined for one of pods. */
export function residentRun(observed: ObservedJob, run: LiveRun): ResidentRun | undefined {
  const revision = revisionOf(observed.revisions, run.revision)?.data as RevisionData | undefined;
  const runner = revision?.runnerRef?.name ?? run.recorded?.runner;
  if (revision === undefined || runner === undefined) return undefined;
  const seen = observed.fleets?.get(runner);
  const fleet = typeof seen?.fleet === "object" ? seen.fleet : undefined;
  return {
    runner,
    observed: { ...observed, nodes: instanceFacts(fleet) },
    context: { observed, run, revision, fleet },
    seen,
  };
}

/** Instances stand where pods have nodes. */
function instanceFacts(fleet: Fleet | undefined): NodeFacts {
  const usable = (name: string) => fleet?.instances.some((each) => each.name === name && each.isReady && !each.isOver) === true;
  return { usable, known: () => true, unreachableSince: () => undefined, usableNames: () => [] };
}

/** Why nothing of the job may go to the fleet; undefined when it may. */
export function fleetRefusal({ job }: ObservedJob, runner: string, seen: ObservedFleet | undefined): ResidentStep["waits"] {
  if (seen === undefined || seen.fleet === "missing")
    return { reason: conditionReasons.runnerNotFound, message: `there is no RunnerApp ${runner} in this namespace; the run waits for it` };
  if (seen.fleet === "noExecutor")
    return { reason: conditionReasons.runnerNotFound, message: `the RunnerApp ${runner} has no spec.executor, so it takes no tasks` };
  if (seen.fleet === "unread") return undefined;
  if (seen.hindrance !== undefined)
    return { reason: conditionReasons.runnerUnheard, message: `the RunnerApp ${runner} is given no tasks: ${seen.hindrance}` };
  const { allowedJobs } = seen.fleet.executor;
  if (allowedJobs === undefined || selects(allowedJobs, job.metadata.labels ?? {})) return undefined;
  const message = `the RunnerApp ${runner} takes tasks only of jobs with the labels ${selectorText(allowedJobs)} (spec.executor.allowedJobs)`;
  return { reason: conditionReasons.runnerRefuses, message };
}

/**
 * What is to be done at executors: attempts whose record is stored are handed over, or asked about; those that are due are given instances, which
 * is recorded before anybody hears of it.
 * @param mayBegin new attempts may be decided
 */
export function stepResident({ observed, runner, context, seen }: ResidentRun, sweep: ItemSweep, mayBegin: boolean): ResidentStep {
  const { run, revision } = context;
  const budget = observed.budgets?.of(runner);
  const actions: Action[] = [];
  let wakeAt = never;
  for (const pod of run.newest.values()) {
    if (pod.executor === undefined || pod.end !== undefined) continue;
    // Of a fleet that is not read yet nothing shows an instance.
    if (seen?.fleet !== "unread") actions.push(...probeInstance(context, pod));
    const expiresAt = pod.executor.record.deadline + clockMarginMs;
    if (expiresAt > observed.now) wakeAt = Math.min(wakeAt, expiresAt);
    const known = observed.memory.instances.get(pod.executor.record.instance);
    if (known !== undefined && !known.isGone && known.at + probeAgainMs > observed.now) wakeAt = Math.min(wakeAt, known.at + probeAgainMs);
    if (mayGoOn(run, pod)) actions.push(...dispatchTask(context, pod));
  }
  const none = { runner, assigned: [], lost: 0, orphans: [], actions, wakeAt };
  const waiting = sweep.due.length + sweep.fresh.length;
  if (!mayBegin || waiting === 0) return none;
  const refusal = fleetRefusal(observed, runner, seen);
  if (refusal !== undefined) return { ...none, waits: refusal };
  if (seen?.isCounted !== true || context.fleet === undefined || budget === undefined)
    return {
      ...none,
      waits: {
        reason: runnerWaits.fleetNotCounted,
        message: `the instances of ${runner}, and what is at work there, are being counted; this takes a moment`,
      },
    };
  const { notBegun } = observed.memory;
  if (notBegun?.run === run.id && notBegun.until > observed.now) wakeAt = Math.min(wakeAt, notBegun.until);
  const { instances } = context.fleet;
  if (!instances.some(({ isReady, isOver }) => isReady && !isOver))
    return {
      ...none,
      waits: { reason: runnerWaits.noInstance, message: `no instance of the RunnerApp ${runner} is ready; ${instances.length} exist` },
    };
  const placed = place(observed, run, sweep.due, sweep.fresh, observed.spec.parallelism - sweep.atWork.size, {
    runner,
    strategy: revision.sharding?.strategy ?? "Average",
    total: totalOf(revision, run),
    instances,
    budget,
    since: run.fireTime + observed.jitterMs,
  });
  const ahead = namedAttempt(context, runner, placed);
  if (ahead.length > 0) return { ...none, actions: [...actions, ...ahead], isNamedAhead: true, wakeAt: observed.now + lookAgainMs };
  const decided = new Map(placed.records.map((record) => [record.item, record]));
  const failedOver = sweep.due.filter((each) => each.lostFrom !== undefined && decided.has(each.item));
  const busy = `all places on ready instances of ${runner} are taken (spec.executor.capacity is ${context.fleet.executor.capacity})`;
  return {
    runner,
    assigned: placed.records,
    lost: placed.lost,
    orphans: placed.orphans,
    ...(placed.assignments !== undefined && { assignments: placed.assignments }),
    actions: [...actions, ...failedOver.map((each) => failoverEvent(observed, run, each))],
    ...(placed.records.length + placed.orphans.length === 0 &&
      sweep.atWork.size === 0 && { waits: { reason: runnerWaits.fleetBusy, message: busy } }),
    wakeAt,
  };
}

/**
 * Hands over what was just placed where that needs no record: the stored status says who has the item of this very run, a new leader asks there, and an executor
 * that remembers does the same task once. Nothing where any of it is not so.
 */
function namedAttempt(context: TaskContext, runner: string, { records, assignments }: Placement): readonly Action[] {
  const { observed, run, fleet } = context;
  const { job, spec, now, jitterMs, termStart } = observed;
  const [record, ...others] = records;
  if (record === undefined || others.length > 0 || assignments !== undefined || fleet === undefined) return [];
  const isPlain = run.kind === "Schedule" && run.recorded === undefined && run.items.toString() === "0" && record.attempt === 1;
  // Under Forbid nothing else of the job begins before this run is recorded. With Skip it might be given up while somebody's word is on its way.
  if (!isPlain || spec.concurrencyPolicy !== "Forbid" || spec.misfire.onDowntime === "Skip" || observed.dependencies !== undefined)
    return [];
  // Of a fleet that somebody else runs a new leader may not know yet who is there to be asked.
  if (fleet.executor.protocol !== "HTTP" || !fleet.executor.remembers || fleet.isForeign === true) return [];
  const named = namedRun(job, { jitterMs, itemTimeoutMs: spec.itemTimeoutMs }, now);
  if (named?.entry.run !== run.id || named.entry.revision !== run.revision || named.runner !== runner) return [];
  // Its time counts from its instant, and one that is late would be short of it.
  const isOnTime = named.record.at >= termStart && now - named.record.at <= Math.min(latestMs, latestShare * spec.itemTimeoutMs);
  return isOnTime && named.record.instance === record.instance ? dispatchTask(context, { executor: { runner, record: named.record } }) : [];
}

/** Its executor is to have it, and nobody has told it yet. */
function mayGoOn(run: LiveRun, { item, attempt, executor }: AttemptPod): boolean {
  if (run.ending !== undefined || run.stops.has(`${item}/${attempt}`) || run.succeeded.has(item) || run.failed.has(item)) return false;
  return executor?.state === undefined;
}

/** The actions that end an attempt at an executor. */
export const endAttempt = (resident: ResidentRun, pod: AttemptPod): readonly Action[] => recallTask(resident.context, pod);
