import type { Pod } from "../../api/core.ts";
import type { ElasticJob, ElasticJobRun } from "../../api/elastic-job.gen.ts";
import { elasticJobs, pods, resourceName } from "../../api/resource.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import type { ApiServer, Commit } from "../apiserver/api-server.ts";
import type { Ledger, WorkRecord } from "../world/ledger.ts";
import type { SimulatedJob } from "./job-mix.ts";
import { operatorAgent } from "./operator-process.ts";

/** Watches every commit of the API server, and the world's ledger at the end, for what must never be (testing.md, Invariants). */
export interface InvariantWatch {
  /** What was found so far, in the order in which it happened; empty is good. */
  readonly problems: readonly string[];
  /** Commits by the operator besides its lease, with their instants. */
  readonly writesAt: readonly number[];
  /** Failovers that ended: a lost attempt and a later attempt of the same item that succeeded. */
  completedFailovers(ledger: Ledger): number;
  /** Judges the whole history once everything has come to rest. */
  judge(ledger: Ledger, jobs: readonly SimulatedJob[], created: ReadonlyMap<string, number>, end: number): void;
}

/**
 * Begins to watch.
 * @param earlinessMs how much before its fire time a pod may be created now: the operator trusts the server's Date header, which has whole
 * seconds, as far as its own clock is ahead (decision 11); 0 while all clocks are right
 */
export function watchInvariants(server: ApiServer, now: () => number, earlinessMs: () => number): InvariantWatch {
  const problems: string[] = [];
  const writesAt: number[] = [];
  /** When somebody else first took a pod away or disturbed it, and when anybody asked for its deletion, by UID. */
  const disturbed = new Map<string, number>();
  const deletionAsked = new Map<string, number>();
  /** When the API first showed that a pod had done its work, nobody having asked for its deletion, by UID. */
  const shownDone = new Map<string, number>();
  const say = (text: string) => problems.push(`${formatSeconds(now())} ${text}`);

  server.onCommit((commit) => {
    const ours = commit.userAgent.startsWith(operatorAgent);
    const kind = resourceName(commit.resource);
    if (ours && kind !== "leases.coordination.k8s.io" && !kind.startsWith("events")) writesAt.push(now());
    if (kind === resourceName(elasticJobs)) checkStatus(commit, ours, say);
    else if (kind === resourceName(pods))
      checkPod(server, commit, ours, { now: now(), earlinessMs: earlinessMs() }, { disturbed, deletionAsked, shownDone }, say);
  });

  return {
    problems,
    writesAt,
    completedFailovers(ledger) {
      let count = 0;
      for (const record of ledger.records()) {
        if (record.outcome !== "Succeeded" || record.attempt < 2) continue;
        const before = ledger.records().find((other) => sameItem(other, record) && other.attempt === record.attempt - 1);
        if (before !== undefined && (before.outcome === "NodeDied" || disturbed.has(before.podUid))) count++;
      }
      return count;
    },
    judge(ledger, jobs, created, end) {
      for (const overlap of ledger.itemsAtWorkTwice()) {
        if (!overlap.unknowable)
          say(
            `item at work twice: ${overlap.first.pod} on ${overlap.first.node} and ${overlap.second.pod} on ${overlap.second.node} at ${formatSeconds(overlap.from)}`,
          );
      }
      for (const records of ledger.itemsDoneTwice()) {
        const [first] = records as [WorkRecord];
        // What nobody could read from the API (a node that died before its report), what was taken away before its end could be recorded,
        // and what was told to stop and then said that all was well is run again.
        const shown = shownDone.get(first.podUid) ?? Number.POSITIVE_INFINITY;
        if (shown < (records[1]?.createdAt ?? 0) && !disturbed.has(first.podUid))
          say(`item done twice: ${records.map((record) => record.pod).join(", ")}`);
      }
      for (const job of jobs) judgeJob(server, ledger, job, created.get(job.manifest.metadata.name) ?? 0, end, say);
    },
  };
}

const sameItem = (a: WorkRecord, b: WorkRecord): boolean => a.jobUid === b.jobUid && a.run === b.run && a.item === b.item;

/** lastHandledFireTime only grows, but when the clock was found to be wrong. */
function checkStatus({ object, previous, type }: Commit, ours: boolean, say: (text: string) => void): void {
  if (!ours || type !== "MODIFIED" || previous === undefined) return;
  const before = parseTime((previous as unknown as ElasticJob).status?.lastHandledFireTime);
  const after = parseTime((object as unknown as ElasticJob).status?.lastHandledFireTime);
  if (before !== undefined && (after === undefined || after < before)) {
    say(
      `${object.metadata.name}: lastHandledFireTime went back from ${formatSeconds(before)} to ${after === undefined ? "nothing" : formatSeconds(after)}`,
    );
  }
}

function checkPod(
  server: ApiServer,
  commit: Commit,
  ours: boolean,
  at: { readonly now: number; readonly earlinessMs: number },
  { disturbed, deletionAsked, shownDone }: Readonly<Record<"disturbed" | "deletionAsked" | "shownDone", Map<string, number>>>,
  say: (text: string) => void,
): void {
  const pod = commit.object as unknown as Pod;
  const before = commit.previous as unknown as Pod | undefined;
  const run = pod.metadata.labels?.["nuptse.dev/run"];
  const uid = pod.metadata.uid as string;
  if (commit.type === "ADDED") {
    const fireTime = run === undefined ? undefined : fireTimeOfRun(run);
    if (ours && fireTime !== undefined && at.now + at.earlinessMs < fireTime)
      say(`${pod.metadata.name} was created ${fireTime - at.now} ms before its fire time`);
    return;
  }
  const asked = pod.metadata.deletionTimestamp !== undefined && before?.metadata.deletionTimestamp === undefined;
  const removed = commit.type === "DELETED" && before?.metadata.deletionTimestamp === undefined;
  const disrupted = pod.status?.conditions?.some((condition) => condition.type === "DisruptionTarget") ?? false;
  if (!ours && (asked || removed || disrupted) && !disturbed.has(uid)) disturbed.set(uid, at.now);
  if ((asked || removed) && !deletionAsked.has(uid)) deletionAsked.set(uid, at.now);
  const states = pod.status?.containerStatuses ?? [];
  const done = states.length > 0 && states.every((container) => container.state?.terminated?.exitCode === 0);
  if (done && !deletionAsked.has(uid) && !shownDone.has(uid)) shownDone.set(uid, at.now);
  if (!ours || !(asked || removed)) return;
  if (run === undefined) {
    say(`the operator deleted ${pod.metadata.name}, which is no pod of a run`);
    return;
  }
  const why = reasonToDelete(server, before ?? pod);
  if (why === undefined) say(`the operator deleted ${pod.metadata.name} (${before?.status?.phase}) without a reason in the stored status`);
}

/** The reason for which a pod may be deleted, as the stored status of its job holds it (decision 6). */
function reasonToDelete(server: ApiServer, pod: Pod): string | undefined {
  const labels = pod.metadata.labels ?? {};
  const job = storedJob(server, pod.metadata.namespace as string, labels["nuptse.dev/job"] as string);
  // A job that is gone takes its pods along.
  if (job === undefined || job.metadata.uid !== labels["nuptse.dev/job-uid"]) return "job gone";
  const run = labels["nuptse.dev/run"] as string;
  const item = Number(labels["nuptse.dev/item"]);
  const attempt = Number(labels["nuptse.dev/attempt"]);
  const active: ElasticJobRun | undefined = job.status?.active?.find((entry) => entry.run === run);
  if (active === undefined) {
    const handled = parseTime(job.status?.lastHandledFireTime) ?? 0;
    return job.status?.history?.some((entry) => entry.run === run) || (fireTimeOfRun(run) ?? Number.POSITIVE_INFINITY) <= handled
      ? "run ended"
      : undefined;
  }
  if (active.ending !== undefined) return active.ending.reason;
  if (active.stops?.some((stop) => stop.item === item && stop.attempt === attempt)) return "stop";
  const recorded = IntervalSet.parse(active.succeeded).has(item) || IntervalSet.parse(active.failed).has(item);
  return recorded ? "item ended" : undefined;
}

function storedJob(server: ApiServer, namespace: string, name: string): ElasticJob | undefined {
  const reply = server.handle({
    method: "GET",
    path: `/apis/nuptse.dev/v1alpha1/namespaces/${namespace}/elasticjobs/${name}`,
    userAgent: "invariants",
  });
  return reply.status === 200 ? (reply.body as ElasticJob) : undefined;
}

function fireTimeOfRun(run: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)z$/.exec(run);
  return match === null ? undefined : parseTime(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`);
}

/** Every fire time was run or, by the job's own policy, given up and said so; the status tells what the world saw. */
function judgeJob(server: ApiServer, ledger: Ledger, job: SimulatedJob, created: number, end: number, say: (text: string) => void): void {
  const name = job.manifest.metadata.name;
  const stored = storedJob(server, "default", name);
  if (stored === undefined) {
    say(`${name} vanished`);
    return;
  }
  const status = stored.status ?? {};
  const uid = stored.metadata.uid as string;
  if ((status.active ?? []).length > 0)
    say(`${name} has not come to rest: active ${status.active?.map((run) => `${run.run} ${run.phase} ${run.reason ?? ""}`).join(", ")}`);
  const from = parseTime(status.outcomes?.from) ?? created;
  const outcomes = new Map(status.outcomes?.notSucceeded?.map((entry) => [parseTime(entry.fireTime) as number, entry.outcome as string]));
  const runs = ledger.runsOf(uid);
  for (const [fireTime, ids] of runs) if (ids.size > 1) say(`${name}: ${formatSeconds(fireTime)} has runs ${[...ids].join(", ")}`);
  const first = Math.ceil((created + 1) / job.periodMs) * job.periodMs;
  const last = Math.min(job.endAt - 1, end);
  for (let fireTime = first; fireTime <= last; fireTime += job.periodMs) {
    const ran = runs.has(fireTime);
    const outcome = outcomes.get(fireTime);
    const at = `${name}: fire time ${formatSeconds(fireTime)}`;
    if (fireTime <= from) continue;
    if (outcome === "Skipped") {
      if (ran) say(`${at} ran, and status calls it skipped`);
    } else if (!ran && outcome === undefined) say(`${at} was lost: no pod, and status calls it succeeded`);
    else if (outcome === undefined) checkSucceeded(ledger, uid, fireTime, stored, at, say);
  }
  if ((parseTime(status.lastHandledFireTime) ?? 0) < last - ((last - first) % job.periodMs) && last >= first)
    say(`${name}: lastHandledFireTime stays at ${status.lastHandledFireTime}`);
}

/** A run that status calls succeeded has done each item. */
function checkSucceeded(ledger: Ledger, uid: string, fireTime: number, job: ElasticJob, at: string, say: (text: string) => void): void {
  const total = job.spec.sharding?.total ?? 1;
  const done = new Set<number>();
  for (const record of ledger.records()) {
    if (record.jobUid === uid && record.fireTime === fireTime && record.outcome === "Succeeded") done.add(record.item);
  }
  for (let item = 0; item < total; item++) if (!done.has(item)) say(`${at} is called succeeded, and item ${item} never was`);
}
