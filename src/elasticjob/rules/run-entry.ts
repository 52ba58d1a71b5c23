import type { ElasticJobItemResult, ElasticJobRun, ElasticJobRunFailure } from "../../api/elastic-job.gen.ts";
import { reduceItem } from "../../api/names.ts";
import { clip } from "../../base/clip.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { formatMillis, formatSeconds } from "../../base/time.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import type { EndedItem } from "./ended-item.ts";
import { knownQueue, queueEntry } from "./queue-turn.ts";
import { residentEntry } from "./resident/run-entry.ts";
import type { RunStep } from "./run-step.ts";

/** Failed items that status tells about. */
const mostFailures = 20;
/** Bytes of results kept of one run, and of all runs that are at work together. */
const mostResultBytes = 64 * 1024;

/**
 * The entry of a run in status as of this step: for `active` while it goes on, for `history` once it has an outcome.
 * @param activeRuns how many runs share the room for results in `active`
 */
export function runEntry(step: RunStep, spec: EffectiveSpec, now: number, activeRuns = 1): ElasticJobRun {
  const { run, outcome } = step;
  const succeeded = new IntervalSet(run.succeeded);
  const failed = new IntervalSet(run.failed);
  for (const item of step.ended) (item.succeeded ? succeeded : failed).add(item.item);
  const assigned = step.resident?.assigned.length ?? 0;
  const begun = run.newest.size > 0 || succeeded.size + failed.size + assigned > 0;
  const startedAt = run.startedAt ?? (assigned > 0 ? now : undefined);
  const phase = outcome?.phase ?? (begun ? "Running" : "Waiting");
  const reason = outcome?.reason ?? step.waitReason?.reason;
  const message = outcome?.message ?? step.waitReason?.message;
  const ending = run.ending ?? (step.newEnding === undefined ? undefined : { ...step.newEnding, at: now });
  const stops = outcome === undefined ? stopsOf(step, now) : [];
  const failures = failuresOf(step, outcome !== undefined);
  const results = outcome === undefined ? resultsOf(step, spec.resultBytes, mostResultBytes / activeRuns) : { items: [], omitted: 0 };
  const reduce = reduceEntry(step);
  const queue = knownQueue(run);
  return {
    run: run.id,
    kind: run.kind,
    phase,
    ...(reason !== undefined && reason !== "" && { reason }),
    ...(message !== undefined && message !== "" && { message: message.slice(0, 1024) }),
    revision: run.revision,
    fireTime: formatSeconds(run.fireTime),
    ...run.asked,
    items: run.items.toString(),
    total: run.items.size,
    ...(queue !== undefined && { queue }),
    ...(step.turn !== undefined && queueEntry(step.turn)),
    ...(startedAt !== undefined && { startedAt: formatMillis(startedAt) }),
    ...(outcome !== undefined ? { endedAt: formatMillis(now) } : { updatedAt: formatMillis(now) }),
    ...(outcome === undefined &&
      ending !== undefined && { ending: { reason: ending.reason, message: ending.message.slice(0, 1024), at: formatMillis(ending.at) } }),
    ...(stops.length > 0 && { stops }),
    succeeded: succeeded.toString(),
    ...(outcome === undefined && { running: step.atWork.toString() }),
    failed: failed.toString(),
    lost: step.lost,
    attempts: attemptsOf(step, succeeded, failed),
    ...(failures.length > 0 && { failures }),
    ...(results.items.length > 0 && { results: results.items }),
    ...(results.omitted > 0 && { resultsOmitted: results.omitted }),
    ...(reduce !== undefined && { reduce }),
    ...(step.resident !== undefined && residentEntry(step.run, step.resident, outcome === undefined, succeeded, failed)),
  };
}

function stopsOf(step: RunStep, now: number): NonNullable<ElasticJobRun["stops"]> {
  const kept = (step.run.recorded?.stops ?? []).filter((stop) => {
    const newest = step.run.newest.get(stop.item ?? reduceItem);
    return newest === undefined || newest.attempt <= (stop.attempt ?? 0);
  });
  return [
    ...kept,
    ...step.newStops.map(({ item, ...stop }) => {
      // The pod may be gone before anybody looks again, and with it what it tells of its item.
      const { counted = 0, lost = 0 } = step.run.newest.get(item)?.history ?? {};
      return {
        ...(item !== reduceItem && { item }),
        ...stop,
        at: formatMillis(now),
        ...(counted > 0 && { counted }),
        ...(lost > 0 && { lost }),
      };
    }),
  ];
}

/** The reduce for status: from the moment on in which all items have ended. */
function reduceEntry({ reduce }: RunStep): ElasticJobRun["reduce"] {
  if (reduce === undefined) return undefined;
  const { phase, pod, end } = reduce;
  const verdict = end?.verdict;
  const message =
    phase === "Failed" ? [verdict?.reason, verdict?.message].filter((text) => text !== undefined && text !== "").join(": ") : "";
  return {
    phase,
    ...(pod !== undefined && { attempts: pod.attempt }),
    ...(pod?.node !== undefined && { node: pod.node }),
    ...(phase === "Failed" && end !== undefined && end.reason !== "" && { reason: end.reason }),
    ...(phase === "Failed" && verdict?.exitCode !== undefined && { exitCode: verdict.exitCode }),
    ...(message !== "" && { message: message.slice(0, 256) }),
  };
}

function failuresOf(step: RunStep, over: boolean): readonly ElasticJobRunFailure[] {
  const failures = [...(step.run.recorded?.failures ?? [])];
  for (const ended of step.ended) {
    if (failures.length >= mostFailures) break;
    // Items that a cancelled run never began are told by their number alone.
    if (!ended.succeeded && (ended.pod !== undefined || over)) failures.push(failureOf(ended));
  }
  return failures.slice(0, mostFailures);
}

function failureOf({ item, reason, pod, verdict }: EndedItem): ElasticJobRunFailure {
  const message = verdict === undefined ? "" : [verdict.reason, verdict.message].filter((text) => text !== "").join(": ");
  return {
    item,
    ...(pod !== undefined && { attempt: pod.attempt }),
    reason,
    ...(verdict?.exitCode !== undefined && { exitCode: verdict.exitCode }),
    ...(pod?.node !== undefined && { node: pod.node }),
    ...(message !== "" && { message: message.slice(0, 256) }),
  };
}

function attemptsOf(step: RunStep, succeeded: IntervalSet, failed: IntervalSet): number {
  // What has ended leaves status: the count goes on from what stands there.
  if (step.resident !== undefined) return (step.run.recorded?.attempts ?? step.run.newest.size) + step.resident.assigned.length;
  let attempts = 0;
  for (const pod of step.run.newest.values()) attempts += pod.attempt;
  for (const set of [succeeded, failed]) for (const item of set) if (!step.run.newest.has(item)) attempts++;
  return Math.max(attempts, step.run.recorded?.attempts ?? 0);
}

/** The results of all items that have ended so far, lowest item first, as far as they fit; what did not fit before counts as omitted. */
export function resultsOf(
  step: RunStep,
  maxBytes: number,
  roomBytes = mostResultBytes,
): { readonly items: readonly ElasticJobItemResult[]; readonly omitted: number } {
  const values = new Map<number, string>();
  for (const result of step.run.recorded?.results ?? []) values.set(result.item as number, result.value ?? "");
  for (const { item, succeeded, verdict } of step.ended) {
    if (succeeded && verdict !== undefined && verdict.message !== "" && maxBytes > 0) values.set(item, clip(verdict.message, maxBytes));
  }
  const items: ElasticJobItemResult[] = [];
  let omitted = step.run.recorded?.resultsOmitted ?? 0;
  let bytes = 0;
  for (const [item, value] of [...values].sort(([a], [b]) => a - b)) {
    bytes += Buffer.byteLength(value);
    if (bytes > roomBytes) omitted++;
    else items.push({ item, value });
  }
  return { items, omitted };
}
