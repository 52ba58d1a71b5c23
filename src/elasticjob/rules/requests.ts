/**
 * What people ask for by JobRequests, in the order of decision 16, so that each is done once whatever becomes of the operator:
 *
 *   1. the run stands in status.active as Waiting       its entry names the request: a request found there is adopted, never begun again
 *   2. the request is Running, with the id of the run
 *   3. pods                                             the run is held until 2 is observed
 *   4. the run's end stands in status.history           its entry in status.active stays
 *   5. the request has ended
 *   6. the entry in status.active goes, and pods may    only when 5 is observed
 *
 * A request that is deleted meanwhile is not waited for: its run goes on and ends like any other.
 */
import type { Action } from "../../api/action.ts";
import type { ElasticJobRun } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import { givenProblem } from "../../api/option-value.ts";
import { problemsText, type SpecProblem } from "../../api/problem.ts";
import { requestReasons } from "../../api/reasons.ts";
import { runItems, runOptionsProblem, suspendedUntilPast } from "../../api/request-problems.ts";
import { IntervalSet, IntervalSetError } from "../../base/interval-set.ts";
import { parseTime } from "../../base/time.ts";
import { type BackfillRun, beginBackfill, knowsCalendars, stepBackfill } from "./backfill.ts";
import {
  cascadeEnd,
  cascadeRun,
  cascades,
  cascadeTurn,
  entryOf,
  entryPhase,
  firstEntries,
  isEntryOver,
  mostBelow,
  moveEntry,
} from "./cascade.ts";
import { askedOf, hasEnded, type LiveRun, newRun, type SortedPods } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import { byAge, changeRequest, deleteRequest, expiryOf, isOver, type RequestChange, type RequestReason } from "./request-status.ts";
import type { RevisionStep } from "./revision.ts";
import { runIdOf } from "./run-id.ts";
import { itemScope, itemsOf } from "./run-items.ts";

/** Requests of a job that are not over; the newest beyond are refused (decision 87). */
export const mostOpenRequests = 100;
/** Runs that may wait in status.active (decision 46). */
const mostWaiting = 20;
/** How long a job may be missing or unfit before a request for it has failed. */
export const jobPatienceMs = 30_000;

/** What requests make of this plan. */
export interface RequestsStep {
  /** Runs that get an entry in status.active. */
  readonly admitted: readonly { readonly run: LiveRun; readonly reason: string; readonly message: string }[];
  /** Runs that must not begin before their request is seen to be Running. */
  readonly held: ReadonlySet<string>;
  /** Runs that are to be cancelled, and by whom in words. */
  readonly cancelled: ReadonlyMap<string, string>;
  /** Items of runs in status.history to be called succeeded, and by whom in words. */
  readonly marked: ReadonlyMap<string, { readonly items: IntervalSet; readonly message: string }>;
  /** UIDs of requests that are not over: the entries of their runs stay in status.active when they end. */
  readonly open: ReadonlySet<string>;
  /** Ended runs whose entries stay in status.active for one more step. */
  readonly settling: readonly ElasticJobRun[];
  /** Some entries leave status.active, which must not wait. */
  readonly settled: boolean;
  readonly actions: readonly Action[];
  readonly wakeAt: number;
}

/** All that looking at one request after the other adds up to. */
interface Tally {
  readonly observed: ObservedJob;
  readonly sorted: SortedPods;
  readonly revision: RevisionStep;
  readonly admitted: { run: LiveRun; reason: string; message: string }[];
  readonly held: Set<string>;
  readonly cancelled: Map<string, string>;
  readonly marked: Map<string, { items: IntervalSet; message: string }>;
  readonly told: Set<string>;
  readonly actions: Action[];
  readonly waiting: number;
  /** All runs that wait in the lane, of fire times too. */
  readonly standing: number;
  backfilling: boolean;
  wakeAt: number;
}

/** Looks at every request of the job, oldest first. */
export function stepRequests(observed: ObservedJob, sorted: SortedPods, revision: RevisionStep): RequestsStep {
  const { now } = observed;
  const waiting = sorted.live.filter((run) => run.startedAt === undefined && (run.kind === "Requested" || run.kind === "Retry")).length;
  const tally: Tally = {
    observed,
    sorted,
    revision,
    admitted: [],
    held: new Set(),
    cancelled: new Map(),
    marked: new Map(),
    told: new Set(),
    actions: [],
    waiting,
    standing: sorted.live.filter((run) => run.startedAt === undefined && run.kind !== "Backfill").length,
    backfilling: observed.requests.some(({ spec, status }) => spec.backfill !== undefined && status?.phase === "Running"),
    wakeAt: Number.POSITIVE_INFINITY,
  };
  const open = new Set<string>();
  for (const request of [...observed.requests].sort(byAge)) {
    if (isOver(request)) {
      const at = expiryOf(request);
      if (at > now) wake(tally, at);
      else if (!sorted.settling.some((entry) => entry.request === request.metadata.uid)) tally.actions.push(deleteRequest(request));
      continue;
    }
    const begun = request.status?.phase === "Running";
    if (!begun && request.metadata.deletionTimestamp !== undefined) continue;
    if (!begun && open.size >= mostOpenRequests && !isRecorded(tally, request)) {
      say(
        tally,
        request,
        refusal(requestReasons.tooManyRequests, `${mostOpenRequests} requests of this job are open; wait for some to end`),
      );
      continue;
    }
    open.add(request.metadata.uid as string);
    const change = begun ? goOn(tally, request) : begin(tally, request);
    if (change !== undefined) say(tally, request, change);
  }
  for (const request of [...(observed.cascades ?? [])].sort(byAge)) {
    const entry = entryOf(request, observed.job.metadata.name);
    if (isOver(request) || entry === undefined || isEntryOver(entry)) continue;
    open.add(request.metadata.uid as string);
    const change = joinCascade(tally, request, entry.phase === "Running");
    if (change !== undefined) say(tally, request, change);
  }
  const settling = sorted.settling.filter((entry) => open.has(entry.request ?? "") && !tally.told.has(entry.run));
  return { ...tally, open, settling, settled: settling.length < sorted.settling.length };
}

/** Whether the run that it asks for stands in status already. */
function isRecorded(tally: Tally, request: JobRequest): boolean {
  const run = runIdFor(tally, request);
  return run !== undefined && findRun(tally, run) !== undefined;
}

function wake(tally: Tally, at: number): void {
  if (at < tally.wakeAt) tally.wakeAt = at;
}

function say(tally: Tally, request: JobRequest, change: RequestChange): void {
  tally.actions.push(...changeRequest(request, change, tally.observed.now, tally.observed.job.metadata.uid));
}

const refusal = (reason: RequestReason, message: string): RequestChange => ({ phase: "Failed", reason, message, refused: true });
const invalid = (problem: SpecProblem): RequestChange => refusal(requestReasons.invalidRequest, problemsText([problem]));

/** A request of which nothing is known to be done yet. */
function begin(tally: Tally, request: JobRequest): RequestChange | undefined {
  const { observed } = tally;
  const { spec } = request;
  if (spec.cancel !== undefined) return beginCancel(tally, spec.cancel.run);
  if (spec.markSucceeded !== undefined) return markSucceeded(tally, request, spec.markSucceeded.run, spec.markSucceeded.items);
  if (spec.suspend !== undefined) {
    const { until, reason } = spec.suspend;
    if ((parseTime(until) ?? Number.POSITIVE_INFINITY) <= observed.now) return invalid(suspendedUntilPast);
    return { phase: "Running", reason: requestReasons.accepted, message: reason ?? "" };
  }
  const id = runIdFor(tally, request);
  if (id !== undefined && findRun(tally, id) !== undefined) return adopt(tally, id, request);
  if (cascades(request) && (observed.below ?? []).length > mostBelow)
    return refusal(requestReasons.invalidRequest, `cascade: more than ${mostBelow} jobs hang below ${observed.job.metadata.name}`);
  if (spec.retry !== undefined) return admitRetry(tally, request, spec.retry.run);
  if (!isReady(tally) || (spec.backfill !== undefined && !knowsCalendars(observed))) return unready(tally, request);
  if (spec.backfill === undefined) return admitRun(tally, request);
  if (tally.backfilling && observed.spec.concurrencyPolicy !== "Allow") {
    const message = "another backfill of the job is at work; this one follows it";
    return { phase: "Pending", reason: requestReasons.backfillAtWork, message };
  }
  tally.backfilling = true;
  return beginBackfill(observed, request);
}

/** The id of the run that a request asks for; undefined when it asks for none, for many, or for the retry of one that is not known. */
function runIdFor(tally: Tally, { spec, metadata }: JobRequest): string | undefined {
  const suffix = `-r${metadata.uid?.slice(0, 8)}`;
  if (spec.run !== undefined) return runIdOf(parseTime(metadata.creationTimestamp) ?? tally.observed.now) + suffix;
  if (spec.retry === undefined) return undefined;
  const asked = [...(tally.observed.job.status?.active ?? []), ...(tally.observed.job.status?.history ?? [])];
  const known = asked.find((entry) => entry.request === metadata.uid);
  if (known !== undefined) return known.run;
  const fireTime = parseTime(historyEntry(tally, spec.retry.run)?.fireTime);
  return fireTime === undefined ? undefined : runIdOf(fireTime) + suffix;
}

const historyEntry = (tally: Tally, run: string): ElasticJobRun | undefined =>
  tally.observed.job.status?.history?.find((entry) => entry.run === run);

/** What stands of a run in status. An entry that has ended tells more than one in history with the same id. */
function findRun(tally: Tally, run: string): ElasticJobRun | undefined {
  return tally.observed.job.status?.active?.find((entry) => entry.run === run) ?? historyEntry(tally, run);
}

/** The run stands in status, so it is not begun again, whoever recorded it (decision 16). */
function adopt(tally: Tally, run: string, request: JobRequest): RequestChange {
  if (tally.sorted.live.some((live) => live.id === run)) tally.held.add(run);
  const { job, below = [] } = tally.observed;
  const cascade = cascades(request) ? { cascade: firstEntries(job.metadata.name, below.slice(0, mostBelow)) } : {};
  return { phase: "Running", reason: requestReasons.accepted, run, ...cascade };
}

/** Whether new runs of the job can begin. */
const isReady = ({ observed, revision }: Tally): boolean =>
  observed.problems.length === 0 && revision.kind === "ready" && !observed.memory.namespaceTerminating;

/** What to say while they cannot: it is waited for, and refused when that has been too long. */
function unready(tally: Tally, request: JobRequest): RequestChange | undefined {
  const { observed, revision } = tally;
  const [problem] = observed.problems;
  const { calendars, memory, observing } = observed;
  let why: string | undefined;
  if (problem !== undefined) why = `${problem.path}: ${problem.message}`;
  else if (revision.kind === "refused") why = revision.message;
  else if (memory.namespaceTerminating) why = "the namespace is being deleted";
  else if (observing === true) why = "the namespace is annotated nuptse.dev/observe, so no run begins";
  else if (request.spec.backfill !== undefined && calendars.kind === "unusable") why = calendars.message;
  // A check that is under way is decided in a moment.
  if (why === undefined) return undefined;
  const message = `the job is not ready: ${why}`;
  const until = (parseTime(request.metadata.creationTimestamp) ?? observed.now) + jobPatienceMs;
  if (until <= observed.now) return refusal(requestReasons.jobNotReady, message);
  wake(tally, until);
  return { phase: "Pending", reason: requestReasons.waitingForJob, message };
}

/** Admits a run to status.active, unless too many wait there. */
function admitToLane(tally: Tally, run: LiveRun): RequestChange | undefined {
  const { concurrencyPolicy, maxEnqueued } = tally.observed.spec;
  const admitted = tally.admitted.filter((other) => other.run.kind !== "Backfill").length;
  if (concurrencyPolicy === "Enqueue" && tally.standing + admitted >= maxEnqueued)
    return refusal(requestReasons.queueFull, `${maxEnqueued} runs wait already, and maxEnqueued allows no more`);
  if (tally.waiting + admitted >= mostWaiting) {
    const message = `${mostWaiting} requested runs wait already; this one follows them`;
    return { phase: "Pending", reason: requestReasons.queueFull, message };
  }
  admit(tally, run, run.kind);
  return undefined;
}

function admit(tally: Tally, run: LiveRun, reason: string): void {
  tally.admitted.push({ run, reason, message: "" });
}

function admitRun(tally: Tally, request: JobRequest): RequestChange | undefined {
  const { observed, revision } = tally;
  if (revision.kind !== "ready") return undefined;
  const { parameter, options, items: text } = request.spec.run ?? {};
  const wrong = runOptionsProblem(observed.job.spec.options ?? [], options ?? {});
  if (wrong !== undefined) return invalid(wrong);
  const items = runItems(itemScope(observed), text);
  if (!(items instanceof IntervalSet)) return invalid(items);
  const fireTime = parseTime(request.metadata.creationTimestamp) ?? observed.now;
  const asked = {
    request: request.metadata.uid as string,
    ...(parameter !== undefined && { parameter }),
    ...(options !== undefined && { options }),
  };
  return admitToLane(tally, newRun(runIdFor(tally, request) as string, "Requested", fireTime, revision.name, items, asked));
}

/** The entry of an ended run that a request names, or what to say when there is none. */
function endedRun(tally: Tally, run: string): { readonly entry: ElasticJobRun } | { readonly change: RequestChange } {
  const entry = historyEntry(tally, run);
  if (entry !== undefined) return { entry };
  if (tally.sorted.live.some((live) => live.id === run))
    return { change: refusal(requestReasons.runNotEnded, `run ${run} has not ended; wait for its end, or cancel it first`) };
  return { change: refusal(requestReasons.runNotFound, `there is no run ${run} in the job's status.history`) };
}

function admitRetry(tally: Tally, request: JobRequest, run: string): RequestChange | undefined {
  const { observed } = tally;
  const found = endedRun(tally, run);
  if ("change" in found) return found.change;
  const named = found.entry;
  const items = IntervalSet.parse(named.failed);
  if (items.size === 0) return refusal(requestReasons.nothingToDo, `run ${run} has no failed items`);
  if (!observed.revisions.some((revision) => revision.metadata.name === named.revision))
    return refusal(requestReasons.runNotFound, `the revision ${named.revision} that run ${run} used does not exist any more`);
  const fireTime = parseTime(named.fireTime) ?? observed.now;
  const asked = { ...askedOf(named), request: request.metadata.uid as string, retryOf: run };
  return admitToLane(tally, newRun(runIdFor(tally, request) as string, "Retry", fireTime, named.revision as string, items, asked));
}

/** The request is Running before the run is told to end, so that a run that ends by itself meanwhile leaves no doubt. */
function beginCancel(tally: Tally, run: string): RequestChange {
  if (tally.sorted.live.some((live) => live.id === run)) {
    return { phase: "Running", reason: requestReasons.accepted, run, message: `run ${run} is told to end` };
  }
  const ended = historyEntry(tally, run) ?? tally.sorted.settling.find((entry) => entry.run === run);
  if (ended === undefined) return refusal(requestReasons.runNotFound, `the job has no run ${run}`);
  return refusal(requestReasons.runEnded, `run ${run} has ended already: ${ended.phase}`);
}

function markSucceeded(tally: Tally, request: JobRequest, run: string, text: string | undefined): RequestChange | undefined {
  const found = endedRun(tally, run);
  if ("change" in found) return found.change;
  const { entry } = found;
  const failed = IntervalSet.parse(entry.failed);
  const succeeded = IntervalSet.parse(entry.succeeded);
  let items: IntervalSet;
  try {
    items = text === undefined ? failed : IntervalSet.parse(text);
  } catch (error) {
    if (!(error instanceof IntervalSetError)) throw error;
    return refusal(requestReasons.invalidRequest, `spec.markSucceeded.items: ${error.message}`);
  }
  const foreign = new IntervalSet([...items].filter((item) => !failed.has(item) && !succeeded.has(item)));
  if (foreign.size > 0) return refusal(requestReasons.invalidRequest, `spec.markSucceeded.items: ${foreign} are no items of run ${run}`);
  const left = new IntervalSet([...items].filter((item) => failed.has(item)));
  if (left.size === 0) return { phase: "Succeeded", reason: requestReasons.completed, run, message: `run ${run} is ${entry.phase}` };
  tally.marked.set(run, { items: left, message: `items ${left} marked as succeeded by ${whoAsks(request)}` });
  return undefined;
}

const whoAsks = ({ metadata, spec }: JobRequest): string =>
  `JobRequest ${metadata.name}${spec.requestedBy === undefined ? "" : ` of ${spec.requestedBy}`}`;

/** A request that is under way. */
function goOn(tally: Tally, request: JobRequest): RequestChange | undefined {
  const { observed } = tally;
  const { spec, status = {} } = request;
  if (spec.suspend !== undefined) {
    const until = parseTime(spec.suspend.until) ?? Number.POSITIVE_INFINITY;
    if (until > observed.now) {
      wake(tally, until);
      return undefined;
    }
    return { phase: "Succeeded", reason: requestReasons.completed };
  }
  if (status.jobUid !== observed.job.metadata.uid) {
    const message = "the ElasticJob was deleted meanwhile, and another has its name";
    return { phase: "Failed", reason: requestReasons.jobReplaced, message };
  }
  if (spec.backfill !== undefined) return goOnWithBackfill(tally, request);
  const run = status.run ?? "";
  const live = tally.sorted.live.find((other) => other.id === run);
  if (spec.cancel !== undefined) {
    if (live === undefined) return afterCancel(findRun(tally, run), run);
    if (live.ending === undefined) tally.cancelled.set(run, `cancelled by ${whoAsks(request)}`);
    return undefined;
  }
  if (live !== undefined) return undefined;
  const own = entryOf(request, observed.job.metadata.name);
  if (own === undefined) return afterRun(findRun(tally, run), run);
  if (!isEntryOver(own)) return moveEntry(request, own.job, entryPhase(findRun(tally, run)), findRun(tally, run)?.message);
  // The request tells of its end, so its entry in status.active need not stay for the rest.
  tally.told.add(run);
  return cascadeEnd(request);
}

/** A run below that of a request for another job. */
function joinCascade(tally: Tally, request: JobRequest, begun: boolean): RequestChange | undefined {
  const { observed, revision } = tally;
  const { name } = observed.job.metadata;
  const run = cascadeRun(request);
  if (run === undefined) return undefined;
  const known = findRun(tally, run.id);
  const live = tally.sorted.live.some((other) => other.id === run.id);
  if (begun) return live ? undefined : moveEntry(request, name, entryPhase(known), known?.message);
  if (known !== undefined) {
    if (live) tally.held.add(run.id);
    return moveEntry(request, name, "Running");
  }
  const turn = cascadeTurn(request, observed.spec.after);
  if (turn.kind === "waits") return undefined;
  if (turn.kind === "skipped") return moveEntry(request, name, "Skipped", turn.message);
  if (revision.kind !== "ready" || !isReady(tally)) {
    const refused = observed.problems.length > 0 || revision.kind === "refused" || observed.memory.namespaceTerminating;
    return refused ? moveEntry(request, name, "Failed", "the job is not ready") : undefined;
  }
  const wrong = givenProblem(observed.job.spec.options ?? [], {});
  if (wrong !== undefined) return moveEntry(request, name, "Failed", `options.${wrong}`);
  // One that repeats a fire time corrects what is known of it.
  const retryOf = request.spec.retry === undefined ? {} : { retryOf: runIdOf(run.fireTime) };
  const kind = request.spec.retry === undefined ? "Requested" : "Retry";
  const items = itemsOf(observed);
  const asked = { request: request.metadata.uid as string, ...retryOf };
  admitToLane(tally, newRun(run.id, kind, run.fireTime, revision.name, items, asked));
  return undefined;
}

function afterCancel(entry: ElasticJobRun | undefined, run: string): RequestChange {
  // Gone from a short history: it has ended all the same.
  if (entry === undefined || entry.phase === "Cancelled")
    return { phase: "Succeeded", reason: requestReasons.completed, message: `run ${run} has ended` };
  return { phase: "Failed", reason: requestReasons.runEnded, message: `run ${run} ended as ${entry.phase} before it could be cancelled` };
}

function afterRun(entry: ElasticJobRun | undefined, run: string): RequestChange {
  const message = entry?.message ?? "";
  switch (entry?.phase) {
    case undefined:
      return { phase: "Failed", reason: requestReasons.runLost, message: `the job's status does not tell of run ${run} any more` };
    case "Succeeded":
      return { phase: "Succeeded", reason: requestReasons.completed, message };
    case "Cancelled":
      return { phase: "Failed", reason: requestReasons.runCancelled, message };
    default:
      return { phase: "Failed", reason: requestReasons.runFailed, message: `${entry?.reason}: ${message}` };
  }
}

function goOnWithBackfill(tally: Tally, request: JobRequest): RequestChange | undefined {
  const { observed, sorted, revision } = tally;
  const uid = request.metadata.uid as string;
  const runs: BackfillRun[] = [];
  let others = 0;
  for (const entry of observed.job.status?.active ?? []) {
    if (entry.kind !== "Backfill") continue;
    if (entry.request !== uid) {
      others++;
      continue;
    }
    const ended = hasEnded(entry) ? (entry.phase as BackfillRun["ended"]) : undefined;
    runs.push({ run: entry.run, fireTime: parseTime(entry.fireTime) as number, ...(ended !== undefined && { ended }) });
  }
  others += tally.admitted.filter(({ run }) => run.kind === "Backfill").length;
  const step = stepBackfill(observed, request, runs, others);
  for (const run of step.told) tally.told.add(run);
  // The next of them follow from that write.
  if (step.change !== undefined) return step.change;
  if (revision.kind !== "ready" || observed.problems.length > 0) return undefined;
  const items = itemsOf(observed);
  for (const { id, fireTime } of step.next) {
    if (sorted.live.some((live) => live.id === id)) continue;
    admit(tally, newRun(id, "Backfill", fireTime, revision.name, items, { request: uid }), "Backfill");
  }
  return undefined;
}
