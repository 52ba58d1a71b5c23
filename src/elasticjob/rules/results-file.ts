import type { Action } from "../../api/action.ts";
import type { ConfigMap } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import { ownedBy, identityOf, type KubeObject } from "../../api/meta.ts";
import { annotations, itemsPerChunk, labels } from "../../api/names.ts";
import { configMaps } from "../../api/resource.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { parseTime } from "../../base/time.ts";
import type { AttemptPod } from "./attempt.ts";
import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import { resultsFileName, resultsKey } from "./results-volume.ts";
import { fireTimeOf } from "./run-id.ts";

/*
 * The results of a run, written down for its reduce: a ConfigMap owned by the job (decision 22). One JSON line for each item, in their order:
 * {"item":0,"result":"..."} for one that succeeded, {"item":3,"failed":true} for one that did not. It is written before the reduce's pod is
 * created and before the pods of its items may go, so it is also the record that these items have ended: what it tells of is never run again.
 */

/** What all lines of a run take together at most; a ConfigMap takes 1 MiB. */
const mostBytes = 1_000_000;

/** Which items a results file tells of, as sets in text. */
export interface ResultsCover {
  readonly succeeded: string;
  readonly failed: string;
  /** It tells of all items of the run. */
  readonly complete: boolean;
}

/** What the operator keeps of a results file. */
export interface ResultsFile extends KubeObject {
  /** The ElasticJob's name and UID. */
  readonly job: string;
  readonly jobUid: string;
  readonly run: string;
  readonly succeeded: IntervalSet;
  readonly failed: IntervalSet;
  readonly complete: boolean;
  /** Its lines, as long as more are to be added; a large file that is complete need not be kept in memory. */
  readonly lines: string;
}

/** Keeps of a ConfigMap what rules read; undefined when it is no results file of ours. */
export function resultsFile(map: ConfigMap): ResultsFile | undefined {
  const { labels: own = {}, ownerReferences } = map.metadata;
  const owner = ownerReferences?.find((reference) => reference.controller);
  const run = own[labels.run];
  const cover = parseCover(map.metadata.annotations?.[annotations.results]);
  if (owner === undefined || owner.uid !== own[labels.jobUid] || run === undefined || cover === undefined) return undefined;
  return {
    metadata: identityOf(map.metadata),
    job: owner.name,
    jobUid: owner.uid,
    run,
    ...cover,
    lines: cover.complete ? "" : (map.data?.[resultsKey] ?? ""),
  };
}

function parseCover(text: string | undefined): Pick<ResultsFile, "succeeded" | "failed" | "complete"> | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as ResultsCover;
    return { succeeded: IntervalSet.parse(value.succeeded), failed: IntervalSet.parse(value.failed), complete: value.complete === true };
  } catch {
    return undefined;
  }
}

/** How an item of the run ended, as far as it is to be written down. */
export interface ItemEnd {
  readonly item: number;
  readonly succeeded: boolean;
  /** What was written down of it before holds. */
  readonly result: string;
}

/** Creates the file of a run, or puts a longer one in its place. */
export function writeResults(job: ElasticJob, run: LiveRun, ends: readonly ItemEnd[], before: ResultsFile | undefined): Action {
  const uid = job.metadata.uid as string;
  const sets = { succeeded: new IntervalSet(before?.succeeded), failed: new IntervalSet(before?.failed) };
  for (const { item, succeeded } of ends) {
    if (!sets.succeeded.has(item) && !sets.failed.has(item)) (succeeded ? sets.succeeded : sets.failed).add(item);
  }
  const complete = sets.succeeded.size + sets.failed.size >= run.items.size;
  const cover: ResultsCover = { succeeded: sets.succeeded.toString(), failed: sets.failed.toString(), complete };
  const object: ConfigMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: resultsFileName({ name: job.metadata.name, uid }, run.id),
      namespace: job.metadata.namespace as string,
      labels: { [labels.job]: job.metadata.name, [labels.jobUid]: uid, [labels.run]: run.id },
      annotations: { [annotations.results]: JSON.stringify(cover) },
      ownerReferences: ownedBy(job),
      ...(before?.metadata.uid !== undefined && { uid: before.metadata.uid }),
      ...(before?.metadata.resourceVersion !== undefined && { resourceVersion: before.metadata.resourceVersion }),
    },
    data: { [resultsKey]: linesOf(ends, before, Math.floor(mostBytes / run.items.size)) },
  };
  return { tag: before === undefined ? "create" : "replace", resource: configMaps, object };
}

function linesOf(ends: readonly ItemEnd[], before: ResultsFile | undefined, mostOfLine: number): string {
  const lines = new Map<number, string>();
  for (const line of before?.lines.split("\n") ?? []) {
    const [, item] = /^\{"item":(\d+)/.exec(line) ?? [];
    if (item !== undefined) lines.set(Number(item), line);
  }
  for (const end of ends) if (!lines.has(end.item)) lines.set(end.item, lineOf(end, mostOfLine));
  return [...lines]
    .sort(([a], [b]) => a - b)
    .map(([, line]) => `${line}\n`)
    .join("");
}

/** Signs that JSON must write as several bytes can make a line longer than its share of the file: then its result is cut. */
function lineOf({ item, succeeded, result }: ItemEnd, mostBytes: number): string {
  if (!succeeded) return JSON.stringify({ item, failed: true });
  const whole = JSON.stringify({ item, result });
  if (Buffer.byteLength(whole) < mostBytes) return whole;
  const signs = [...result];
  let low = 0;
  let high = signs.length;
  const cut = (length: number) => JSON.stringify({ item, result: signs.slice(0, length).join(""), cut: true });
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (Buffer.byteLength(cut(middle)) < mostBytes) low = middle;
    else high = middle - 1;
  }
  return cut(low);
}

/** Chunks of a large run of which every item is recorded and not all are written down: their pods are still needed. */
export function unwrittenChunks(run: LiveRun, pods: readonly AttemptPod[], file: ResultsFile | undefined): ReadonlySet<number> {
  const missing = new Set<number>();
  for (const { item } of pods) {
    const recorded = run.succeeded.has(item) || run.failed.has(item);
    if (recorded && file?.succeeded.has(item) !== true && file?.failed.has(item) !== true) missing.add(Math.floor(item / itemsPerChunk));
  }
  return missing;
}

/** Deletes the files of ended runs once no pod of the run is left: those of a run whose pods are kept for their logs stay with them. */
export function collectResultsFiles(
  observed: ObservedJob,
  live: readonly LiveRun[],
  pods: ReadonlyMap<string, readonly AttemptPod[]>,
): readonly Action[] {
  if (observed.resultsFiles.length === 0) return [];
  const { status = {}, metadata } = observed.job;
  const handled = parseTime(status.lastHandledFireTime) ?? Number.NEGATIVE_INFINITY;
  const isOver = (run: string) => {
    if (live.some((each) => each.id === run) || pods.has(run)) return false;
    // A run that was asked for stands in status.active as long as it goes on; its id is no fire time alone.
    return status.history?.some((entry) => entry.run === run) === true || (fireTimeOf(run) ?? Number.NEGATIVE_INFINITY) <= handled;
  };
  return observed.resultsFiles
    .filter((file) => isOver(file.run))
    .map((file) => ({
      tag: "delete",
      resource: configMaps,
      ref: { namespace: metadata.namespace as string, name: file.metadata.name },
      uid: file.metadata.uid as string,
    }));
}
