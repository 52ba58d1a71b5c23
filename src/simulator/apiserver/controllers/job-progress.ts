import { type Fields, isFields, type StoredObject } from "../json.ts";
import { hasEnded, numberOf, sectionOf, specOf, statusOf } from "./owned.ts";

/** How far a Job is: what of its pods counts, and what follows from that (pkg/controller/job). Nothing is written here. */

/** Keeps a pod until its end was counted. */
export const trackingFinalizer = "batch.kubernetes.io/job-tracking";
export const indexAnnotation = "batch.kubernetes.io/job-completion-index";

/** Whether a pod will not work any more: it has a last phase, or it is deleted and nobody runs it. */
export const isOver = (pod: StoredObject): boolean =>
  hasEnded(pod) ||
  (pod.metadata.deletionTimestamp !== undefined &&
    (pod.metadata.deletionGracePeriodSeconds === 0 || String(specOf(pod).nodeName ?? "") === ""));

export const isTracked = (pod: StoredObject): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) === true;
export const isIndexed = (job: StoredObject): boolean => specOf(job).completionMode === "Indexed";

/** The index of a pod; undefined where it has none. */
export function indexOf(pod: StoredObject): number | undefined {
  const text = pod.metadata.annotations?.[indexAnnotation];
  return text === undefined ? undefined : Number(text);
}

/** "0-2,5" as a set. */
export function indexesOf(text: unknown): ReadonlySet<number> {
  const result = new Set<number>();
  if (typeof text !== "string" || text === "") return result;
  for (const part of text.split(",")) {
    const [first = 0, last = first] = part.split("-").map(Number);
    for (let index = first; index <= last; index++) result.add(index);
  }
  return result;
}

/** A set as "0-2,5": runs of three and more are written as one. */
export function indexesText(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((one, other) => one - other);
  const parts: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (sorted[end + 1] === (sorted[end] as number) + 1) end++;
    const first = sorted[at] as number;
    const last = sorted[end] as number;
    parts.push(...(last === first ? [`${first}`] : last === first + 1 ? [`${first}`, `${last}`] : [`${first}-${last}`]));
    at = end + 1;
  }
  return parts.join(",");
}

/** The counts of a Job once all ends that can be seen are counted. */
export interface Counts {
  readonly succeeded: number;
  readonly failed: number;
  /** Of an indexed Job. */
  readonly completed: ReadonlySet<number>;
  /** Pods whose end was counted now: they may go. */
  readonly counted: readonly StoredObject[];
  readonly active: readonly StoredObject[];
  readonly terminating: readonly StoredObject[];
}

/** What there is of a Job's pods. */
export function countsOf(job: StoredObject, pods: readonly StoredObject[]): Counts {
  const status = statusOf(job);
  const counted = pods.filter((pod) => isTracked(pod) && isOver(pod));
  const good = counted.filter((pod) => statusOf(pod).phase === "Succeeded");
  const completions = numberOf(specOf(job), "completions", Number.POSITIVE_INFINITY);
  const completed = new Set(
    [...indexesOf(status.completedIndexes), ...good.map(indexOf)].filter(
      (index): index is number => index !== undefined && index < completions,
    ),
  );
  const living = pods.filter((pod) => !isOver(pod));
  return {
    succeeded: isIndexed(job) ? completed.size : numberOf(status, "succeeded") + good.length,
    failed: numberOf(status, "failed") + counted.length - good.length,
    completed,
    counted,
    active: living.filter((pod) => pod.metadata.deletionTimestamp === undefined),
    terminating: living.filter((pod) => pod.metadata.deletionTimestamp !== undefined),
  };
}

/** Why a Job has failed; undefined while it has not. `now` in milliseconds since the epoch. */
export function failureOf(
  job: StoredObject,
  counts: Counts,
  now: number,
): { readonly reason: string; readonly message: string } | undefined {
  const spec = specOf(job);
  const limit = numberOf(spec, "backoffLimit", 6);
  if (counts.failed > limit || isPastRestarts(spec, counts.active, limit))
    return { reason: "BackoffLimitExceeded", message: "Job has reached the specified backoff limit" };
  const due = deadlineOf(job);
  return due !== undefined && now >= due
    ? { reason: "DeadlineExceeded", message: "Job was active longer than specified deadline" }
    : undefined;
}

/** Where containers are started again in their pods, their restarts count as failures. */
function isPastRestarts(spec: Fields, active: readonly StoredObject[], limit: number): boolean {
  if (sectionOf(sectionOf(spec, "template"), "spec").restartPolicy !== "OnFailure") return false;
  let restarts = 0;
  for (const pod of active) {
    for (const field of ["initContainerStatuses", "containerStatuses"]) {
      const statuses = statusOf(pod)[field];
      for (const status of Array.isArray(statuses) ? statuses.filter(isFields) : []) restarts += numberOf(status, "restartCount");
    }
  }
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** When a Job that has begun must be over, in milliseconds since the epoch; undefined = never. */
export function deadlineOf(job: StoredObject): number | undefined {
  const { activeDeadlineSeconds } = specOf(job);
  const { startTime } = statusOf(job);
  if (typeof activeDeadlineSeconds !== "number" || typeof startTime !== "string" || specOf(job).suspend === true) return undefined;
  return Date.parse(startTime) + activeDeadlineSeconds * 1_000;
}

/** Whether as many have succeeded as are wanted; a Job without a number is done when one has, and none works any more. */
export function isComplete(job: StoredObject, counts: Counts): boolean {
  const { completions } = specOf(job);
  if (typeof completions === "number") return counts.succeeded >= completions;
  return counts.succeeded > 0 && counts.active.length === 0;
}

/** How many pods are to work side by side now. */
export function wantedActive(job: StoredObject, counts: Counts): number {
  const spec = specOf(job);
  const parallelism = numberOf(spec, "parallelism", 1);
  if (spec.suspend === true) return 0;
  if (typeof spec.completions === "number") return Math.min(parallelism, Math.max(0, spec.completions - counts.succeeded));
  // whoever works on goes on, but nobody begins once one has succeeded
  return counts.succeeded > 0 ? Math.min(parallelism, counts.active.length) : parallelism;
}

/** The indexes to begin with next: the lowest that neither succeeded nor are at work. */
export function nextIndexes(job: StoredObject, counts: Counts, count: number): readonly number[] {
  const taken = new Set([...counts.completed, ...[...counts.active, ...counts.terminating].map(indexOf)]);
  const indexes: number[] = [];
  for (let index = 0; index < numberOf(specOf(job), "completions") && indexes.length < count; index++)
    if (!taken.has(index)) indexes.push(index);
  return indexes;
}

/** The condition of a type where it is True. */
export function conditionOf(job: StoredObject, type: string): Fields | undefined {
  const { conditions } = statusOf(job);
  return (Array.isArray(conditions) ? conditions.filter(isFields) : []).find((one) => one.type === type && one.status === "True");
}
