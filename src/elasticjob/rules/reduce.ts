import type { ControllerRevision } from "../../api/core.ts";
import { itemsPerChunk } from "../../api/names.ts";
import { clip } from "../../base/clip.ts";
import type { AttemptPod } from "./attempt.ts";
import { effectiveSpec, type RetryPolicy } from "./effective-spec.ts";
import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import type { RevisionData } from "./pod.ts";
import { type ItemEnd, type ResultsFile, unwrittenChunks } from "./results-file.ts";
import type { EndedItem } from "./ended-item.ts";
import type { RunOutcome } from "./run-outcome.ts";

/** The reduce of a run: how its attempts are to be handled, and what is written down for it so far. */
export interface Reduction {
  readonly when: "Succeeded" | "Completed";
  /** From its container's start; Infinity = none. */
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  /** What is kept of an item's result at most. */
  readonly resultBytes: number;
  readonly file?: ResultsFile;
}

/** The reduce as it stands in this step. */
export interface ReduceState {
  readonly phase: "Waiting" | "Running" | "Succeeded" | "Failed";
  readonly pod?: AttemptPod;
  readonly end?: EndedItem;
}

/** How the run is to be reduced, by the revision that it is pinned to (decision 15); undefined when it is not. */
export function reductionOf(observed: ObservedJob, run: LiveRun, revision: ControllerRevision | undefined): Reduction | undefined {
  const data = revision?.data as RevisionData | undefined;
  const reduce = data?.reduce;
  // Without the revision a pod of the run still tells that it does not end with its items.
  const told = revision === undefined && [...run.newest.values()].some((pod) => pod.history.reduce === true);
  if (reduce === undefined && !told) return undefined;
  const { spec, job } = observed;
  const { sharding: _unused, ...rest } = job.spec;
  const file = observed.resultsFiles.find((each) => each.run === run.id);
  return {
    when: reduce?.when ?? "Succeeded",
    timeoutMs: reduce?.timeoutSeconds === undefined ? Number.POSITIVE_INFINITY : reduce.timeoutSeconds * 1000,
    retry: reduce?.retry === undefined ? spec.retry : effectiveSpec({ ...rest, retry: reduce.retry }).retry,
    resultBytes: data?.results?.maxBytes ?? spec.resultBytes,
    ...(file !== undefined && { file }),
  };
}

/** Whether the ends of all items let the reduce begin. A run that is being stopped is not reduced. */
export function isReduced(reduction: Reduction, itemsOutcome: RunOutcome): boolean {
  return itemsOutcome.phase === "Succeeded" || (reduction.when === "Completed" && itemsOutcome.reason === "ItemsFailed");
}

/** The end of an item that the results file tells of: it holds, whatever has become of the item's pod or of the retry rules since. */
export function writtenEnd(reduction: Reduction | undefined, item: number, pod: AttemptPod | undefined): EndedItem | undefined {
  if (reduction?.file?.complete !== true) return undefined;
  const { succeeded, failed } = reduction.file;
  if (succeeded.has(item)) return { item, succeeded: true, reason: "", ...(pod !== undefined && { pod }) };
  return failed.has(item) ? { item, succeeded: false, reason: "RetriesExhausted", ...(pod !== undefined && { pod }) } : undefined;
}

/** The outcome of a run that ends with a reduce: it has succeeded only when its reduce has. */
export function reducedOutcome(run: LiveRun, itemsOutcome: RunOutcome, end: EndedItem | undefined): RunOutcome {
  if (end?.succeeded === true || (end === undefined && run.ending === undefined)) return itemsOutcome;
  if (run.ending !== undefined) {
    const phase = run.ending.reason === "Replaced" ? "Cancelled" : "Failed";
    return { phase, reason: run.ending.reason, message: run.ending.message };
  }
  const how = describeEnd(end);
  if (itemsOutcome.phase !== "Succeeded") return { ...itemsOutcome, message: `${itemsOutcome.message}; the reduce failed too: ${how}` };
  return { phase: "Failed", reason: "ReduceFailed", message: `all items ended, and the reduce failed: ${how}` };
}

function describeEnd(end: EndedItem | undefined): string {
  const verdict = end?.verdict;
  const attempts = end?.pod?.attempt ?? 1;
  const how = verdict?.exitCode === undefined ? (verdict?.reason ?? end?.reason ?? "") : `${verdict.reason}, exit ${verdict.exitCode}`;
  return `${how} after ${attempts} attempt${attempts === 1 ? "" : "s"}`;
}

/**
 * What is to be written down now: all items once they have ended, and before that those of chunks whose pods could go. Undefined = nothing.
 */
export function dueResults(
  reduction: Reduction,
  run: LiveRun,
  ended: readonly EndedItem[],
  allEnded: boolean,
): readonly ItemEnd[] | undefined {
  const { file } = reduction;
  if (file?.complete) return undefined;
  const large = run.items.size > itemsPerChunk;
  if (!allEnded && !(large && fullChunks(run, unwrittenChunks(run, run.pods, file)))) return undefined;
  const kept = new Map(run.recorded?.results?.map((result) => [result.item as number, result.value ?? ""]));
  const ends: ItemEnd[] = [];
  const endOf = (item: number, succeeded: boolean, result = ""): ItemEnd => ({
    item,
    succeeded,
    result: clip(result, reduction.resultBytes),
  });
  for (const succeeded of [true, false]) {
    for (const item of succeeded ? run.succeeded : run.failed) {
      // An attempt that was superseded is the newest, and the success is that of one before it.
      const end = run.newest.get(item)?.end;
      ends.push(endOf(item, succeeded, end !== undefined && end.success === succeeded ? end.message : kept.get(item)));
    }
  }
  // What is not recorded yet may be judged anew by another leader as long as the run is at work.
  if (allEnded) for (const { item, succeeded, verdict } of ended) ends.push(endOf(item, succeeded, verdict?.message));
  return ends;
}

/** Whether one of the chunks has only recorded items. */
function fullChunks(run: LiveRun, chunks: ReadonlySet<number>): boolean {
  const open = new Set<number>();
  for (const item of run.items) if (!run.succeeded.has(item) && !run.failed.has(item)) open.add(Math.floor(item / itemsPerChunk));
  return [...chunks].some((chunk) => !open.has(chunk));
}
