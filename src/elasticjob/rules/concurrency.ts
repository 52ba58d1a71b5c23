import { IntervalSet } from "../../base/interval-set.ts";
import { parseTime } from "../../base/time.ts";
import type { NewestFireTimes, Schedule } from "../../cron/schedule.ts";
import { isAsked, type RunKind } from "./attempt.ts";
import { type GatedFireTimes, gateFireTimes, ripeFireTimes, timedOutStep, turnOf } from "./dependent-runs.ts";
import { type Occupied, sortDueFireTimes } from "./firing.ts";
import { fitLane } from "./lane.ts";
import { type LiveRun, newRun } from "./live-run.ts";
import type { ArmedSchedule, ObservedJob } from "./observed.ts";
import type { RequestsStep } from "./requests.ts";
import { runIdOf } from "./run-id.ts";
import { itemsOf } from "./run-items.ts";
import { type RunStep, stepRun } from "./run-step.ts";

/** Runs of one job at work at once, and runs that may wait (decision 46). */
const mostRunning = 20;
const mostWaiting = 20;
/** Fire times that are looked at one by one while a namespace is observed: more than status.outcomes can list. */
const mostObserved = 250;
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
  /** Fire times that passed while the namespace is only observed: nothing becomes of them. */
  readonly observed?: NewestFireTimes;
  /** Fire times given up: how many, the newest of them, and what the upstreams said of the newest that they did not allow. */
  readonly skipped: { readonly counts: Readonly<Record<string, number>>; readonly times: readonly number[]; readonly because?: string };
  /** Upstreams know nothing of fire times up to here, so nothing is known of them as fire times of this job. */
  readonly unknownUpTo?: number;
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
 * @param requests what JobRequests ask of the runs
 */
export function stepRuns(
  observed: ObservedJob,
  live: readonly LiveRun[],
  revision: string | undefined,
  mayFire: boolean,
  after: number,
  changed: boolean,
  requests: Pick<RequestsStep, "held" | "cancelled" | "admitted">,
): RunsStep {
  const { spec, now, armed, jitterMs } = observed;
  const begun = (run: LiveRun) => run.newest.size > 0 || run.startedAt !== undefined || run.succeeded.size + run.failed.size > 0;
  const steps: RunStep[] = live.filter(begun).map((run) => stepRun(observed, run, true));
  const skipped: { counts: Record<string, number>; times: number[]; because?: string } = { counts: {}, times: [] };
  const skip = (why: string, times: readonly number[], count = times.length) => {
    if (count > 0) skipped.counts[why] = (skipped.counts[why] ?? 0) + count;
    skipped.times.push(...times);
  };

  let wakeAtDeadline = Number.POSITIVE_INFINITY;
  // What ends in this plan makes room once that is recorded: until then a new leader may find it unfinished (decision 6).
  const inLane = steps.filter((step) => step.run.kind !== "Backfill");
  const ending = spec.concurrencyPolicy === "Allow" ? 0 : inLane.filter((step) => step.outcome !== undefined).length;
  let running = inLane.filter((step) => step.outcome === undefined).length;
  const places = spec.concurrencyPolicy === "Allow" ? mostRunning : 1;
  // How much later than its fire time a run is missed for good; deadlines count from the instant, jitter included (decision 42).
  const missedAfterMs = jitterMs + spec.misfire.startingDeadlineMs;
  let waiting = 0;
  // A run that waits for its upstreams holds the lane, so that fire times keep their order.
  let held = false;
  for (const run of lane(observed, live)) {
    if (begun(run)) continue;
    if (isAsked(run.kind)) {
      // One that is held keeps its place: it begins in a moment.
      const early = requests.held.has(run.id);
      const backfilled = run.kind === "Backfill";
      const hasPlace = backfilled || running + ending < places;
      const step = stepRun(observed, run, hasPlace && !early && observed.observing !== true && revision !== undefined);
      const waitReason = { reason: "ConcurrencyPolicy", message: "waits for its turn among the runs of the job" };
      steps.push(hasPlace || step.outcome !== undefined ? step : { ...step, waitReason });
      if (backfilled) continue;
      if (hasPlace) running++;
      else waiting++;
      continue;
    }
    if (changed || run.fireTime + missedAfterMs < now) {
      skip(changed ? "ScheduleChanged" : "Deadline", [run.fireTime]);
      continue;
    }
    // It would otherwise be given up only when something else wakes the job.
    wakeAtDeadline = Math.min(wakeAtDeadline, run.fireTime + missedAfterMs + 1);
    const free = running + ending < places && !held;
    const mayStart = free && !spec.suspend && observed.observing !== true && revision !== undefined;
    const turn = mayStart ? turnOf(observed, run) : undefined;
    if (turn?.kind === "dropped") {
      skip("DependencyNotMet", [run.fireTime]);
      skipped.because = turn.message;
    } else if (turn?.kind === "timedOut") steps.push(timedOutStep(run, turn.message));
    else if (turn?.kind === "waits") {
      steps.push({ ...stepRun(observed, run, false), waitReason: { reason: turn.reason, message: turn.message } });
      wakeAtDeadline = Math.min(wakeAtDeadline, turn.until);
      waiting++;
      held = places === 1;
    } else {
      steps.push(stepRun(observed, run, mayStart));
      if (mayStart) running++;
      else waiting++;
    }
  }

  for (const [index, step] of steps.entries()) {
    const message = requests.cancelled.get(step.run.id);
    if (message !== undefined && step.outcome === undefined) steps[index] = told(step, { reason: "Cancelled", message });
  }

  const taken = new Set<number>();
  for (const run of live) if (!isAsked(run.kind)) taken.add(run.fireTime);
  for (const run of observed.job.status?.history ?? []) if (!isAsked(run.kind)) taken.add(parseTime(run.fireTime) ?? 0);
  const idle: RunsStep = {
    steps,
    fired: [],
    kept: requests.admitted,
    skipped,
    firstOpen: armed === undefined ? Number.POSITIVE_INFINITY : firstOpen(armed.schedule, after, taken),
    urgent: skipped.times.length > 0 || requests.admitted.length > 0,
    wakeAt: wakeAtDeadline,
  };
  if (armed === undefined || (revision === undefined && observed.observing !== true) || !mayFire) return idle;
  if (observed.serverNow === undefined) return { ...idle, wakeAt: Math.min(wakeAtDeadline, now + unknownTimeWaitMs) };
  const until = Math.min(now, observed.serverNow + dateHeaderMs) - jitterMs;
  const wakeAt = Math.min(wakeAtDeadline, nextWake(observed, until, observed.serverNow));
  if (observed.observing === true || revision === undefined) return watchOnly({ ...idle, wakeAt }, armed.schedule, after, until);
  if (spec.concurrencyPolicy === "Forbid" && running + waiting > 0) return idle;

  if (observed.dependencies?.derived === true) return stepRipe(idle, observed, revision, after, until, taken, { running, waiting, ending });
  const due = sortDueFireTimes(
    armed.schedule,
    { after, until, now, termStart: observed.termStart, jitterMs },
    spec.misfire,
    taken,
    occupied(observed, steps),
    (time) => observed.memory.unsure.has(runIdOf(time)),
  );
  for (const why of ["Downtime", "Overlap", "Deadline"] as const) skip(why, [], due.dropped[why]);
  skipped.times.push(...due.droppedTimes);
  const admitted = idle.kept.filter(({ run }) => run.kind !== "Backfill").length;
  const isBlocked = spec.concurrencyPolicy === "Forbid" && admitted + due.keep.length + ending > 0;
  const gated = isBlocked
    ? { due, held: [], dropped: [], rest: Number.POSITIVE_INFINITY }
    : gateFireTimes(observed, due, (spec.concurrencyPolicy === "Enqueue" ? spec.maxEnqueued : mostWaiting) - waiting);
  skip("DependencyNotMet", gated.dropped);
  if (gated.because !== undefined) skipped.because = gated.because;
  return recordBlocked(
    begin({ ...idle, firstOpen: gated.rest, skipped, wakeAt }, observed, gated, revision, { running, waiting, ending }),
    armed.schedule,
  );
}

/** The fire times of a job that has them from its upstreams: it is woken by their ends, never by the clock. */
function stepRipe(
  idle: RunsStep,
  observed: ObservedJob,
  revision: string,
  after: number,
  until: number,
  taken: ReadonlySet<number>,
  lane: { readonly running: number; readonly waiting: number; readonly ending: number },
): RunsStep {
  const { spec } = observed;
  const places =
    spec.concurrencyPolicy === "Allow" ? Math.max(0, mostRunning - lane.running) : spec.concurrencyPolicy === "Forbid" ? 1 : 250;
  const ripe = ripeFireTimes(observed, after, until, taken, places);
  const { timedOut, late, dropped, unknownUpTo } = ripe;
  const counts = { ...idle.skipped.counts };
  if (dropped.length > 0) counts["DependencyNotMet"] = (counts["DependencyNotMet"] ?? 0) + dropped.length;
  if (late.length > 0) counts["Deadline"] = (counts["Deadline"] ?? 0) + late.length;
  const run = timedOut === undefined ? undefined : newRun(runIdOf(timedOut.time), "Dependency", timedOut.time, revision, itemsOf(observed));
  const step: RunsStep = {
    ...idle,
    steps: run === undefined ? idle.steps : [...idle.steps, timedOutStep(run, timedOut?.message ?? "")],
    skipped: {
      counts,
      times: [...idle.skipped.times, ...dropped, ...late],
      ...(ripe.because !== undefined && { because: ripe.because }),
    },
    ...(unknownUpTo !== undefined && { unknownUpTo }),
    firstOpen: ripe.rest,
    wakeAt: Math.min(idle.wakeAt, ripe.wakeAt),
  };
  return recordBlocked(begin(step, observed, ripe, revision, lane), (observed.armed as ArmedSchedule).schedule);
}

/** The order in which runs begin: those that were asked for in the order of their entries, then fire times ascending (decision 47). */
function lane(observed: ObservedJob, live: readonly LiveRun[]): readonly LiveRun[] {
  const asked = live.filter((run) => isAsked(run.kind));
  if (asked.length === 0) return live;
  const entries = new Map(observed.job.status?.active?.map((entry, index) => [entry.run, index]));
  asked.sort((a, b) => (entries.get(a.id) ?? 0) - (entries.get(b.id) ?? 0));
  return [...asked, ...live.filter((run) => !isAsked(run.kind))];
}

/** The step of a run that is told to end: nothing new of it begins. */
function told(step: RunStep, newEnding: NonNullable<RunStep["newEnding"]>): RunStep {
  return {
    ...step,
    newEnding,
    actions: step.actions.filter((action) => action.tag !== "create" && action.tag !== "dispatch"),
    ...withoutNew(step),
  };
}

/** Nothing is recorded that would be taken back in the same breath. */
function withoutNew({ resident, atWork, lost }: RunStep): Partial<RunStep> {
  if (resident === undefined) return {};
  const decided = new IntervalSet(resident.assigned.map(({ item }) => item));
  return { resident: { ...resident, assigned: [], lost: 0 }, atWork: atWork.minus(decided), lost: lost - resident.lost };
}

/** Fire times that have come are settled, and nothing becomes of them. */
function watchOnly(step: RunsStep, schedule: Schedule, after: number, until: number): RunsStep {
  const passed = schedule.newestBetween(after, until, mostObserved);
  const last = passed.times.at(-1);
  if (last === undefined) return step;
  const skipped = { counts: step.skipped.counts, times: [...step.skipped.times, ...passed.times] };
  return { ...step, observed: passed, skipped, settledUpTo: last, firstOpen: Number.POSITIVE_INFINITY, urgent: true };
}

/** The first fire time that no run has taken: one before it may have been given up by a record that was never stored. */
function firstOpen(schedule: Schedule, after: number, taken: ReadonlySet<number>): number {
  let time = schedule.next(after);
  while (time !== undefined && taken.has(time)) time = schedule.next(time);
  return time ?? Number.POSITIVE_INFINITY;
}

/**
 * A run that has no pods that tell of it is recorded: one that waits, one that is to end (decision 49), and one that needs none (decision 7), unless status
 * names it already.
 */
function recordBlocked(step: RunsStep, schedule: Schedule): RunsStep {
  const isBlocked = ({ newEnding, waitReason, resident }: RunStep) =>
    newEnding !== undefined || waitReason !== undefined || (resident !== undefined && resident.isNamedAhead !== true);
  const blocked = step.fired.filter(isBlocked);
  const last = blocked.at(-1);
  if (last === undefined) return step;
  const fired = step.fired.filter((begun) => !blocked.includes(begun));
  const firstOpen = schedule.next(last.run.fireTime) ?? Number.POSITIVE_INFINITY;
  return { ...step, steps: [...step.steps, ...blocked], fired, firstOpen };
}

/** How many runs are at work, wait, and end in this plan. */
interface Busy {
  readonly running: number;
  readonly waiting: number;
  readonly ending: number;
}

/** Lets fire times that are due begin, or keeps them for later. */
function begin(step: RunsStep, observed: ObservedJob, { due, held }: GatedFireTimes, revision: string, busy: Busy): RunsStep {
  const { spec } = observed;
  const { running, waiting, ending } = busy;
  const items = itemsOf(observed);
  const onTime = observed.dependencies?.derived === true ? "Dependency" : "Schedule";
  const runOf = (kind: RunKind, time: number) => newRun(runIdOf(time), kind, time, revision, items);
  const kept: { run: LiveRun; reason: string; message: string }[] = [...step.kept];
  const inLane = () => waiting + kept.filter(({ run }) => run.kind !== "Backfill").length;
  // What makes up for fire times joins the lane, which has so much room and no more.
  const fit = spec.concurrencyPolicy === "Enqueue" ? fitLane(due.keep, spec.maxEnqueued - inLane()) : { waits: due.keep, refused: [] };
  for (const time of fit.waits)
    kept.push({ run: runOf("Misfire", time), reason: "Misfire", message: "makes up for fire times that passed" });
  const waits = spec.concurrencyPolicy === "Replace" ? held.at(-1) : undefined;
  if (waits === undefined) for (const { time, reason, message } of held) kept.push({ run: runOf(onTime, time), reason, message });
  const settledUpTo = due.settledUpTo;
  const base = {
    ...step,
    kept,
    skipped: refuse(step.skipped, fit.refused),
    ...(settledUpTo !== undefined && { settledUpTo }),
    urgent: step.urgent || due.urgent || kept.length > 0,
    firstOpen: due.fire[0] ?? step.firstOpen,
  };
  if (waits !== undefined) return replace({ ...base, firstOpen: step.firstOpen }, runOf(onTime, waits.time), due.fire, waits);
  if (due.fire.length === 0) return base;

  const start = (time: number) => stepRun(observed, runOf(onTime, time), true);
  switch (spec.concurrencyPolicy) {
    case "Forbid":
      // What was kept goes first; the rest passes behind it and is settled at its end.
      return inLane() > waiting || ending > 0 ? base : { ...base, fired: [start(due.fire[0] as number)] };
    case "Allow": {
      const now = Math.max(0, mostRunning - running);
      const later = due.fire.slice(now, now + Math.max(0, mostWaiting - inLane()));
      const refused = due.fire.slice(now + later.length);
      for (const time of later)
        kept.push({ run: runOf(onTime, time), reason: "ConcurrencyLimit", message: `${mostRunning} runs are at work` });
      const fired = due.fire.slice(0, now).map(start);
      const settled = fired.length === 0 ? due.fire.at(-1) : settledUpTo;
      return {
        ...base,
        fired,
        skipped: refuse(base.skipped, refused),
        ...(settled !== undefined && { settledUpTo: settled }),
        firstOpen: fired.length === 0 ? step.firstOpen : base.firstOpen,
        urgent: base.urgent || later.length > 0,
      };
    }
    case "Enqueue": {
      // The first of the lane begins at once; what comes after it is recorded when it is seen at work.
      if (running + ending + inLane() === 0) return { ...base, fired: [start(due.fire[0] as number)] };
      const { waits: joins, refused } = fitLane(due.fire, spec.maxEnqueued - inLane());
      for (const time of joins)
        kept.push({ run: runOf(onTime, time), reason: "Enqueued", message: "waits until the runs before it have ended" });
      return {
        ...base,
        skipped: refuse(base.skipped, refused),
        settledUpTo: due.fire.at(-1) as number,
        firstOpen: step.firstOpen,
        urgent: true,
      };
    }
    case "Replace": {
      const newest = due.fire.at(-1) as number;
      const older = due.fire.slice(0, -1);
      if (running + waiting + ending === 0 && older.length === 0) return { ...base, fired: [start(newest)] };
      return replace({ ...base, firstOpen: step.firstOpen }, runOf(onTime, newest), older);
    }
  }
}

const replacing = { reason: "Replacing", message: "waits until the pods of the run it replaces have ended" };

/** Fire times for which there is no room are given up, and said so. */
function refuse(skipped: RunsStep["skipped"], refused: readonly number[]): RunsStep["skipped"] {
  if (refused.length === 0) return skipped;
  const counts = { ...skipped.counts, QueueFull: (skipped.counts["QueueFull"] ?? 0) + refused.length };
  return { ...skipped, counts, times: [...skipped.times, ...refused] };
}

/** The newest fire time takes the place of everything else: what runs is told to end, what waits is given up. */
function replace(
  step: RunsStep,
  run: LiveRun,
  older: readonly number[],
  waits: { readonly reason: string; readonly message: string } = replacing,
): RunsStep {
  const steps: RunStep[] = [];
  const given = [...older];
  for (const other of step.steps) {
    const begun = other.run.startedAt !== undefined || other.run.newest.size > 0;
    if (other.outcome !== undefined || other.run.ending !== undefined || other.run.kind === "Backfill") steps.push(other);
    else if (begun) steps.push(told(other, { reason: "Replaced", message: `replaced by run ${run.id}` }));
    else if (isAsked(other.run.kind)) steps.push(other);
    else given.push(other.run.fireTime);
  }
  const counts = given.length === 0 ? step.skipped.counts : { ...step.skipped.counts, Replaced: given.length };
  return {
    ...step,
    steps,
    kept: [...step.kept, { run, reason: waits.reason, message: waits.message }],
    skipped: { ...step.skipped, counts, times: [...step.skipped.times, ...given] },
    settledUpTo: run.fireTime,
    urgent: true,
    wakeAt: step.wakeAt,
  };
}

/** Runs that were in the way of fire times; only Forbid lets them count. */
function occupied(observed: ObservedJob, steps: readonly RunStep[]): readonly Occupied[] {
  if (observed.spec.concurrencyPolicy !== "Forbid") return [];
  // One that began late, for its upstreams or for the API server, was in the way from its fire time on: what passed meanwhile passed behind it.
  const begins = (kind: string | undefined, fireTime: number | undefined, startedAt: number | undefined) =>
    kind === "Schedule" ? fireTime : startedAt;
  const inLane = ({ kind }: { readonly kind?: string }) => kind !== "Backfill";
  const past = (observed.job.status?.history ?? []).filter(inLane).map((run) => ({
    from: begins(run.kind, parseTime(run.fireTime), parseTime(run.startedAt)) ?? Number.POSITIVE_INFINITY,
    to: parseTime(run.endedAt) ?? Number.NEGATIVE_INFINITY,
  }));
  const ending = steps
    .filter(({ run }) => inLane(run))
    .map(({ run }) => ({ from: begins(run.kind, run.fireTime, run.startedAt) ?? run.fireTime, to: observed.now }));
  return [...past, ...ending];
}

/** When the next run is due: never before its instant here, and never before the server's clock has come to it within a second. */
function nextWake(observed: ObservedJob, until: number, serverNow: number): number {
  const next = observed.armed?.schedule.next(until);
  if (next === undefined) return Number.POSITIVE_INFINITY;
  const instant = next + observed.jitterMs;
  // How far off our clock is may be another matter by then: it is looked at again at the instant itself.
  return observed.now < instant ? instant : Math.max(instant, instant + (observed.now - serverNow) - dateHeaderMs);
}
