import type { Pod } from "../../api/core.ts";
import type { ElasticJobRun } from "../../api/elastic-job.gen.ts";
import { reduceItem } from "../../api/names.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { formatMillis, formatSeconds } from "../../base/time.ts";
import { type AttemptPod, attemptPod, judge } from "../../elasticjob/rules/attempt.ts";
import { recordsOf } from "../../elasticjob/rules/resident/dispatch-record.ts";
import type { JobPicture } from "./job-picture.ts";

/** An item of a run as people see it, or its reduce, which has the number reduceItem. */
export interface ItemView {
  readonly item: number;
  /** Retrying: its newest attempt has ended, and the next one has not begun. */
  readonly phase: "Waiting" | "Starting" | "Running" | "Retrying" | "Succeeded" | "Failed" | "Cancelled";
  readonly attempt?: number;
  readonly pod?: string;
  readonly node?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly exitCode?: number;
  /** One word. */
  readonly reason?: string;
  readonly message?: string;
  readonly result?: string;
}

/** A run as people see it: what status tells, and what its pods tell beyond that. */
export interface RunView {
  readonly run: string;
  readonly kind?: string;
  readonly phase: string;
  readonly reason?: string;
  readonly message?: string;
  readonly fireTime?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** When status last told about it. */
  readonly updatedAt?: string;
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly attempts: number;
  readonly lost: number;
  readonly ending?: string;
  readonly live: boolean;
  /** Last of all the reduce, once it has begun. */
  readonly items: readonly ItemView[];
}

const endedPhases: ReadonlySet<string> = new Set(["Succeeded", "Failed", "Cancelled", "Skipped"]);

/** Whether an item has come to its end. */
export const isEnded = (phase: string): boolean => endedPhases.has(phase);

/** All runs that status or pods tell of: those that go on first, then the ended ones, the newest fire time first in both. */
export function runViews(picture: Pick<JobPicture, "job" | "pods">): readonly RunView[] {
  const { status, metadata } = picture.job;
  const podsByRun = newestAttempts(picture.pods, metadata.uid);
  const ended = new Set((status?.history ?? []).map((entry) => entry.run));
  // A requested run stands in both lists until its request has been told of its end.
  const entries = [...(status?.active ?? []).filter((entry) => !ended.has(entry.run)), ...(status?.history ?? [])];
  // The first attempts of an on-time run need no record: it is in status only some seconds later.
  const known = new Set(entries.map((entry) => entry.run));
  for (const [run, pods] of podsByRun) {
    const [first] = pods.values();
    const handled = Date.parse(status?.lastHandledFireTime ?? "");
    if (known.has(run) || first === undefined || Date.parse(first.attempt.history.fireTime) <= handled) continue;
    entries.push(unrecordedEntry(run, pods));
  }
  const views = entries.map((entry) => runView(entry, podsByRun.get(entry.run) ?? new Map(), resultsOf(picture, entry)));
  // A retry has the fire time of the run it repeats, and began after it.
  const keyOf = (view: RunView) => `${view.fireTime ?? ""} ${view.startedAt ?? ""} ${view.run}`;
  return views.sort((a, b) => Number(b.live) - Number(a.live) || (keyOf(a) < keyOf(b) ? 1 : -1));
}

/** A pod and what rules read from it. */
interface ItemPod {
  readonly pod: Pod;
  readonly attempt: AttemptPod;
}

/** By run and item, the newest attempt. */
function newestAttempts(pods: readonly Pod[], jobUid: string | undefined): ReadonlyMap<string, ReadonlyMap<number, ItemPod>> {
  const runs = new Map<string, Map<number, ItemPod>>();
  for (const pod of pods) {
    const attempt = attemptPod(pod);
    if (attempt === undefined || (jobUid !== undefined && attempt.jobUid !== jobUid)) continue;
    let items = runs.get(attempt.run);
    if (items === undefined) {
      items = new Map();
      runs.set(attempt.run, items);
    }
    const known = items.get(attempt.item);
    if (known === undefined || known.attempt.attempt < attempt.attempt) items.set(attempt.item, { pod, attempt });
  }
  return runs;
}

function unrecordedEntry(run: string, pods: ReadonlyMap<number, ItemPod>): ElasticJobRun {
  const all = [...pods.values()];
  const { history } = (all[0] as ItemPod).attempt;
  const items = IntervalSet.parse(history.items);
  const startedAt = Math.min(...all.map(({ attempt }) => attempt.createdAt));
  return {
    run,
    kind: history.kind,
    phase: "Running",
    fireTime: formatSeconds(Date.parse(history.fireTime)),
    items: history.items,
    total: items.size,
    startedAt: formatMillis(startedAt),
    attempts: all.reduce((sum, { attempt }) => sum + attempt.attempt, 0),
  };
}

function resultsOf({ job }: Pick<JobPicture, "job">, entry: ElasticJobRun): ReadonlyMap<number, string> {
  const results = new Map<number, string>();
  const stored = job.status?.results?.run === entry.run ? job.status.results.items : entry.results;
  for (const { item, value } of stored ?? []) if (item !== undefined && value !== undefined) results.set(item, value);
  const ofReduce = job.status?.results?.run === entry.run ? job.status.results.reduce : undefined;
  if (ofReduce !== undefined) results.set(reduceItem, ofReduce);
  return results;
}

function runView(entry: ElasticJobRun, pods: ReadonlyMap<number, ItemPod>, results: ReadonlyMap<number, string>): RunView {
  const phase = entry.phase ?? "Waiting";
  const live = !isEnded(phase);
  const succeeded = IntervalSet.parse(entry.succeeded);
  const failed = IntervalSet.parse(entry.failed);
  const failures = new Map((entry.failures ?? []).map((failure) => [failure.item, failure]));
  const dispatched = dispatchedItems(entry);
  const items: ItemView[] = [];
  for (const item of IntervalSet.parse(entry.items)) {
    const failure = failures.get(item);
    const view = dispatched.get(item) ?? itemOfPod(item, pods.get(item), live);
    const result = results.get(item) ?? view.result;
    const common = { ...view, ...(result !== undefined && { result }) };
    if (succeeded.has(item)) items.push({ ...common, phase: "Succeeded" });
    else if (failed.has(item)) {
      items.push({
        ...common,
        phase: failure?.reason === "Cancelled" || (failure === undefined && phase === "Cancelled") ? "Cancelled" : "Failed",
        ...(failure?.attempt !== undefined && { attempt: failure.attempt }),
        ...(failure?.node !== undefined && { node: failure.node }),
        ...(failure?.exitCode !== undefined && { exitCode: failure.exitCode }),
        ...(failure?.reason !== undefined && { reason: failure.reason }),
        ...(failure?.message !== undefined && { message: failure.message }),
      });
    } else items.push(live || phase === "Succeeded" ? common : { ...common, phase: "Cancelled" });
  }
  const count = (wanted: ItemView["phase"]) => items.filter((item) => item.phase === wanted).length;
  const counts = { succeeded: count("Succeeded"), failed: count("Failed") + count("Cancelled") };
  const reduce = reduceView(entry, pods.get(reduceItem), live, results.get(reduceItem));
  if (reduce !== undefined) items.push(reduce);
  return {
    run: entry.run,
    ...(entry.kind !== undefined && { kind: entry.kind }),
    phase: live && phase === "Waiting" && pods.size > 0 ? "Running" : phase,
    ...(entry.reason !== undefined && { reason: entry.reason }),
    ...(entry.message !== undefined && { message: entry.message }),
    ...(entry.fireTime !== undefined && { fireTime: entry.fireTime }),
    ...(entry.startedAt !== undefined && { startedAt: entry.startedAt }),
    ...(entry.endedAt !== undefined && { endedAt: entry.endedAt }),
    ...(entry.updatedAt !== undefined && { updatedAt: entry.updatedAt }),
    total: entry.total ?? counts.succeeded + counts.failed,
    ...counts,
    attempts: entry.attempts ?? 0,
    lost: entry.lost ?? 0,
    ...(entry.ending?.reason !== undefined && { ending: entry.ending.reason }),
    live,
    items,
  };
}

/** Items that instances of a fleet work on; what they are in trouble with is their message. */
function dispatchedItems(entry: ElasticJobRun): ReadonlyMap<number, ItemView> {
  const troubles = new Map((entry.progress ?? []).map(({ item, trouble }) => [item, trouble]));
  return new Map(
    recordsOf(entry).map(({ item, attempt, name, at }) => {
      const trouble = troubles.get(item);
      const view = { item, phase: "Running" as const, attempt, node: name, startedAt: formatMillis(at) };
      return [item, trouble === undefined ? view : { ...view, message: trouble }];
    }),
  );
}

/** What comes after all items; undefined as long as it has not begun, or when the run has none. */
function reduceView({ reduce }: ElasticJobRun, pod: ItemPod | undefined, live: boolean, result: string | undefined): ItemView | undefined {
  if (pod === undefined && (reduce === undefined || reduce.phase === "Waiting")) return undefined;
  const view = itemOfPod(reduceItem, pod, live);
  const phase = reduce?.phase === "Succeeded" || reduce?.phase === "Failed" ? reduce.phase : view.phase;
  const told = {
    ...(reduce?.attempts !== undefined && { attempt: reduce.attempts }),
    ...(reduce?.node !== undefined && { node: reduce.node }),
    ...(reduce?.exitCode !== undefined && { exitCode: reduce.exitCode }),
    ...(reduce?.reason !== undefined && { reason: reduce.reason }),
    ...(reduce?.message !== undefined && { message: reduce.message }),
  };
  return { ...told, ...view, phase, ...(result !== undefined && { result }) };
}

function itemOfPod(item: number, found: ItemPod | undefined, live: boolean): ItemView {
  if (found === undefined) return { item, phase: "Waiting" };
  const { attempt } = found;
  const verdict = judge(attempt);
  const endedAt = attempt.end?.finishedAt;
  const common = {
    item,
    attempt: attempt.attempt,
    pod: attempt.metadata.name,
    ...(attempt.node !== undefined && { node: attempt.node }),
    ...(attempt.startedAt !== undefined && { startedAt: formatMillis(attempt.startedAt) }),
    ...(endedAt !== undefined && { endedAt: formatMillis(endedAt) }),
  };
  if (verdict === undefined) {
    const reason = attempt.node === undefined ? "NotScheduled" : attempt.waiting;
    return { ...common, phase: attempt.startedAt === undefined ? "Starting" : "Running", ...(reason !== undefined && { reason }) };
  }
  const said = { ...(verdict.exitCode !== undefined && { exitCode: verdict.exitCode }) };
  if (verdict.outcome === "Succeeded") {
    return { ...common, ...said, phase: "Succeeded", ...(verdict.message !== "" && { result: verdict.message }) };
  }
  const words = { reason: verdict.reason, ...(verdict.message !== "" && { message: verdict.message }) };
  return { ...common, ...said, ...words, phase: live ? "Retrying" : "Failed" };
}
