import type { Action } from "../../api/action.ts";
import { reduceItem } from "../../api/names.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import type { AttemptPod, StopReason, Verdict } from "./attempt.ts";
import { createPods } from "./attempt-pods.ts";
import { cleanUpChunks } from "./chunk-cleanup.ts";
import type { EndedItem } from "./ended-item.ts";
import { ItemSweep } from "./item-sweep.ts";
import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import { type QueueTurn, queueTurn } from "./queue-turn.ts";
import { dueResults, type Reduction, type ReduceState, reducedOutcome, reductionOf } from "./reduce.ts";
import { endAttempt, type ResidentStep, residentRun, stepResident } from "./resident/resident-run.ts";
import { writeResults } from "./results-file.ts";
import { revisionOf } from "./revision.ts";
import { failedText, type RunOutcome } from "./run-outcome.ts";

const never = Number.POSITIVE_INFINITY;

/** A run as it stands now, and what is to be done for it. */
export interface RunStep {
  readonly run: LiveRun;
  /** Items that ended and whose end is not recorded yet. */
  readonly ended: readonly EndedItem[];
  /** Attempts that ended without ending their item: another follows. Absent = none. */
  readonly passed?: readonly { readonly pod: AttemptPod; readonly verdict: Verdict }[];
  readonly atWork: IntervalSet;
  /** Items without a pod at work that have not ended. */
  readonly waiting: number;
  /** Attempts whose stop is to be recorded before their pods are deleted. */
  readonly newStops: readonly { readonly item: number; readonly attempt: number; readonly reason: StopReason }[];
  /** The decision to end the run, to be recorded before its pods are deleted. */
  readonly newEnding?: { readonly reason: string; readonly message: string };
  /** Set when everything has ended. */
  readonly outcome?: RunOutcome;
  /** The reduce, once all items have ended. */
  readonly reduce?: ReduceState;
  /** Why it does not go on, for status and people. */
  readonly waitReason?: { readonly reason: string; readonly message: string };
  /** What it does at executors; absent = it is a run of pods. */
  readonly resident?: ResidentStep;
  /** How it stands with its queue; absent = it is of none, or has ended. */
  readonly turn?: QueueTurn;
  readonly actions: readonly Action[];
  readonly lost: number;
  readonly wakeAt: number;
}

/**
 * One step of a run: its items are looked at, pods of attempts that are due are created. A stop or an ending is decided here, stands in
 * status after that, and only a later step, which observes it there, deletes pods (decision 6). The reduce comes last and is handled like
 * an item: it begins when all items have ended and their results are written down.
 * @param mayStart whether a run without pods may begin
 */
export function stepRun(given: ObservedJob, run: LiveRun, mayStart: boolean): RunStep {
  const atExecutors = residentRun(given, run);
  const observed = atExecutors?.observed ?? given;
  const reduction = reductionOf(observed, run, revisionOf(observed.revisions, run.revision));
  const sweep = new ItemSweep(observed, run, reduction, atExecutors && ((pod) => endAttempt(atExecutors, pod)));
  const begun = run.newest.size > 0 || run.succeeded.size + run.failed.size > 0;
  const turn = atExecutors === undefined ? queueTurn(observed, run, sweep, begun || mayStart) : undefined;
  const newEnding = run.ending === undefined ? decideEnding(observed, run, sweep, reduction, turn) : undefined;
  const runs = run.ending === undefined && newEnding === undefined;
  const mayWrite = runs && (begun || mayStart) && !observed.memory.namespaceTerminating;
  const refusedUntil = observed.memory.refusals.get(run.id)?.retryAt ?? observed.now;
  const isRefused = refusedUntil > observed.now;
  const resident = atExecutors && stepResident(atExecutors, sweep, mayWrite);
  for (const item of resident?.orphans ?? []) sweep.giveUp(item, "InstanceGone");
  const writes = resident?.actions ?? (mayWrite && !isRefused ? goOn(observed, run, sweep, reduction, turn) : []);
  const waitReason = waitReasonOf(observed, run, sweep, begun || mayStart, turn) ?? resident?.waits;
  const over = sweep.atWork.size === 0 && sweep.waiting === 0 && newEnding === undefined;
  const outcome = over ? outcomeOf(run, sweep, reduction) : undefined;
  const reduce = sweep.reduceState();
  return {
    run,
    ended: sweep.ended,
    passed: sweep.passed,
    atWork: itemsAtWork(sweep, resident),
    waiting: sweep.waiting,
    newStops: turn === undefined ? sweep.newStops : withStops(sweep.newStops, turn.stops),
    ...(newEnding !== undefined && { newEnding }),
    ...(outcome !== undefined && { outcome }),
    ...(reduce !== undefined && { reduce }),
    ...(waitReason !== undefined && { waitReason }),
    ...(turn !== undefined && outcome === undefined && { turn }),
    ...(resident !== undefined && { resident }),
    actions: [...sweep.actions, ...writes, ...cleanUpChunks(observed, run, run.ending === undefined ? reduction : undefined)],
    lost: resident === undefined ? sweep.lost : (run.recorded?.lost ?? 0) + resident.lost,
    wakeAt: Math.min(
      sweep.wakeAt,
      resident?.wakeAt ?? never,
      turn?.wakeAt ?? never,
      runs && run.startedAt !== undefined ? run.startedAt + observed.spec.runTimeoutMs : never,
      mayWrite && isRefused ? refusedUntil : never,
    ),
  };
}

/** Items with an attempt at work, one that is only decided included; without the reduce. */
function itemsAtWork({ atWork }: ItemSweep, resident: ResidentStep | undefined): IntervalSet {
  if (resident !== undefined && resident.assigned.length > 0)
    return new IntervalSet(atWork).addAll(resident.assigned.map(({ item }) => item));
  return atWork.has(reduceItem) ? atWork.minus(new IntervalSet([reduceItem])) : atWork;
}

/** Why the run is to end before its items do; undefined when it is not. */
function decideEnding(
  { memory, spec, now }: ObservedJob,
  run: LiveRun,
  sweep: ItemSweep,
  reduction: Reduction | undefined,
  turn: QueueTurn | undefined,
): RunStep["newEnding"] {
  const invalid = memory.invalid.get(run.id);
  if (invalid !== undefined) return { reason: "TemplateRefused", message: invalid };
  const nameTaken = memory.nameTaken.get(run.id);
  if (nameTaken !== undefined) return { reason: "NameTaken", message: nameTaken };
  if (sweep.atWork.size + sweep.waiting === 0) return undefined;
  if (turn?.waits?.never === true && sweep.atWork.size === 0) return { reason: turn.waits.reason, message: turn.waits.message };
  const { failsRun, failed, allowed } = sweep;
  if (failsRun !== undefined) return { reason: "RetryRule", message: failsRun };
  if (spec.completion.failFast && reduction?.when !== "Completed" && failed > allowed)
    return { reason: "ItemsFailed", message: failedText(run, failed) };
  if (run.startedAt !== undefined && run.startedAt + spec.runTimeoutMs <= now)
    return { reason: "RunTimeout", message: `not ended ${spec.runTimeoutMs / 1000} s after its first pod was created` };
  return undefined;
}

/** Creates the pods that are due, and writes down results for the reduce. */
function goOn(
  observed: ObservedJob,
  run: LiveRun,
  sweep: ItemSweep,
  reduction: Reduction | undefined,
  turn: QueueTurn | undefined,
): readonly Action[] {
  const most = Math.min(observed.spec.parallelism, turn?.allowed ?? never);
  const places = Math.min(most - sweep.atWork.size, observed.memory.refusals.get(run.id)?.allowance ?? never);
  const created = createPods(observed, run, sweep.due, sweep.fresh, places, turn);
  const results = reduction === undefined ? undefined : dueResults(reduction, run, sweep.ended, sweep.toReduce);
  return results === undefined ? created : [...created, writeResults(observed.job, run, results, reduction?.file)];
}

/** Why the run does not go on. Once nothing waits any more, what is left of a refusal is its slow start; it is told again only when it is waited for again. */
function waitReasonOf(
  { memory, now }: ObservedJob,
  run: LiveRun,
  { waiting, atWork }: ItemSweep,
  mayGoOn: boolean,
  turn: QueueTurn | undefined,
): RunStep["waitReason"] {
  const refusal = memory.refusals.get(run.id);
  if (refusal !== undefined && waiting > 0 && (refusal.retryAt > now || run.recorded?.reason === refusal.reason))
    return { reason: refusal.reason, message: refusal.message };
  if (mayGoOn) {
    const waits = waiting > 0 && atWork.size === 0 ? turn?.waits : undefined;
    return waits === undefined ? undefined : { reason: waits.reason, message: waits.message };
  }
  return { reason: run.recorded?.reason ?? "ConcurrencyPolicy", message: run.recorded?.message ?? "an earlier run is at work" };
}

function outcomeOf(run: LiveRun, sweep: ItemSweep, reduction: Reduction | undefined): RunOutcome {
  const outcome = sweep.itemsOutcome();
  return reduction === undefined ? outcome : reducedOutcome(run, outcome, sweep.reduceEnd);
}

/** An attempt is stopped once: for what it did itself, before for what its queue asks. */
function withStops(own: RunStep["newStops"], asked: QueueTurn["stops"]): RunStep["newStops"] {
  const known = new Set(own.map(({ item }) => item));
  return [...own, ...asked.filter(({ item }) => !known.has(item))];
}
