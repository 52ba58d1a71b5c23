import type { Action } from "../../api/action.ts";
import { reduceItem } from "../../api/names.ts";
import { nodes as nodeResource, pods as podResource } from "../../api/resource.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { type AttemptPod, isGivenBack, type StopReason, type Verdict } from "./attempt.ts";
import { timeLimit } from "./attempt-limits.ts";
import { type DueAttempt, deletePod, refOfPod } from "./attempt-pods.ts";
import { earlierSuccess, verdictOf } from "./attempt-verdict.ts";
import { allowedFailures } from "./completion.ts";
import type { EndedItem } from "./ended-item.ts";
import type { LiveRun } from "./live-run.ts";
import { afterAttempt, type NodeJudgement } from "./next-attempt.ts";
import { excludedNodes, nodeRulesAt } from "../../api/node-rule.ts";
import { freeNameUntil } from "./name-lock.ts";
import type { ObservedJob } from "./observed.ts";
import { isReduced, type Reduction, type ReduceState, writtenEnd } from "./reduce.ts";
import { itemsOutcome, type RunOutcome } from "./run-outcome.ts";
import { givenUpFrom, nodeGoneFrom } from "./unreachable.ts";

const never = Number.POSITIVE_INFINITY;

/**
 * Looks at every item of a run by its newest attempt: not begun -> its first is due; at work -> its time limits are watched; ended -> the
 * item's end, or the next attempt when its wait is over. The reduce is looked at last, like an item.
 */
export class ItemSweep {
  /** Items that ended and whose end is not recorded yet. */
  readonly ended: EndedItem[] = [];
  /** Attempts that ended without ending their item: another follows. */
  readonly passed: { readonly pod: AttemptPod; readonly verdict: Verdict }[] = [];
  /** Items with a pod at work, the reduce among them. */
  readonly atWork = new IntervalSet();
  /** Next attempts whose wait is over. */
  readonly due: DueAttempt[] = [];
  /** Items that never began, in a run that goes on. */
  readonly fresh: number[] = [];
  /** Attempts that are to be stopped, once that is recorded. */
  readonly newStops: { readonly item: number; readonly attempt: number; readonly reason: StopReason }[] = [];
  readonly actions: Action[] = [];
  /** How many items may fail. */
  readonly allowed: number;
  /** How the reduce has ended, when it has. */
  readonly reduceEnd: EndedItem | undefined;
  /** Whether the reduce is to begin. */
  readonly toReduce: boolean;
  /** How many attempts were lost. */
  readonly lost: number;
  /** What a retry rule that fails the run says to people. */
  failsRun: string | undefined;
  /** Next attempts whose wait is not over. */
  delayed = 0;
  /** Those among them that gave back their share of the queue, and ask for none before their wait is over. */
  parked = 0;
  /** When the next limit or wait is over; Infinity = none. */
  wakeAt = never;

  readonly #observed: ObservedJob;
  readonly #run: LiveRun;
  readonly #reduction: Reduction | undefined;
  readonly #nodes: NodeJudgement;
  readonly #end: (pod: AttemptPod) => readonly Action[];
  /** Succeeded attempts that others came after. */
  readonly #older: readonly AttemptPod[];
  readonly #probed = new Set<string>();
  #losses = 0;

  /** @param end the actions that end an attempt; absent = its pod is deleted */
  constructor(
    observed: ObservedJob,
    run: LiveRun,
    reduction: Reduction | undefined,
    end: (pod: AttemptPod) => readonly Action[] = (pod) => [deletePod(pod)],
  ) {
    this.#observed = observed;
    this.#end = end;
    this.#run = run;
    this.#reduction = reduction;
    this.#nodes = nodeJudgement(observed);
    this.#older = run.pods.filter((pod) => pod.end?.success === true && pod !== run.newest.get(pod.item));
    this.allowed = allowedFailures(observed.spec.completion, run.items.size);
    for (const item of run.items) this.#look(item);
    if (reduction !== undefined && (run.newest.has(reduceItem) || (reduction.file?.complete === true && this.#mayReduce())))
      this.#look(reduceItem);
    this.reduceEnd = this.ended.at(-1)?.item === reduceItem ? this.ended.pop() : undefined;
    this.toReduce = this.reduceEnd === undefined && this.#mayReduce();
    for (const pod of run.newest.values()) this.#losses += pod.history.lost;
    this.lost = Math.max(run.recorded?.lost ?? 0, this.#losses);
  }

  /** How many items have failed. */
  get failed(): number {
    return this.#run.failed.size + this.ended.filter((item) => !item.succeeded).length;
  }

  /** How many items have ended. */
  get endedItems(): number {
    return this.#run.succeeded.size + this.#run.failed.size + this.ended.length;
  }

  /** Items that have no pod at work and have not ended; a reduce that is to begin is one of them. */
  get waiting(): number {
    return this.due.length + this.delayed + this.fresh.length + (this.toReduce ? 1 : 0);
  }

  /** An item that can never be done, though it may be repeated. */
  giveUp(item: number, reason: string): void {
    for (const list of [this.fresh, this.due]) {
      const at = list.findIndex((each) => (typeof each === "number" ? each : each.item) === item);
      if (at >= 0) list.splice(at, 1);
    }
    this.ended.push({ item, succeeded: false, reason });
  }

  /** The outcome of the items, when they have all ended. */
  itemsOutcome(): RunOutcome {
    return itemsOutcome(this.#run, this.failed, this.allowed, this.failsRun);
  }

  /** The reduce as it stands; undefined while there is none. */
  reduceState(): ReduceState | undefined {
    const end = this.reduceEnd;
    const pod = this.#run.newest.get(reduceItem);
    const known = { ...(pod !== undefined && { pod }) };
    if (end !== undefined) return { phase: end.succeeded ? "Succeeded" : "Failed", end, ...known };
    if (this.atWork.has(reduceItem)) return { phase: "Running", ...known };
    return this.toReduce || this.fresh[0] === reduceItem || pod !== undefined ? { phase: "Waiting", ...known } : undefined;
  }

  /** Whether all items have ended in a way that lets the reduce begin. */
  #mayReduce(): boolean {
    if (this.#reduction === undefined || this.#run.ending !== undefined) return false;
    const open = this.atWork.size + this.due.length + this.delayed + this.fresh.length;
    return open === 0 && isReduced(this.#reduction, this.itemsOutcome());
  }

  #wake(at: number): void {
    if (at < this.wakeAt) this.wakeAt = at;
  }

  #look(item: number): void {
    const run = this.#run;
    const pod = run.newest.get(item);
    if (run.succeeded.has(item) || run.failed.has(item)) {
      if (pod !== undefined) this.#watchLeftover(pod);
      return;
    }
    const written = writtenEnd(this.#reduction, item, pod);
    if (written === undefined && pod === undefined) {
      if (run.ending === undefined) this.fresh.push(item);
      else this.ended.push({ item, succeeded: false, reason: "Cancelled" });
      return;
    }
    const verdict = pod === undefined ? undefined : verdictOf(this.#observed, run, pod);
    if (written !== undefined) {
      this.#supersede(pod, verdict, { ...written, ...(verdict !== undefined && { verdict }) });
      return;
    }
    const newest = pod as AttemptPod;
    const other = verdict?.outcome === "Succeeded" ? undefined : earlierSuccess(this.#observed, this.#older, newest);
    if (other !== undefined) this.#supersede(newest, verdict, { item, succeeded: true, reason: "", ...other });
    else if (verdict === undefined) this.#watch(newest);
    else this.#judged(newest, verdict);
  }

  /** Its end is recorded, and came from another attempt, or it was begun by a write that was late: the run is not over before it is. */
  #watchLeftover(pod: AttemptPod): void {
    if (pod.end !== undefined || verdictOf(this.#observed, this.#run, pod) !== undefined) return;
    this.atWork.add(pod.item);
    this.#remove(pod);
  }

  /** The item has ended otherwise than by its newest attempt, which is stopped if it is at work. */
  #supersede(newest: AttemptPod | undefined, verdict: Verdict | undefined, end: EndedItem): void {
    this.ended.push(end);
    if (newest === undefined || verdict !== undefined) return;
    this.atWork.add(newest.item);
    this.newStops.push({ item: newest.item, attempt: newest.attempt, reason: "Superseded" });
  }

  #watch(pod: AttemptPod): void {
    const { item, attempt } = pod;
    this.atWork.add(item);
    this.#probeGoneNode(pod);
    if (this.#run.stops.has(`${item}/${attempt}`) || this.#run.ending !== undefined) {
      this.#remove(pod);
      return;
    }
    const limit = timeLimit(this.#observed, pod, this.#nodes, item === reduceItem ? this.#reduction?.timeoutMs : undefined);
    if (limit === undefined) return;
    if (limit.at <= this.#observed.now) this.newStops.push({ item, attempt, reason: limit.reason });
    else this.#wake(limit.at);
  }

  /** Ends the attempt, and waits for its end as long as its node may answer. */
  #remove(pod: AttemptPod): void {
    if (pod.deletion === undefined) this.actions.push(...this.#end(pod));
    else this.#wake(givenUpFrom(this.#observed, pod) ?? never);
  }

  #probeGoneNode(pod: AttemptPod): void {
    const { node } = pod;
    if (
      node === undefined ||
      pod.executor !== undefined ||
      this.#observed.nodes.known(node) ||
      nodeGoneFrom(this.#observed, pod) !== undefined
    )
      return;
    if (!this.#probed.has(node)) this.actions.push({ tag: "probe", resource: nodeResource, ref: { name: node } });
    this.#probed.add(node);
    // Our picture of the pod may be older than the node's end: it may have done its work before.
    this.actions.push({ tag: "probe", resource: podResource, ref: refOfPod(pod) });
  }

  /** The newest attempt has ended: so has the item, or another attempt follows. */
  #judged(pod: AttemptPod, verdict: Verdict): void {
    const { item } = pod;
    if (verdict.outcome === "Succeeded") {
      this.ended.push({ item, succeeded: true, reason: "", pod, verdict });
      return;
    }
    if (this.#run.ending !== undefined) {
      this.ended.push({ item, succeeded: false, reason: "Cancelled", pod, verdict });
      return;
    }
    const retry = (item === reduceItem ? this.#reduction?.retry : undefined) ?? this.#observed.spec.retry;
    const after = afterAttempt(pod, verdict, retry, this.#nodes);
    if (after.kind === "failed") {
      if (item !== reduceItem) this.failsRun ??= after.failsRun;
      this.ended.push({ item, succeeded: false, reason: after.reason, pod, verdict });
      return;
    }
    this.passed.push({ pod, verdict });
    if (after.failedOver) this.#losses++;
    const notBefore = Math.max(after.next.notBefore, freeNameUntil(this.#observed, this.#run, pod));
    if (notBefore <= this.#observed.now) {
      const lost = { lostFrom: pod.node ?? "no node", why: verdict.reason };
      this.due.push({ item, next: after.next, ...(after.failedOver && lost) });
    } else {
      this.delayed++;
      if (isGivenBack(verdict.reason)) this.parked++;
      this.#wake(notBefore);
    }
  }
}

function nodeJudgement({ nodes, spec, now }: ObservedJob): NodeJudgement {
  const excluded = excludedNodes(nodeRulesAt(spec.nodeRules, now));
  return { mayReuse: (node) => nodes.usable(node) && !excluded.includes(node), known: (node) => nodes.known(node) };
}
