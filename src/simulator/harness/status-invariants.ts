import type { ElasticJobRun, ElasticJobSpec, ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import type { Ledger } from "../world/ledger.ts";
import type { ApiHistory, JobFacts, StatusFact } from "./api-history.ts";
import { checkCompletion } from "./attempt-invariants.ts";
import { fireTimesBetween, isBackfilled, jitterMs, sameSchedule } from "./fire-times.ts";

type Say = (text: string) => void;

/** What a leader may be ahead or behind with its clock. */
const clockSkewMs = 31_000;
/** From the reading of the clock to the commit: a write that is on its way may be delayed that long. */
const writeDelayMs = 75_000;
const mostRunning = 20;
/** How long an edit of a calendar may go unseen. */
const unseenMs = 155_000;
const upstreamWaits: ReadonlySet<string> = new Set(["DependencyPending", "DependencyMissing", "UpstreamSuspended"]);

/** What must be true of every status that is written, seen beside the one before it. */
export function checkStatusWrite(job: JobFacts, fact: StatusFact, history: ApiHistory, ledger: Ledger | undefined, say: Say): void {
  const told = (text: string) => say(`${job.name}: ${text}`);
  checkHandled(job, fact, told);
  checkKept(job, fact, told);
  checkNothingForgotten(fact, told);
  checkRunning(job, fact, told);
  checkLate(job, fact, told);
  checkScheduleChange(job, fact, told);
  checkCompletion(job, fact, specAt(job, fact.at), history, told);
  if (ledger !== undefined) checkSuccesses(job, fact, history, ledger, told);
}

/** lastHandledFireTime only grows, and passes a fire time only when status tells what became of it (elasticjob.md section 2). */
function checkHandled(job: JobFacts, { at, status, previous }: StatusFact, say: Say): void {
  const before = parseTime(previous.lastHandledFireTime);
  const after = parseTime(status.lastHandledFireTime);
  if (before !== undefined && (after === undefined || after < before)) {
    // The one exception: it lay in a future that only a wrong clock can have seen (decision 11).
    if (before <= at + clockSkewMs)
      say(`lastHandledFireTime went back from ${formatSeconds(before)} to ${after === undefined ? "nothing" : formatSeconds(after)}`);
    return;
  }
  if (after === undefined || after === before || status.schedule?.hash !== previous.schedule?.hash) return;
  const known = new Set([...(status.active ?? []), ...(status.history ?? []), ...(previous.active ?? [])].map((run) => run.fireTime));
  for (const { fireTime } of status.outcomes?.notSucceeded ?? []) known.add(fireTime);
  // Of runs that began and ended between two writes, history keeps the newest; how they ended is judged by their pods.
  for (const { fireTime, pods } of job.runs.values()) if (pods.length > 0) known.add(formatSeconds(fireTime));
  const from = Math.max(before ?? Number.NEGATIVE_INFINITY, parseTime(status.outcomes?.from) ?? job.createdAt);
  // An edit of a calendar may not have been seen yet: what the write was planned from owes the fire time too.
  const seen = job.versions.filter((version, index) => version.at <= at && (job.versions[index + 1]?.at ?? at) > at - unseenMs);
  const current = seen.at(-1);
  if (current === undefined) return;
  const others = seen.filter((version) => version.excluded !== undefined);
  for (const time of fireTimesBetween(current, from, after)) {
    if (others.some((version) => fireTimesBetween(version, time - 1, time).length === 0)) continue;
    if (!known.has(formatSeconds(time)))
      say(`lastHandledFireTime passed ${formatSeconds(time)}, and status tells nothing of that fire time`);
  }
}

/** A fire time is kept for later once, and no more of them than the misfire rules allow (decision 13). */
function checkKept(job: JobFacts, { at, status, previous }: StatusFact, say: Say): void {
  const before = new Set(previous.active?.map((run) => run.run));
  const kept = (status.active ?? []).filter((run) => run.kind === "Misfire" && !before.has(run.run));
  if (kept.length === 0) return;
  const handled = parseTime(previous.lastHandledFireTime) ?? Number.NEGATIVE_INFINITY;
  for (const run of kept)
    if ((parseTime(run.fireTime) as number) <= handled) say(`${run.fireTime} is kept by the misfire rules although it was handled before`);
  const misfire = specAt(job, at).misfire;
  const limit = misfire?.limit ?? 10;
  const most = (action: string | undefined) => (action === "FireAll" ? limit : action === "FireOnce" ? 1 : 0);
  const allowed = most(misfire?.onDowntime ?? "FireOnce") + most(misfire?.onOverlap ?? "Skip");
  if (kept.length > allowed) say(`${kept.length} fire times are kept by the misfire rules, which allow ${allowed}`);
}

/** A run stays in status until it is over, with all that was recorded of it, and an ended run never comes back. */
function checkNothingForgotten({ status, previous }: StatusFact, say: Say): void {
  const active = new Map(status.active?.map((run) => [run.run, run]));
  const ended = new Set(status.history?.map((run) => run.run));
  const handled = status.lastHandledFireTime ?? "";
  for (const before of previous.active ?? []) {
    const now = active.get(before.run);
    if (now === undefined) {
      if (!ended.has(before.run) && (before.fireTime ?? "") > handled && before.endedAt === undefined)
        say(`run ${before.run} vanished from status`);
      continue;
    }
    if (lost(before.succeeded, now.succeeded) || lost(before.failed, now.failed)) say(`status forgot ends of items of run ${before.run}`);
    if (before.ending !== undefined && now.ending === undefined && now.endedAt === undefined)
      say(`status forgot that run ${before.run} is to end`);
  }
  // One that was asked for stays among the active until its request tells of its end (decision 16).
  for (const before of previous.history ?? [])
    if (active.has(before.run) && active.get(before.run)?.endedAt === undefined) say(`run ${before.run} had ended and is active again`);
}

function lost(before: string | undefined, now: string | undefined): boolean {
  if (before === undefined || before === "" || before === now) return false;
  const kept = IntervalSet.parse(now);
  for (const item of IntervalSet.parse(before)) if (!kept.has(item)) return true;
  return false;
}

/** One run at work for Forbid and Replace, twenty for Allow (decision 46). */
function checkRunning(job: JobFacts, { at, status }: StatusFact, say: Say): void {
  const running = status.active?.filter((run) => run.phase === "Running" && !isBackfilled(run.run)).length ?? 0;
  const most = specAt(job, at).concurrencyPolicy === "Allow" ? mostRunning : 1;
  if (running > most) say(`${running} runs are Running, and the concurrency policy allows ${most}`);
}

/** A run is called late when it ended, or goes on, so long after its fire time plus jitter, and never before. */
function checkLate(job: JobFacts, { at, status, previous }: StatusFact, say: Say): void {
  const spec = specAt(job, at);
  if (spec.deadlineSeconds === undefined) return;
  const dueBy = (run: ElasticJobRun) =>
    // What was asked for has no time to keep.
    run.request !== undefined
      ? Number.POSITIVE_INFINITY
      : (parseTime(run.fireTime) ?? 0) + jitterMs(job, spec) + (spec.deadlineSeconds ?? 0) * 1000;
  const known = new Set(previous.history?.map((run) => run.run));
  for (const run of status.history ?? []) {
    if (known.has(run.run)) continue;
    const late = (parseTime(run.endedAt) ?? 0) >= dueBy(run) || previous.active?.find((each) => each.run === run.run)?.late === true;
    if (late !== (run.late ?? false)) say(`run ${run.run} ended ${late ? "late" : "in time"}, and status says otherwise`);
  }
  for (const run of status.active ?? []) {
    if (run.late !== true) continue;
    if (dueBy(run) > at + clockSkewMs) say(`run ${run.run} is called late before it is`);
    const told = status.conditions?.some((condition) => condition.type === "Late" && condition.status === "True") ?? false;
    if (!told) say(`run ${run.run} is late, and the condition does not say so`);
  }
}

/** Only an edit or a resume drops what is owed, and only up to the moment at which it is noticed (decision 12). */
function checkScheduleChange(job: JobFacts, { at, status, previous }: StatusFact, say: Say): void {
  const before = previous.schedule?.hash;
  if (before === undefined || before === status.schedule?.hash) return;
  const changedAt = job.statuses.findLast((fact) => fact.status.schedule?.hash === before && fact.previous.schedule?.hash !== before)?.at;
  const from = (changedAt ?? 0) - writeDelayMs;
  const specs = job.versions.filter((_, index) => (job.versions[index + 1]?.at ?? Number.POSITIVE_INFINITY) > from);
  // Suspended by its spec and by a request: that one of them begins or ends changes nothing.
  const suspended = specs.every(({ spec }) => spec.suspend === true);
  if (!suspended && specs.every((version) => sameSchedule(version, specs[0] as (typeof specs)[number])))
    say("the schedule is called changed, and nobody changed it");
  const since = parseTime(status.schedule?.since) ?? 0;
  if (since > at + clockSkewMs || since < at - writeDelayMs - clockSkewMs)
    say(`status.schedule.since is ${formatSeconds(since)}, and that is not when the change was noticed`);
}

/** Status calls an item succeeded only when its program ended well before anybody told it to stop (decision 4). */
function checkSuccesses(job: JobFacts, { status, previous }: StatusFact, history: ApiHistory, ledger: Ledger, say: Say): void {
  const before = new Map(previous.active?.map((run) => [run.run, run]));
  const known = new Set(previous.history?.map((run) => run.run));
  for (const run of [...(status.active ?? []), ...(status.history ?? [])]) {
    if (known.has(run.run) || run.succeeded === undefined || run.succeeded === "") continue;
    const recorded = before.get(run.run)?.succeeded;
    if (recorded === run.succeeded) continue;
    checkRunSuccesses(job, run, IntervalSet.parse(run.succeeded).minus(IntervalSet.parse(recorded)), history, ledger, say);
  }
}

function checkRunSuccesses(job: JobFacts, run: ElasticJobRun, items: IntervalSet, history: ApiHistory, ledger: Ledger, say: Say): void {
  if (items.size === 0) return;
  const done = new Set<number>();
  for (const pod of job.runs.get(run.run)?.pods ?? []) {
    const record = ledger.ofPod(pod.uid);
    if (record?.outcome !== "Succeeded") continue;
    if ((history.pods.get(pod.uid)?.askedAt ?? Number.POSITIVE_INFINITY) >= (record.endedAt ?? 0)) done.add(pod.item);
  }
  for (const item of items)
    if (!done.has(item)) say(`item ${item} of run ${run.run} is called succeeded, and no program of it ended well undisturbed`);
}

/** The spec in force at an instant. */
export function specAt(job: JobFacts, at: number): ElasticJobSpec {
  return (job.versions.findLast((version) => version.at <= at) ?? job.versions[0])?.spec as ElasticJobSpec;
}

/**
 * Status tells the truth within a bound: what the API has shown to be over for two minutes is not called at work. For calm times, in which
 * nothing waits for a quota or a node.
 */
export function checkTruth(job: JobFacts, status: ElasticJobStatus, history: ApiHistory, now: number, say: Say): void {
  const longestBackoffMs = 20_000;
  const boundMs = 120_000;
  for (const entry of status.active ?? []) {
    const pods = job.runs.get(entry.run)?.pods ?? [];
    if (pods.some((pod) => !history.isOver(pod))) continue;
    const last = Math.max(
      parseTime(entry.updatedAt) ?? 0,
      ...pods.map((pod) => Math.min(pod.endedAt ?? Number.POSITIVE_INFINITY, pod.goneAt ?? now)),
    );
    // It waits for another job, which is judged itself.
    if (entry.reason !== undefined && upstreamWaits.has(entry.reason)) continue;
    const blocked = (status.active ?? []).some((other) => other.run !== entry.run && other.phase === "Running");
    if (!blocked && now - last > boundMs + longestBackoffMs)
      say(`${job.name}: run ${entry.run} is called ${entry.phase} although nothing of it has been at work since ${formatSeconds(last)}`);
  }
  for (const run of job.runs.values()) {
    const unrecorded = run.recordedAt === undefined && !(status.active ?? []).some((entry) => entry.run === run.run);
    const real = run.pods.filter((pod) => !pod.stray);
    if (!unrecorded || real.length === 0 || real.some((pod) => !history.isOver(pod))) continue;
    const last = Math.max(...real.map((pod) => pod.endedAt ?? pod.goneAt ?? now));
    if (now - last > boundMs + longestBackoffMs)
      say(`${job.name}: run ${run.run} is over since ${formatSeconds(last)}, and status does not know it`);
  }
  const generation = job.stored.metadata.generation ?? 1;
  const edited = job.versions.at(-1)?.at ?? 0;
  if ((status.observedGeneration ?? 0) < generation && now - edited > boundMs)
    say(`${job.name}: the edit of ${formatSeconds(edited)} is not observed`);
}
