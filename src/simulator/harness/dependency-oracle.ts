import type { ElasticJobSpecAfterItem, ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import type { ApiHistory, JobFacts, PodFacts } from "./api-history.ts";
import { sameSchedule } from "./fire-times.ts";

type Say = (text: string) => void;

/** How long a change of an upstream's schedule may leave open what became of its runs. */
const unsettledMs = 45 * 60_000;

/** The entries that the oracle knows: the run of the same fire time. */
function sameEntries(job: JobFacts): readonly ElasticJobSpecAfterItem[] {
  return (job.stored.spec.after ?? []).filter((dependency) => (dependency.fireTime ?? "Same") === "Same");
}

/** A run begins only when the runs of its upstreams of its fire time had ended as it asks. */
export function checkAllowed(pod: PodFacts, job: JobFacts, history: ApiHistory, say: Say): void {
  const { fireTime } = pod;
  if (fireTime === undefined) return;
  for (const dependency of sameEntries(job)) {
    const allowed = upstreamsOf(history, dependency).some((upstream) => satisfies(outcomeOf(upstream, fireTime), dependency));
    if (!allowed)
      say(`although no run of ${dependency.job} of that fire time is known to have ended (${dependency.outcome ?? "Succeeded"})`);
  }
}

/**
 * A run of a job without a schedule exists for a fire time if its upstreams' outcomes allow it; that it exists only then, and once, is
 * seen when its pods are created. Asked of what upstreams really ran; only how that ended is asked of status.
 */
export function judgeDependents(job: JobFacts, history: ApiHistory, now: number, say: Say): void {
  const { spec } = job.stored;
  const entries = sameEntries(job);
  const [first] = entries;
  if (first === undefined || spec.schedule !== undefined || spec.concurrencyPolicy === "Replace" || job.deletedAt !== undefined) return;
  const ran = new Set([...job.runs.values()].filter((run) => run.pods.some((pod) => !pod.stray)).map((run) => run.fireTime));
  for (const upstream of upstreamsOf(history, first)) {
    for (const { fireTime } of upstream.runs.values()) {
      if (fireTime <= job.createdAt || ran.has(fireTime) || changedAround(entries, history, fireTime, now)) continue;
      const outcomes = entries.map((dependency) => upstreamsOf(history, dependency).map((each) => outcomeOf(each, fireTime)));
      if (entries.every((dependency, index) => outcomes[index]?.some((outcome) => satisfies(outcome, dependency))))
        say(`${job.name}: the runs of ${formatSeconds(fireTime)} of its upstreams ended as it asks, and nothing ran`);
    }
  }
}

/** Whether a fire time that a job with a schedule skipped was not allowed by its upstreams. */
export function upstreamForbade(job: JobFacts, history: ApiHistory, fireTime: number, now: number): boolean {
  const entries = sameEntries(job);
  if (changedAround(entries, history, fireTime, now)) return entries.length > 0;
  return entries.some((dependency) => !upstreamsOf(history, dependency).some((each) => satisfies(outcomeOf(each, fireTime), dependency)));
}

function upstreamsOf(history: ApiHistory, dependency: ElasticJobSpecAfterItem): readonly JobFacts[] {
  return [...history.jobs.values()].filter((job) => job.name === dependency.job);
}

/** The last word of status on a fire time; undefined while it has not ended, and when the job never spoke of it. */
function outcomeOf(upstream: JobFacts, fireTime: number): string | undefined {
  return upstream.statuses.map(({ status }) => wordOn(status, upstream, fireTime)).findLast((word) => word !== undefined);
}

function wordOn(status: ElasticJobStatus, upstream: JobFacts, fireTime: number): string | undefined {
  if (status.active?.some((run) => parseTime(run.fireTime) === fireTime)) return undefined;
  const listed = status.outcomes?.notSucceeded?.find((entry) => parseTime(entry.fireTime) === fireTime)?.outcome;
  if (listed !== undefined) return listed;
  const ended = status.history?.find((run) => parseTime(run.fireTime) === fireTime)?.phase;
  if (ended !== undefined) return ended;
  const handled = parseTime(status.lastHandledFireTime) ?? Number.NEGATIVE_INFINITY;
  if (fireTime > handled || fireTime <= (parseTime(status.outcomes?.from) ?? handled)) return undefined;
  return [...upstream.runs.values()].some((run) => run.fireTime === fireTime && run.pods.length > 0) ? "Succeeded" : undefined;
}

function satisfies(outcome: string | undefined, { outcome: wanted = "Succeeded" }: ElasticJobSpecAfterItem): boolean {
  return outcome !== undefined && (wanted === "Completed" || outcome === wanted);
}

/** What an upstream dropped, by an edit, a suspension or its end, is no fire time of those below it; neither is what lay near it, further up. */
function changedAround(entries: readonly ElasticJobSpecAfterItem[], history: ApiHistory, fireTime: number, now: number): boolean {
  return entries.some((dependency) =>
    upstreamsOf(history, dependency).some((upstream) => {
      if (upstream.deletedAt !== undefined && upstream.deletedAt < fireTime + unsettledMs && upstream.deletedAt >= fireTime) return true;
      if (upstream.createdAt >= fireTime && upstream.createdAt < Math.min(now, fireTime + unsettledMs)) return true;
      const changes = upstream.versions.filter((version, index) => {
        const before = upstream.versions[index - 1];
        return before !== undefined && !sameSchedule(before, version);
      });
      if (changes.some(({ at }) => Math.abs(at - fireTime) < unsettledMs)) return true;
      const above = sameEntries(upstream);
      return above.length > 0 && changedAround(above, history, fireTime, now);
    }),
  );
}
