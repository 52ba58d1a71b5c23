import { IntervalSet } from "../../base/interval-set.ts";
import { formatSeconds } from "../../base/time.ts";
import type { Schedule } from "../../cron/schedule.ts";
import { type Dependencies, type DependencyState, dependencyState } from "./dependencies.ts";
import type { DueFireTimes } from "./firing.ts";
import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import type { RunStep } from "./run-step.ts";
import { firesAt, outcomeAt } from "./upstream.ts";

/** Fire times of a job without a schedule that are looked at in one plan; the rest follow in the next. */
const mostConsidered = 250;
const never = Number.POSITIVE_INFINITY;

/** A fire time that has come and waits for an upstream. */
export interface HeldFireTime {
  readonly time: number;
  readonly reason: string;
  readonly message: string;
}

/** Fire times that have come, after the upstreams were asked. */
export interface GatedFireTimes {
  /** As it came in, less what is held and dropped here. */
  readonly due: DueFireTimes;
  /** To be kept in status.active until they may begin. Ascending. */
  readonly held: readonly HeldFireTime[];
  /** Can never be allowed any more: given up. Ascending. */
  readonly dropped: readonly number[];
  /** Why the newest of them was given up. */
  readonly because?: string;
  /** The first fire time that this leaves for the next plan. */
  readonly rest: number;
}

/** What a run that waits may do when its turn has come. */
export type Turn =
  | { readonly kind: "starts" }
  | { readonly kind: "waits"; readonly reason: string; readonly message: string; readonly until: number }
  | { readonly kind: "timedOut"; readonly message: string }
  | { readonly kind: "dropped"; readonly message: string };

/** Waits that begin only once its upstreams have allowed a run: they are not asked again. */
const later: ReadonlySet<string> = new Set(["QuotaExceeded", "AdmissionRefused"]);

/** Asks the upstreams about a run in status.active that has not begun and would begin now. */
export function turnOf(observed: ObservedJob, run: LiveRun): Turn {
  const { dependencies, spec, now } = observed;
  if (dependencies === undefined || run.kind === "Dependency" || later.has(run.recorded?.reason ?? "")) return { kind: "starts" };
  const state = stateOf(observed, dependencies, run.fireTime);
  if (state.kind === "met") return { kind: "starts" };
  if (state.kind === "never") return { kind: "dropped", message: state.message };
  const until = run.fireTime + observed.jitterMs + spec.dependencyTimeoutMs;
  return until <= now ? { kind: "timedOut", message: timeoutMessage(observed, state) } : { ...state, until };
}

/**
 * Asks the upstreams of a job with a schedule about fire times that would begin now. Under Forbid the first that may begin or has to wait
 * takes the lane, under Enqueue the others stand behind it; under Replace the newest that is still possible does; under Allow each stands
 * for itself.
 * @param places how many may be held
 */
export function gateFireTimes(observed: ObservedJob, due: DueFireTimes, places: number): GatedFireTimes {
  const { dependencies, spec } = observed;
  if (dependencies === undefined || dependencies.derived || due.fire.length === 0) return { due, held: [], dropped: [], rest: never };
  const states = due.fire.map((time) => ({ time, state: stateOf(observed, dependencies, time) }));
  const first = spec.concurrencyPolicy === "Forbid";
  const inOrder = first || spec.concurrencyPolicy === "Enqueue";
  const newest = spec.concurrencyPolicy === "Replace" ? states.findLast(({ state }) => state.kind !== "never")?.time : undefined;
  const fire: number[] = [];
  const held: HeldFireTime[] = [];
  const dropped: number[] = [];
  let because: string | undefined;
  let rest = never;
  let settledUpTo = due.settledUpTo;
  for (const { time, state } of states) {
    // What would be given up behind one that begins without a record waits for the next plan, so that lastHandledFireTime stays true.
    const behind = newest === undefined ? fire.length > 0 : time > newest;
    const full = state.kind === "waits" && held.length >= places - due.keep.length && spec.concurrencyPolicy === "Allow";
    const isTaken = (inOrder && held.length > 0) || (first && fire.length > 0);
    if (isTaken || (behind && state.kind === "never") || full) {
      rest = time;
      break;
    }
    // Behind the first of a lane it joins it, and the upstreams are asked when its turn comes.
    const joins = spec.concurrencyPolicy === "Enqueue" && (fire.length + held.length > 0 || places <= due.keep.length);
    if (state.kind === "never") {
      dropped.push(time);
      because = state.message;
    } else if (state.kind === "waits" && (newest === undefined || time === newest) && !joins) held.push({ time, ...state });
    else fire.push(time);
    if (fire.length === 0) settledUpTo = time;
  }
  return {
    due: { ...due, fire, ...(settledUpTo !== undefined && { settledUpTo }), urgent: due.urgent || dropped.length + held.length > 0 },
    held,
    dropped,
    ...(because !== undefined && { because }),
    rest,
  };
}

/** The logical fire times of a job without a schedule that are ripe: all upstreams have ended theirs. */
export interface RipeFireTimes extends GatedFireTimes {
  /** Older than what upstreams know about: no fire times of theirs, and so none of this job. */
  readonly unknownUpTo?: number;
  /** Older than misfire.startingDeadlineSeconds. */
  readonly late: readonly number[];
  /** The oldest that is not ripe has waited for too long for one of its upstreams, while another had ended. */
  readonly timedOut?: { readonly time: number; readonly message: string };
  readonly wakeAt: number;
}

/**
 * Runs are born in the order of fire times, each when the last of its upstreams has ended; nothing is kept in between, so what is behind
 * one that is not ripe, or beyond the places, is left for a later plan. The upstreams' statuses say at any later time what is still owed,
 * which is why neither a crash nor a new leader makes it a misfire.
 * @param after fire times up to here are handled
 * @param taken fire times that have a run
 * @param places how many may begin now
 */
export function ripeFireTimes(
  observed: ObservedJob,
  after: number,
  until: number,
  taken: ReadonlySet<number>,
  places: number,
): RipeFireTimes {
  const { spec, now, armed } = observed;
  const dependencies = observed.dependencies as Dependencies;
  const fire: number[] = [];
  const dropped: number[] = [];
  const late: number[] = [];
  let because: string | undefined;
  let unknownUpTo: number | undefined;
  let settledUpTo: number | undefined;
  let rest = never;
  let open: { readonly time: number; readonly state: DependencyState } | undefined;
  const known = knownFrom(observed, dependencies);
  if (known !== undefined && known.from > after) unknownUpTo = known.from;
  for (const time of armed === undefined ? [] : candidates(armed.schedule, after, until, known)) {
    if (taken.has(time)) continue;
    const state = stateOf(observed, dependencies, time);
    if (state.kind === "waits") {
      open = { time, state };
      rest = time;
      break;
    }
    const tooLate = time + spec.misfire.startingDeadlineMs < now;
    const begins = state.kind === "met" && !tooLate;
    if (begins ? fire.length >= places : fire.length > 0) {
      rest = time;
      break;
    }
    if (begins) {
      fire.push(time);
      continue;
    }
    settledUpTo = time;
    if (state.kind === "met") late.push(time);
    else if (state.kind === "never" && !state.unknown) {
      dropped.push(time);
      because = state.message;
    }
  }
  const begun = open !== undefined && hasBegun(observed, dependencies, open.time);
  const timeoutAt = open === undefined || !begun ? never : open.time + spec.dependencyTimeoutMs;
  const timedOut =
    open !== undefined && timeoutAt <= now && fire.length === 0
      ? { time: open.time, message: timeoutMessage(observed, open.state) }
      : undefined;
  return {
    due: {
      fire,
      keep: [],
      droppedTimes: [],
      dropped: { Downtime: 0, Overlap: 0, Deadline: 0 },
      settledUpTo,
      urgent: dropped.length + late.length > 0,
    },
    held: [],
    dropped,
    late,
    ...(because !== undefined && { because }),
    ...(unknownUpTo !== undefined && { unknownUpTo }),
    ...(timedOut !== undefined && { timedOut }),
    rest: timedOut === undefined ? rest : never,
    wakeAt: timeoutAt > now ? timeoutAt : never,
  };
}

interface Known {
  readonly from: number;
  /** Fire times up to `from` of which the upstream still tells. */
  readonly times: readonly number[];
}

/** From where on all upstreams with the same fire times know of them: what an edit or a suspension dropped there is not owed here. */
function knownFrom({ spec }: ObservedJob, { upstreams }: Dependencies): Known | undefined {
  let known: Known | undefined;
  for (const { job, fireTime } of spec.after) {
    const upstream = upstreams.get(job);
    if (fireTime !== "Same" || upstream === undefined || upstream.from === never || upstream.from <= (known?.from ?? -never)) continue;
    const times = [...upstream.listed.keys(), ...upstream.active, ...upstream.ended.keys()].filter((time) => time <= upstream.from);
    known = { from: upstream.from, times };
  }
  return known;
}

function candidates(schedule: Schedule, after: number, until: number, known: Known | undefined): readonly number[] {
  const older = (known?.times ?? []).filter((time) => time > after && time <= until && firesAt(schedule, time)).sort((a, b) => a - b);
  return [...older, ...schedule.between(Math.max(after, known?.from ?? after), until, mostConsidered).times];
}

/** A run that ended before it began. */
export function timedOutStep(run: LiveRun, message: string): RunStep {
  return {
    run,
    ended: [],
    atWork: new IntervalSet(),
    waiting: 0,
    newStops: [],
    outcome: { phase: "Failed", reason: "DependencyTimeout", message },
    actions: [],
    lost: 0,
    wakeAt: never,
  };
}

function stateOf(observed: ObservedJob, dependencies: Dependencies, fireTime: number): DependencyState {
  return dependencyState(observed.spec, dependencies, observed.armed?.schedule, fireTime);
}

/** Whether some upstream with the same fire times is through with this one: from then on the others are waited for. */
function hasBegun(observed: ObservedJob, { upstreams }: Dependencies, time: number): boolean {
  return observed.spec.after.some(({ job, fireTime }) => {
    const upstream = upstreams.get(job);
    return fireTime === "Same" && upstream !== undefined && outcomeAt(upstream, time) !== "Pending";
  });
}

function timeoutMessage({ spec, now }: ObservedJob, state: DependencyState): string {
  const why = state.kind === "met" ? "" : state.message;
  return `waited for more than ${spec.dependencyTimeoutMs / 1000} s, until ${formatSeconds(now)}: ${why}`;
}
