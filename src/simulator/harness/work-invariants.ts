import { getOrMake } from "../../base/map.ts";
import { formatSeconds } from "../../base/time.ts";
import type { Ledger, WorkRecord } from "../world/ledger.ts";
import type { ApiHistory, JobFacts, PodFacts } from "./api-history.ts";
import { isBackfilled } from "./fire-times.ts";

type Say = (text: string) => void;

interface Work {
  readonly pod: PodFacts;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly record: WorkRecord;
}

/** What the world saw at work, judged at the end: never one item twice, never two runs of a job that excludes it. */
export function judgeWork(history: ApiHistory, ledger: Ledger, say: Say): void {
  for (const job of history.jobs.values()) {
    const work = workOf(job, ledger);
    judgeItems(job, work, history, say);
    const policy = job.versions[0]?.spec.concurrencyPolicy ?? "Forbid";
    if (policy !== "Allow") judgeRuns(job, work, history, say);
  }
}

function workOf(job: JobFacts, ledger: Ledger): readonly Work[] {
  const work: Work[] = [];
  for (const run of job.runs.values()) {
    for (const pod of run.pods) {
      const record = ledger.ofPod(pod.uid);
      if (record?.startedAt === undefined || pod.stray) continue;
      work.push({ pod, startedAt: record.startedAt, endedAt: record.endedAt ?? Number.POSITIVE_INFINITY, record });
    }
  }
  return work.sort((a, b) => a.startedAt - b.startedAt);
}

/** Nobody could read from the API that it goes on: its object had been taken away or given up, or its node, before the other one was created. */
function isUnknowable(first: Work, second: Work, history: ApiHistory): boolean {
  const endedFor = Math.min(first.pod.goneAt ?? Number.POSITIVE_INFINITY, first.pod.givenUpAt ?? Number.POSITIVE_INFINITY);
  return endedFor <= second.pod.createdAt || history.nodeWasDeleted(first.pod);
}

function judgeItems(job: JobFacts, work: readonly Work[], history: ApiHistory, say: Say): void {
  const byItem = new Map<string, Work[]>();
  for (const each of work) getOrMake(byItem, `${each.pod.run}/${each.pod.item}`, () => []).push(each);
  for (const list of byItem.values()) {
    list.forEach((second, index) => {
      for (const first of list.slice(0, index)) {
        if (first.endedAt > second.startedAt && !isUnknowable(first, second, history))
          say(`${job.name}: item at work twice: ${describe(first)} and ${describe(second)} at ${formatSeconds(second.startedAt)}`);
        const shown = first.pod.doneAt ?? Number.POSITIVE_INFINITY;
        const undisturbed = first.pod.disturbedAt === undefined && !history.nodeWasDeleted(first.pod);
        if (first.record.outcome === "Succeeded" && undisturbed && shown < second.pod.createdAt)
          say(`${job.name}: item done twice: ${describe(first)} had ended well, and ${describe(second)} began`);
      }
    });
  }
}

function judgeRuns(job: JobFacts, work: readonly Work[], history: ApiHistory, say: Say): void {
  const told = new Set<string>();
  work.forEach((second, index) => {
    for (const first of work.slice(Math.max(0, index - 200), index)) {
      if (isBackfilled(first.pod.run) || isBackfilled(second.pod.run)) continue;
      if (first.pod.run === second.pod.run || first.endedAt <= second.startedAt || isUnknowable(first, second, history)) continue;
      const pair = `${first.pod.run} and ${second.pod.run}`;
      if (told.has(pair)) continue;
      told.add(pair);
      say(`${job.name}: runs ${pair} were at work at once (${describe(first)}, ${describe(second)} at ${formatSeconds(second.startedAt)})`);
    }
  });
}

function describe({ pod }: Work): string {
  return `${pod.name} on ${pod.node}`;
}

/** Failovers that ended: an attempt that was lost, and a later one of the same item that succeeded. */
export function completedFailovers(history: ApiHistory, ledger: Ledger): number {
  let count = 0;
  for (const job of history.jobs.values()) {
    for (const { pod, record } of workOf(job, ledger)) {
      if (record.outcome !== "Succeeded" || pod.attempt < 2) continue;
      const before = job.runs.get(pod.run)?.pods.find((other) => other.item === pod.item && other.attempt === pod.attempt - 1);
      if (before === undefined) continue;
      if (before.disturbedAt !== undefined || ledger.ofPod(before.uid)?.outcome === "NodeDied") count++;
    }
  }
  return count;
}
