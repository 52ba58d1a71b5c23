import type { ActionResult } from "../../api/action.ts";
import type { ElasticJobRun, ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import { itemLabel, labels } from "../../api/names.ts";
import { longestFailureCause, longestStateMessage, type TraceAttempt, type TraceRow, type TraceState } from "../../api/trace.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { parseTime } from "../../base/time.ts";
import { type AttemptPod, judge, type Verdict } from "./attempt.ts";
import type { ObservedJob } from "./observed.ts";
import { runEntry } from "./run-entry.ts";
import { runIdOf } from "./run-id.ts";
import { verdictOf } from "./attempt-verdict.ts";
import type { RunStep } from "./run-step.ts";

/** What of a plan the event trace tells about. */
export interface TracedPlan {
  readonly steps: readonly RunStep[];
  /** The status that the plan writes. */
  readonly next: ElasticJobStatus;
  readonly skipped: { readonly counts: Readonly<Record<string, number>>; readonly times: readonly number[] };
}

/** How long before a leader's term a run may have ended for its rows to be told again: what the leader before had not delivered yet. */
const retoldMs = 10 * 60_000;

/**
 * The rows of what a status write has just recorded: each attempt that ended its item, with the attempts before it, and each change of
 * state. To be delivered once the write is acknowledged; the same row may come again after a crash, and stores keep it once.
 */
export function recordedRows(observed: ObservedJob, plan: TracedPlan): readonly TraceRow[] {
  const rows: TraceRow[] = [];
  for (const step of plan.steps) rows.push(...endedAttempts(observed, step), ...followedAttempts(observed, step));
  rows.push(...stateRows(observed, plan));
  return rows;
}

/** The rows of attempts at executors whose successors stand in the same write. */
function followedAttempts(observed: ObservedJob, { passed, resident }: RunStep): readonly TraceRow[] {
  if (resident === undefined || passed === undefined) return [];
  const followed = new Set(resident.assigned.map(({ item, attempt }) => `${item}/${attempt - 1}`));
  return passed
    .filter(({ pod }) => followed.has(`${pod.item}/${pod.attempt}`))
    .map(({ pod, verdict }) => attemptRow(observed, pod, verdict));
}

/** The rows of attempts whose successors this plan has created: the pod of the next attempt is their record. */
export function retriedRows(observed: ObservedJob, plan: TracedPlan, results: readonly ActionResult[]): readonly TraceRow[] {
  if (!plan.steps.some((step) => (step.passed?.length ?? 0) > 0)) return [];
  const made = new Set<string>();
  for (const { action, outcome } of results) {
    if (action.tag !== "create" || (outcome.kind !== "done" && outcome.kind !== "exists")) continue;
    const own = action.object.metadata.labels ?? {};
    made.add(`${own[labels.run]}/${own[labels.item]}/${own[labels.attempt]}`);
  }
  return plan.steps.flatMap(({ passed }) =>
    (passed ?? [])
      .filter(({ pod }) => made.has(`${pod.run}/${itemLabel(pod.item)}/${pod.attempt + 1}`))
      .map(({ pod, verdict }) => attemptRow(observed, pod, verdict)),
  );
}

/**
 * What the stored status and the pods that are kept still tell of runs that ended shortly before this term: the process before us may have
 * died between its record and its row.
 */
export function retoldRows(observed: ObservedJob): readonly TraceRow[] {
  const rows: TraceRow[] = [];
  let byAttempt: ReadonlyMap<string, AttemptPod> | undefined;
  for (const entry of observed.job.status?.history ?? []) {
    const endedAt = parseTime(entry.endedAt);
    if (endedAt === undefined || endedAt < observed.termStart - retoldMs) continue;
    rows.push(...runRows(observed, undefined, entry));
    byAttempt ??= new Map(observed.pods.map((pod) => [attemptKey(pod), pod]));
    const succeeded = IntervalSet.parse(entry.succeeded);
    for (const pod of observed.pods) {
      if (pod.run !== entry.run) continue;
      const verdict = judge(pod, { endedUndeleted: observed.endedUndeleted.has(pod.metadata.uid as string) });
      if (verdict === undefined) continue;
      const next = byAttempt.get(attemptKey(pod, 1));
      const told = entry.failures?.find((failure) => failure.item === pod.item && failure.attempt === pod.attempt);
      if (next !== undefined) rows.push(attemptRow(observed, pod, verdictBefore(pod, verdict, next)));
      else if (verdict.outcome === "Succeeded" || succeeded.has(pod.item)) rows.push(attemptRow(observed, pod, verdict));
      else rows.push(attemptRow(observed, pod, { ...verdict, outcome: "Failed", reason: wordOf(told?.message) ?? verdict.reason }));
    }
  }
  return rows;
}

/** "StartTimeout: no image" begins with the verdict's reason. */
const wordOf = (message: string | undefined): string | undefined => /^[A-Z]\w+/.exec(message ?? "")?.[0];

function endedAttempts(observed: ObservedJob, step: RunStep): readonly TraceRow[] {
  const rows: TraceRow[] = [];
  const last = new Map<number, AttemptPod>();
  for (const { pod, verdict } of step.reduce?.end === undefined ? step.ended : [...step.ended, step.reduce.end]) {
    if (pod === undefined || verdict === undefined) continue;
    rows.push(attemptRow(observed, pod, verdict));
    if (pod.attempt > 1) last.set(pod.item, pod);
  }
  if (last.size === 0) return rows;
  const known = [...step.run.vanishedAt.keys(), ...step.run.pods];
  const byAttempt = new Map(known.map((pod) => [attemptKey(pod), pod]));
  for (const pod of known) {
    if (pod.attempt >= (last.get(pod.item)?.attempt ?? 0)) continue;
    const verdict = verdictOf(observed, step.run, pod);
    const next = byAttempt.get(attemptKey(pod, 1));
    if (verdict !== undefined && next !== undefined) rows.push(attemptRow(observed, pod, verdictBefore(pod, verdict, next)));
  }
  return rows;
}

/** Names an attempt, or the one so many after it. */
const attemptKey = (pod: AttemptPod, later = 0): string => `${pod.run}/${pod.item}/${pod.attempt + later}`;

/** Our own stop of an attempt leaves status with it; what it was counted as stands in its successor. */
function verdictBefore(pod: AttemptPod, verdict: Verdict, next: AttemptPod): Verdict {
  if (verdict.outcome !== "Lost" || next.history.counted <= pod.history.counted || next.history.lost > pod.history.lost) return verdict;
  return { ...verdict, outcome: "Failed", reason: "Stopped" };
}

function attemptRow(observed: ObservedJob, pod: AttemptPod, verdict: Verdict): TraceAttempt {
  const success = verdict.outcome === "Succeeded";
  const cause = success ? "" : [verdict.reason, verdict.message].filter((text) => text !== "").join(": ");
  return {
    ...identity(observed),
    type: "attempt",
    run: pod.run,
    item: pod.item,
    attempt: pod.attempt,
    pod: pod.metadata.name,
    source: pod.history.lost > 0 ? "Failover" : pod.history.kind,
    ...(pod.startedAt !== undefined && pod.startedAt > 0 && { startedAt: pod.startedAt }),
    endedAt: verdict.at,
    success,
    result: verdict.outcome,
    reason: printable(verdict.reason, 128),
    ...(verdict.exitCode !== undefined && { exitCode: verdict.exitCode }),
    failureCause: printable(cause, longestFailureCause),
    host: pod.node ?? "",
    ip: pod.ip ?? "",
  };
}

function stateRows(observed: ObservedJob, plan: TracedPlan): readonly TraceState[] {
  const { job, spec, now } = observed;
  const before = new Map<string, ElasticJobRun>();
  for (const entry of [...(job.status?.history ?? []), ...(job.status?.active ?? [])]) before.set(entry.run, entry);
  const after = new Map<string, ElasticJobRun>();
  for (const entry of [...(plan.next.history ?? []), ...(plan.next.active ?? [])]) after.set(entry.run, entry);
  // A history that keeps nothing does not show it.
  for (const step of plan.steps) if (step.outcome !== undefined) after.set(step.run.id, runEntry(step, spec, now));
  const rows: TraceState[] = [];
  for (const [run, entry] of after) {
    const known = before.get(run);
    if (known !== entry) rows.push(...runRows(observed, known, entry));
  }
  rows.push(...skippedRows(observed, plan, before));
  return rows;
}

/** The changes between two entries of a run in status. */
function runRows(observed: ObservedJob, before: ElasticJobRun | undefined, after: ElasticJobRun): readonly TraceState[] {
  const at = parseTime(after.endedAt) ?? parseTime(after.updatedAt) ?? observed.now;
  const startedAt = parseTime(after.startedAt);
  const rows: TraceState[] = [];
  const changed = before?.phase !== after.phase || (after.phase === "Waiting" && before?.reason !== after.reason);
  // A short run ends before anything told that it runs.
  if (changed && after.phase !== "Running" && after.phase !== "Waiting" && before?.phase !== "Running" && startedAt !== undefined)
    rows.push({ ...runState(observed, after, startedAt), state: "Running", reason: "", message: "" });
  if (changed) {
    const figures = { succeeded: sizeOf(after.succeeded), failed: sizeOf(after.failed), lost: after.lost ?? 0 };
    const state = runState(observed, after, after.phase === "Running" ? (startedAt ?? at) : at);
    rows.push(after.endedAt === undefined ? state : { ...state, ...figures });
  }
  for (const [state, was, is] of [
    ["Running", before?.running, after.running],
    ["Succeeded", before?.succeeded, after.succeeded],
    ["Failed", before?.failed, after.failed],
  ] as const) {
    if ((is ?? "") === (was ?? "")) continue;
    const items = IntervalSet.parse(is).minus(IntervalSet.parse(was));
    // The run's own row says the same of the same items.
    if (items.size === 0 || (changed && after.phase === state && items.size === after.total)) continue;
    const { total: _, startedAt: __, ...common } = runState(observed, after, at);
    rows.push({ ...common, scope: "Items", items: items.toString(), state, reason: "", message: "" });
  }
  return rows;
}

/** Fire times that were given up: as runs that waited, or as runs that never were. */
function skippedRows(observed: ObservedJob, plan: TracedPlan, before: ReadonlyMap<string, ElasticJobRun>): readonly TraceState[] {
  const reason = Object.keys(plan.skipped.counts).join(",");
  const count = Object.values(plan.skipped.counts).reduce((sum, each) => sum + each, 0);
  const times = [...new Set(plan.skipped.times)];
  return times.map((fireTime, index) => {
    const waited = [...before.values()].find((entry) => entry.phase === "Waiting" && parseTime(entry.fireTime) === fireTime);
    const more = index === times.length - 1 && count > times.length ? `${count} fire times were given up, the newest are told` : "";
    return {
      ...identity(observed),
      type: "state",
      run: waited?.run ?? runIdOf(fireTime),
      scope: "Run",
      items: waited?.items ?? "",
      state: "Skipped",
      reason,
      message: more,
      at: observed.now,
      source: waited?.kind ?? "Schedule",
      fireTime,
    };
  });
}

function runState(observed: ObservedJob, entry: ElasticJobRun, at: number): TraceState {
  const fireTime = parseTime(entry.fireTime);
  const startedAt = parseTime(entry.startedAt);
  return {
    ...identity(observed),
    type: "state",
    run: entry.run,
    scope: "Run",
    items: entry.items ?? "",
    state: entry.phase ?? "",
    reason: printable(entry.reason ?? "", 128),
    message: printable(entry.message ?? "", longestStateMessage),
    at,
    source: entry.kind ?? "",
    ...(fireTime !== undefined && { fireTime }),
    ...(startedAt !== undefined && { startedAt }),
    ...(entry.total !== undefined && { total: entry.total }),
  };
}

const identity = ({ job }: ObservedJob) => ({
  namespace: job.metadata.namespace as string,
  job: job.metadata.name,
  jobUid: job.metadata.uid as string,
});

const sizeOf = (set: string | undefined): number => IntervalSet.parse(set).size;

/** What a program wrote may be anything: NUL bytes no database takes as text, and half a character nothing can encode. */
function printable(text: string, length: number): string {
  return text.replaceAll("\0", "\uFFFD").slice(0, length).toWellFormed();
}
