import type { ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import { reduceItem } from "../../api/names.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import type { Ledger } from "../world/ledger.ts";
import type { ApiHistory, JobFacts, PodFacts } from "./api-history.ts";
import { mayFail } from "./attempt-invariants.ts";
import { upstreamForbade } from "./dependency-oracle.ts";
import { fireTimesBetween, jitterMs, sameSchedule } from "./fire-times.ts";
import { busyAround } from "./pod-invariants.ts";
import { specAt } from "./status-invariants.ts";

type Say = (text: string) => void;

/** What status says of a fire time that it has passed. */
type Claim = "Succeeded" | "Failed" | "Cancelled" | "Skipped" | "Active";

/** How long an edit may go unnoticed while somebody leads and nothing is wrong but a stalled watch. */
const unnoticedMs = 155_000;

/** What a leader may be ahead or behind with its clock. */
const clockSkewMs = 31_000;

/** A term begins when the caches are filled, some time after the lease was won. */
const refillMs = 60_000;

/**
 * Judges every fire time of a job once everything is at rest: run or, by the job's own policy, given up and said so, never both and never
 * neither. What is owed comes from the specs that were stored and from the simulation's own reading of schedules; what was run, from the
 * world; only what became of it is asked of status.
 */
export function judgeFireTimes(job: JobFacts, history: ApiHistory, ledger: Ledger, now: number, say: Say): void {
  const claims = claimsOf(job, now);
  for (const { times, from, editedAt } of owed(job, now)) {
    // What comes between an edit and the moment at which it is noticed belongs to neither schedule (decision 12).
    const noticed = noticedAt(job, from);
    for (const time of times) {
      if (time <= noticed && (noticed - from < unnoticedMs || excused(job, time, noticed, history))) continue;
      const at = `${job.name}: fire time ${formatSeconds(time)}`;
      const claim = claims.get(time);
      const ran = [...job.runs.values()].some((run) => run.fireTime === time && run.pods.some((pod) => !pod.stray));
      // A leader whose clock is behind drops what is due by the server's clock with the edit, and says "since" by its own.
      const droppedEarly = claim === "Succeeded" && !ran && editedAt - time <= clockSkewMs && history.troubledBetween(time, editedAt);
      if (claim === undefined || droppedEarly) {
        judgeDropped(job, time, editedAt, ran, history, at, say);
      } else if (claim === "Skipped") {
        const ranByLeader = [...job.runs.values()].some(
          (run) => run.fireTime === time && run.pods.some((pod) => !pod.stray && !pod.deposed && !leftNoTrace(pod, job)),
        );
        if (ranByLeader) say(`${at} ran, and status calls it skipped`);
        else judgeSkipped(job, time, history, at, say);
      } else if (claim === "Succeeded") judgeSucceeded(job, time, ran, history, ledger, at, say);
      else if (claim === "Failed" && ran) judgeFailed(job, time, history, at, say);
    }
  }
}

/** The fire times of each stretch with one schedule, and when it was edited away. */
function* owed(
  job: JobFacts,
  now: number,
): Generator<{ readonly times: readonly number[]; readonly from: number; readonly editedAt: number }> {
  let from = job.createdAt;
  for (const [index, version] of job.versions.entries()) {
    const { spec } = version;
    const next = job.versions[index + 1];
    if (next !== undefined && sameSchedule(version, next)) continue;
    const editedAt = next?.at ?? Number.POSITIVE_INFINITY;
    if (spec.suspend !== true && version.observing !== true)
      yield { times: fireTimesBetween(version, from, Math.min(editedAt, now) - 1), from, editedAt };
    from = editedAt - 1;
  }
}

/** Up to when status gave up what came before an edit; the edit itself when nothing was. */
function noticedAt(job: JobFacts, editedAt: number): number {
  if (editedAt <= job.createdAt) return editedAt;
  const fact = job.statuses.find(({ at, status, previous }) => at >= editedAt && status.schedule?.hash !== previous.schedule?.hash);
  return Math.max(editedAt, parseTime(fact?.status.schedule?.since) ?? editedAt);
}

/** The last word of status on each fire time: while it is in the window that status tells about, and at the moment it left that. */
function claimsOf(job: JobFacts, now: number): ReadonlyMap<number, Claim> {
  const claims = new Map<number, Claim>();
  const tell = (status: ElasticJobStatus, from: number, upTo: number, at: number) => {
    const listed = new Map(status.outcomes?.notSucceeded?.map((entry) => [parseTime(entry.fireTime) as number, entry.outcome as Claim]));
    const active = new Set(status.active?.map((run) => parseTime(run.fireTime) as number));
    for (const version of job.versions) {
      if (version.at > at || version.spec.suspend === true || version.observing === true) continue;
      for (const time of fireTimesBetween(version, from, upTo))
        claims.set(time, active.has(time) ? "Active" : (listed.get(time) ?? "Succeeded"));
    }
    for (const [time, outcome] of listed) if (time <= from && claims.has(time)) claims.set(time, outcome);
  };
  let told = job.createdAt;
  for (const { status, previous, at } of job.statuses) {
    const from = parseTime(status.outcomes?.from) ?? job.createdAt;
    const before = parseTime(previous.outcomes?.from) ?? job.createdAt;
    // Fire times that leave the window keep the last word that was said of them.
    if (from > before) tell(previous, before, Math.min(from, parseTime(previous.lastHandledFireTime) ?? before), at);
    told = from;
  }
  const last = job.stored.status ?? {};
  tell(last, told, parseTime(last.lastHandledFireTime) ?? told, now);
  return claims;
}

/**
 * Somebody else took the pod away before status told of its run: when the leader died then, the next one could not know of it. The misfire rules
 * decide for it as for any other.
 */
function leftNoTrace({ disturbedAt, goneAt, run }: PodFacts, job: JobFacts): boolean {
  if (disturbedAt === undefined || goneAt === undefined) return false;
  const told = job.statuses.find(({ status }) => [...(status.active ?? []), ...(status.history ?? [])].some((entry) => entry.run === run));
  return told === undefined || told.at > goneAt;
}

/** Nothing was ever said of it: an edit came, and then only just. */
function judgeDropped(job: JobFacts, time: number, editedAt: number, ran: boolean, history: ApiHistory, at: string, say: Say): void {
  if (job.deletedAt !== undefined) return;
  if (editedAt === Number.POSITIVE_INFINITY) say(`${at} was lost: status says nothing of it${ran ? ", though it ran" : ""}`);
  else if (!ran && editedAt - time > 60_000 && !excused(job, time, editedAt, history))
    say(`${at} was lost: no pod until the schedule was edited at ${formatSeconds(editedAt)}`);
}

/** Whether something explains that a fire time was not met: another run, a change of leader, a wrong clock, a name or quota. */
function excused(job: JobFacts, fireTime: number, upTo: number, history: ApiHistory): boolean {
  const time = fireTime + jitterMs(job, specAt(job, fireTime));
  if (busyAround(job, time, history) || history.tookOverBetween(time - refillMs, upTo)) return true;
  return history.troubledBetween(time - unnoticedMs, Math.min(upTo, time + unnoticedMs));
}

/** Given up by the misfire rules or the concurrency policy, and only by them. */
function judgeSkipped(job: JobFacts, time: number, history: ApiHistory, at: string, say: Say): void {
  const spec = specAt(job, time);
  // Beyond the places of Allow, and superseded under Replace.
  if (spec.concurrencyPolicy === "Allow" || spec.concurrencyPolicy === "Replace") {
    const others = [...job.runs.values()].some(
      (run) => run.pods.length > 0 && run.fireTime !== time && Math.abs(run.fireTime - time) < 600_000,
    );
    if (others) return;
  }
  if (upstreamForbade(job, history, time, job.deletedAt ?? Number.POSITIVE_INFINITY)) return;
  const decided = job.statuses.find(({ status }) => status.outcomes?.notSucceeded?.some((entry) => parseTime(entry.fireTime) === time));
  const decidedAt = decided?.at;
  const tooLate = spec.misfire?.startingDeadlineSeconds;
  if (tooLate !== undefined && decidedAt !== undefined && decidedAt - time - jitterMs(job, spec) > tooLate * 1000) return;
  if (spec.concurrencyPolicy === "Enqueue" && isLaneFull(decided?.status, spec.maxEnqueued ?? 20)) return;
  if (!excused(job, time, decidedAt ?? time, history)) say(`${at} was skipped, and nothing was in its way`);
}

/** Under Enqueue a fire time is given up for want of room only; the first that waits may be about to begin. */
function isLaneFull(status: ElasticJobStatus | undefined, room: number): boolean {
  return (status?.active ?? []).filter((run) => run.phase === "Waiting").length >= room - 1;
}

/** A run that status calls succeeded has done each item. */
function judgeSucceeded(job: JobFacts, time: number, ran: boolean, history: ApiHistory, ledger: Ledger, at: string, say: Say): void {
  // A retry or a backfill of it, or somebody's word, may have mended it.
  const id = formatSeconds(time).replaceAll(/[-:]/g, "").toLowerCase();
  const asked = [...history.requests.values()].map((request) => request.stored.spec);
  if (asked.some((spec) => spec.jobName === job.name && spec.markSucceeded?.run.startsWith(id))) return;
  const again = [...job.runs.values()].filter((run) => run.run.startsWith(`${id}-`));
  if (!ran && again.length === 0) {
    say(`${at} was lost: no pod, and status calls it succeeded`);
    return;
  }
  const pods = [...[...job.runs.values()].filter((run) => run.fireTime === time), ...again].flatMap((run) => run.pods);
  const items = new Set(pods.map((pod) => pod.item));
  const succeeded = (item: number) => pods.some((pod) => pod.item === item && ledger.ofPod(pod.uid)?.outcome === "Succeeded");
  items.delete(reduceItem);
  if (specAt(job, time).reduce !== undefined && !succeeded(reduceItem)) say(`${at} is called succeeded, and was not reduced`);
  // One that was asked for may be of fewer items than the first: since an edit there may be no more.
  if (again.some((run) => run.pods.length > 0 && [...itemsOf(run.pods)].every(succeeded))) return;
  const undone = [...items].filter((item) => !succeeded(item));
  const allowed = mayFail(specAt(job, time), items.size);
  if (undone.length > allowed) say(`${at} is called succeeded, and items ${undone.join(",")} never were; ${allowed} may fail`);
  const annotation = JSON.parse(pods[0]?.object.metadata.annotations?.["nuptse.dev/run"] ?? "{}") as { readonly items?: string };
  if (annotation.items !== undefined && items.size < sizeOf(annotation.items))
    say(`${at} is called succeeded, and items of ${annotation.items} never began`);
}

const itemsOf = (pods: readonly PodFacts[]): ReadonlySet<number> => new Set(pods.map((pod) => pod.item));

function sizeOf(items: string): number {
  return items.split(",").reduce((sum, part) => {
    const [from, to = from] = part.split("-").map(Number) as [number, number?];
    return sum + (to as number) - from + 1;
  }, 0);
}

/** A run that failed had a reason that the world saw: an item that ended badly or was lost, a time limit, or a name that was taken. */
function judgeFailed(job: JobFacts, time: number, history: ApiHistory, at: string, say: Say): void {
  const spec = specAt(job, time);
  if (spec.runTimeoutSeconds !== undefined || spec.itemTimeoutSeconds !== undefined) return;
  const pods = [...job.runs.values()].filter((run) => run.fireTime === time).flatMap((run) => run.pods);
  const allWell = pods.every((pod) => pod.doneAt !== undefined && pod.disturbedAt === undefined && !history.nodeWasDeleted(pod));
  if (allWell && !history.foreignNames.has(time)) say(`${at} is called failed, and all its pods ended well`);
}
