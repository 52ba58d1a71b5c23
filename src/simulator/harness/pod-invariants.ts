import type { Pod } from "../../api/core.ts";
import type { ElasticJobRun } from "../../api/elastic-job.gen.ts";
import { reduceItem } from "../../api/names.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { parseTime } from "../../base/time.ts";
import type { ApiHistory, JobFacts, PodFacts } from "./api-history.ts";
import { checkNodeRules, checkRetry, mayBeIgnored } from "./attempt-invariants.ts";
import { checkAllowed } from "./dependency-oracle.ts";
import { fireTimeOfRun, fireTimesBetween, isBackfilled, jitterMs } from "./fire-times.ts";
import { specAt } from "./status-invariants.ts";

type Say = (text: string) => void;

export interface Moment {
  readonly now: number;
  /** How much before its fire time a pod may be created: what the operator cannot know better about the server's clock. */
  readonly earlinessMs: number;
  /** A write that passed its fence earlier may be executed now: what it does may be out of date. */
  readonly lateWrites: boolean;
}

/** How long a cache may be behind at worst. */
const staleMs = 150_000;

/** What must be true whenever the operator creates a pod of a run. */
export function checkPodCreated(pod: PodFacts, history: ApiHistory, moment: Moment, say: Say): void {
  const { now } = moment;
  const job = history.liveJob(pod.jobUid);
  // Its creation was on the way when the job went; the garbage collector takes it away.
  if (job === undefined) {
    pod.stray = true;
    return;
  }
  const told = (text: string) => say(`${pod.name} was created ${text}`);
  const startsAt = pod.fireTime === undefined ? undefined : pod.fireTime + jitterMs(job, specAt(job, now));
  if (startsAt !== undefined && now + moment.earlinessMs < startsAt) told(`${startsAt - now} ms before its time`);
  const current = !pod.deposed && !moment.lateWrites;
  const status = job.stored.status ?? {};
  const active = status.active?.find((run) => run.run === pod.run);
  const settled = active === undefined && (pod.fireTime ?? 0) <= (parseTime(status.lastHandledFireTime) ?? Number.NEGATIVE_INFINITY);
  pod.stray = settled && !current;
  if (settled && current) told("for a fire time that had been handled");
  if (active !== undefined && recordedEnd(active, pod.item)) pod.stray = true;
  const attempts = job.runs.get(pod.run)?.pods.filter((other) => other.item === pod.item && other !== pod) ?? [];
  // The name is the lock (decision 10): where others take the pod away, nothing keeps a late write out.
  if (!current && attempts.some((other) => other.name === pod.name && other.disturbedAt !== undefined)) {
    pod.stray = true;
    return;
  }
  if (pod.stray) {
    // A write may come late, but never so late that the name of what was done is free again (decision 10).
    const done = attempts.find((other) => other.doneAt !== undefined && other.disturbedAt === undefined && !history.nodeWasDeleted(other));
    if (done !== undefined) told(`although ${done.name} had done its work`);
    return;
  }
  checkAttempts(pod, attempts, job, history, moment, told);
  if (current) checkParallelism(pod, job, history, now, told);
  if (pod.attempt === 1 && current) checkOwed(pod, job, now, told);
  if (pod.attempt === 1) checkAllowed(pod, job, history, told);
  if (pod.attempt === 1 && current) checkNotSkipped(pod, job, history, moment, told);
  if (pod.attempt === 1 && current && specAt(job, now).concurrencyPolicy === "Enqueue") checkLane(pod, job, told);
}

function checkAttempts(pod: PodFacts, others: readonly PodFacts[], job: JobFacts, history: ApiHistory, moment: Moment, say: Say): void {
  for (const other of others) {
    // Two attempts may be at work where one was given up; the first outcome that is recorded counts.
    if (!history.isOver(other)) say(`while ${other.name} may be at work`);
    const undisturbed = other.disturbedAt === undefined && !history.nodeWasDeleted(other);
    if (other.doneAt !== undefined && undisturbed && !moment.lateWrites) say(`although ${other.name} had done its work`);
  }
  const spec = specAt(job, moment.now);
  checkNodeRules(spec, excludedNodes(pod.object), moment.now, say);
  if (pod.attempt === 1) return;
  const before = others.find((other) => other.attempt === pod.attempt - 1);
  if (before === undefined) {
    say("without an attempt before it");
    return;
  }
  const told = JSON.parse(pod.object.metadata.annotations?.["nuptse.dev/run"] ?? "{}") as { counted?: number; lost?: number };
  const { counted = 0, lost = 0 } = told;
  checkRetry(pod, before, job, spec, history, say);
  if (counted + lost > pod.attempt - 1)
    say(`with ${counted} failures and ${lost} losses behind it, which are more than there were attempts`);
  if (lost > (spec.failover?.limit ?? 3)) say(`after ${lost} losses`);
  const retry = pod.item === reduceItem ? (spec.reduce?.retry ?? spec.retry) : spec.retry;
  const perNode = (retry?.sameNode ?? 0) + 1;
  const failed = before.endedAt !== undefined && before.askedAt === undefined && before.disturbedAt === undefined;
  if (failed && counted > 0 && counted % perNode === 0 && !moment.lateWrites && !mayBeIgnored(before, spec))
    checkExcluded(pod, before, history, moment.now, say);
}

/** An attempt that goes to another node excludes the one on which the one before it failed, as long as others are left. */
function checkExcluded(pod: PodFacts, before: PodFacts, history: ApiHistory, now: number, say: Say): void {
  const excluded = excludedNodes(pod.object);
  if (before.node === undefined || excluded.has(before.node)) return;
  const left = excludedNodes(before.object);
  const others = [...history.nodes].filter(
    ([name, node]) => name !== before.node && !left.has(name) && (node.usableSince ?? Number.POSITIVE_INFINITY) < now - staleMs,
  );
  if (others.length > 0) say(`without leaving out ${before.node}, on which the attempt before it failed`);
}

function excludedNodes(pod: Pod): ReadonlySet<string> {
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return new Set(
    terms.flatMap((term) => term.matchFields?.filter((rule) => rule.operator === "NotIn").flatMap((rule) => rule.values ?? []) ?? []),
  );
}

function checkParallelism(pod: PodFacts, job: JobFacts, history: ApiHistory, now: number, say: Say): void {
  const specs = job.versions.filter((_, index) => (job.versions[index + 1]?.at ?? Number.POSITIVE_INFINITY) > now - staleMs);
  const most = Math.max(...specs.map(({ spec }) => spec.sharding?.parallelism ?? Number.POSITIVE_INFINITY));
  if (most === Number.POSITIVE_INFINITY) return;
  const atWork = job.runs.get(pod.run)?.pods.filter((other) => !history.isOver(other)).length ?? 0;
  if (atWork > most) say(`as number ${atWork} of its run at work at once; parallelism is ${most}`);
}

/** A run stands for a fire time of a schedule, calendars included, that was in force at it or a little before. */
function checkOwed(pod: PodFacts, job: JobFacts, now: number, say: Say): void {
  const { fireTime } = pod;
  // Without a schedule it has its fire times from other jobs.
  if (fireTime === undefined || specAt(job, now).schedule === undefined) return;
  const possible = job.versions.filter(
    (version, index) =>
      version.observing !== true && version.at <= now && (job.versions[index + 1]?.at ?? Number.POSITIVE_INFINITY) > fireTime - staleMs,
  );
  if (!possible.some((version) => fireTimesBetween(version, fireTime - 1, fireTime).length > 0)) say("for an instant that is no fire time");
}

/** Under Enqueue runs begin in the order of their fire times. */
function checkLane(pod: PodFacts, job: JobFacts, say: Say): void {
  for (const run of job.runs.values())
    if (run.fireTime > (pod.fireTime ?? Number.POSITIVE_INFINITY) && run.pods.some((other) => !other.stray))
      say(`after run ${run.run} had begun`);
}

/** Fire times that misfire rules of Skip gave up do not run. */
function checkNotSkipped(pod: PodFacts, job: JobFacts, history: ApiHistory, moment: Moment, say: Say): void {
  const run = job.runs.get(pod.run);
  if (pod.fireTime === undefined || run === undefined || run.pods.length > 1) return;
  const spec = specAt(job, moment.now);
  // What hangs below other jobs takes up their fire times one after the other.
  if (spec.schedule === undefined) return;
  const fireTime = pod.fireTime + jitterMs(job, spec);
  // Ends are written by the leader's clock, and what was in the way of what is told by them.
  if (history.troubledBetween(fireTime - staleMs, moment.now)) return;
  const inTheWay = runsAt(job, fireTime, history).filter((other) => other.run !== pod.run);
  const wasRecorded = job.stored.status?.active?.some((entry) => entry.run === pod.run && entry.kind === "Schedule") ?? false;
  if ((spec.concurrencyPolicy ?? "Forbid") === "Forbid" && inTheWay.length > 0) {
    if ((spec.misfire?.onOverlap ?? "Skip") === "Skip" && !wasRecorded)
      say(`although run ${inTheWay[0]?.run} was in the way at its fire time and onOverlap is Skip`);
    return;
  }
  const term = history.terms.at(-1);
  const passed = term?.clocksRight === true && moment.earlinessMs === 0 && fireTime < term.from;
  if (passed && spec.misfire?.onDowntime === "Skip" && inTheWay.length === 0 && !wasRecorded && !busyAround(job, fireTime, history))
    say("although nobody led at its fire time and onDowntime is Skip");
}

/** Runs that were surely at work at an instant, as the API showed it. */
export function runsAt(
  job: JobFacts,
  instant: number,
  history: ApiHistory,
): readonly { readonly run: string; readonly fireTime: number }[] {
  const marginMs = 1_500;
  return [...job.runs.values()].filter((run) => {
    const pods = run.pods.filter((pod) => !pod.stray);
    if (pods.length === 0 || run.fireTime >= instant || isBackfilled(run.run)) return false;
    const began = Math.min(...pods.map((pod) => pod.createdAt));
    const overAt = (pod: PodFacts) =>
      history.isOver(pod)
        ? Math.min(pod.endedAt ?? Number.POSITIVE_INFINITY, pod.goneAt ?? Number.POSITIVE_INFINITY)
        : Number.POSITIVE_INFINITY;
    const ended = Math.max(...pods.filter((pod) => !(history.nodeWasDeleted(pod) && overAt(pod) === Number.POSITIVE_INFINITY)).map(overAt));
    return began + marginMs < instant && ended > instant + marginMs && (run.recordedAt ?? Number.POSITIVE_INFINITY) > instant + marginMs;
  });
}

/** Whether some run of the job may have been in the way at an instant, by anything that was shown or written. */
export function busyAround(job: JobFacts, instant: number, history: ApiHistory): boolean {
  for (const run of job.runs.values()) {
    if (run.fireTime >= instant || run.pods.length === 0) continue;
    // A run of the schedule is in the way from its fire time on, also when it began late.
    const isScheduled = fireTimeOfRun(run.run) !== undefined;
    if (!isScheduled && Math.min(...run.pods.map((pod) => pod.createdAt)) > instant + 1_000) continue;
    if ((run.recordedAt ?? Number.POSITIVE_INFINITY) >= instant || run.pods.some((pod) => !history.isOver(pod))) return true;
  }
  return job.statuses.some(
    (fact, index) =>
      (fact.status.active ?? []).length > 0 &&
      fact.at <= instant + 1_000 &&
      (job.statuses[index + 1]?.at ?? Number.POSITIVE_INFINITY) >= instant,
  );
}

/** What must be true whenever the operator deletes a pod, or it is deleted in a collection of the operator's. */
export function checkPodDeleted(pod: PodFacts, history: ApiHistory, say: Say): void {
  const job = history.liveJob(pod.jobUid);
  if (job === undefined) return;
  if (reasonToDelete(job, pod) === undefined)
    say(`the operator deleted ${pod.name} (${pod.object.status?.phase}) without a reason in the stored status`);
}

/** The reason for which a pod may be deleted, as the stored status of its job holds it (decision 6). */
function reasonToDelete(job: JobFacts, pod: PodFacts): string | undefined {
  const status = job.stored.status ?? {};
  const active = status.active?.find((entry) => entry.run === pod.run);
  if (active === undefined) {
    const handled = parseTime(status.lastHandledFireTime) ?? 0;
    const recorded = pod.fireTime === undefined && job.runs.get(pod.run)?.recordedAt !== undefined;
    const ended =
      recorded || status.history?.some((entry) => entry.run === pod.run) || (pod.fireTime ?? Number.POSITIVE_INFINITY) <= handled;
    return ended ? "run ended" : undefined;
  }
  if (active.ending !== undefined) return active.ending.reason;
  if (active.stops?.some((stop) => (stop.item ?? reduceItem) === pod.item && stop.attempt === pod.attempt)) return "stop";
  return recordedEnd(active, pod.item) ? "item ended" : undefined;
}

function recordedEnd(run: ElasticJobRun, item: number): boolean {
  return IntervalSet.parse(run.succeeded).has(item) || IntervalSet.parse(run.failed).has(item);
}

/** In calm times a fire time that nothing is in the way of is met at once. */
export function checkOnTime(job: JobFacts, history: ApiHistory, from: number, upTo: number, say: Say): void {
  const onTimeMs = 2_000;
  const settleMs = 5_000;
  for (const [index, version] of job.versions.entries()) {
    const { at, spec } = version;
    const jitter = jitterMs(job, spec);
    const next = job.versions[index + 1]?.at ?? Number.POSITIVE_INFINITY;
    if (spec.suspend === true || version.observing === true || job.deletedAt !== undefined || (spec.after ?? []).length > 0) continue;
    for (const time of fireTimesBetween(version, Math.max(from, at + settleMs), Math.min(upTo, next - settleMs) - jitter)) {
      const pods = [...job.runs.values()].find((run) => run.fireTime === time)?.pods ?? [];
      if (pods.some((pod) => pod.createdAt <= time + jitter + onTimeMs) || busyAround(job, time + jitter, history)) continue;
      say(`${job.name}: nothing began at ${new Date(time).toISOString()}, though all was calm and nothing was in the way`);
    }
  }
}
