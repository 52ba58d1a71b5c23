import type { Action } from "../../api/action.ts";
import type { ElasticJobRun } from "../../api/elastic-job.gen.ts";
import { labels } from "../../api/names.ts";
import { pods as podResource } from "../../api/resource.ts";
import { parseTime } from "../../base/time.ts";
import type { AttemptPod } from "./attempt.ts";
import type { ObservedJob } from "./observed.ts";
import { cleanupPatienceMs } from "./chunk-cleanup.ts";

/** Pods of a job that may be kept for their logs. */
const mostRetainedPods = 100;
/** Runs named by one request, so that a selector stays short. */
const mostRunsPerCleanup = 50;
/** Pods deleted by one request; the server deletes them one after the other. */
const cleanupPage = 500;

export interface Retention {
  readonly actions: readonly Action[];
  /** Pods at work although their run is recorded as ended: left by a leader that did not know it was deposed (decision 10). */
  readonly strays: readonly AttemptPod[];
  readonly wakeAt: number;
}

/**
 * Which pods of ended runs go now. They stay at least for the life of the lock that their names are, and longer where podRetention says
 * so. Selectors name runs whose end stands in a status that the server gave us, never a job or a phase alone (decision 3); where somebody
 * else's pod carries the labels of a run, its own pods go one by one.
 * @param ended pods by run, for runs that are not live
 */
export function retain(observed: ObservedJob, ended: ReadonlyMap<string, readonly AttemptPod[]>): Retention {
  const { now, job, spec } = observed;
  const history = new Map((job.status?.history ?? []).map((run) => [run.run, run]));
  const kept = keptRuns(job.status?.history ?? [], ended, observed.overRetained ? { succeeded: 0, failed: 0 } : spec.podRetention);
  const strays: AttemptPod[] = [];
  const actions: Action[] = [];
  const due: string[] = [];
  let wakeAt = Number.POSITIVE_INFINITY;
  for (const [run, pods] of ended) {
    let latest = parseTime(history.get(run)?.endedAt) ?? 0;
    let strayed = false;
    for (const pod of pods) {
      latest = Math.max(latest, pod.end?.finishedAt ?? 0, pod.createdAt);
      if (pod.end === undefined && pod.deletion === undefined) {
        // What a node took with it when it was deleted is at work nowhere; its object may go all the same.
        if (pod.node !== undefined && observed.memory.goneNodes.has(pod.node)) actions.push(deletePod(pod));
        else strays.push(pod);
        strayed = true;
      }
    }
    if (strayed || kept.has(run)) continue;
    const at = latest + spec.podRetention.minMs;
    if (at <= now) due.push(run);
    else wakeAt = Math.min(wakeAt, at);
  }
  for (const pod of strays) actions.push(deletePod(pod));
  due.sort();
  for (const run of due)
    if (observed.foreignRuns?.has(run)) actions.push(...(ended.get(run) ?? []).filter((pod) => pod.deletion === undefined).map(deletePod));
  const collected = due.filter((run) => !observed.foreignRuns?.has(run));
  for (let at = 0; at < collected.length; at += mostRunsPerCleanup) {
    const labelSelector = `${labels.jobUid}=${job.metadata.uid},${labels.run} in (${collected.slice(at, at + mostRunsPerCleanup).join(",")})`;
    const again = (observed.memory.cleanups.get(labelSelector) ?? Number.NEGATIVE_INFINITY) + cleanupPatienceMs;
    if (again > now) {
      wakeAt = Math.min(wakeAt, again);
      continue;
    }
    const namespace = job.metadata.namespace as string;
    actions.push({ tag: "deleteCollection", resource: podResource, namespace, labelSelector, limit: cleanupPage });
  }
  return { actions, strays, wakeAt };
}

function deletePod(pod: AttemptPod): Action {
  const ref = { namespace: pod.metadata.namespace as string, name: pod.metadata.name };
  return { tag: "delete", resource: podResource, ref, uid: pod.metadata.uid as string };
}

/** The newest runs of either kind, failed ones first, as long as their pods are few. `history` is newest first. */
function keptRuns(
  history: readonly ElasticJobRun[],
  pods: ReadonlyMap<string, readonly AttemptPod[]>,
  retention: { readonly succeeded: number; readonly failed: number },
): ReadonlySet<string> {
  const succeeded = history.filter((run) => run.phase === "Succeeded" && pods.has(run.run)).slice(0, retention.succeeded);
  const failed = history.filter((run) => run.phase !== "Succeeded" && pods.has(run.run)).slice(0, retention.failed);
  const kept = new Set<string>();
  let count = 0;
  for (const { run } of [...failed, ...succeeded]) {
    count += pods.get(run)?.length ?? 0;
    if (count > mostRetainedPods) break;
    kept.add(run);
  }
  return kept;
}
