import type { ElasticJobOutcome, ElasticJobRun, ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import { conditionReasons } from "../../api/reasons.ts";
import { clip } from "../../base/clip.ts";
import { mergePatch } from "../../base/diff.ts";
import { fnv1a32 } from "../../base/hash.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { formatMillis, formatSeconds, parseTime } from "../../base/time.ts";
import { isAsked } from "./attempt.ts";
import type { RunsStep } from "./concurrency.ts";
import { nextConditions } from "./conditions.ts";
import type { Lateness } from "./lateness.ts";
import type { ObservedJob } from "./observed.ts";
import { type AskedRun, askedOf } from "./live-run.ts";
import { markedRun } from "./marked-run.ts";
import type { RequestsStep } from "./requests.ts";
import { nextObserved } from "./observing.ts";
import type { RevisionStep } from "./revision.ts";
import { resultsOf, runEntry } from "./run-entry.ts";
import { fireTimeOf } from "./run-id.ts";
import type { RunStep } from "./run-step.ts";

/** Fire times without success that status tells of. */
const mostOutcomes = 200;
/** Ended items that may be at work's side unrecorded: a crash would judge so many again from their pods. */
const checkpointItems = 500;
/** A termination message is no longer. */
const mostReducedBytes = 4096;
const never = Number.POSITIVE_INFINITY;
const refusalReasons: Readonly<Record<string, string>> = {
  QuotaExceeded: conditionReasons.waitingForQuota,
  AdmissionRefused: conditionReasons.admissionRefused,
};

/** What decides the status besides the runs. */
export interface StatusInput {
  readonly revision: RevisionStep;
  readonly runs: RunsStep;
  readonly requests: RequestsStep;
  readonly schedule: { readonly hash: string; readonly since: number; readonly calendars?: string };
  /** What new runs need is being stored or read: a moment later one write says it all. */
  readonly pending: boolean;
  /** lastHandledFireTime was in the future and is set back. */
  readonly clockSkewed: boolean;
  readonly handledUpTo: number | undefined;
  readonly lateness: Lateness;
}

export interface StatusStep {
  /** The merge patch that is to be written now; undefined = nothing, or it can wait. */
  readonly patch?: Readonly<Record<string, unknown>>;
  readonly next: ElasticJobStatus;
  /** When a progress patch is due. */
  readonly wakeAt: number;
}

/**
 * The status as it ought to be, and whether it is time to write it. Ends, decisions and conditions are written at once; mere progress only
 * between 3 and 5 and at 15 s after a run's start, then every 30 s, and only when something moved; every write carries all that is known (decision 21).
 */
export function stepStatus(observed: ObservedJob, input: StatusInput): StatusStep {
  const { job, now } = observed;
  const current = job.status ?? {};
  const next = nextStatus(observed, input);
  if (input.pending && !observed.memory.namespaceTerminating && !isUrgentOfRuns(input.runs)) return { next, wakeAt: never };
  const patch = mergePatch(current as Record<string, unknown>, next as Record<string, unknown>);
  const moved = patch !== undefined && !onlyClockMoved(current, next);
  // Whatever moves later wakes the job by itself: a long run costs nothing while nothing happens.
  if (!moved) return { next, wakeAt: never };
  const firstMs = firstProgressMs(observed);
  const wakeAt = Math.min(...input.runs.steps.map((step) => progressDue(step, now, firstMs)), never);
  if (isUrgent(observed, input, next) || wakeAt <= now) return { patch: patch as Record<string, unknown>, next, wakeAt: never };
  return { next, wakeAt };
}

function nextStatus(observed: ObservedJob, input: StatusInput): ElasticJobStatus {
  const { revision, runs, requests, schedule, clockSkewed, handledUpTo, lateness } = input;
  const { job, spec, now } = observed;
  const current = job.status ?? {};
  const ended = runs.steps.filter((step) => step.outcome !== undefined).sort((a, b) => a.run.fireTime - b.run.fireTime);
  const live = runs.steps.filter((step) => step.outcome === undefined);
  const entryOf = (step: RunStep, activeRuns?: number): ElasticJobRun => {
    const entry = runEntry(step, spec, now, activeRuns);
    return lateness.late.has(step.run.id) ? { ...entry, late: true } : entry;
  };
  const active = [
    ...live.map((step) => entryOf(step, live.length)),
    ...requests.settling,
    ...ended.filter(({ run }) => requests.open.has(run.asked?.request ?? "")).map((step) => settlingEntry(entryOf(step))),
    ...runs.kept.map((kept) => waitingEntry(observed, kept)),
  ];
  const told = (current.history ?? []).map((run) => {
    const mark = requests.marked.get(run.run);
    return mark === undefined ? run : markedRun(run, mark.items, mark.message);
  });
  const history = trimmedHistory(
    told,
    ended.map((step) => entryOf(step)),
    spec.history,
  );
  // A backfill repeats the past: the newest run is another.
  const last = newestOf(
    ended.filter((step) => step.run.kind !== "Backfill"),
    current,
  );
  const corrected = told.filter((run) => requests.marked.has(run.run) && run.phase === "Succeeded");
  const outcomes = nextOutcomes(observed, ended, corrected, runs, schedule.since);
  const newest = told.toSorted((a, b) => ((a.fireTime ?? "") > (b.fireTime ?? "") ? -1 : 1))[0];
  const mended = corrected.find((run) => run === newest);
  const lastRun =
    last === undefined
      ? mended && { succeeded: true, message: `run ${mended.run}: ${mended.message}` }
      : { succeeded: last.outcome?.phase === "Succeeded", message: `run ${last.run.id}: ${last.outcome?.message || last.outcome?.phase}` };
  const fired = [
    parseTime(current.lastFireTime),
    ...runs.steps.filter(({ run }) => run.startedAt !== undefined && !isAsked(run.kind)).map((step) => step.run.fireTime),
  ];
  const lastFireTime = Math.max(...fired.map((time) => time ?? -never));
  const nextFireTime = namedAhead(runs) ?? nextFireTimeOf(observed);
  const assignments =
    live.findLast(({ resident }) => resident?.assignments !== undefined)?.resident?.assignments ?? keptAssignments(observed);
  const observedOnly = nextObserved(observed, runs.observed);
  const succeededNow = ended.some((step) => step.outcome?.phase === "Succeeded");
  const results = last === undefined ? current.results : resultsStatus(last, spec.resultBytes);
  return {
    observedGeneration: job.metadata.generation ?? 1,
    ...(nextFireTime !== undefined && { nextFireTime: formatSeconds(nextFireTime) }),
    ...(lastFireTime > -never && { lastFireTime: formatSeconds(lastFireTime) }),
    ...(handledUpTo !== undefined && { lastHandledFireTime: formatSeconds(handledUpTo) }),
    ...(succeededNow
      ? { lastSuccessTime: formatSeconds(now) }
      : current.lastSuccessTime !== undefined && { lastSuccessTime: current.lastSuccessTime }),
    consecutiveFailures: failuresSince(outcomes.notSucceeded ?? [], outcomes.lastSucceeded),
    ...(revision.kind === "ready"
      ? { currentRevision: revision.name }
      : current.currentRevision !== undefined && { currentRevision: current.currentRevision }),
    ...(revision.kind === "collision"
      ? { collisionCount: (current.collisionCount ?? 0) + 1 }
      : current.collisionCount !== undefined && { collisionCount: current.collisionCount }),
    summary: {
      ...(job.spec.schedule !== undefined && { schedule: job.spec.schedule.crons.join(", ") }),
      ...(job.spec.schedule === undefined && spec.after.length > 0 && { schedule: `after ${spec.after.map((one) => one.job).join(", ")}` }),
      ...summaryOf(active, history, current),
      ...(nextFireTime !== undefined && { next: observed.armed?.display(nextFireTime) as string }),
    },
    schedule: {
      hash: schedule.hash,
      since: formatSeconds(schedule.since),
      ...(schedule.calendars !== undefined && { calendars: schedule.calendars }),
    },
    ...(observedOnly !== undefined && { observed: observedOnly }),
    outcomes,
    ...(results !== undefined && { results }),
    ...(active.length > 0 && { active }),
    ...(assignments !== undefined && { assignments }),
    ...(history.length > 0 && { history }),
    conditions: nextConditions(observed, revision, clockSkewed, refusalOf(live), lastRun, lateness),
  };
}

/** Who has which items, for as long as the job has to do with that fleet. */
function keptAssignments({ job }: ObservedJob): ElasticJobStatus["assignments"] {
  const { assignments, active = [] } = job.status ?? {};
  const isUsed = assignments?.runner === job.spec.runnerRef?.name || active.some(({ runner }) => runner === assignments?.runner);
  return isUsed ? assignments : undefined;
}

/** The newest run that ends now, unless status tells of one of a later fire time already: one that began earlier may end later. */
function newestOf(ended: readonly RunStep[], { history = [], results }: ElasticJobStatus): RunStep | undefined {
  const last = ended.at(-1);
  const known = [fireTimeOf(results?.run ?? ""), ...history.map((run) => parseTime(run.fireTime))];
  return last === undefined || known.some((time) => time !== undefined && time > last.run.fireTime) ? undefined : last;
}

/** A run that begins without a record of its own stays named until it has an entry. */
function namedAhead({ fired }: RunsStep): number | undefined {
  return fired.find(({ resident }) => resident?.isNamedAhead === true)?.run.fireTime;
}

/** The logical fire time of the next run; it may lie before now by the job's jitter. */
function nextFireTimeOf({ armed, calendars, spec, job, now, jitterMs }: ObservedJob): number | undefined {
  if (armed === undefined || spec.suspend || calendars.kind === "unusable") return undefined;
  return calendars.kind === "loading" ? parseTime(job.status?.nextFireTime) : armed.schedule.next(now - jitterMs);
}

/** The refusal that a run waits for, as a condition's reason. */
function refusalOf(steps: readonly RunStep[]): { readonly reason: string; readonly message: string } | undefined {
  for (const { waitReason } of steps) {
    const reason = refusalReasons[waitReason?.reason ?? ""];
    if (reason !== undefined) return { reason, message: waitReason?.message ?? "" };
  }
  return undefined;
}

function waitingEntry(observed: ObservedJob, { run, reason, message }: RunsStep["kept"][number]): ElasticJobRun {
  return {
    run: run.id,
    kind: run.kind,
    phase: "Waiting",
    reason,
    message,
    revision: run.revision,
    fireTime: formatSeconds(run.fireTime),
    ...run.asked,
    items: run.items.toString(),
    total: run.items.size,
    updatedAt: formatMillis(observed.now),
  };
}

/** What stays in `active` of a run whose end stands in history, until its request tells of it too (decision 16). */
function settlingEntry(ended: ElasticJobRun): ElasticJobRun {
  const { failures: _failures, results: _results, ...entry } = ended;
  return entry;
}

/** Newest first: so many that succeeded, so many that did not. */
function trimmedHistory(
  history: readonly ElasticJobRun[],
  ended: readonly ElasticJobRun[],
  limits: { readonly succeeded: number; readonly failed: number },
): readonly ElasticJobRun[] {
  const left = { succeeded: limits.succeeded, failed: limits.failed };
  return [...[...ended].reverse(), ...history].filter((run) => left[run.phase === "Succeeded" ? "succeeded" : "failed"]-- > 0);
}

function resultsStatus(last: RunStep, maxBytes: number): NonNullable<ElasticJobStatus["results"]> {
  const { items, omitted } = resultsOf(last, maxBytes);
  const reduced = last.reduce?.phase === "Succeeded" ? (last.reduce.end?.verdict?.message ?? "") : "";
  return {
    run: last.run.id,
    items,
    ...(reduced !== "" && { reduce: clip(reduced, mostReducedBytes) }),
    ...(omitted > 0 && { omitted }),
  };
}

/** Which fire times did not succeed, in their order: what counts in a row is read from here, whatever order ends came in (decision 48). */
function nextOutcomes(
  observed: ObservedJob,
  ended: readonly RunStep[],
  corrected: readonly ElasticJobRun[],
  runs: RunsStep,
  since: number,
): NonNullable<ElasticJobStatus["outcomes"]> {
  const current = observed.job.status?.outcomes;
  const listed = new Map((current?.notSucceeded ?? []).map((entry) => [entry.fireTime as string, entry]));
  let lastSucceeded = parseTime(current?.lastSucceeded) ?? -never;
  for (const time of runs.skipped.times) listed.set(formatSeconds(time), { fireTime: formatSeconds(time), outcome: "Skipped" });
  for (const { run, outcome } of ended) {
    const fireTime = formatSeconds(run.fireTime);
    // What was repeated can only improve what is known of a fire time; a run of its own stands for none.
    if (isAsked(run.kind) && (outcome?.phase !== "Succeeded" || !listed.has(fireTime) || !repeatsFireTime(observed, run))) continue;
    if (outcome?.phase === "Succeeded") {
      listed.delete(fireTime);
      lastSucceeded = Math.max(lastSucceeded, run.fireTime);
    } else listed.set(fireTime, { fireTime, outcome: outcome?.phase as string });
  }
  for (const run of corrected)
    if (!isAsked(run.kind) || repeatsFireTime(observed, { kind: run.kind, asked: askedOf(run) })) listed.delete(run.fireTime as string);
  const sorted = [...listed.values()].sort((a, b) => ((a.fireTime as string) < (b.fireTime as string) ? -1 : 1));
  const kept = sorted.slice(-mostOutcomes);
  const from =
    sorted.length > mostOutcomes ? (sorted[sorted.length - mostOutcomes - 1]?.fireTime as string) : (current?.from ?? formatSeconds(since));
  // What an edit or a suspension dropped is not listed, and has not succeeded either.
  const begins = formatSeconds(Math.max(parseTime(from) ?? since, since, runs.unknownUpTo ?? since));
  return { from: begins, ...(lastSucceeded > -never && { lastSucceeded: formatSeconds(lastSucceeded) }), notSucceeded: kept };
}

/** Whether what was asked for repeats the run of a fire time of the schedule, perhaps by way of other retries. */
function repeatsFireTime({ job }: ObservedJob, { kind, asked }: { readonly kind: string; readonly asked?: AskedRun | undefined }): boolean {
  if (kind === "Backfill") return true;
  let run = asked?.retryOf;
  for (let link = 0; run !== undefined && link < 20; link++) {
    const named: string = run;
    if (fireTimeOf(named) !== undefined || /-b[0-9a-f]{8}$/.test(named)) return true;
    run = job.status?.history?.find((entry) => entry.run === named)?.retryOf;
  }
  return false;
}

function failuresSince(notSucceeded: readonly ElasticJobOutcome[], lastSucceeded: string | undefined): number {
  return notSucceeded.filter(
    (entry) => entry.outcome === "Failed" && (lastSucceeded === undefined || (entry.fireTime as string) > lastSucceeded),
  ).length;
}

function summaryOf(active: readonly ElasticJobRun[], history: readonly ElasticJobRun[], current: ElasticJobStatus) {
  const newest =
    [...active, ...history]
      .filter((run) => run.phase !== "Waiting")
      .sort((a, b) => ((a.fireTime ?? "") > (b.fireTime ?? "") ? -1 : 1))[0] ?? active[0];
  if (newest === undefined) {
    const { progress, lastRun } = current.summary ?? {};
    return { ...(progress !== undefined && { progress }), ...(lastRun !== undefined && { lastRun }) };
  }
  const ended = sizeOf(newest.succeeded) + sizeOf(newest.failed);
  return { progress: `${ended}/${newest.total ?? 0}`, lastRun: newest.phase as string };
}

const sizeOf = (set: string | undefined): number => IntervalSet.parse(set).size;

/** Whether all that differs are the times at which entries were written. */
function onlyClockMoved(current: ElasticJobStatus, next: ElasticJobStatus): boolean {
  const still = (status: ElasticJobStatus) => ({
    ...status,
    nextFireTime: undefined,
    summary: { ...status.summary, next: undefined },
    active: status.active?.map((run) => ({ ...run, updatedAt: undefined })),
  });
  return mergePatch(still(current) as Record<string, unknown>, still(next) as Record<string, unknown>) === undefined;
}

/** Something that must not wait for the next progress patch. */
function isUrgent(observed: ObservedJob, { runs, requests, clockSkewed, lateness }: StatusInput, next: ElasticJobStatus): boolean {
  const current = observed.job.status ?? {};
  if (clockSkewed || requests.settled || requests.marked.size > 0 || lateness.newlyLate.length > 0 || isUrgentOfRuns(runs)) return true;
  if (current.schedule?.hash !== next.schedule?.hash || current.observedGeneration !== next.observedGeneration) return true;
  if (current.currentRevision !== next.currentRevision || current.collisionCount !== next.collisionCount) return true;
  const waits: readonly string[] = Object.values(refusalReasons);
  const reasons = (status: ElasticJobStatus) =>
    status.conditions
      ?.map(({ type, status: is, reason }) => `${type}=${is}:${waits.includes(reason) ? conditionReasons.armed : reason}`)
      .join();
  return reasons(current) !== reasons(next);
}

/** An end or a decision about a run: nothing goes on before it is recorded. */
function isUrgentOfRuns(runs: RunsStep): boolean {
  if (runs.urgent) return true;
  return runs.steps.some(
    (step) =>
      step.outcome !== undefined ||
      step.newStops.length > 0 ||
      step.turn?.isOutdated === true ||
      (step.newEnding !== undefined && step.run.ending === undefined) ||
      step.ended.length >= checkpointItems ||
      (step.resident?.assigned.length ?? 0) > 0 ||
      // A refusal is told once; that it is over can wait.
      (step.waitReason !== undefined && step.run.recorded?.reason !== step.waitReason.reason),
  );
}

/** When the next progress patch of a run is due; what was written last tells which points have been served. */
function progressDue({ run, outcome }: RunStep, now: number, firstMs: number): number {
  if (run.startedAt === undefined || outcome !== undefined) return never;
  const written = parseTime(run.recorded?.updatedAt) ?? run.startedAt;
  return pointAfter(run.startedAt, Math.min(written, now), firstMs);
}

/** Not the same for all jobs: thousands of runs may begin together, and an API server takes some hundred patches a second. */
const earliestProgressMs = 3000;
const latestProgressMs = 5000;

/** From a run's start to its first progress patch: always the same for one job. */
function firstProgressMs({ job }: ObservedJob): number {
  return earliestProgressMs + (fnv1a32(job.metadata.uid as string) % (latestProgressMs - earliestProgressMs + 1));
}

/** The first point, 15 s, then every 30 s: the first of these after an instant. */
function pointAfter(startedAt: number, instant: number, firstMs: number): number {
  const age = Math.max(0, instant - startedAt) / 1000;
  if (age * 1000 < firstMs) return startedAt + firstMs;
  return startedAt + (15 + 30 * Math.max(0, Math.floor((age - 15) / 30) + 1)) * 1000;
}
