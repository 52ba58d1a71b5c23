import { configMaps, elasticJobs, pods, resourceName } from "../../api/resource.ts";
import { formatSeconds } from "../../base/time.ts";
import type { ApiServer, Commit } from "../apiserver/api-server.ts";
import type { Ledger } from "../world/ledger.ts";
import type { ApiHistory } from "./api-history.ts";
import { checkTouched } from "./bystanders.ts";
import { judgeDependents } from "./dependency-oracle.ts";
import { judgeFireTimes } from "./fire-time-oracle.ts";
import { lateWriteWindow } from "./late-writes.ts";
import { operatorAgent } from "./operator-agent.ts";
import { checkOnTime, checkPodCreated, checkPodDeleted } from "./pod-invariants.ts";
import { checkReduceCreated, checkResultsDeleted } from "./reduce-invariants.ts";
import { checkStatusWrite, checkTruth } from "./status-invariants.ts";
import { checkAskedPod, judgeRequests } from "./request-oracle.ts";
import { judgeWork } from "./work-invariants.ts";

/** Watches every commit of the API server, and the world's ledger at the end, for what must never be (testing.md, Invariants). */
export interface InvariantWatch {
  /** What was found so far, in the order in which it happened, each once; empty is good. */
  readonly problems: readonly string[];
  /** Instants of the operator's commits besides its lease and events. */
  readonly writesAt: readonly number[];
  /** The world has come to be. */
  attach(ledger: Ledger): void;
  /** Judges what status says now, in a time that is calm. */
  look(): void;
  /** Judges the whole history once everything has come to rest; all was calm from `calmFrom` on. */
  judge(calmFrom: number): void;
}

export interface InvariantOptions {
  readonly server: ApiServer;
  readonly history: ApiHistory;
  readonly now: () => number;
  /**
   * How much before its fire time a pod may be created now: the operator trusts the server's Date header, which has whole seconds, as far
   * as its own clock is ahead (decision 11); 0 while all clocks are right.
   */
  readonly earlinessMs: () => number;
  /** How many writes were delayed so far. */
  readonly delayedWrites: () => number;
}

const mostProblems = 100;

/** Begins to watch. */
export function watchInvariants(options: InvariantOptions): InvariantWatch {
  const { server, history, now } = options;
  const problems: string[] = [];
  const writesAt: number[] = [];
  const told = new Set<string>();
  let ledger: Ledger | undefined;
  const lateWrites = lateWriteWindow(options.delayedWrites, now);

  const say = (text: string) => {
    if (told.has(text) || told.size >= mostProblems) return;
    told.add(text);
    problems.push(`${formatSeconds(now())} ${text}`);
  };

  function check(commit: Commit): void {
    const late = lateWrites();
    history.observe(commit);
    if (!commit.userAgent.startsWith(operatorAgent)) return;
    const kind = resourceName(commit.resource);
    if (kind !== "leases.coordination.k8s.io" && !kind.startsWith("events")) writesAt.push(now());
    checkTouched(commit, say);
    if (kind === resourceName(elasticJobs)) {
      const job = history.jobs.get(commit.object.metadata.uid as string);
      const fact = job?.statuses.at(-1);
      if (job !== undefined && fact?.at === now() && commit.type === "MODIFIED") checkStatusWrite(job, fact, history, ledger, say);
    } else if (kind === resourceName(pods)) {
      const pod = history.pods.get(commit.object.metadata.uid as string);
      if (pod === undefined) return;
      if (commit.type === "ADDED") {
        checkPodCreated(pod, history, { now: now(), earlinessMs: options.earlinessMs(), lateWrites: late }, say);
        if (!pod.stray && !late) checkAskedPod(pod, history, say);
        checkReduceCreated(pod, history, say);
      } else if (pod.askedAt === now()) checkPodDeleted(pod, history, say);
    } else if (kind === resourceName(configMaps) && commit.type === "DELETED") checkResultsDeleted(commit, history, say);
  }

  server.onCommit(check);

  return {
    problems,
    writesAt,
    attach(found) {
      ledger = found;
    },
    look() {
      for (const job of history.jobs.values())
        if (job.deletedAt === undefined) checkTruth(job, job.stored.status ?? {}, history, now(), say);
    },
    judge(calmFrom) {
      const seen = ledger as Ledger;
      judgeWork(history, seen, say);
      judgeRequests(history, seen, now(), say);
      for (const job of history.jobs.values()) {
        checkOnTime(job, history, calmFrom, now(), say);
        judgeFireTimes(job, history, seen, job.deletedAt ?? now(), say);
        judgeDependents(job, history, now(), say);
        const active = job.stored.status?.active ?? [];
        if (job.deletedAt === undefined && active.length > 0)
          say(`${job.name} has not come to rest: ${active.map((run) => `${run.run} ${run.phase} ${run.reason ?? ""}`).join(", ")}`);
      }
    },
  };
}
