import type { JobRequest, JobRequestStatusBackfill } from "../../api/job-request.gen.ts";
import { problemsText } from "../../api/problem.ts";
import { requestReasons } from "../../api/reasons.ts";
import { backfillIntoFuture, backfillWithoutSchedule } from "../../api/request-problems.ts";
import { canonicalJson, shortHash } from "../../base/hash.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import type { Schedule } from "../../cron/schedule.ts";
import type { ObservedJob } from "./observed.ts";
import type { RequestChange } from "./request-status.ts";
import { runIdOf } from "./run-id.ts";

/** Fire times of one backfill. */
export const mostBackfilled = 10_000;
/** Runs of all backfills of a job in status.active (decision 46). */
const mostAtOnce = 20;
/** Runs that did not succeed and are named in status. */
const mostFailedRuns = 20;

/** A run of a backfill that stands in status.active; `ended` once that is recorded there. */
export interface BackfillRun {
  readonly run: string;
  readonly fireTime: number;
  readonly ended?: "Succeeded" | "Failed" | "Cancelled";
}

export interface BackfillStep {
  /** What is to be said of the request now. */
  readonly change?: RequestChange;
  /** Runs to be recorded next. */
  readonly next: readonly { readonly id: string; readonly fireTime: number }[];
  /** Runs whose end the request tells of: their entries in status.active may go. */
  readonly told: ReadonlySet<string>;
}

const counted = new WeakMap<Schedule, Map<string, readonly number[]>>();

/**
 * The fire times in [from, to), at most one more than a backfill may have. A schedule's are counted once, since a backfill is looked at with
 * every run of it.
 */
function fireTimesOf(schedule: Schedule, from: number, to: number): readonly number[] {
  const known = counted.get(schedule) ?? new Map<string, readonly number[]>();
  counted.set(schedule, known);
  const key = `${from}/${to}`;
  let times = known.get(key);
  if (times === undefined) {
    times = schedule.between(from - 1, to - 1, mostBackfilled + 1).times;
    // A backfill or two are under way at a time; what others counted is counted again.
    if (known.size >= 4) known.clear();
    known.set(key, times);
  }
  return times;
}

/** Over everything that decides which fire times a backfill has and how they are numbered. */
export function backfillHash({ job, calendars }: ObservedJob): string {
  const content = calendars.kind === "usable" ? calendars.revision.metadata.name : "";
  return shortHash(`${canonicalJson(job.spec.schedule ?? null)} ${content}`, 16);
}

/** Whether the contents of the job's calendars are at hand: without them nobody can say what its fire times are. */
export const knowsCalendars = ({ calendars }: ObservedJob): boolean =>
  calendars.kind === "none" || (calendars.kind === "usable" && calendars.provisional !== true);

/** Whether a backfill can be begun: what to say of it. */
export function beginBackfill(observed: ObservedJob, request: JobRequest): RequestChange {
  const refuse = (reason: RequestChange["reason"], message: string): RequestChange => ({ phase: "Failed", reason, message, refused: true });
  const { from, to } = windowOf(request);
  if (observed.armed === undefined) return refuse(requestReasons.invalidRequest, problemsText([backfillWithoutSchedule]));
  if (to > observed.now) return refuse(requestReasons.invalidRequest, problemsText([backfillIntoFuture(observed.now)]));
  const times = fireTimesOf(observed.armed.schedule, from, to);
  if (times.length > mostBackfilled)
    return refuse(
      requestReasons.tooManyFireTimes,
      `spec.backfill: has more than ${mostBackfilled} fire times; the ${mostBackfilled}th is at ${formatSeconds(times[mostBackfilled - 1] as number)}: ask for it in parts`,
    );
  if (times.length === 0)
    return { phase: "Succeeded", reason: requestReasons.nothingToDo, message: "the schedule has no fire time in [from, to)" };
  const backfill = { scheduleHash: backfillHash(observed), total: times.length, ended: 0, failed: 0 };
  return { phase: "Running", reason: requestReasons.accepted, message: `0 of ${times.length} runs have ended`, backfill };
}

/**
 * One step of a backfill under way. Its status holds which fire times have ended; those in status.active are being handled; all others
 * are still to come. An entry leaves status.active only when the request tells of its end, so nothing is run twice or left out.
 * @param runs its runs in status.active
 * @param others how many runs of other backfills are there
 */
export function stepBackfill(observed: ObservedJob, request: JobRequest, runs: readonly BackfillRun[], others: number): BackfillStep {
  const state = request.status?.backfill ?? {};
  const { from, to } = windowOf(request);
  if (!knowsCalendars(observed)) return { next: [], told: new Set() };
  if (observed.armed === undefined || state.scheduleHash !== backfillHash(observed)) {
    const message = `spec.schedule was changed after ${state.ended ?? 0} of ${state.total ?? 0} runs; ask for the rest anew`;
    return { change: { phase: "Failed", reason: requestReasons.scheduleChanged, message }, next: [], told: new Set() };
  }
  const times = fireTimesOf(observed.armed.schedule, from, to);
  const recorded = IntervalSet.parse(state.endedIndexes);
  const told = new Set<string>();
  const ended: { readonly index: number; readonly run: BackfillRun }[] = [];
  const inFlight = new Set<number>();
  for (const run of runs) {
    const index = indexOf(times, run.fireTime);
    if (recorded.has(index)) told.add(run.run);
    else {
      inFlight.add(index);
      if (run.ended !== undefined) ended.push({ index, run });
    }
  }
  const newest = request.spec.backfill?.order === "NewestFirst";
  const change = ended.length === 0 ? overdue(state, recorded, times) : progress(state, recorded, ended, times, newest);
  const next: { id: string; fireTime: number }[] = [];
  let room = Math.min((request.spec.backfill?.parallelism ?? 1) - inFlight.size, mostAtOnce - others - inFlight.size);
  for (let step = 0; step < times.length && room > 0; step++) {
    const index = newest ? times.length - 1 - step : step;
    if (recorded.has(index) || inFlight.has(index)) continue;
    const fireTime = times[index] as number;
    next.push({ id: `${runIdOf(fireTime)}-b${request.metadata.uid?.slice(0, 8)}`, fireTime });
    room--;
  }
  return { ...(change !== undefined && { change }), next, told };
}

/** All have ended, and nobody has said so: the write that did was not the last. */
function overdue(state: JobRequestStatusBackfill, recorded: IntervalSet, times: readonly number[]): RequestChange | undefined {
  return recorded.size < times.length ? undefined : outcome({ ...state, endedIndexes: recorded.toString() }, times.length);
}

function progress(
  state: JobRequestStatusBackfill,
  recorded: IntervalSet,
  ended: readonly { readonly index: number; readonly run: BackfillRun }[],
  times: readonly number[],
  newestFirst: boolean,
): RequestChange {
  const all = new IntervalSet(recorded);
  for (const { index } of ended) all.add(index);
  const failed = ended.filter(({ run }) => run.ended !== "Succeeded").map(({ run }) => run.run);
  const failedRuns = [...(state.failedRuns ?? []), ...failed].slice(0, mostFailedRuns);
  let step = 0;
  while (step < times.length && all.has(newestFirst ? times.length - 1 - step : step)) step++;
  const cursor = times[newestFirst ? times.length - 1 - step : step];
  const backfill: JobRequestStatusBackfill = {
    scheduleHash: state.scheduleHash as string,
    total: times.length,
    ended: all.size,
    failed: (state.failed ?? 0) + failed.length,
    ...(cursor !== undefined && { cursor: formatSeconds(cursor) }),
    endedIndexes: all.toString(),
    ...(failedRuns.length > 0 && { failedRuns }),
  };
  if (all.size >= times.length) return outcome(backfill, times.length);
  return { phase: "Running", reason: requestReasons.accepted, message: `${all.size} of ${times.length} runs have ended`, backfill };
}

function outcome(backfill: JobRequestStatusBackfill, total: number): RequestChange {
  const failed = backfill.failed ?? 0;
  if (failed === 0) return { phase: "Succeeded", reason: requestReasons.completed, message: `all ${total} runs succeeded`, backfill };
  const message = `${failed} of ${total} runs did not succeed: ${(backfill.failedRuns ?? []).slice(0, 5).join(", ")}${failed > 5 ? ", ..." : ""}`;
  return { phase: "Failed", reason: requestReasons.runsFailed, message, backfill };
}

function windowOf({ spec }: JobRequest): { readonly from: number; readonly to: number } {
  return { from: parseTime(spec.backfill?.from) ?? 0, to: parseTime(spec.backfill?.to) ?? 0 };
}

/** Where a fire time stands among others, which ascend. */
function indexOf(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
