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
import { compareProducts, compareTriples } from "./exact.ts";
import { compareByPriority, type Item } from "./item.ts";
import { type Entry, minimumOf, type OrderedList } from "./ordered-list.ts";
import { lendClasses } from "./promise.ts";
import type { Queue } from "./queue.ts";
import type { Shape } from "./shape.ts";
import { residentSlot } from "./amount-table.ts";
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

/** A winner of the root that does not fit. */
interface Hold {
  readonly bucket: Bucket;
  readonly resource: number;
  readonly top: Entry;
  /** It lacks consent, whatever is free. */
  readonly lacksConsent: boolean;
  /** One bit for each lending class in which others may take consent from it. */
  readonly slots: number;
  readonly isSpent: boolean;
}

export class AdmissionSearch {
  readonly #state: TreeState;
  readonly #claims: Claims;
  readonly #mostPassing: number;
  /** What is available at each step of the way down. */
  readonly #stack: Float64Array[] = [];
  #depth = 0;
  #holds: Hold[] = [];
  #passed: readonly Item[] = nobody;

  constructor(state: TreeState, claims: Claims, mostPassing: number) {
    this.#state = state;
    this.#claims = claims;
    this.#mostPassing = mostPassing;
  }

  /** The next to be admitted, or undefined when nothing may be. */
  next(): Choice | undefined {
    const { root } = this.#state;
    if (root.isClosed) return undefined;
    this.#state.flush();
    const claimant = this.#claims.size === 0 ? undefined : this.#firstClaimThatFits();
    if (claimant !== undefined) return { item: claimant, passed: [] };
    this.#holds = [];
    const first = this.#claims.size === 0 ? this.#firstIfItFits() : undefined;
    if (first !== undefined) return { item: first.head as Item, passed: this.#passed };
    const winners = this.rootWinners();
    for (const { bucket, resource, top } of winners) {
      if (this.#claims.of(bucket.head as Item) !== undefined) continue;
      const lacking = this.lackingConsent(bucket.queue, bucket.shape);
      const lacksConsent = lacking !== 0;
      if (!lacksConsent && !this.lacksRoom(root, bucket.shape)) continue;
      if (lacksConsent ? !this.#mayGetConsent(bucket) : !this.#mayGetRoom(root, bucket.shape)) continue;
      this.#holds.push({ bucket, resource, top, lacksConsent, slots: lacksConsent ? lacking : -1, isSpent: this.#isSpent(bucket) });
    }
    let best: Bucket | undefined;
    let bestTop: Entry | undefined;
    let bestResource = 0;
    let passed: readonly Item[] = nobody;
    for (const { resource, top } of winners) {
      if (bestTop !== undefined && this.#across(bestTop, bestResource, top, resource) < 0) break;
      const found = this.#findFitting(resource);
      if (found === undefined) continue;
      const foundTop = topEntry(found, root, resource);
      if (bestTop !== undefined && this.#across(bestTop, bestResource, foundTop, resource) < 0) continue;
      best = found;
      bestTop = foundTop;
      bestResource = resource;
      passed = this.#passed;
    }
    return best === undefined ? undefined : { item: best.head as Item, passed };
  }

  /** The first of all, where it fits and stands at the very front of the root's lists, as mostly. */
  #firstIfItFits(): Bucket | undefined {
    const { root, resources } = this.#state;
    let front: Entry | undefined;
    let judged = 0;
    for (let resource = 1; resource < resources.length; resource++) {
      const entry = root.listOf(resource)?.first;
      if (entry === undefined || (front !== undefined && this.#across(front, judged, entry, resource) < 0)) continue;
      front = entry;
      judged = resource;
    }
    if (front === undefined) return undefined;
    const winner = this.winnerOf(root, judged);
    if (winner === undefined || topEntry(winner, root, judged) !== front || this.lacksRoom(root, winner.shape)) return undefined;
    return this.#isAllowed(winner, judged, root, true) ? winner : undefined;
  }

  /** The winners of the root by judged resource, in the order of all. */
  rootWinners(): readonly { readonly bucket: Bucket; readonly resource: number; readonly top: Entry }[] {
    const { root, resources } = this.#state;
    this.#state.flush();
    const winners: { bucket: Bucket; resource: number; top: Entry }[] = [];
    for (let resource = 0; resource < resources.length; resource++) {
      const bucket = this.winnerOf(root, resource);
      if (bucket !== undefined) winners.push({ bucket, resource, top: topEntry(bucket, root, resource) });
    }
    return winners.length < 2 ? winners : winners.sort((a, b) => this.#across(a.top, a.resource, b.top, b.resource));
  }

  /**
   * The first beneath a queue in the order of a resource that nothing below the queue stops. Each queue keeps its own until something changes
   * in it or beneath: after a change only the queues of one path are gone through again.
   */
  winnerOf(queue: Queue, resource: number): Bucket | undefined {
    if (queue.winnerStamps[resource] === queue.stamp) return queue.winners[resource];
    const list = queue.listOf(resource);
    const winner = list === undefined || list.size === 0 ? undefined : this.#findWinner(list, resource);
    queue.winners[resource] = winner;
    queue.winnerStamps[resource] = queue.stamp;
    return winner;
  }

  /**
   * The same beneath the queue of an entry, where the max of that queue does not stop it either, nor what is held there for others. How much has
   * passed a winner may rise without a stamp, at the root, but only while it has room in this queue and nothing is held for it here.
   */
  #candidateOf(entry: Entry, queue: Queue, resource: number): Bucket | undefined {
    if (entry.stamp === queue.stamp) return entry.candidate;
    if (queue.isLimited) {
      const above = this.#push().fill(unlimited);
      const list = queue.listOf(resource) as OrderedList;
      entry.candidate = this.#findIn(list, resource, this.#below(queue, resource, above), queue.parent as Queue, false);
      this.#depth -= 2;
    } else {
      entry.candidate = this.winnerOf(queue, resource);
    }
    entry.stamp = queue.stamp;
    return entry.candidate;
  }

  /** Decision 9: for every class that the work's promise is over, need_v(root) does not rise or stays within the capacity. */
  consents(queue: Queue, shape: Shape): boolean {
    return this.lackingConsent(queue, shape) === 0;
  }

  /** One bit for each class of `slots` whose need_v(root) would rise beyond the capacity. */
  lackingConsent(queue: Queue, shape: Shape): number {
    const { resources, slots } = this.#state;
    let lacking = 0;
    for (const slot of slots) {
      if (slot >= shape.promiseClass) break;
      for (let resource = 1; resource < resources.length; resource++) {
        const amount = shape.need[resource] as number;
        if (amount === 0) continue;
        const slack = this.slackOf(slot, resource);
        if (amount > slack && this.riseOf(queue, amount, slot, resource) > slack) lacking |= 1 << slot;
      }
    }
    return lacking;
  }

  /** What need_v(root) leaves of the capacity, never below 0. */
  slackOf(slot: number, resource: number): number {
    const { capacity, need, stride } = this.#state;
    return Math.max(0, (capacity[resource] as number) - (need[slot * stride + resource] as number));
  }

  /** By how much need_v(root) rises when a queue uses so much more for work of a longer promise. */
  riseOf(queue: Queue, amount: number, slot: number, resource: number): number {
    let rise = amount;
    for (let each: Queue | undefined = queue; each !== undefined && rise > 0; each = each.parent)
      rise -= this.#state.absorbed(each, slot, resource);
    return Math.max(0, rise);
  }

  /** What is free at a queue: of the root's capacity, of another queue's max, less what claims keep. Never below 0. */
  freeAt(queue: Queue, resource: number): number {
    const { used, kept, stride } = this.#state;
    const at = queue.index * stride + resource;
    return Math.max(0, this.#boundOf(queue, resource) - (used[at] as number) - (kept[at] as number));
  }

  lacksRoom(queue: Queue, shape: Shape): boolean {
    const count = this.#state.resources.length;
    for (let resource = 0; resource < count; resource++) {
      const amount = shape.need[resource] as number;
      if (amount > 0 && amount > this.freeAt(queue, resource)) return true;
    }
    return false;
  }

  /** The capacity at the root, a max elsewhere. */
  #boundOf(queue: Queue, resource: number): number {
    const { capacity, max, root, stride } = this.#state;
    const own = max[queue.index * stride + resource] as number;
    return queue === root ? Math.min(capacity[resource] as number, own) : own;
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
        const free = this.#boundOf(queue, at) - (used[queue.index * stride + at] as number) - (kept?.[at] ?? 0);
        if (amount > 0 && amount > free) return false;
      }
    }
    return this.consents(workload.queue, shape);
  }

  /** The first in the order of a resource that fits and may be admitted; leaves in #passed what it passes. */
  #findFitting(resource: number): Bucket | undefined {
    const { root, resources, stride, searchClass } = this.#state;
    const list = root.listOf(resource) as OrderedList;
    const available = this.#push();
    for (let at = 0; at < resources.length; at++) {
      available[at] = this.freeAt(root, at);
      available[stride + at] = this.slackOf(searchClass, at) + this.#state.absorbed(root, searchClass, at);
    }
    const found = this.#findIn(list, resource, available, root, true);
    this.#depth--;
    return found;
  }

  /** As #findIn where nothing above sets a bound. */
  #findWinner(list: OrderedList, resource: number): Bucket | undefined {
    for (const { entries } of list.chunks) {
      for (const entry of entries) {
        const { bucket, queue } = entry;
        const found = queue === undefined ? bucket : this.#candidateOf(entry, queue, resource);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #findIn(list: OrderedList, resource: number, available: Float64Array, top: Queue, isToFit: boolean): Bucket | undefined {
    const atRoot = isToFit && list === this.#state.root.listOf(resource);
    let held = 0;
    for (const chunk of list.chunks) {
      if (!this.#meets(minimumOf(chunk), available)) continue;
      for (const entry of chunk.entries) {
        if (atRoot) held = this.#tighten(available, held, entry, resource);
        if (!this.#meets(entry.need, available)) continue;
        const { bucket, queue } = entry;
        if (bucket !== undefined) {
          if (this.#isAllowed(bucket, resource, top, isToFit)) return bucket;
        } else if (queue !== undefined && this.#candidateOf(entry, queue, resource) !== undefined) {
          const found = this.#findIn(
            queue.listOf(resource) as OrderedList,
            resource,
            this.#below(queue, resource, available),
            top,
            isToFit,
          );
          this.#depth--;
          if (found !== undefined) return found;
        }
      }
    }
    return undefined;
  }

  /** Takes off what is held for winners that nothing may pass any more and that come before the entry. Returns how many holds were looked at. */
  #tighten(available: Float64Array, from: number, entry: Entry, resource: number): number {
    const { root, stride, searchClass, resources } = this.#state;
    let at = from;
    for (; at < this.#holds.length; at++) {
      const hold = this.#holds[at] as Hold;
      if (hold.resource !== resource && this.#across(hold.top, hold.resource, entry, resource) >= 0) break;
      if (hold.resource === resource && hold.top !== entry && this.#across(hold.top, resource, entry, resource) > 0) break;
      if (!hold.isSpent) continue;
      const { shape, queue } = hold.bucket;
      for (let each = 0; each < resources.length; each++) {
        const amount = shape.need[each] as number;
        if (amount === 0) continue;
        if (!hold.lacksConsent) available[each] = Math.min(available[each] as number, Math.max(0, this.freeAt(root, each) - amount));
        if (shape.promiseClass <= searchClass || (hold.slots & (1 << searchClass)) === 0) continue;
        const rise = this.riseOf(queue, amount, searchClass, each);
        if (rise === 0) continue;
        const left = Math.max(0, this.slackOf(searchClass, each) - rise) + this.#state.absorbed(root, searchClass, each);
        available[stride + each] = Math.min(available[stride + each] as number, left);
      }
    }
    return at;
  }

  #meets(need: Float64Array, available: Float64Array): boolean {
    const { stride } = this.#state;
    const count = this.#state.resources.length;
    for (let at = 0; at < count; at++) {
      if ((need[at] as number) > (available[at] as number) || (need[stride + at] as number) > (available[stride + at] as number))
        return false;
    }
    return true;
  }

  /** What is available in a queue of what is available above it. The caller gives it back by lowering #depth. */
  #below(queue: Queue, resource: number, above: Float64Array): Float64Array {
    const { resources, stride, searchClass } = this.#state;
    const count = resources.length;
    let spent: Bucket | undefined;
    if (queue.isLimited) {
      const winner = this.winnerOf(queue, resource);
      if (winner !== undefined && this.#isSpent(winner) && this.lacksRoom(queue, winner.shape) && this.#mayGetRoom(queue, winner.shape))
        spent = winner;
    }
    const available = this.#push();
    for (let at = 0; at < count; at++) {
      let left = above[at] as number;
      if (queue.isLimited) {
        const amount = spent === undefined ? 0 : (spent.shape.need[at] as number);
        left = Math.min(left, Math.max(0, this.freeAt(queue, at) - amount));
      }
      available[at] = left;
      available[stride + at] = (above[stride + at] as number) + this.#state.absorbed(queue, searchClass, at);
    }
    return available;
  }

  #isAllowed(bucket: Bucket, resource: number, top: Queue, isToFit: boolean): boolean {
    this.#passed = nobody;
    if (isToFit && !this.consents(bucket.queue, bucket.shape)) return false;
    let entry = bucket.entry as Entry;
    for (let queue = bucket.queue; queue !== top; queue = queue.parent as Queue) {
      if (queue.isLimited && !this.#passesIn(queue, bucket, entry, resource)) return false;
      entry = queue.entries[resource] as Entry;
    }
    return !isToFit || this.#passesAtRoot(bucket, entry, resource);
  }

  /** Whether the bucket comes before the winners of a queue with a max, takes nothing that is held for them, or may pass them. */
  #passesIn(queue: Queue, bucket: Bucket, entry: Entry, resource: number): boolean {
    let passed = this.#passed;
    for (let other = 0; other < this.#state.resources.length; other++) {
      const winner = this.winnerOf(queue, other);
      if (winner === undefined || winner === bucket || this.#claims.of(winner.head as Item) !== undefined) continue;
      if (other !== resource && this.#across(topEntry(winner, queue, other), other, entry, resource) > 0) continue;
      if (!this.lacksRoom(queue, winner.shape) || !this.#mayGetRoom(queue, winner.shape)) continue;
      if (!this.#takesRoom(queue, winner.shape, bucket.shape)) continue;
      if (this.#isSpent(winner)) return false;
      passed = [...passed, winner.head as Item];
    }
    this.#passed = passed;
    return true;
  }

  #passesAtRoot(bucket: Bucket, entry: Entry, resource: number): boolean {
    const { root } = this.#state;
    for (const hold of this.#holds) {
      if (hold.bucket === bucket) return false;
      if (hold.resource !== resource && this.#across(hold.top, hold.resource, entry, resource) > 0) continue;
      const { shape } = hold.bucket;
      const takes = (!hold.lacksConsent && this.#takesRoom(root, shape, bucket.shape)) || this.#takesConsent(hold, bucket);
      if (!takes) continue;
      if (hold.isSpent) return false;
      this.#passed = [...this.#passed, hold.bucket.head as Item];
    }
    return true;
  }

  /** Whether a request would take of what is held for another at a queue. */
  #takesRoom(queue: Queue, held: Shape, shape: Shape): boolean {
    const count = this.#state.resources.length;
    for (let resource = 0; resource < count; resource++) {
      const amount = shape.need[resource] as number;
      const kept = held.need[resource] as number;
      if (amount > 0 && kept > 0 && amount > Math.max(0, this.freeAt(queue, resource) - kept)) return true;
    }
    return false;
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
        const rise = this.riseOf(bucket.queue, amount, slot, resource);
        if (rise === 0) continue;
        const heldRise = this.riseOf(held.queue, kept, slot, resource);
        if (heldRise > 0 && rise > Math.max(0, this.slackOf(slot, resource) - heldRise)) return true;
      }
    }
    return false;
  }

  /** Whether the request would fit at a queue if all work had gone that ends by itself. */
  #mayGetRoom(queue: Queue, shape: Shape): boolean {
    const { resident, resources, stride } = this.#state;
    for (let resource = 0; resource < resources.length; resource++) {
      const amount = shape.need[resource] as number;
      if (amount > 0 && amount > this.#boundOf(queue, resource) - (resident[queue.index * stride + resource] as number)) return false;
    }
    return true;
  }

  #mayGetConsent(bucket: Bucket): boolean {
    const { queue, shape } = bucket;
    if (shape.promiseClass < lendClasses) return true;
    for (let resource = 1; resource < this.#state.resources.length; resource++) {
      const amount = shape.need[resource] as number;
      if (amount > 0 && this.riseOf(queue, amount, residentSlot, resource) > this.slackOf(residentSlot, resource)) return false;
    }
    return true;
  }

  /** The order of two entries under one queue, each for its own judged resource. */
  #across(a: Entry, aResource: number, b: Entry, bResource: number): number {
    if (a.bucket !== undefined) return a.bucket.queue.compare(a.head, (b as Entry).head);
    if (a.tier !== b.tier) return a.tier - b.tier;
    const { capacity } = this.#state;
    const level =
      a.tier === 0 || aResource === bResource
        ? compareProducts(a.numerator, b.denominator, b.numerator, a.denominator)
        : compareTriples(
            a.numerator,
            b.denominator,
            capacity[bResource] as number,
            b.numerator,
            a.denominator,
            capacity[aResource] as number,
          );
    return level || compareByPriority(a.head, b.head);
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

/** The entry of a bucket's side in the list of a queue above it. */
export function topEntry(bucket: Bucket, top: Queue, resource: number): Entry {
  let entry = bucket.entry as Entry;
  for (let queue = bucket.queue; queue !== top; queue = queue.parent as Queue) entry = queue.entries[resource] as Entry;
  return entry;
}
