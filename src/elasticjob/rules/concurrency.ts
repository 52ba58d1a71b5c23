import { IntervalSet } from "../../base/interval-set.ts";
import { parseTime } from "../../base/time.ts";
import type { Schedule } from "../../cron/schedule.ts";
import { type DueFireTimes, type Occupied, sortDueFireTimes } from "./firing.ts";
import { type LiveRun, newRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import { runIdOf } from "./run-id.ts";
import { type RunStep, stepRun } from "./run-step.ts";

/** Runs of one job at work at once, and runs that may wait (decision 46). */
const mostRunning = 20;
const mostWaiting = 20;
/** A Date header has whole seconds. */
const dateHeaderMs = 1000;
/** The lease is renewed every two seconds, and its answer tells the time. */
const unknownTimeWaitMs = 1000;

/** What is to be done about all runs of a job, and about the fire times that have come. */
export interface RunsStep {
  /** Runs that are at work or wait; an outcome means that they ended in this step. */
  readonly steps: readonly RunStep[];
  /** Runs that begin now, without a record (on-time first attempts). */
  readonly fired: readonly RunStep[];
  /** Runs that get an entry in status.active and begin when a later step observes it there. */
  readonly kept: readonly { readonly run: LiveRun; readonly reason: string; readonly message: string }[];
  /** Fire times given up: how many, and the newest of them. */
  readonly skipped: { readonly counts: Readonly<Record<string, number>>; readonly times: readonly number[] };
  /** All fire times up to here are settled by `kept` and `skipped`. */
  readonly settledUpTo?: number;
  /** The first fire time that is neither recorded nor to be recorded by this step. */
  readonly firstOpen: number;
  /** The decision must be recorded at once. */
  readonly urgent: boolean;
  readonly wakeAt: number;
}

/**
 * Steps every run that goes on, then lets waiting ones begin as far as the concurrency policy allows, then sorts the fire times that have
 * come, if `mayFire`. Under Forbid nothing is decided about fire times while a run is in the way: what passed meanwhile is settled in the same record
 * as that run's end, so a long run costs no writes for what it keeps out (decision 13).
 * @param revision the name of the revision for new runs; undefined = nothing new may begin
 * @param after fire times up to here are handled
 * @param changed the schedule is not the one that waiting runs are owed by (decision 12)
 */
export function stepRuns(
  observed: ObservedJob,
  live: readonly LiveRun[],
  revision: string | undefined,
  mayFire: boolean,
  after: number,
  changed: boolean,
): RunsStep {
  const { spec, now, armed } = observed;
  const begun = (run: LiveRun) => run.newest.size > 0 || run.startedAt !== undefined || run.succeeded.size + run.failed.size > 0;
  const steps: RunStep[] = live.filter(begun).map((run) => stepRun(observed, run, true));
  const skipped = { counts: {} as Record<string, number>, times: [] as number[] };
  const skip = (why: string, times: readonly number[], count = times.length) => {
    if (count > 0) skipped.counts[why] = (skipped.counts[why] ?? 0) + count;
    skipped.times.push(...times);
  };

  let wakeAtDeadline = Number.POSITIVE_INFINITY;
  // What ends in this plan makes room once that is recorded: until then a new leader may find it unfinished (decision 6).
  const ending = spec.concurrencyPolicy === "Allow" ? 0 : steps.filter((step) => step.outcome !== undefined).length;
  let running = steps.filter((step) => step.outcome === undefined).length;
  const places = spec.concurrencyPolicy === "Allow" ? mostRunning : 1;
  let waiting = 0;
  for (const run of live) {
    if (begun(run)) continue;
    if (changed || run.fireTime + spec.misfire.startingDeadlineMs < now) {
      skip(changed ? "ScheduleChanged" : "Deadline", [run.fireTime]);
      continue;
    }
    // It would otherwise be given up only when something else wakes the job.
    wakeAtDeadline = Math.min(wakeAtDeadline, run.fireTime + spec.misfire.startingDeadlineMs + 1);
    const mayStart = running + ending < places && !spec.suspend && revision !== undefined;
    steps.push(stepRun(observed, run, mayStart));
    if (mayStart) running++;
    else waiting++;
  }

  const taken = new Set<number>(live.map((run) => run.fireTime));
  for (const run of observed.job.status?.history ?? []) taken.add(parseTime(run.fireTime) ?? 0);
  const idle: RunsStep = {
    steps,
    fired: [],
    kept: [],
    skipped,
    firstOpen: armed === undefined ? Number.POSITIVE_INFINITY : firstOpen(armed.schedule, after, taken),
    urgent: skipped.times.length > 0,
    wakeAt: wakeAtDeadline,
  };
  if (armed === undefined || revision === undefined || !mayFire) return idle;
  if (observed.serverNow === undefined) return { ...idle, wakeAt: Math.min(wakeAtDeadline, now + unknownTimeWaitMs) };
  const until = Math.min(now, observed.serverNow + dateHeaderMs);
  const wakeAt = Math.min(wakeAtDeadline, nextWake(observed, until, observed.serverNow));
  if (spec.concurrencyPolicy === "Forbid" && running + waiting > 0) return idle;

  const due = sortDueFireTimes(
    armed.schedule,
    { after, until, now, termStart: observed.termStart },
    spec.misfire,
    taken,
    occupied(observed, steps),
  );
  for (const why of ["Downtime", "Overlap", "Deadline"] as const) skip(why, [], due.dropped[why]);
  skipped.times.push(...due.droppedTimes);
  return recordBlocked(
    begin({ ...idle, firstOpen: Number.POSITIVE_INFINITY, skipped, wakeAt }, observed, due, revision, { running, waiting, ending }),
    armed.schedule,
  );
}

/** The first fire time that no run has taken: one before it may have been given up by a record that was never stored. */
function firstOpen(schedule: Schedule, after: number, taken: ReadonlySet<number>): number {
  let time = schedule.next(after);
  while (time !== undefined && taken.has(time)) time = schedule.next(time);
  return time ?? Number.POSITIVE_INFINITY;
}

/** A run that cannot begin has no pods that tell of it, so it is recorded, as one that waits or as one that is to end (decision 49). */
function recordBlocked(step: RunsStep, schedule: Schedule): RunsStep {
  const blocked = step.fired.filter((begun) => begun.newEnding !== undefined || begun.waitReason !== undefined);
  const last = blocked.at(-1);
  if (last === undefined) return step;
  const fired = step.fired.filter((begun) => !blocked.includes(begun));
  const firstOpen = schedule.next(last.run.fireTime) ?? Number.POSITIVE_INFINITY;
  return { ...step, steps: [...step.steps, ...blocked], fired, firstOpen };
}

/** Lets fire times that are due begin, or keeps them for later. */
function begin(
  step: RunsStep,
  observed: ObservedJob,
  due: DueFireTimes,
  revision: string,
  { running, waiting, ending }: { readonly running: number; readonly waiting: number; readonly ending: number },
): RunsStep {
  const { spec } = observed;
  const items = IntervalSet.upTo(spec.total).minus(spec.disabledItems);
  const runOf = (kind: "Schedule" | "Misfire", time: number) => newRun(runIdOf(time), kind, time, revision, items);
  const kept: { run: LiveRun; reason: string; message: string }[] = [];
  for (const time of due.keep)
    kept.push({ run: runOf("Misfire", time), reason: "Misfire", message: "makes up for fire times that passed" });
  const settledUpTo = due.settledUpTo;
  const base = {
    ...step,
    kept,
    ...(settledUpTo !== undefined && { settledUpTo }),
    urgent: step.urgent || due.urgent || kept.length > 0,
    firstOpen: due.fire[0] ?? step.firstOpen,
  };
  if (due.fire.length === 0) return base;

  const start = (time: number) => stepRun(observed, runOf("Schedule", time), true);
  switch (spec.concurrencyPolicy) {
    case "Forbid":
      // What was kept goes first; the rest passes behind it and is settled at its end.
      return kept.length > 0 || ending > 0 ? base : { ...base, fired: [start(due.fire[0] as number)] };
    case "Allow": {
      const now = Math.max(0, mostRunning - running);
      const later = due.fire.slice(now, now + Math.max(0, mostWaiting - waiting - kept.length));
      const refused = due.fire.slice(now + later.length);
      for (const time of later)
        kept.push({ run: runOf("Schedule", time), reason: "ConcurrencyLimit", message: `${mostRunning} runs are at work` });
      const counts = refused.length === 0 ? step.skipped.counts : { ...step.skipped.counts, QueueFull: refused.length };
      const fired = due.fire.slice(0, now).map(start);
      const settled = fired.length === 0 ? due.fire.at(-1) : settledUpTo;
      return {
        ...base,
        fired,
        skipped: { counts, times: [...step.skipped.times, ...refused] },
        ...(settled !== undefined && { settledUpTo: settled }),
        firstOpen: fired.length === 0 ? Number.POSITIVE_INFINITY : base.firstOpen,
        urgent: base.urgent || later.length > 0,
      };
    }
    case "Replace": {
      const newest = due.fire.at(-1) as number;
      const older = due.fire.slice(0, -1);
      if (running + waiting + ending === 0 && older.length === 0) return { ...base, fired: [start(newest)] };
      return replace(base, runOf("Schedule", newest), older);
    }
  }
}

/** The newest fire time takes the place of everything else: what runs is told to end, what waits is given up. */
function replace(step: RunsStep, run: LiveRun, older: readonly number[]): RunsStep {
  const steps: RunStep[] = [];
  const given = [...older];
  for (const other of step.steps) {
    if (other.outcome !== undefined || other.run.ending !== undefined) steps.push(other);
    else if (other.run.startedAt === undefined && other.run.newest.size === 0) given.push(other.run.fireTime);
    else {
      const newEnding = { reason: "Replaced", message: `replaced by run ${run.id}` };
      steps.push({ ...other, newEnding, actions: other.actions.filter((action) => action.tag !== "create") });
    }
  }
  const counts = given.length === 0 ? step.skipped.counts : { ...step.skipped.counts, Replaced: given.length };
  return {
    ...step,
    steps,
    kept: [...step.kept, { run, reason: "Replacing", message: "waits until the pods of the run it replaces have ended" }],
    skipped: { counts, times: [...step.skipped.times, ...given] },
    settledUpTo: run.fireTime,
    firstOpen: Number.POSITIVE_INFINITY,
    urgent: true,
    wakeAt: step.wakeAt,
  };
}

/** Runs that were in the way of fire times; only Forbid lets them count. */
function occupied(observed: ObservedJob, steps: readonly RunStep[]): readonly Occupied[] {
  if (observed.spec.concurrencyPolicy !== "Forbid") return [];
  const past = (observed.job.status?.history ?? []).map((run) => ({
    from: parseTime(run.startedAt) ?? Number.POSITIVE_INFINITY,
    to: parseTime(run.endedAt) ?? Number.NEGATIVE_INFINITY,
  }));
  const ending = steps.map((step) => ({ from: step.run.startedAt ?? step.run.fireTime, to: observed.now }));
  return [...past, ...ending];
}

/** When the next fire time is due: never before its instant here, and never before the server's clock has come to it within a second. */
function nextWake(observed: ObservedJob, until: number, serverNow: number): number {
  const next = observed.armed?.schedule.next(until);
  if (next === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(next, next + (observed.now - serverNow) - dateHeaderMs);
}
