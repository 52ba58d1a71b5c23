import type { Bucket } from "./bucket.ts";
import { isBeneath } from "./claims.ts";
import { isShown } from "./amount-table.ts";
import type { Item, Workload } from "./item.ts";
import { lendSeconds } from "./promise.ts";
import type { Queue } from "./queue.ts";
import type { QuotaTree } from "./quota-tree.ts";
import type { Shape } from "./shape.ts";
import type { Side } from "./sibling-order.ts";
import { type NeverFits, QuotaError, type Reclaim } from "./workload-spec.ts";

/** Where a queue stands among its siblings, for one resource. */
export interface Level {
  readonly queue: string;
  readonly resource: string;
  /** `Guarantee`: below its guarantee, level = used / guaranteed; `Share`: level = used / capacity / weight; `Rest`: weight 0, used / capacity. */
  readonly tier: "Guarantee" | "Share" | "Rest";
  readonly level: number;
  readonly used: number;
}

/** Somebody who has what is lacking. */
export interface Holder {
  readonly queue: string;
  readonly used: number;
  /** Above its guarantee. */
  readonly borrowed: number;
}

/** Room that is lacking in the capacity (of the root) or in a max. */
export interface Lack {
  readonly queue: string;
  readonly resource: string;
  readonly requested: number;
  /** What is free there, less what is kept for claims. */
  readonly free: number;
  /** The leaves beneath that have most of it: those that borrow first, at most five. */
  readonly holders: readonly Holder[];
}

/** Consent that is lacking: guarantees that are lent only to work which leaves sooner. */
export interface ConsentLack {
  readonly resource: string;
  /** The guarantees that are lent for so many seconds, or fewer, are in the way. */
  readonly lentSeconds: number;
  /** By so much need_v would be over the capacity. */
  readonly over: number;
}

/** Why a workload waits. */
export interface Explanation {
  readonly state: "Admitted" | "Waiting";
  /** From 1, in its leaf by the leaf's ordering; steps of one workload are one. */
  readonly position?: number;
  /** It can never fit as things are. */
  readonly neverFits?: NeverFits;
  /** The queue on its path in which nothing new is admitted. */
  readonly stoppedBy?: { readonly queue: string; readonly reason: "Held" | "Frozen" };
  /** What is decided before it, and where: the two sides under the queue where the paths part. Absent when it is next. */
  readonly loses?: { readonly to: string; readonly under: string; readonly own?: Level; readonly other?: Level };
  readonly lacks: readonly Lack[];
  readonly lacksConsent: readonly ConsentLack[];
  /** How much of what may pass it has passed it, of how much: capacity is held for it. */
  readonly passed: number;
  /** The reclaim that is under way for it. */
  readonly claim?: Reclaim;
}

const mostHolders = 5;

/** Why a workload, or its growth, waits. O(work in its leaf + leaves). @throws QuotaError when there is no such workload. */
export function explain(tree: QuotaTree, id: string): Explanation {
  const { state } = tree.internals;
  const workload = state.workloads.get(id);
  if (workload === undefined) throw new QuotaError(`there is no workload ${id}`);
  const { item } = workload;
  if (item?.bucket === undefined) return { state: "Admitted", lacks: [], lacksConsent: [], passed: 0 };
  const { bucket } = item;
  const never = state.neverFits(workload.queue, item.shape);
  const stopped = stoppedBy(workload);
  const claim = tree.openClaims.find(({ claimant }) => claimant === id);
  const loses = never === undefined && stopped === undefined ? losesTo(tree, item, bucket) : undefined;
  return {
    state: workload.isAdmitted ? "Admitted" : "Waiting",
    position: positionOf(item),
    ...(never === undefined
      ? {}
      : {
          neverFits: {
            queue: never.queue.name,
            resource: state.resources[never.resource] as string,
            requested: item.shape.need[never.resource] as number,
            most: never.most,
          },
        }),
    ...(stopped === undefined ? {} : { stoppedBy: stopped }),
    ...(loses === undefined ? {} : { loses }),
    lacks: lacksOf(tree, workload.queue, item.shape),
    lacksConsent: consentOf(tree, workload.queue, item.shape),
    passed: item.passed,
    ...(claim === undefined ? {} : { claim }),
  };
}

function positionOf(item: Item): number {
  const { queue } = item.workload;
  let before = 0;
  for (const bucket of queue.buckets.values()) for (const other of bucket.items) if (queue.compare(other, item) < 0) before++;
  return before + 1;
}

function stoppedBy({ queue }: Workload): Explanation["stoppedBy"] {
  for (let each: Queue | undefined = queue; each !== undefined; each = each.parent) {
    if (each.isHeld || each.isFrozen) return { queue: each.name, reason: each.isHeld ? "Held" : "Frozen" };
  }
  return undefined;
}

function losesTo(tree: QuotaTree, item: Item, bucket: Bucket): Explanation["loses"] {
  const { search } = tree.internals;
  const first = search.firstWinner();
  if (first === undefined || first.bucket.head === item) return undefined;
  const to = (first.bucket.head as Item).name;
  let parting: Queue = item.workload.queue;
  while (!isBeneath(first.bucket.queue, parting)) parting = parting.parent as Queue;
  if (parting.isLeaf) return { to, under: parting.name };
  const own = levelOf(tree, search.order.sideOf(bucket, parting), item.shape.judged);
  const other = levelOf(tree, search.order.sideOf(first.bucket, parting), first.resource);
  return { to, under: parting.name, ...(own === undefined ? {} : { own }), ...(other === undefined ? {} : { other }) };
}

function levelOf(tree: QuotaTree, side: Side, column: number): Level | undefined {
  if ("shape" in side) return undefined;
  const { state, search } = tree.internals;
  const tier = search.order.tierOf(side, column);
  const measure = search.order.measureOf(side, column);
  const used = state.levelUse(side, column);
  return {
    queue: side.name,
    resource: state.resources[column] as string,
    tier: tier === 0 ? "Guarantee" : tier === 1 ? "Share" : "Rest",
    level: used / (tier === 0 ? measure : measure * (state.capacity[column] as number)),
    used,
  };
}

function lacksOf(tree: QuotaTree, leaf: Queue, shape: Shape): readonly Lack[] {
  const { state, search } = tree.internals;
  const lacks: Lack[] = [];
  for (let queue: Queue | undefined = leaf; queue !== undefined; queue = queue.parent) {
    if (!queue.isLimited && queue !== state.root) continue;
    for (const column of state.order) {
      const requested = shape.need[column] as number;
      const free = search.headroom.freeAt(queue, column);
      if (requested === 0 || requested <= free) continue;
      lacks.push({
        queue: queue.name,
        resource: state.resources[column] as string,
        requested,
        free,
        holders: holdersOf(tree, queue, column),
      });
    }
  }
  return lacks;
}

function holdersOf(tree: QuotaTree, top: Queue, column: number): readonly Holder[] {
  const { state } = tree.internals;
  const holders: Holder[] = [];
  const visit = (queue: Queue): void => {
    for (const child of queue.children) visit(child);
    const at = queue.index * state.stride + column;
    const used = state.used[at] as number;
    if (!queue.isLeaf || used === 0) return;
    const guaranteed = isShown(state.resources[column] as string) ? (state.guaranteed[at] as number) : 0;
    holders.push({ queue: queue.name, used, borrowed: Math.max(0, used - guaranteed) });
  };
  visit(top);
  return holders.sort((a, b) => b.borrowed - a.borrowed || b.used - a.used || (a.queue < b.queue ? -1 : 1)).slice(0, mostHolders);
}

function consentOf(tree: QuotaTree, queue: Queue, shape: Shape): readonly ConsentLack[] {
  const { state, search } = tree.internals;
  const lacks: ConsentLack[] = [];
  for (const slot of state.slots) {
    if (slot >= shape.promiseClass) break;
    for (const column of state.order) {
      const amount = shape.need[column] as number;
      if (amount === 0 || !isShown(state.resources[column] as string)) continue;
      const over = search.headroom.riseOf(queue, amount, slot, column) - search.headroom.slackOf(slot, column);
      // no more than what is lacking anyway is no matter of guarantees
      if (over > Math.max(0, amount - search.headroom.freeAt(state.root, column)))
        lacks.push({ resource: state.resources[column] as string, lentSeconds: lendSeconds[slot] as number, over });
    }
  }
  return lacks;
}
