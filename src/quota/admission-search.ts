/*
 * The search for what is admitted next (the rule of admission).
 *
 * Each workload is judged by one resource, the one of which its own request takes the largest share of the capacity. For each judged resource
 * there is one order: from the root down, at each queue the children by (below their guarantee, level, priority, age, name), in a leaf by its
 * ordering. The order of all is that of the first step: a child of the root for one resource against a child for another.
 *
 * 1. The winner of a queue is the first beneath it, in the order of one resource, that nothing below the queue stops. The winners of the root
 *    are what is admitted, when they fit.
 * 2. A winner that lacks room, at the root in the capacity, at another queue in its max, has what it asks for held there. Whatever comes after
 *    it in the order and would take of that, passes it. A winner is passed by at most 64 yieldable or 16 firm workloads (each firm one
 *    counts as four), then by none: it gets its turn. A winner that lacks consent (firm work and guarantees leave no room for it, even
 *    if all had gone that is lent) holds no capacity, which is lent to others meanwhile, but what is left of consent.
 * 3. Nothing is held for a winner that would not fit even if all work had gone that ends by itself: it would be held for ever.
 * 4. What open claims keep is taken by nobody else. They come first.
 */
import type { Bucket } from "./bucket.ts";
import { type Claims, claimNeed } from "./claims.ts";
import { Headroom } from "./headroom.ts";
import type { Item } from "./item.ts";
import { minimumOf, type OrderedList } from "./ordered-list.ts";
import type { Queue } from "./queue.ts";
import type { Shape } from "./shape.ts";
import { type Side, SiblingOrder } from "./sibling-order.ts";
import type { TreeState } from "./tree-state.ts";

/** How much of what a winner may be passed by one workload uses up, and how much that is where nothing else is said. */
export const passing = { yieldable: 1, firm: 4, most: 64 } as const;

/** What is to be admitted next. */
export interface Choice {
  readonly item: Item;
  /** The winners that it passes. */
  readonly passed: readonly Item[];
}

/** More than there is of anything, less than Infinity: what a queue's max has stopped is not found even so. */
const unlimited = Number.MAX_VALUE;

const nobody: readonly Item[] = [];

/** So many children are tried one by one before the rest is sorted: seldom more than the first few are. */
const mostPicks = 24;

/** A winner of the root that does not fit. */
interface Hold {
  readonly bucket: Bucket;
  readonly resource: number;
  /** The child of the root that it lies in. */
  readonly top: Side;
  /** It lacks consent, whatever is free. */
  readonly lacksConsent: boolean;
  /** One bit for each lending class in which others may take consent from it. */
  readonly slots: number;
  readonly isSpent: boolean;
}

/** A winner of the root. */
export interface Winner {
  readonly bucket: Bucket;
  readonly resource: number;
  readonly top: Side;
}

export class AdmissionSearch {
  readonly headroom: Headroom;
  readonly order: SiblingOrder;
  readonly #state: TreeState;
  readonly #claims: Claims;
  readonly #mostPassing: number;
  /** What is available at each step of the way down. */
  readonly #stack: Float64Array[] = [];
  #depth = 0;
  /** By place (see SiblingTable): the winner of a queue, as of the stamp beside it. */
  #winners: (Bucket | undefined)[] = [];
  #winnerStamps = new Uint32Array(0);
  /** The same of a queue with a max: the first beneath it that its max does not stop either. */
  #candidates: (Bucket | undefined)[] = [];
  #candidateStamps = new Uint32Array(0);
  /** The winners of the root in the order of all; what is behind the count is of earlier decisions. */
  readonly #ranked: Winner[] = [];
  #rankedCount = 0;
  #holds: Hold[] = [];
  #passed: readonly Item[] = nobody;

  constructor(state: TreeState, claims: Claims, mostPassing: number) {
    this.headroom = new Headroom(state);
    this.order = new SiblingOrder(state);
    this.#state = state;
    this.#claims = claims;
    this.#mostPassing = mostPassing;
  }

  /** The next to be admitted, or undefined when nothing may be. */
  next(): Choice | undefined {
    const { root } = this.#state;
    if (root.isClosed) return undefined;
    this.#prepare();
    const claimant = this.#claims.size === 0 ? undefined : this.#firstClaimThatFits();
    if (claimant !== undefined) return { item: claimant, passed: [] };
    this.#holds = [];
    this.#rankWinners();
    const first = this.#rankedCount === 0 ? undefined : this.#ranked[0];
    // as mostly where there is room: nothing is held yet that comes before it
    if (first !== undefined && this.#claims.size === 0 && !this.headroom.lacksRoom(root, first.bucket.shape)) {
      if (this.#isAllowed(first.bucket, first.resource, root, true)) return { item: first.bucket.head as Item, passed: this.#passed };
    }
    for (let rank = 0; rank < this.#rankedCount; rank++) {
      const { bucket, resource, top } = this.#ranked[rank] as Winner;
      if (this.#claims.of(bucket.head as Item) !== undefined) continue;
      const lacking = this.headroom.lackingConsent(bucket.queue, bucket.shape);
      const lacksConsent = lacking !== 0;
      if (!lacksConsent && !this.headroom.lacksRoom(root, bucket.shape)) continue;
      if (!(lacksConsent ? this.headroom.mayGetConsent(bucket.queue, bucket.shape) : this.headroom.mayGetRoom(root, bucket.shape)))
        continue;
      this.#holds.push({ bucket, resource, top, lacksConsent, slots: lacksConsent ? lacking : -1, isSpent: this.#isSpent(bucket) });
    }
    let best: Bucket | undefined;
    let bestTop: Side | undefined;
    let bestResource = 0;
    let passed: readonly Item[] = nobody;
    for (let rank = 0; rank < this.#rankedCount; rank++) {
      const { resource, top } = this.#ranked[rank] as Winner;
      if (bestTop !== undefined && this.order.across(bestTop, bestResource, top, resource) < 0) break;
      const found = this.#findFitting(resource);
      if (found === undefined) continue;
      const foundTop = this.order.sideOf(found, root);
      if (bestTop !== undefined && this.order.across(bestTop, bestResource, foundTop, resource) < 0) continue;
      best = found;
      bestTop = foundTop;
      bestResource = resource;
      passed = this.#passed;
    }
    return best === undefined ? undefined : { item: best.head as Item, passed };
  }

  /** What is first in the order of all, whether it fits or not. */
  firstWinner(): Winner | undefined {
    this.#prepare();
    this.#rankWinners();
    return this.#rankedCount === 0 ? undefined : this.#ranked[0];
  }

  /** Puts the winners of the root by judged resource in the order of all. */
  #rankWinners(): void {
    const { root, resources } = this.#state;
    const ranked = this.#ranked;
    let count = 0;
    for (let resource = 0; resource < resources.length; resource++) {
      const bucket = this.winnerOf(root, resource);
      if (bucket === undefined) continue;
      const winner = { bucket, resource, top: this.order.sideOf(bucket, root) };
      let rank = count++;
      for (; rank > 0; rank--) {
        const before = ranked[rank - 1] as Winner;
        if (this.order.across(before.top, before.resource, winner.top, resource) < 0) break;
        ranked[rank] = before;
      }
      ranked[rank] = winner;
    }
    this.#rankedCount = count;
  }

  /**
   * The first beneath a queue in the order of a resource that nothing below the queue stops. Each queue keeps its own until something changes
   * in it or beneath: after a change only the queues of one path are gone through again.
   */
  winnerOf(queue: Queue, resource: number): Bucket | undefined {
    const place = queue.index * this.#state.stride + resource;
    const stamp = this.#state.stamps[place] as number;
    if (this.#winnerStamps[place] === stamp) return this.#winners[place];
    const winner = queue.isLeaf ? queue.bucketLists[resource]?.first : this.#findWinner(queue, resource);
    this.#winners[place] = winner;
    this.#winnerStamps[place] = stamp;
    return winner;
  }

  /**
   * The same where the max of the queue does not stop it either, nor what is held there for others. How much has passed a winner may rise
   * without a stamp, at the root, but only while it has room in this queue and nothing is held for it here.
   */
  #candidateOf(queue: Queue, resource: number): Bucket | undefined {
    if (!queue.isLimited) return this.winnerOf(queue, resource);
    const place = queue.index * this.#state.stride + resource;
    const stamp = this.#state.stamps[place] as number;
    if (this.#candidateStamps[place] === stamp) return this.#candidates[place];
    const above = this.#push().fill(unlimited);
    const candidate = this.#findIn(queue, resource, this.#below(queue, resource, above), queue.parent as Queue, false);
    this.#depth -= 2;
    this.#candidates[place] = candidate;
    this.#candidateStamps[place] = stamp;
    return candidate;
  }

  /** The candidate of the first child that has one. */
  #findWinner(queue: Queue, resource: number): Bucket | undefined {
    for (;;) {
      const first = this.order.firstOpen(queue, resource);
      if (first === undefined) return undefined;
      const found = this.#candidateOf(first, resource);
      if (found !== undefined) return found;
      this.order.close(first, resource);
    }
  }

  /** Brings everything up to date, and makes a place for the memory of each queue. */
  #prepare(): void {
    this.#state.flush();
    const { length } = this.#state.stamps;
    if (this.#winnerStamps.length === length) return;
    this.#winners = [];
    this.#winnerStamps = new Uint32Array(length);
    this.#candidates = [];
    this.#candidateStamps = new Uint32Array(length);
  }

  /** Each claim is served with what those before it leave. */
  #firstClaimThatFits(): Item | undefined {
    const earlier = new Map<Queue, Float64Array>();
    for (const claim of this.#claims.all) {
      const { item } = claim;
      if (item.bucket === undefined) continue;
      if (this.#claimFits(item, earlier)) return item;
      const need = claimNeed(claim);
      for (let queue: Queue | undefined = item.workload.queue; queue !== undefined; queue = queue.parent) {
        const kept = earlier.get(queue) ?? new Float64Array(this.#state.stride);
        earlier.set(queue, kept);
        for (let at = 0; at < kept.length; at++) kept[at] = (kept[at] as number) + (need[at] as number);
      }
    }
    return undefined;
  }

  #claimFits({ workload, shape }: Item, earlier: ReadonlyMap<Queue, Float64Array>): boolean {
    const { used, resources, stride } = this.#state;
    for (let queue: Queue | undefined = workload.queue; queue !== undefined; queue = queue.parent) {
      if (queue.isClosed) return false;
      const kept = earlier.get(queue);
      for (let at = 0; at < resources.length; at++) {
        const amount = shape.need[at] as number;
        const free = this.headroom.boundOf(queue, at) - (used[queue.index * stride + at] as number) - (kept?.[at] ?? 0);
        if (amount > 0 && amount > free) return false;
      }
    }
    return this.headroom.consents(workload.queue, shape);
  }

  /** The first in the order of a resource that fits and may be admitted; leaves in #passed what it passes. */
  #findFitting(resource: number): Bucket | undefined {
    const { root, resources, stride, searchClass } = this.#state;
    const available = this.#push();
    for (let at = 0; at < resources.length; at++) {
      available[at] = this.headroom.freeAt(root, at);
      available[stride + at] = this.headroom.slackOf(searchClass, at) + this.#state.absorbed(root, searchClass, at);
    }
    const found = this.#findIn(root, resource, available, root, true);
    this.#depth--;
    return found;
  }

  /** The first beneath a queue, in the order of a resource, that fits into what is available and is stopped by no queue beneath `top`. */
  #findIn(queue: Queue, resource: number, available: Float64Array, top: Queue, isToFit: boolean): Bucket | undefined {
    const isAtRoot = isToFit && queue === this.#state.root;
    if (queue.isLeaf) {
      const list = queue.bucketLists[resource];
      return list === undefined ? undefined : this.#findInList(list, resource, available, top, isToFit, isAtRoot);
    }
    let held = 0;
    let child: Queue | undefined;
    for (let picks = 0; picks < mostPicks; picks++) {
      child = this.order.next(queue, resource, child, available);
      if (child === undefined) return undefined;
      if (isAtRoot) held = this.#tighten(available, held, child, resource);
      const found = this.#findInChild(child, resource, available, top, isToFit);
      if (found !== undefined) return found;
    }
    for (const each of this.order.allAfter(queue, resource, child as Queue)) {
      if (isAtRoot) held = this.#tighten(available, held, each, resource);
      const found = this.#findInChild(each, resource, available, top, isToFit);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #findInChild(queue: Queue, resource: number, available: Float64Array, top: Queue, isToFit: boolean): Bucket | undefined {
    const { needs, stride } = this.#state;
    if (!this.order.meets(needs, (queue.index * stride + resource) * 2 * stride, available)) return undefined;
    if (this.#candidateOf(queue, resource) === undefined) return undefined;
    const found = this.#findIn(queue, resource, this.#below(queue, resource, available), top, isToFit);
    this.#depth--;
    return found;
  }

  #findInList(
    { chunks }: OrderedList,
    resource: number,
    available: Float64Array,
    top: Queue,
    isToFit: boolean,
    isAtRoot: boolean,
  ): Bucket | undefined {
    let held = 0;
    for (const chunk of chunks) {
      if (!this.order.meets(minimumOf(chunk), 0, available)) continue;
      const { entries, shapes } = chunk;
      for (let at = 0; at < entries.length; at++) {
        if (isAtRoot) held = this.#tighten(available, held, entries[at] as Bucket, resource);
        if (!this.order.meets((shapes[at] as Shape).need, 0, available)) continue;
        if (this.#isAllowed(entries[at] as Bucket, resource, top, isToFit)) return entries[at];
      }
    }
    return undefined;
  }

  /** Takes off what is held for winners that nothing may pass any more and that come before a side. Returns how many holds were looked at. */
  #tighten(available: Float64Array, from: number, side: Side, resource: number): number {
    const { root, stride, searchClass, resources } = this.#state;
    let at = from;
    for (; at < this.#holds.length; at++) {
      const hold = this.#holds[at] as Hold;
      if (hold.resource !== resource && this.order.across(hold.top, hold.resource, side, resource) >= 0) break;
      if (hold.resource === resource && hold.top !== side && this.order.across(hold.top, resource, side, resource) > 0) break;
      if (!hold.isSpent) continue;
      const { shape, queue } = hold.bucket;
      for (let each = 0; each < resources.length; each++) {
        const amount = shape.need[each] as number;
        if (amount === 0) continue;
        if (!hold.lacksConsent)
          available[each] = Math.min(available[each] as number, Math.max(0, this.headroom.freeAt(root, each) - amount));
        if (shape.promiseClass <= searchClass || (hold.slots & (1 << searchClass)) === 0) continue;
        const rise = this.headroom.riseOf(queue, amount, searchClass, each);
        if (rise === 0) continue;
        const left = Math.max(0, this.headroom.slackOf(searchClass, each) - rise) + this.#state.absorbed(root, searchClass, each);
        available[stride + each] = Math.min(available[stride + each] as number, left);
      }
    }
    return at;
  }

  /** What is available in a queue of what is available above it. The caller gives it back by lowering #depth. */
  #below(queue: Queue, resource: number, above: Float64Array): Float64Array {
    const { resources, stride, searchClass } = this.#state;
    const count = resources.length;
    let spent: Bucket | undefined;
    if (queue.isLimited) {
      const winner = this.winnerOf(queue, resource);
      if (winner !== undefined && this.#isSpent(winner) && this.#isHeldFor(queue, winner)) spent = winner;
    }
    const available = this.#push();
    for (let at = 0; at < count; at++) {
      let left = above[at] as number;
      if (queue.isLimited) {
        const amount = spent === undefined ? 0 : (spent.shape.need[at] as number);
        left = Math.min(left, Math.max(0, this.headroom.freeAt(queue, at) - amount));
      }
      available[at] = left;
      available[stride + at] = (above[stride + at] as number) + this.#state.absorbed(queue, searchClass, at);
    }
    return available;
  }

  #isAllowed(bucket: Bucket, resource: number, top: Queue, isToFit: boolean): boolean {
    this.#passed = nobody;
    if (isToFit && !this.headroom.consents(bucket.queue, bucket.shape)) return false;
    let side: Side = bucket;
    for (let { queue } = bucket; queue !== top; queue = queue.parent as Queue) {
      if (queue.isLimited && !this.#passesIn(queue, bucket, side, resource)) return false;
      side = queue;
    }
    return !isToFit || this.#passesAtRoot(bucket, side, resource);
  }

  /** Whether the bucket comes before the winners of a queue with a max, takes nothing that is held for them, or may pass them. */
  #passesIn(queue: Queue, bucket: Bucket, side: Side, resource: number): boolean {
    let passed = this.#passed;
    for (let other = 0; other < this.#state.resources.length; other++) {
      const winner = this.winnerOf(queue, other);
      if (winner === undefined || winner === bucket || this.#claims.of(winner.head as Item) !== undefined) continue;
      if (other !== resource && this.order.across(this.order.sideOf(winner, queue), other, side, resource) > 0) continue;
      if (!this.#isHeldFor(queue, winner)) continue;
      if (!this.headroom.takesRoom(queue, winner.shape, bucket.shape)) continue;
      if (this.#isSpent(winner)) return false;
      passed = [...passed, winner.head as Item];
    }
    this.#passed = passed;
    return true;
  }

  /** A winner lacks room at a queue, and may get it. */
  #isHeldFor(queue: Queue, { shape }: Bucket): boolean {
    return this.headroom.lacksRoom(queue, shape) && this.headroom.mayGetRoom(queue, shape);
  }

  #passesAtRoot(bucket: Bucket, side: Side, resource: number): boolean {
    const { root } = this.#state;
    for (const hold of this.#holds) {
      if (hold.bucket === bucket) return false;
      if (hold.resource !== resource && this.order.across(hold.top, hold.resource, side, resource) > 0) continue;
      const { shape } = hold.bucket;
      const takes = (!hold.lacksConsent && this.headroom.takesRoom(root, shape, bucket.shape)) || this.#takesConsent(hold, bucket);
      if (!takes) continue;
      if (hold.isSpent) return false;
      this.#passed = [...this.#passed, hold.bucket.head as Item];
    }
    return true;
  }

  #takesConsent({ bucket: held, slots: heldSlots }: Hold, bucket: Bucket): boolean {
    const shortest = Math.min(held.shape.promiseClass, bucket.shape.promiseClass);
    const count = this.#state.resources.length;
    for (const slot of this.#state.slots) {
      if (slot >= shortest) break;
      if ((heldSlots & (1 << slot)) === 0) continue;
      for (let resource = 1; resource < count; resource++) {
        const amount = bucket.shape.need[resource] as number;
        const kept = held.shape.need[resource] as number;
        if (amount === 0 || kept === 0) continue;
        const rise = this.headroom.riseOf(bucket.queue, amount, slot, resource);
        if (rise === 0) continue;
        const heldRise = this.headroom.riseOf(held.queue, kept, slot, resource);
        if (heldRise > 0 && rise > Math.max(0, this.headroom.slackOf(slot, resource) - heldRise)) return true;
      }
    }
    return false;
  }

  #isSpent(bucket: Bucket): boolean {
    return (bucket.head as Item).passed >= this.#mostPassing;
  }

  #push(): Float64Array {
    const width = this.#state.stride * 2;
    let available = this.#stack[this.#depth];
    if (available?.length !== width) {
      available = new Float64Array(width);
      this.#stack[this.#depth] = available;
    }
    this.#depth++;
    return available;
  }
}
