import type { Action } from "../../api/action.ts";
import type { ControllerRevision } from "../../api/core.ts";
import type { ObjectRef } from "../../api/meta.ts";
import { itemsPerChunk, labels, reduceItem } from "../../api/names.ts";
import { eventReasons } from "../../api/reasons.ts";
import { nodes as nodeResource, pods as podResource } from "../../api/resource.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { formatMillis } from "../../base/time.ts";
import { type AttemptPod, isImagePull, judge, type RunAnnotation, type StopReason, type Verdict } from "./attempt.ts";
import { allowedFailures } from "./completion.ts";
import type { LiveRun } from "./live-run.ts";
import { type AfterAttempt, afterAttempt, type NextAttempt, type NodeJudgement } from "./next-attempt.ts";
import { excludedNodes, nodeRulesAt } from "./node-rule.ts";
import type { ObservedJob } from "./observed.ts";
import { type RevisionData, renderPod } from "./pod.ts";
import {
  dueResults,
  isReduced,
  itemsThenReduce,
  type Reduction,
  type ReduceState,
  reducedOutcome,
  reductionOf,
  writtenEnd,
} from "./reduce.ts";
import { unwrittenChunks, writeResults } from "./results-file.ts";
import { givenUpAt, givenUpFrom, nodeGoneFrom } from "./unreachable.ts";

/** An item that ended for good, and the attempt that decided it. */
export interface EndedItem {
  readonly item: number;
  readonly succeeded: boolean;
  /** RetriesExhausted, TooManyAttempts, Cancelled; "" when it succeeded. */
  readonly reason: string;
  readonly pod?: AttemptPod;
  readonly verdict?: Verdict;
}

/** A run as it stands now, and what is to be done for it. */
export interface RunStep {
  readonly run: LiveRun;
  /** Items that ended and whose end is not recorded yet. */
  readonly ended: readonly EndedItem[];
  /** Attempts that ended without ending their item: another follows. Absent = none. */
  readonly passed?: readonly { readonly pod: AttemptPod; readonly verdict: Verdict }[];
  readonly atWork: IntervalSet;
  /** Items without a pod at work that have not ended. */
  readonly waiting: number;
  /** Attempts whose stop is to be recorded before their pods are deleted. */
  readonly newStops: readonly { readonly item: number; readonly attempt: number; readonly reason: StopReason }[];
  /** The decision to end the run, to be recorded before its pods are deleted. */
  readonly newEnding?: { readonly reason: string; readonly message: string };
  /** Set when everything has ended. */
  readonly outcome?: { readonly phase: "Succeeded" | "Failed" | "Cancelled"; readonly reason: string; readonly message: string };
  /** The reduce, once all items have ended. */
  readonly reduce?: ReduceState;
  /** Why it does not go on, for status and people. */
  readonly waitReason?: { readonly reason: string; readonly message: string };
  readonly actions: readonly Action[];
  readonly lost: number;
  readonly wakeAt: number;
}

/** An attempt whose wait is over. */
interface DueAttempt {
  readonly item: number;
  readonly next: NextAttempt;
  /** Set when it is a failover: the node of the lost attempt, and how it was lost. */
  readonly lostFrom?: string;
  readonly why?: string;
}

/** A same-node attempt that is not scheduled after this long goes elsewhere (decision 18). */
const sameNodePatienceMs = 60_000;
const never = Number.POSITIVE_INFINITY;

/**
 * One step of a run. For each item, by its newest attempt: not begun -> create the first; at work -> watch its time limits; ended -> record,
 * or create the next attempt when its wait is over. A stop or an ending is decided here, stands in status after that, and only a later
 * step, which observes it there, deletes pods (decision 6). The reduce comes last and is handled like an item: it begins when all items
 * have ended and their results are written down.
 * @param mayStart whether a run without pods may begin
 */
export function stepRun(observed: ObservedJob, run: LiveRun, mayStart: boolean): RunStep {
  const { now, memory, spec } = observed;
  const actions: Action[] = [];
  const ended: EndedItem[] = [];
  const passed: { pod: AttemptPod; verdict: Verdict }[] = [];
  const atWork = new IntervalSet();
  const due: DueAttempt[] = [];
  const fresh: number[] = [];
  const newStops: { item: number; attempt: number; reason: StopReason }[] = [];
  const probed = new Set<string>();
  const nodes = nodeJudgement(observed);
  const older = run.pods.filter((pod) => pod.end?.success === true && pod !== run.newest.get(pod.item));
  let failsRun: string | undefined;
  let losses = 0;
  let delayed = 0;
  let wakeAt = never;
  const wake = (at: number) => {
    if (at < wakeAt) wakeAt = at;
  };

  const reduction = reductionOf(observed, run, revisionOf(observed.revisions, run.revision));
  const allowed = allowedFailures(spec.completion, run.items.size);
  const itemsEnded = () => atWork.size + due.length + delayed + fresh.length === 0;
  const mayReduce = () =>
    reduction !== undefined &&
    run.ending === undefined &&
    itemsEnded() &&
    isReduced(reduction, outcomeOf(run, failedOf(run, ended), allowed, failsRun));
  const items = reduction === undefined ? run.items : itemsThenReduce(run, () => reduction.file?.complete === true && mayReduce());
  for (const item of items) {
    const pod = run.newest.get(item);
    if (run.succeeded.has(item) || run.failed.has(item)) {
      // Its end came from another attempt, or it was begun by a write that was late: the run is not over before it is.
      if (pod === undefined || pod.end !== undefined || verdictOf(observed, run, pod) !== undefined) continue;
      atWork.add(item);
      if (pod.deletion === undefined) actions.push(deletePod(pod));
      else wake(givenUpFrom(observed, pod) ?? never);
      continue;
    }
    const written = writtenEnd(reduction, item, pod);
    if (written !== undefined) {
      const verdict = pod === undefined ? undefined : verdictOf(observed, run, pod);
      ended.push({ ...written, ...(verdict !== undefined && { verdict }) });
      if (pod !== undefined && verdict === undefined) {
        atWork.add(item);
        newStops.push({ item, attempt: pod.attempt, reason: "Superseded" });
      }
      continue;
    }
    if (pod === undefined) {
      fresh.push(item);
      continue;
    }
    const verdict = verdictOf(observed, run, pod);
    const other = verdict?.outcome === "Succeeded" ? undefined : earlierSuccess(observed, older, pod);
    if (other !== undefined) {
      ended.push({ item, succeeded: true, reason: "", ...other });
      if (verdict === undefined) {
        atWork.add(item);
        newStops.push({ item, attempt: pod.attempt, reason: "Superseded" });
      }
      continue;
    }
    if (verdict === undefined) {
      atWork.add(item);
      if (pod.node !== undefined && !observed.nodes.known(pod.node) && nodeGoneFrom(observed, pod) === undefined) {
        if (!probed.has(pod.node)) actions.push({ tag: "probe", resource: nodeResource, ref: { name: pod.node } });
        probed.add(pod.node);
        // Our picture of the pod may be older than the node's end: it may have done its work before.
        actions.push({ tag: "probe", resource: podResource, ref: refOfPod(pod) });
      }
      const stop = run.stops.get(`${item}/${pod.attempt}`);
      if (stop !== undefined || run.ending !== undefined) {
        if (pod.deletion === undefined) actions.push(deletePod(pod));
        else wake(givenUpFrom(observed, pod) ?? never);
        continue;
      }
      const limit = timeLimit(observed, pod, nodes, item === reduceItem ? reduction?.timeoutMs : undefined);
      if (limit !== undefined && limit.at <= now) newStops.push({ item, attempt: pod.attempt, reason: limit.reason });
      else if (limit !== undefined) wake(limit.at);
      continue;
    }
    if (verdict.outcome === "Succeeded") {
      ended.push({ item, succeeded: true, reason: "", pod, verdict });
      continue;
    }
    if (run.ending !== undefined) {
      ended.push({ item, succeeded: false, reason: "Cancelled", pod, verdict });
      continue;
    }
    const retry = item === reduceItem && reduction !== undefined ? reduction.retry : spec.retry;
    const after: AfterAttempt = afterAttempt(pod, verdict, retry, nodes);
    if (after.kind === "failed") {
      if (item !== reduceItem) failsRun ??= after.failsRun;
      ended.push({ item, succeeded: false, reason: after.reason, pod, verdict });
      continue;
    }
    passed.push({ pod, verdict });
    if (after.failedOver) losses++;
    if (after.next.notBefore <= now)
      due.push({ item, next: after.next, ...(after.failedOver && { lostFrom: pod.node ?? "no node", why: verdict.reason }) });
    else {
      delayed++;
      wake(after.next.notBefore);
    }
  }
  for (const pod of run.newest.values()) losses += pod.history.lost;
  const lost = Math.max(run.recorded?.lost ?? 0, losses);

  const reduceEnd = ended.at(-1)?.item === reduceItem ? ended.pop() : undefined;
  const toReduce = reduceEnd === undefined && mayReduce();
  const undecided = toReduce ? 1 : 0;
  const results = reduction === undefined || run.ending !== undefined ? undefined : dueResults(reduction, run, ended, toReduce);

  const refusal = memory.refusals.get(run.id);
  const blocked = memory.invalid.get(run.id) ?? memory.nameTaken.get(run.id);
  let newEnding: RunStep["newEnding"];
  const rest = atWork.size + due.length + delayed + fresh.length + undecided;
  const failed = failedOf(run, ended);
  if (run.ending === undefined) {
    if (blocked !== undefined) newEnding = { reason: memory.invalid.has(run.id) ? "TemplateRefused" : "NameTaken", message: blocked };
    else if (failsRun !== undefined && rest > 0) newEnding = { reason: "RetryRule", message: failsRun };
    else if (spec.completion.failFast && reduction?.when !== "Completed" && failed > allowed && rest > 0)
      newEnding = { reason: "ItemsFailed", message: failedText(run, failed) };
    else if (run.startedAt !== undefined && run.startedAt + spec.runTimeoutMs <= now && rest > 0)
      newEnding = { reason: "RunTimeout", message: `not ended ${spec.runTimeoutMs / 1000} s after its first pod was created` };
    else if (run.startedAt !== undefined) wake(run.startedAt + spec.runTimeoutMs);
  }

  const begun = run.newest.size > 0 || run.succeeded.size + run.failed.size > 0;
  const stopped = run.ending !== undefined || newEnding !== undefined;
  if (run.ending !== undefined) for (const item of fresh) ended.push({ item, succeeded: false, reason: "Cancelled" });
  const waiting = run.ending === undefined ? fresh.length + due.length + delayed + undecided : 0;
  if (!stopped && (begun || mayStart) && !memory.namespaceTerminating) {
    if (refusal !== undefined && refusal.retryAt > now) wake(refusal.retryAt);
    else {
      createPods(observed, run, due, fresh, Math.min(spec.parallelism - atWork.size, refusal?.allowance ?? never), actions);
      if (results !== undefined) actions.push(writeResults(observed.job, run, results, reduction?.file));
    }
  }
  thin(observed, run, run.ending === undefined ? reduction : undefined, actions);

  // Once nothing waits any more, what is left of a refusal is its slow start; it is told again only when it is waited for again.
  const refused = refusal !== undefined && waiting > 0 && (refusal.retryAt > now || run.recorded?.reason === refusal.reason);
  const waitReason = refused
    ? { reason: refusal.reason as string, message: refusal.message }
    : begun || mayStart
      ? undefined
      : { reason: run.recorded?.reason ?? "ConcurrencyPolicy", message: run.recorded?.message ?? "an earlier run is at work" };
  const over = atWork.size === 0 && waiting === 0 && !(newEnding !== undefined && run.ending === undefined);
  const itemsOutcome = over ? outcomeOf(run, failedOf(run, ended), allowed, failsRun) : undefined;
  const outcome = itemsOutcome === undefined || reduction === undefined ? itemsOutcome : reducedOutcome(run, itemsOutcome, reduceEnd);
  const reduce = reduceState(run, atWork.has(reduceItem), toReduce || fresh[0] === reduceItem, reduceEnd);
  return {
    run,
    ended,
    passed,
    atWork: atWork.has(reduceItem) ? atWork.minus(new IntervalSet([reduceItem])) : atWork,
    waiting,
    newStops,
    ...(newEnding !== undefined && { newEnding }),
    ...(outcome !== undefined && { outcome }),
    ...(reduce !== undefined && { reduce }),
    ...(waitReason !== undefined && { waitReason }),
    actions,
    lost,
    wakeAt,
  };
}

function nodeJudgement({ nodes, spec, now }: ObservedJob): NodeJudgement {
  const excluded = excludedNodes(nodeRulesAt(spec.nodeRules, now));
  return { mayReuse: (node) => nodes.usable(node) && !excluded.includes(node), known: (node) => nodes.known(node) };
}

function reduceState(run: LiveRun, atWork: boolean, toReduce: boolean, end: EndedItem | undefined): ReduceState | undefined {
  const pod = run.newest.get(reduceItem);
  const known = { ...(pod !== undefined && { pod }) };
  if (end !== undefined) return { phase: end.succeeded ? "Succeeded" : "Failed", end, ...known };
  if (atWork) return { phase: "Running", ...known };
  return toReduce || pod !== undefined ? { phase: "Waiting", ...known } : undefined;
}

/** What has become of an attempt of the run. */
export function verdictOf(observed: ObservedJob, run: LiveRun, pod: AttemptPod): Verdict | undefined {
  const stop = run.stops.get(`${pod.item}/${pod.attempt}`);
  const vanishedAt = run.vanishedAt.get(pod);
  // A machine may come back under the name of a node that was deleted, and must find that the pod is to end (decision 20).
  const nodeGoneAt = pod.deletion === undefined ? undefined : nodeGoneFrom(observed, pod);
  const lostAt = givenUpAt(observed, run, pod);
  return judge(pod, {
    ...(stop !== undefined && { stop: stop.reason }),
    ...(vanishedAt !== undefined && { vanishedAt }),
    ...(nodeGoneAt !== undefined && { nodeGoneAt }),
    ...(lostAt !== undefined && { givenUpAt: lostAt }),
    endedUndeleted: observed.endedUndeleted.has(pod.metadata.uid as string),
  });
}

/** An attempt that was given up for its unreachable node, and had done its work: the first outcome that is recorded counts (decision 20). */
function earlierSuccess(
  observed: ObservedJob,
  older: readonly AttemptPod[],
  newest: AttemptPod,
): Pick<EndedItem, "pod" | "verdict"> | undefined {
  for (const pod of older) {
    if (pod.item !== newest.item || pod.attempt >= newest.attempt) continue;
    const verdict = judge(pod, { endedUndeleted: observed.endedUndeleted.has(pod.metadata.uid as string) });
    if (verdict?.outcome === "Succeeded") return { pod, verdict };
  }
  return undefined;
}

/** The first limit that an attempt at work runs into. */
function timeLimit(observed: ObservedJob, pod: AttemptPod, nodes: NodeJudgement, timeoutMs?: number): TimeLimit | undefined {
  const gone = nodeGoneFrom(observed, pod);
  if (gone !== undefined) return { at: gone, reason: "NodeGone" };
  const own = pod.deletion === undefined ? ownTimeLimit(observed, pod, nodes, timeoutMs) : undefined;
  const at = givenUpFrom(observed, pod) ?? never;
  return at === never || (own !== undefined && own.at <= at) ? own : { at, reason: "Unreachable" };
}

interface TimeLimit {
  readonly at: number;
  readonly reason: StopReason;
}

function ownTimeLimit(
  { spec, now }: ObservedJob,
  pod: AttemptPod,
  nodes: NodeJudgement,
  timeoutMs = spec.itemTimeoutMs,
): TimeLimit | undefined {
  if (pod.startedAt !== undefined) {
    return timeoutMs === never ? undefined : { at: pod.startedAt + timeoutMs, reason: "ItemTimeout" };
  }
  if (pod.scheduledAt !== undefined) {
    return { at: pod.scheduledAt + spec.startTimeoutMs, reason: isImagePull(pod.waiting) ? "ImagePull" : "StartTimeout" };
  }
  const pinned = pod.history.pinned;
  if (pinned === undefined) return undefined;
  return { at: nodes.mayReuse(pinned) ? pod.createdAt + sameNodePatienceMs : now, reason: "NotScheduled" };
}

function createPods(
  observed: ObservedJob,
  run: LiveRun,
  due: readonly DueAttempt[],
  fresh: readonly number[],
  places: number,
  actions: Action[],
): void {
  if (places <= 0) return;
  const pinned = revisionOf(observed.revisions, run.revision)?.data as RevisionData | undefined;
  if (pinned === undefined) return;
  const revision = run.asked?.parameter === undefined ? pinned : { ...pinned, parameter: run.asked.parameter };
  const since = formatMillis(run.startedAt ?? observed.now);
  const first: RunAnnotation = {
    kind: run.kind,
    fireTime: formatMillis(run.fireTime),
    revision: run.revision,
    items: run.items.toString(),
    counted: 0,
    lost: 0,
    nodes: [],
    since,
    ...(run.asked !== undefined && { request: run.asked.request }),
    ...(revision.reduce !== undefined && { reduce: true }),
  };
  const localDate = observed.armed?.localDate(run.fireTime) ?? formatMillis(run.fireTime).slice(0, 10);
  const nodeRules = nodeRulesAt(observed.spec.nodeRules, observed.now);
  const excluded = excludedNodes(nodeRules);
  const reduces = (due[0]?.item ?? fresh[0]) === reduceItem;
  const template = (reduces ? revision.reduce?.template : revision.template) ?? revision.template;
  const usable = observed.nodes.usableNames(template.spec.nodeSelector ?? {}).filter((name) => !excluded.includes(name));
  const offset = observed.armed?.schedule.zone.segmentAt(run.fireTime).offset ?? 0;
  const asOptions = {
    ...(run.asked?.options !== undefined && { options: run.asked.options }),
    ...(revision.options !== undefined && { localTime: run.fireTime + offset }),
  };
  const add = (item: number, attempt: number, history: RunAnnotation) =>
    actions.push({
      tag: "create",
      resource: podResource,
      object: renderPod({
        job: observed.job,
        revision,
        run: run.id,
        fireTime: run.fireTime,
        localDate,
        item,
        attempt,
        history,
        ...asOptions,
        nodeRules,
      }),
      lane: `${observed.job.metadata.uid}/${run.id}`,
    });
  let left = places;
  for (const { item, next, lostFrom, why } of due) {
    if (left-- <= 0) return;
    if (lostFrom !== undefined) {
      const what = item === reduceItem ? "the reduce" : `item ${item}`;
      const note = `run ${run.id}: ${what} was lost on ${lostFrom} (${why}) and starts again elsewhere as attempt ${next.attempt}`;
      actions.push({ tag: "event", regarding: observed.job, type: "Warning", reason: eventReasons.itemFailedOver, note });
    }
    // With every node left out that the pod may use, nothing could ever run again.
    const nodes = usable.every((name) => next.nodes.includes(name)) ? [] : next.nodes;
    const history = { ...first, counted: next.counted, lost: next.lost, nodes, ...(next.node !== undefined && { pinned: next.node }) };
    add(item, next.attempt, history);
  }
  for (const item of fresh) {
    if (left-- <= 0) return;
    add(item, 1, first);
  }
}

/** Only as it is known here: the cache may be late, and the program may have done its work meanwhile. */
function deletePod(pod: AttemptPod): Action {
  const { uid, resourceVersion } = pod.metadata;
  return {
    tag: "delete",
    resource: podResource,
    ref: refOfPod(pod),
    uid: uid as string,
    ...(resourceVersion !== undefined && { resourceVersion }),
  };
}

const refOfPod = (pod: AttemptPod): ObjectRef => ({ namespace: pod.metadata.namespace as string, name: pod.metadata.name });

/** How long a collection that was told to go is left alone before it is told again. */
export const cleanupPatienceMs = 60_000;

/**
 * Deletes the pods of a large run's chunks once every item of a chunk is recorded as ended (decisions 3 and 21), and its results are written
 * down for the reduce.
 */
function thin(observed: ObservedJob, run: LiveRun, reduction: Reduction | undefined, actions: Action[]): void {
  if (run.recorded === undefined || run.items.size <= itemsPerChunk || observed.foreignRuns?.has(run.id)) return;
  const open = new Set<number>();
  for (const item of run.items) if (!run.succeeded.has(item) && !run.failed.has(item)) open.add(Math.floor(item / itemsPerChunk));
  const unwritten = reduction === undefined ? undefined : unwrittenChunks(run, run.pods, reduction.file);
  const full = new Set<number>();
  for (const pod of run.pods) {
    const chunk = Math.floor(pod.item / itemsPerChunk);
    if (!open.has(chunk) && unwritten?.has(chunk) !== true && pod.item !== reduceItem) full.add(chunk);
  }
  for (const chunk of full) {
    const labelSelector = `${labels.jobUid}=${observed.job.metadata.uid},${labels.run}=${run.id},${labels.chunk}=${chunk}`;
    if ((observed.memory.cleanups.get(labelSelector) ?? Number.NEGATIVE_INFINITY) + cleanupPatienceMs > observed.now) continue;
    actions.push({
      tag: "deleteCollection",
      resource: podResource,
      namespace: observed.job.metadata.namespace as string,
      labelSelector,
      limit: itemsPerChunk,
    });
  }
}

function outcomeOf(run: LiveRun, failed: number, allowed: number, failsRun: string | undefined): NonNullable<RunStep["outcome"]> {
  if (failed === 0) return { phase: "Succeeded", reason: "Completed", message: "" };
  if (run.ending?.reason === "Replaced" || run.ending?.reason === "Cancelled")
    return { phase: "Cancelled", reason: run.ending.reason, message: run.ending.message };
  if (run.ending !== undefined) return { phase: "Failed", reason: run.ending.reason, message: run.ending.message };
  if (failsRun !== undefined) return { phase: "Failed", reason: "RetryRule", message: failsRun };
  if (failed <= allowed) return { phase: "Succeeded", reason: "Completed", message: `${failedText(run, failed)}, and ${allowed} may` };
  return { phase: "Failed", reason: "ItemsFailed", message: failedText(run, failed) };
}

const failedOf = (run: LiveRun, ended: readonly EndedItem[]): number => run.failed.size + ended.filter((item) => !item.succeeded).length;

const failedText = (run: LiveRun, failed: number): string => `${failed} of ${run.items.size} items failed`;

/** The revision that a run uses; undefined when the cache does not hold it. */
function revisionOf(revisions: readonly ControllerRevision[], name: string): ControllerRevision | undefined {
  return revisions.find((revision) => revision.metadata.name === name);
}
