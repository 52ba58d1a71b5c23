import type { Bucket } from "./bucket.ts";
import { compareProducts, compareTriples } from "./exact.ts";
import { compareByPriority, type Item } from "./item.ts";
import type { Queue } from "./queue.ts";
import type { SiblingGroup } from "./sibling-group.ts";
import type { TreeState } from "./tree-state.ts";

/** A child of a queue, or, in a leaf, a bucket of it. */
export type Side = Queue | Bucket;

/** All children of a queue, or a group of them. */
type Siblings = Pick<SiblingGroup, "children" | "childRows">;

/** 0: below its guarantee; 1: by level; 2: of weight 0. */
export type Tier = 0 | 1 | 2;

/**
 * The order of siblings for a judged resource: (tier, level, priority, age, name), the latter three of the first that waits beneath. The keys
 * of SiblingTable decide but for equal ones, which are compared exactly. Children in which nothing waits have no place in it.
 */
export class SiblingOrder {
  readonly #state: TreeState;
  /** By place (see SiblingTable): the first that waits beneath, as of the stamp beside it. */
  #heads: (Item | undefined)[] = [];
  #headStamps = new Uint32Array(0);

  constructor(state: TreeState) {
    this.#state = state;
  }

  tierOf(queue: Queue, resource: number): Tier {
    const { guaranteed, stride } = this.#state;
    if (this.#state.levelUse(queue, resource) < (guaranteed[queue.index * stride + resource] as number)) return 0;
    return queue.weight > 0 ? 1 : 2;
  }

  /** What the use of a queue is divided by for its level. */
  measureOf(queue: Queue, resource: number): number {
    const tier = this.tierOf(queue, resource);
    return tier === 0 ? (this.#state.guaranteed[queue.index * this.#state.stride + resource] as number) : tier === 1 ? queue.weight : 1;
  }

  /** The first child of which it is not known that all in it is stopped. O(children / 32 + 32 for each group that has changed). */
  firstOpen(parent: Queue, resource: number): Queue | undefined {
    if (parent.groups.length === 0) return this.#firstOf(parent, resource, this.#state.openKeys);
    let first: Queue | undefined;
    for (const group of parent.groups) {
      const other = this.#firstIn(group, resource);
      if (other !== undefined && (first === undefined || this.compare(other, first, resource) < 0)) first = other;
    }
    return first;
  }

  /** All in a child is stopped as it is now. */
  close({ index, group }: Queue, resource: number): void {
    this.#state.openKeys[index * this.#state.stride + resource] = Number.NaN;
    if (group !== undefined) group.stamp++;
  }

  /**
   * The first of such children after another (or of all) whose need is met by what is available. O(children / 32 + 32 for each group in which it
   * may be).
   */
  next(parent: Queue, resource: number, after: Queue | undefined, available: Float64Array): Queue | undefined {
    if (parent.groups.length === 0) return this.#nextIn(parent, resource, after, available, undefined);
    let next: Queue | undefined;
    for (const group of parent.groups) {
      const first = this.#firstIn(group, resource);
      if (first === undefined || (next !== undefined && this.compare(next, first, resource) < 0)) continue;
      if (this.meets(this.#state.needOf(group, resource), 0, available)) next = this.#nextIn(group, resource, after, available, next);
    }
    return next;
  }

  #firstIn(group: SiblingGroup, resource: number): Queue | undefined {
    if (group.firstStamps[resource] === group.stamp) return group.firsts[resource];
    const first = this.#firstOf(group, resource, this.#state.openKeys);
    group.firsts[resource] = first;
    group.firstStamps[resource] = group.stamp;
    return first;
  }

  #firstOf({ children, childRows }: Siblings, resource: number, keys: Float64Array): Queue | undefined {
    const { stride } = this.#state;
    let first: Queue | undefined;
    let firstKey = Number.POSITIVE_INFINITY;
    for (let at = 0; at < childRows.length; at++) {
      const key = keys[(childRows[at] as number) * stride + resource] as number;
      // so written that it leaves out NaN
      if (!(key <= firstKey)) continue;
      const child = children[at] as Queue;
      if (first !== undefined && key === firstKey && this.compare(first, child, resource) < 0) continue;
      first = child;
      firstKey = key;
    }
    return first;
  }

  /** The next among some children that comes before `best`, otherwise that. */
  #nextIn(
    { children, childRows }: Siblings,
    resource: number,
    after: Queue | undefined,
    available: Float64Array,
    best: Queue | undefined,
  ): Queue | undefined {
    const { keys, openKeys, stride, needs } = this.#state;
    const afterKey = after === undefined ? Number.NEGATIVE_INFINITY : (keys[after.index * stride + resource] as number);
    let first = best;
    let firstKey = best === undefined ? Number.POSITIVE_INFINITY : (keys[best.index * stride + resource] as number);
    for (let at = 0; at < childRows.length; at++) {
      const place = (childRows[at] as number) * stride + resource;
      const key = openKeys[place] as number;
      if (!(key >= afterKey && key <= firstKey)) continue;
      const child = children[at] as Queue;
      if (after !== undefined && key === afterKey && this.compare(child, after, resource) <= 0) continue;
      if (first !== undefined && key === firstKey && this.compare(first, child, resource) < 0) continue;
      if (!this.meets(needs, place * 2 * stride, available)) continue;
      first = child;
      firstKey = key;
    }
    return first;
  }

  /** All children that come after another, in order. O(children x log children). */
  allAfter(parent: Queue, resource: number, after: Queue): readonly Queue[] {
    const { keys, stride } = this.#state;
    const waiting = (queue: Queue): boolean => !Number.isNaN(keys[queue.index * stride + resource] as number);
    const rest = parent.children.filter((child) => waiting(child) && this.compare(child, after, resource) > 0);
    return rest.sort((a, b) => this.compare(a, b, resource));
  }

  /** The order of two children of one queue in which something waits. */
  compare(a: Queue, b: Queue, resource: number): number {
    if (a === b) return 0;
    const { keys, stride } = this.#state;
    const aKey = keys[a.index * stride + resource] as number;
    const bKey = keys[b.index * stride + resource] as number;
    if (aKey !== bKey) return aKey < bKey ? -1 : 1;
    return this.across(a, resource, b, resource);
  }

  /** The order of two sides under one queue, each for its own judged resource. */
  across(a: Side, aResource: number, b: Side, bResource: number): number {
    if ("shape" in a) return a.queue.compare(a.listed, (b as Bucket).listed);
    const other = b as Queue;
    const tier = this.tierOf(a, aResource);
    const difference = tier - this.tierOf(other, bResource);
    if (difference !== 0) return difference;
    const { capacity } = this.#state;
    const aUsed = this.#state.levelUse(a, aResource);
    const bUsed = this.#state.levelUse(other, bResource);
    const aMeasure = this.measureOf(a, aResource);
    const bMeasure = this.measureOf(other, bResource);
    const level =
      tier === 0 || aResource === bResource
        ? compareProducts(aUsed, bMeasure, bUsed, aMeasure)
        : compareTriples(aUsed, bMeasure, capacity[bResource] as number, bUsed, aMeasure, capacity[aResource] as number);
    return level || compareByPriority(this.#headOf(a, aResource), this.#headOf(other, bResource));
  }

  /** The side of a queue on which a bucket beneath it lies. */
  sideOf(bucket: Bucket, top: Queue): Side {
    let side: Side = bucket;
    for (let { queue } = bucket; queue !== top; queue = queue.parent as Queue) side = queue;
    return side;
  }

  /** Whether a need that begins at a place of an array is met by what is available. */
  meets(needs: Float64Array, begin: number, available: Float64Array): boolean {
    const { stride } = this.#state;
    const count = this.#state.resources.length;
    for (let at = 0; at < count; at++) {
      if ((needs[begin + at] as number) > (available[at] as number)) return false;
      if ((needs[begin + stride + at] as number) > (available[stride + at] as number)) return false;
    }
    return true;
  }

  /** The first that waits beneath a queue in which something does. */
  #headOf(queue: Queue, resource: number): Item {
    const { stamps, stride } = this.#state;
    if (this.#headStamps.length !== stamps.length) {
      this.#headStamps = new Uint32Array(stamps.length);
      this.#heads = [];
    }
    const place = queue.index * stride + resource;
    if (this.#headStamps[place] === stamps[place]) return this.#heads[place] as Item;
    const head = queue.isLeaf
      ? (queue.bucketLists[resource]?.first?.listed as Item)
      : this.#headOf(this.#firstOf(queue, resource, this.#state.keys) as Queue, resource);
    this.#heads[place] = head;
    this.#headStamps[place] = stamps[place] as number;
    return head;
  }
}
