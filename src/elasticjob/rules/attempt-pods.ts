import type { Action } from "../../api/action.ts";
import type { ObjectRef } from "../../api/meta.ts";
import { reduceItem } from "../../api/names.ts";
import { eventReasons } from "../../api/reasons.ts";
import { pods as podResource } from "../../api/resource.ts";
import { formatMillis } from "../../base/time.ts";
import type { AttemptPod, RunAnnotation } from "./attempt.ts";
import type { LiveRun } from "./live-run.ts";
import type { NextAttempt } from "./next-attempt.ts";
import { excludedNodes, nodeRulesAt } from "../../api/node-rule.ts";
import type { ObservedJob } from "./observed.ts";
import { type PodOrder, type RevisionData, renderPod } from "./pod.ts";
import type { QueueTurn } from "./queue-turn.ts";
import { revisionOf } from "./revision.ts";

/** An attempt whose wait is over. */
export interface DueAttempt {
  readonly item: number;
  readonly next: NextAttempt;
  /** Set when it is a failover: the node of the lost attempt, and how it was lost. */
  readonly lostFrom?: string;
  readonly why?: string;
}

/**
 * The pods of attempts that are due, then of items that never began, while there are places.
 * @param places how many pods may be created; none when it is below 1
 * @param turn how the run stands with its queue; absent = it is of none
 */
export function createPods(
  observed: ObservedJob,
  run: LiveRun,
  due: readonly DueAttempt[],
  fresh: readonly number[],
  places: number,
  turn?: QueueTurn,
): readonly Action[] {
  const pinned = revisionOf(observed.revisions, run.revision)?.data as RevisionData | undefined;
  if (places <= 0 || pinned === undefined) return [];
  const revision = run.asked?.parameter === undefined ? pinned : { ...pinned, parameter: run.asked.parameter };
  const nodeRules = nodeRulesAt(observed.spec.nodeRules, observed.now);
  const first = firstAnnotation(observed, run, revision, turn);
  const offset = observed.armed?.schedule.zone.segmentAt(run.fireTime).offset ?? 0;
  const common = {
    job: observed.job,
    revision,
    run: run.id,
    fireTime: run.fireTime,
    localDate: observed.armed?.localDate(run.fireTime) ?? formatMillis(run.fireTime).slice(0, 10),
    ...(run.asked?.options !== undefined && { options: run.asked.options }),
    ...(revision.options !== undefined && { localTime: run.fireTime + offset }),
    nodeRules,
    ...(turn !== undefined && { queue: queueOrder(observed, run, turn) }),
  };
  const create = (item: number, attempt: number, history: RunAnnotation): Action => ({
    tag: "create",
    resource: podResource,
    object: renderPod({ ...common, item, attempt, history }),
    lane: `${observed.job.metadata.uid}/${run.id}`,
  });
  const reduces = (due[0]?.item ?? fresh[0]) === reduceItem;
  const template = (reduces ? revision.reduce?.template : undefined) ?? revision.template;
  const excluded = excludedNodes(nodeRules);
  const selector = { ...template?.spec.nodeSelector, ...turn?.pool?.nodeSelector };
  const usable = observed.nodes.usableNames(selector).filter((name) => !excluded.includes(name));
  const actions: Action[] = [];
  for (const attempt of due.slice(0, places)) {
    const { item, next } = attempt;
    if (attempt.lostFrom !== undefined) actions.push(failoverEvent(observed, run, attempt));
    // With every node left out that the pod may use, nothing could ever run again.
    const nodes = usable.every((name) => next.nodes.includes(name)) ? [] : next.nodes;
    const history = { ...first, counted: next.counted, lost: next.lost, nodes, ...(next.node !== undefined && { pinned: next.node }) };
    actions.push(create(item, next.attempt, history));
  }
  for (const item of fresh.slice(0, Math.max(places - due.length, 0))) actions.push(create(item, 1, first));
  return actions;
}

/** What the first attempt of an item carries of its run. */
function firstAnnotation(observed: ObservedJob, run: LiveRun, revision: RevisionData, turn: QueueTurn | undefined): RunAnnotation {
  return {
    kind: run.kind,
    fireTime: formatMillis(run.fireTime),
    revision: run.revision,
    items: run.items.toString(),
    counted: 0,
    lost: 0,
    nodes: [],
    since: formatMillis(run.startedAt ?? observed.now),
    ...(run.asked !== undefined && { request: run.asked.request }),
    ...(revision.reduce !== undefined && { reduce: true }),
    ...(turn !== undefined && { admitted: turn.allowed, ...(turn.lowered > 0 && { lowered: turn.lowered }) }),
  };
}

/** What its queue makes of a pod. The promise of a run that finishes is kept by its pods, also while no operator is there. */
function queueOrder({ spec, now }: ObservedJob, run: LiveRun, { queue, pool }: QueueTurn): NonNullable<PodOrder["queue"]> {
  const left = (run.startedAt ?? now) + spec.runTimeoutMs - now;
  const isBound = spec.queue.onReclaim === "Finish" && left < Number.POSITIVE_INFINITY;
  return { name: queue, ...(pool !== undefined && { pool }), ...(isBound && { lastsSeconds: Math.max(1, Math.ceil(left / 1000)) }) };
}

/** Tells people that an item was lost and begins again. */
export function failoverEvent(observed: ObservedJob, run: LiveRun, { item, next, lostFrom, why }: DueAttempt): Action {
  const what = item === reduceItem ? "the reduce" : `item ${item}`;
  const note = `run ${run.id}: ${what} was lost on ${lostFrom} (${why}) and starts again elsewhere as attempt ${next.attempt}`;
  return { tag: "event", regarding: observed.job, type: "Warning", reason: eventReasons.itemFailedOver, note };
}

/** Only as it is known here: the cache may be late, and the program may have done its work meanwhile. */
export function deletePod(pod: AttemptPod): Action {
  const { uid, resourceVersion } = pod.metadata;
  return {
    tag: "delete",
    resource: podResource,
    ref: refOfPod(pod),
    uid: uid as string,
    ...(resourceVersion !== undefined && { resourceVersion }),
  };
}

export const refOfPod = (pod: AttemptPod): ObjectRef => ({ namespace: pod.metadata.namespace as string, name: pod.metadata.name });
