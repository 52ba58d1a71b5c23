import type { Action, EventAction, Plan } from "../../api/action.ts";
import type { WorkloadWant } from "../../api/admission.ts";
import { clockOffWaitMs, isClockOff } from "../../api/clock-skew.ts";
import type { ElasticJobRunFailure, ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import type { Notification } from "../../api/notification.ts";
import { conditionReasons, conditionTypes, eventReasons } from "../../api/reasons.ts";
import { itemLabel, reduceItem } from "../../api/names.ts";
import { controllerRevisions, elasticJobs } from "../../api/resource.ts";
import { shortHash } from "../../base/hash.ts";
import { parseTime } from "../../base/time.ts";
import type { Verdict } from "./attempt.ts";
import { isAsked } from "./attempt.ts";
import { type RunsStep, stepRuns } from "./concurrency.ts";
import { lateText, queueAwaitedUntil } from "./conditions.ts";
import { type Lateness, lateness } from "./lateness.ts";
import { sortPods } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import type { EndedItem } from "./ended-item.ts";
import { notificationsOf } from "./notifications.ts";
import { stepRequests } from "./requests.ts";
import { collectResultsFiles } from "./results-file.ts";
import { retain } from "./retention.ts";
import { PlaceBudgets } from "./resident/place-budget.ts";
import type { PlaceClaim } from "./resident/observed-fleet.ts";
import { questionOf } from "./resident/uncertain-run.ts";
import { collectRevisions, stepRevision, withRestored } from "./revision.ts";
import type { QueueTurn } from "./queue-turn.ts";
import type { RunStep } from "./run-step.ts";
import { stepStatus } from "./status.ts";
import { resumedAt, suspended, withSuspension } from "./suspension.ts";
import type { TracedPlan } from "./trace-rows.ts";

/** A plan, and what is to be counted once it has been carried out. */
export interface ElasticJobPlan extends Plan {
  /** Fire times whose first pods this plan creates. */
  readonly fired: readonly { readonly run: string; readonly fireTime: number; readonly dueAt: number; readonly kind: string }[];
  /** Counted when the status write is acknowledged. */
  readonly recorded: {
    readonly ended: readonly { readonly kind: string; readonly phase: string }[];
    readonly skipped: Readonly<Record<string, number>>;
    readonly attempts: readonly Verdict["outcome"][];
    /** Nodes on which items failed that have succeeded elsewhere since. */
    readonly badNodes: readonly string[];
    /** Whom to tell of it. */
    readonly notifications: readonly Notification[];
  };
  /** What the event trace tells once the plan has been carried out; absent when nothing was thought about. */
  readonly traced?: TracedPlan;
  readonly strays: number;
  readonly waiting: readonly string[];
  /** What runs ask of their queues; absent when nothing was thought about, or that cannot be told: then what they asked for stands. */
  readonly wants?: readonly WorkloadWant[];
  /** What it has at work in fleets, and what it waits for there; absent when nothing was thought about: then what was said before stands. */
  readonly places?: readonly PlaceClaim[];
}

/**
 * The whole of the thinking about one ElasticJob, once it is known what of it has begun:
 * 1. what runs are pinned to (a revision that the API server has accepted),
 * 2. which schedule lastHandledFireTime is about; an edit or a resume never fires for the past (decision 12),
 * 3. what JobRequests ask for, every run that goes on, then the fire times that have come,
 * 4. the status, written when something must not wait,
 * 5. pods and revisions that nothing needs any more.
 */
export function planElasticJob(given: ObservedJob): ElasticJobPlan {
  const budgets = given.fleets === undefined ? undefined : new PlaceBudgets(given.fleets, given.pods);
  const observed: ObservedJob = { ...withSuspension(given), ...(budgets !== undefined && { budgets }) };
  const { job, now } = observed;
  if (job.metadata.deletionTimestamp !== undefined) return { ...nothingToDo, reasons: ["being deleted"] };
  if (isClockOff(observed)) return { ...nothingToDo, reasons: ["the clock is off"], wakeAt: now + clockOffWaitMs };
  const question = questionOf(observed);
  if (question !== undefined) return { ...nothingToDo, ...question, ...placesOf(observed) };
  const status = job.status ?? {};
  const revision = stepRevision(observed);

  const recordedHash = status.schedule?.hash;
  // Until calendars and parameters are read, and the calendars' content is stored, the schedule that is recorded stays the one that counts.
  const reading = observed.parameters?.kind === "loading";
  const unready = reading || areCalendarsPending(observed) || isChangeProvisional(observed, revision.kind === "refused");
  const hash = unready ? (recordedHash ?? "") : scheduleHash(observed, revision.kind === "refused");
  const known = recordedHash === hash;
  const created = parseTime(job.metadata.creationTimestamp) ?? now;
  const stored = parseTime(status.lastHandledFireTime);
  const storedSince = parseTime(status.schedule?.since);
  const future = futureOf(observed);
  const clockSkewed = Math.max(stored ?? 0, storedSince ?? 0) > future;
  const changedAt = known ? now : whenChanged(observed, recordedHash, revision.kind === "refused");
  const since = recordedHash === undefined ? created : known && (storedSince ?? 0) <= future ? (storedSince ?? created) : changedAt;
  const handled = clockSkewed
    ? Math.min(now, observed.serverNow ?? now)
    : known || recordedHash === undefined
      ? stored
      : Math.max(stored ?? 0, changedAt);

  const sorted = sortPods(status, observed.pods, observed.vanished);
  const { ended } = sorted;
  const newest = revision.kind === "ready" ? revision.name : undefined;
  const live = withRestored(observed, sorted.live, newest);
  const requests = stepRequests(observed, { ...sorted, live }, revision);
  const refused = observed.problems.length > 0 || observed.dependencies?.refusal !== undefined;
  const accepted = revision.kind === "ready" || (observed.observing === true && revision.kind !== "refused");
  const armed = !unready && observed.calendars.kind !== "unusable" && !refused;
  const mayFire = known && !clockSkewed && accepted && armed && !observed.spec.suspend;
  const after = Math.max(handled ?? Number.NEGATIVE_INFINITY, since);
  const runs = stepRuns(observed, live, newest, mayFire, after, recordedHash !== undefined && !known, requests);

  const handledUpTo = highestHandled(handled, runs);
  const late = lateness(observed, runs.steps);
  const calendars = calendarRevision(observed, unready);
  const schedule = { hash, since, ...(calendars !== undefined && { calendars }) };
  const pending = revision.kind === "pending" || unready;
  const written = stepStatus(observed, { revision, runs, requests, schedule, pending, clockSkewed, handledUpTo, lateness: late });
  const retention = retain(observed, ended);
  const events = written.patch === undefined ? [] : eventsOf(observed, runs, late, clockSkewed, written.next);
  const actions: Action[] = [
    ...("actions" in revision ? revision.actions : []),
    ...keepCalendars(observed),
    ...[...runs.steps, ...runs.fired].flatMap((step) => step.actions),
    ...requests.actions,
    ...retention.actions,
    ...retention.strays.map((pod) => strayEvent(observed, pod.metadata.name, pod.run)),
    ...events,
    ...collectResultsFiles(observed, live, ended),
    ...(newest === undefined ? [] : collectRevisions(observed, newest, live)),
  ];
  const wakeAt = Math.min(
    runs.wakeAt,
    requests.wakeAt,
    late.wakeAt,
    written.wakeAt,
    retention.wakeAt,
    queueAwaitedUntil(observed) ?? Number.POSITIVE_INFINITY,
    ...[...runs.steps, ...runs.fired].map((step) => step.wakeAt),
  );
  return {
    actions,
    ...(written.patch !== undefined && { status: { resource: elasticJobs, object: job, status: written.patch } }),
    ...(wakeAt < Number.POSITIVE_INFINITY && { wakeAt }),
    reasons: reasonsOf(runs),
    fired: runs.fired.map(({ run }) => ({ run: run.id, fireTime: run.fireTime, dueAt: run.fireTime + observed.jitterMs, kind: run.kind })),
    recorded: {
      ended: runs.steps.flatMap((step) => (step.outcome === undefined ? [] : [{ kind: step.run.kind, phase: step.outcome.phase }])),
      skipped: runs.skipped.counts,
      attempts: runs.steps.flatMap((step) => [...step.ended, step.reduce?.end].flatMap((end) => end?.verdict?.outcome ?? [])),
      badNodes: runs.steps.flatMap(({ ended }) => ended.flatMap(badNodes)),
      notifications: written.patch === undefined ? [] : notificationsOf(observed, runs, late, written.next),
    },
    traced: { steps: runs.steps, next: written.next, skipped: runs.skipped },
    strays: retention.strays.length,
    waiting: runs.steps.flatMap((step) => step.waitReason?.reason ?? []),
    ...wantsOf([...runs.steps, ...runs.fired]),
    ...placesOf(observed),
  };
}

function placesOf({ budgets, spec }: ObservedJob): Pick<ElasticJobPlan, "places"> {
  return budgets === undefined ? {} : { places: budgets.claims(spec.queue.priority) };
}

/** Revisions go before their job where it is deleted: what its pods take until then is theirs as before. */
function wantsOf(steps: readonly { readonly turn?: QueueTurn }[]): Pick<ElasticJobPlan, "wants"> {
  if (steps.some(({ turn }) => turn?.isUnknown === true)) return {};
  return { wants: steps.flatMap(({ turn }) => turn?.want ?? []) };
}

/**
 * What fails everywhere tells nothing of nodes, so they are blamed when the item succeeds on another one; and where it was lost on one of them, be it by
 * a drain or a preemption, nothing is said of any.
 */
function badNodes({ pod, verdict }: EndedItem): readonly string[] {
  if (verdict?.outcome !== "Succeeded" || pod === undefined || pod.history.lost > 0) return [];
  return pod.history.nodes.filter((node) => node !== pod.node);
}

/** A plan that writes nothing. */
export const nothingToDo: ElasticJobPlan = {
  actions: [],
  reasons: [],
  fired: [],
  recorded: { ended: [], skipped: {}, attempts: [], badNodes: [], notifications: [] },
  strays: 0,
  waiting: [],
};

/**
 * From where on what is stored lies in a future that only a leader with a wrong clock can have handled (decision 11); Infinity while the
 * server's time is not known.
 */
function futureOf({ serverNow, maxClockSkewMs }: ObservedJob): number {
  return maxClockSkewMs > 0 && serverNow !== undefined ? serverNow + maxClockSkewMs : Number.POSITIVE_INFINITY;
}

const scheduleHashes = new WeakMap<ObservedJob["pinned"], { readonly of: string; readonly hash: string }>();

/**
 * Over everything that decides when the job fires. A template or a dependency that is refused disarms it like suspend does, and so does a
 * namespace that is only observed. Hashed anew when that changes, not for each plan.
 */
function scheduleHash({ scheduleText, pinned, dependencies, observing }: ObservedJob, refused: boolean): string {
  const { refusal } = dependencies ?? {};
  const of = `${scheduleText} ${refused}${refusal === undefined ? "" : ` ${refusal.reason}`}${observing === true ? " observing" : ""}`;
  const known = scheduleHashes.get(pinned);
  if (known?.of === of) return known.hash;
  const hash = shortHash(of, 16);
  scheduleHashes.set(pinned, { of, hash });
  return hash;
}

/** Not read yet, or read and not stored yet. An observed namespace is only looked at, so nothing is stored in it. */
function areCalendarsPending({ calendars, observing }: ObservedJob): boolean {
  return calendars.kind === "loading" || (calendars.kind === "usable" && !calendars.stored && observing !== true);
}

/** A new leader that has not read a calendar goes on by what was good last, and only if that is what was in force. */
function isChangeProvisional(observed: ObservedJob, refused: boolean): boolean {
  const { calendars, job } = observed;
  const isProvisional = calendars.kind === "usable" && calendars.provisional === true;
  return isProvisional && job.status?.schedule?.hash !== scheduleHash(observed, refused);
}

/** The revision of the calendars in force; of what cannot be used now, the last that could. */
function calendarRevision({ job, calendars }: ObservedJob, unready: boolean): string | undefined {
  if (calendars.kind === "none") return undefined;
  return calendars.kind === "usable" && calendars.stored && !unready ? calendars.revision.metadata.name : job.status?.schedule?.calendars;
}

function keepCalendars(observed: ObservedJob): readonly Action[] {
  const { calendars, memory, observing } = observed;
  if (calendars.kind !== "usable" || calendars.stored || observing === true || memory.namespaceTerminating) return [];
  return [{ tag: "create", resource: controllerRevisions, object: calendars.revision }];
}

/**
 * From when on the schedule counts that is not the recorded one: now; or, when nothing changed but that a JobRequest's suspension is over,
 * from just before its end.
 */
function whenChanged(observed: ObservedJob, recordedHash: string | undefined, refused: boolean): number {
  const end = resumedAt(observed);
  if (end === undefined || observed.suspendedBy !== undefined) return observed.now;
  return recordedHash === scheduleHash(suspended(observed, ""), refused) ? end - 1000 : observed.now;
}

/**
 * lastHandledFireTime passes a fire time only when its run stands in status, or it is settled for good (elasticjob.md section 2). Runs
 * that begin in this plan have no record yet, so it stays before them.
 */
function highestHandled(handled: number | undefined, runs: RunsStep): number | undefined {
  const limit = Math.min(runs.firstOpen, ...runs.fired.map((step) => step.run.fireTime));
  const stood = [...runs.steps, ...runs.kept].filter(({ run }) => !isAsked(run.kind));
  const candidates = [runs.settledUpTo, ...stood.map(({ run }) => run.fireTime)];
  let highest = handled;
  for (const time of candidates) if (time !== undefined && time < limit && (highest === undefined || time > highest)) highest = time;
  return highest;
}

/** Waits for an upstream that end only when somebody does something; a run that merely waits for another to end is no news. */
const unusualWaits: ReadonlySet<string> = new Set(["DependencyMissing", "UpstreamSuspended"]);

function eventsOf(
  observed: ObservedJob,
  runs: RunsStep,
  late: Lateness,
  clockSkewed: boolean,
  next: ElasticJobStatus,
): readonly EventAction[] {
  const { job } = observed;
  const conditions = next.conditions ?? [];
  const event = (type: EventAction["type"], reason: string, note: string): EventAction => ({
    tag: "event",
    regarding: job,
    type,
    reason,
    note: note.slice(0, 1024),
  });
  const events: EventAction[] = [];
  const failures = job.status?.consecutiveFailures ?? 0;
  for (const step of runs.steps) {
    if (step.outcome?.reason === "DependencyTimeout")
      events.push(event("Warning", eventReasons.dependencyTimeout, `run ${step.run.id} failed: ${step.outcome.message}`));
    else if (step.outcome?.phase === "Failed") events.push(event("Warning", eventReasons.runFailed, failureNote(observed, step)));
    // Over outcomes in the order of fire times: an older run that ends late recovers nothing (decision 48).
    if (step.outcome?.phase === "Succeeded" && failures > 0 && next.consecutiveFailures === 0)
      events.push(event("Normal", eventReasons.runRecovered, `run ${step.run.id} succeeded after ${failures} failed`));
    const waits = step.waitReason;
    if (waits !== undefined && step.run.recorded?.reason !== waits.reason && waits.reason !== "DependencyPending")
      events.push(event("Warning", eventReasons.runWaiting, `run ${step.run.id} waits: ${waits.reason}: ${waits.message}`));
  }
  for (const { run, reason, message } of runs.kept)
    if (unusualWaits.has(reason)) events.push(event("Warning", eventReasons.runWaiting, `run ${run.id} waits: ${reason}: ${message}`));
  for (const run of late.newlyLate) events.push(event("Warning", eventReasons.runLate, lateText(observed, run.id)));
  for (const [why, count] of Object.entries(runs.skipped.counts)) {
    const newest = runs.skipped.times.at(-1);
    const which = newest === undefined ? "" : `, the newest at ${new Date(newest).toISOString()}`;
    const because = why === "DependencyNotMet" && runs.skipped.because !== undefined ? `: ${runs.skipped.because}` : "";
    events.push(event("Normal", eventReasons.runSkipped, `${count} fire times skipped (${why})${which}${because}`));
  }
  const before = job.status?.conditions?.find((condition) => condition.type === conditionTypes.ready);
  const ready = conditions.find((condition) => condition.type === conditionTypes.ready);
  if (ready !== undefined && (before?.reason !== ready.reason || before.message !== ready.message)) {
    const told: Record<string, string> = {
      [conditionReasons.invalidSpec]: eventReasons.invalidSpec,
      [conditionReasons.dependencyCycle]: eventReasons.dependencyCycle,
      [conditionReasons.templateRefused]: eventReasons.templateRefused,
      [conditionReasons.clockSkew]: eventReasons.clockSkew,
      [conditionReasons.calendarMissing]: eventReasons.calendarMissing,
      [conditionReasons.parametersMissing]: eventReasons.parametersMissing,
      [conditionReasons.calendarInvalid]: eventReasons.calendarInvalid,
      [conditionReasons.calendarKept]: eventReasons.calendarInvalid,
    };
    const reason = told[ready.reason];
    if (reason !== undefined) events.push(event("Warning", reason, ready.message));
  }
  if (clockSkewed && !events.some((known) => known.reason === eventReasons.clockSkew))
    events.push(
      event("Warning", eventReasons.clockSkew, "lastHandledFireTime was ahead of the API server's clock and has been set back to now"),
    );
  return events;
}

/** What failed, how, where, and the next step for whoever reads it. */
function failureNote(observed: ObservedJob, step: RunStep): string {
  const { run, outcome } = step;
  const failed = failuresOf(step);
  const items = failed.slice(0, 10).map((item) => item.item);
  const codes = [...new Set(failed.flatMap((item) => item.exitCode ?? []))].slice(0, 3);
  const nodes = [...new Set(failed.flatMap((item) => item.node ?? []))].slice(0, 5);
  const attempts = Math.max(0, ...failed.map((item) => item.attempt ?? 0));
  const what =
    outcome?.reason === "ItemsFailed"
      ? `items ${items.join(",")}${failed.length > items.length ? ",..." : ""}`
      : `${outcome?.reason}: ${outcome?.message}`;
  const how = codes.length === 0 ? "" : ` exit ${codes.join(",")}`;
  const tries =
    attempts === 0
      ? ""
      : ` after ${attempts} attempt${attempts === 1 ? "" : "s"}${nodes.length === 0 ? "" : ` (${step.resident === undefined ? "nodes" : "instances"} ${nodes.join(", ")})`}`;
  const told = `run ${run.id} failed: ${what}${how}${tries}`;
  if (step.resident !== undefined)
    return `${told}; see: kubectl nuptse status ${observed.job.metadata.name} -n ${observed.job.metadata.namespace}`;
  const item = outcome?.reason === "ReduceFailed" ? itemLabel(reduceItem) : items[0];
  const selector = `nuptse.dev/job=${observed.job.metadata.name},nuptse.dev/run=${run.id}${item === undefined ? "" : `,nuptse.dev/item=${item}`}`;
  return `${told}; see: kubectl logs -n ${observed.job.metadata.namespace} -l ${selector}`;
}

/** Items that failed by themselves, if any did; else those that were cancelled. */
function failuresOf({ run, ended }: RunStep): readonly ElasticJobRunFailure[] {
  const recorded = run.recorded?.failures ?? [];
  const now = ended.flatMap(({ item, succeeded, reason, pod, verdict }): readonly ElasticJobRunFailure[] => {
    const { exitCode } = verdict ?? {};
    if (succeeded) return [];
    const where = { ...(pod?.node !== undefined && { node: pod.node }), ...(pod !== undefined && { attempt: pod.attempt }) };
    return [{ item, reason, ...where, ...(exitCode !== undefined && { exitCode }) }];
  });
  const all = [...recorded, ...now];
  const own = all.filter((failure) => failure.reason !== "Cancelled");
  return own.length > 0 ? own : all;
}

function strayEvent(observed: ObservedJob, pod: string, run: string): EventAction {
  const note = `pod ${pod} was at work although run ${run} has ended; it was started by a leader that had been deposed, and is deleted`;
  return { tag: "event", regarding: observed.job, type: "Warning", reason: eventReasons.strayPod, note };
}

function reasonsOf(runs: RunsStep): readonly string[] {
  const reasons = runs.fired.map((step) => `fires ${step.run.id}`);
  for (const step of runs.steps) {
    if (step.outcome !== undefined) reasons.push(`${step.run.id} ended: ${step.outcome.phase} (${step.outcome.reason})`);
    else if (step.waitReason !== undefined) reasons.push(`${step.run.id} waits: ${step.waitReason.reason}`);
  }
  for (const kept of runs.kept) reasons.push(`keeps ${kept.run.id}: ${kept.reason}`);
  for (const [why, count] of Object.entries(runs.skipped.counts)) reasons.push(`skips ${count}: ${why}`);
  return reasons;
}
