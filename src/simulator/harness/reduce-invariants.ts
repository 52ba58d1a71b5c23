import type { Pod } from "../../api/core.ts";
import { reduceItem } from "../../api/names.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import type { Commit } from "../apiserver/api-server.ts";
import { mayFail } from "./attempt-invariants.ts";
import type { ApiHistory, JobFacts, PodFacts, RunFacts } from "./api-history.ts";

type Say = (text: string) => void;

/** A reduce begins after all items, with all their results written down; after that no item begins. */
export function checkReduceCreated(pod: PodFacts, history: ApiHistory, say: Say): void {
  const job = history.liveJob(pod.jobUid);
  const run = job?.runs.get(pod.run);
  if (job === undefined || run === undefined || pod.stray) return;
  const told = (text: string) => say(`${pod.name} was created ${text}`);
  const reduces = run.pods.filter((other) => other.item === reduceItem && other !== pod && !other.stray);
  if (pod.item !== reduceItem) {
    const begun = reduces.find((other) => other.createdBy === pod.createdBy);
    if (begun !== undefined) told(`although ${begun.name} reduces what all items have done`);
    return;
  }
  if (!job.versions.some(({ spec }) => spec.reduce !== undefined)) told("for a job without a reduce");
  const atWork = run.pods.find(
    (other) => other.item !== reduceItem && !other.stray && !history.isOver(other) && other.goneAt === undefined,
  );
  if (atWork !== undefined) told(`while ${atWork.name} may be at work`);
  checkResults(pod, run, job, told);
}

/** One line for each item of the run, and in it what a pod of the item wrote that ended well. */
function checkResults(pod: PodFacts, run: RunFacts, job: JobFacts, told: Say): void {
  const annotation = JSON.parse(pod.object.metadata.annotations?.["nuptse.dev/run"] ?? "{}") as { readonly items?: string };
  const missing = new Set(IntervalSet.parse(annotation.items));
  const total = missing.size;
  let failures = 0;
  const text = run.results?.data?.["results.jsonl"];
  if (text === undefined) {
    told("without the results of its run");
    return;
  }
  let last = -1;
  for (const line of text.trimEnd().split("\n")) {
    const { item, result, failed } = JSON.parse(line) as { readonly item: number; readonly result?: string; readonly failed?: true };
    if (!missing.delete(item) || item < last) told(`with a line about item ${item} that has no place there`);
    last = item;
    const pods = run.pods.filter((other) => other.item === item);
    if (failed !== true && !pods.some((other) => messageOf(other.object) === result))
      told(`with a result of item ${item} that no pod of it wrote`);
    if (failed !== true) continue;
    failures += 1;
    if (job.versions.every(({ spec }) => spec.reduce?.when === "Succeeded" && failures > mayFail(spec, total)))
      told(`although item ${item} failed`);
  }
  if (missing.size > 0) told(`without the results of items ${[...missing].join(",")}`);
}

/** The file stays as long as a pod may read it. */
export function checkResultsDeleted({ object }: Commit, history: ApiHistory, say: Say): void {
  const labels = (object.metadata.labels ?? {}) as Readonly<Record<string, string>>;
  const run = history.liveJob(labels["nuptse.dev/job-uid"] ?? "")?.runs.get(labels["nuptse.dev/run"] ?? "");
  const reader = run?.pods.find((pod) => pod.item === reduceItem && !pod.stray && !history.isOver(pod));
  if (reader !== undefined) say(`the operator deleted ${object.metadata.name}, which ${reader.name} reads`);
}

function messageOf(pod: Pod): string | undefined {
  const ended = pod.status?.containerStatuses?.[0]?.state?.terminated;
  return ended?.exitCode === 0 ? (ended.message ?? "") : undefined;
}
