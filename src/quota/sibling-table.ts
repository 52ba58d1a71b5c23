import { needSlots, widerRows } from "./amount-table.ts";
import { ConsentTable } from "./consent-table.ts";
import type { OrderedList } from "./ordered-list.ts";
import type { Queue } from "./queue.ts";
import type { SiblingGroup } from "./sibling-group.ts";

/** Bits: all judged resources. */
export const allResources = -1;

/** The bit of a resource; from the 33rd on several share one, which costs time, not truth. */
export function bitOf(resource: number): number {
  return 1 << (resource & 31);
}

/**
 * What the search knows of each queue beneath the root without looking at its work. A place of these arrays is (queue, judged resource):
 * `queue.index * stride + resource`.
 *
 * - `keys` orders siblings. Nothing is sorted: a change of use writes the keys of one path, and who asks for the first of some children goes
 *   through their keys.
 * - `stamps` rises with each change in the queue or beneath that may change who is first there. What was found out stays true until then.
 * - `needs` has a row of 2 x stride for each place, of two parts. First, of each resource, the smallest amount that anything waiting beneath
 *   asks for; Infinity where the max of a queue stops all of it, or nothing waits. Second, of each resource, the smallest rise that anything
 *   beneath would cause in the need of the parent's other side (need_v of decision 9) in the lending class `searchClass`. Both are bounds:
 *   nothing beneath can be admitted where the need is not met.
 *
 * `keys` are true at any time but for who waits at all; that, and the needs, are true after `flush`.
 */
export abstract class SiblingTable extends ConsentTable {
  /**
   * The level in floating point, each tier in a range of its own: -2 to -1 below the guarantee, the level, Infinity with weight 0. Rounding never
   * turns two levels round: those that it makes equal are compared exactly, see SiblingOrder. NaN: nothing waits beneath, or the queue is closed.
   */
  keys: Float64Array = new Float64Array(this.stride).fill(Number.NaN);
  /** The same but for queues of which a search has found that all beneath them is stopped: NaN until their stamp rises. */
  openKeys: Float64Array = this.keys.slice();
  /** They may wrap: they are only compared for being equal. */
  stamps: Uint32Array = new Uint32Array(this.stride).fill(1);
  needs: Float64Array = new Float64Array(2 * this.stride * this.stride).fill(Number.POSITIVE_INFINITY);
  #minimum = new Float64Array(2 * this.stride);
  /** By depth. */
  readonly #staleQueues: Queue[][] = [];
  readonly #staleCounts: number[] = [];

  /** What counts of a queue on its level: what it uses, and what it owes. */
  levelUse(queue: Queue, resource: number): number {
    const at = queue.index * this.stride + resource;
    return (this.used[at] as number) + (queue.isIndebted ? (this.debt[at] as number) : 0);
  }

  /** What the max of a queue leaves of a resource, never below 0; of the root what its max leaves, not what is free. */
  roomOf(queue: Queue, resource: number): number {
    const at = queue.index * this.stride + resource;
    return Math.max(0, (this.max[at] as number) - (this.used[at] as number));
  }

  /** Raises the stamps of some resources on the path of a queue. */
  raise(queue: Queue, bits: number): void {
    let raised = bits;
    for (let each: Queue | undefined = queue; each !== undefined; each = each.parent) {
      if (each.isLimited) raised = allResources;
      this.raiseOne(each, raised);
    }
  }

  /** A queue with a max stops work of all resources where the use of one has changed: the caller says so by `bits`. */
  protected raiseOne({ index, group }: Queue, bits: number): void {
    if (group !== undefined) group.stamp++;
    this.#raiseRow(index, bits);
  }

  #raiseRow(row: number, bits: number): void {
    const { stamps, keys, openKeys } = this;
    const begin = row * this.stride;
    const count = this.resources.length;
    for (let at = 0; at < count; at++) {
      if ((bits & bitOf(at)) === 0) continue;
      stamps[begin + at] = (stamps[begin + at] as number) + 1;
      openKeys[begin + at] = keys[begin + at] as number;
    }
  }

  /** After a change of amounts in a queue: what is known of it and of its path is brought up to date by the next `flush`. */
  refresh(queue: Queue): void {
    for (let each: Queue | undefined = queue; each !== undefined; each = each.parent) {
      this.raiseOne(each, allResources);
      this.markStale(each, allResources);
    }
  }

  /** The same after a change of what waits, for one judged resource. */
  protected refreshWaiting(queue: Queue, resource: number): void {
    this.raise(queue, bitOf(resource));
    this.markStale(queue, bitOf(resource));
  }

  /**
   * Reckons all needs anew that may have changed, the deepest first, each once for all changes since the last time. To be called before needs
   * are read, and after each change that comes alone: a decision must not pay for all that has ended and been submitted since the last.
   */
  flush(): void {
    const count = this.resources.length;
    for (let depth = this.#staleQueues.length - 1; depth >= 0; depth--) {
      const queues = this.#staleQueues[depth] as Queue[];
      for (let at = this.#staleCounts[depth] as number; at > 0; at--) {
        const queue = queues[at - 1] as Queue;
        const { stale, parent } = queue;
        queue.stale = 0;
        if (parent === undefined) continue;
        for (let resource = 1; resource < count; resource++) {
          const bit = bitOf(resource);
          if ((stale & bit) !== 0 && this.#update(queue, resource)) this.markStale(parent, bit);
        }
      }
      this.#staleCounts[depth] = 0;
    }
  }

  protected markStale(queue: Queue, bits: number): void {
    if (queue.stale === 0) {
      const { depth } = queue;
      while (this.#staleQueues.length <= depth) {
        this.#staleQueues.push([]);
        this.#staleCounts.push(0);
      }
      // the arrays never shrink: they are filled again with every decision
      (this.#staleQueues[depth] as Queue[])[(this.#staleCounts[depth] as number)++] = queue;
    }
    queue.stale |= bits;
  }

  protected override absorptionChanged(queue: Queue): void {
    this.markStale(queue, allResources);
  }

  /** The level of a queue as `keys` has it while something waits there. */
  keyOf(queue: Queue, resource: number): number {
    const used = this.levelUse(queue, resource);
    const guaranteed = this.guaranteed[queue.index * this.stride + resource] as number;
    return used < guaranteed ? used / guaranteed - 2 : queue.weight > 0 ? used / queue.weight : Number.POSITIVE_INFINITY;
  }

  /** Writes the key of a queue in which something waits, after a change of its use or of what it is measured by. */
  protected writeKey(queue: Queue, resource: number): void {
    const key = this.keyOf(queue, resource);
    this.keys[queue.index * this.stride + resource] = key;
    this.openKeys[queue.index * this.stride + resource] = key;
  }

  /** Brings a queue up to date. Returns whether the need of its parent may be another then, or whether anything waits there. */
  #update(queue: Queue, resource: number): boolean {
    const at = queue.index * this.stride + resource;
    const key = this.keys[at] as number;
    const wasWaiting = !Number.isNaN(key);
    if (queue.isClosed || !this.#hasWaiting(queue, resource)) {
      if (!wasWaiting) return false;
      this.#groupChanged(queue);
      this.keys[at] = Number.NaN;
      this.openKeys[at] = Number.NaN;
      this.needs.fill(Number.POSITIVE_INFINITY, at * 2 * this.stride, (at + 1) * 2 * this.stride);
      return true;
    }
    this.writeKey(queue, resource);
    const isNeedChanged = this.#writeNeed(queue, this.#minimumBeneath(queue, resource), at * 2 * this.stride);
    if (!isNeedChanged && wasWaiting) return false;
    this.#groupChanged(queue);
    return true;
  }

  #groupChanged({ group }: Queue): void {
    if (group === undefined) return;
    group.stamp++;
    group.needStamp++;
  }

  #hasWaiting({ isLeaf, bucketLists, childRows }: Queue, resource: number): boolean {
    if (isLeaf) return (bucketLists[resource]?.size ?? 0) > 0;
    for (const row of childRows) if (!Number.isNaN(this.keys[row * this.stride + resource] as number)) return true;
    return false;
  }

  /** The component-wise smallest need in a queue. Valid until the next call. */
  #minimumBeneath({ isLeaf, bucketLists, childRows, groups }: Queue, resource: number): Float64Array {
    if (isLeaf) return (bucketLists[resource] as OrderedList).minimum();
    const minimum = this.#minimum.fill(Number.POSITIVE_INFINITY);
    if (groups.length === 0) this.#lowerByRows(minimum, childRows, resource);
    for (const group of groups) lower(minimum, this.needOf(group, resource), 0);
    return minimum;
  }

  /** The component-wise smallest need in a group. Valid until the next change. */
  needOf(group: SiblingGroup, resource: number): Float64Array {
    const known = group.needs[resource];
    if (group.needStamps[resource] === group.needStamp && known?.length === 2 * this.stride) return known;
    const minimum = new Float64Array(2 * this.stride).fill(Number.POSITIVE_INFINITY);
    this.#lowerByRows(minimum, group.childRows, resource);
    group.needs[resource] = minimum;
    group.needStamps[resource] = group.needStamp;
    return minimum;
  }

  #lowerByRows(minimum: Float64Array, rows: readonly number[], resource: number): void {
    for (const row of rows) lower(minimum, this.needs, (row * this.stride + resource) * 2 * this.stride);
  }

  #writeNeed(queue: Queue, minimum: Float64Array, begin: number): boolean {
    const { stride, need, beneath, needs } = this;
    let isStopped = false;
    if (queue.isLimited) for (let at = 0; at < stride; at++) isStopped ||= (minimum[at] as number) > this.roomOf(queue, at);
    const row = (queue.index * needSlots + this.searchClass) * stride;
    let isChanged = false;
    // columns of resources that are yet to come are written, too: nothing waits for them
    for (let at = 0; at < stride; at++) {
      const amount = isStopped ? Number.POSITIVE_INFINITY : (minimum[at] as number);
      if (needs[begin + at] !== amount) {
        needs[begin + at] = amount;
        isChanged = true;
      }
      let rise = minimum[stride + at] as number;
      if (rise > 0) rise = Math.max(0, rise - (need[row + at] as number) + (beneath[row + at] as number));
      if (needs[begin + stride + at] !== rise) {
        needs[begin + stride + at] = rise;
        isChanged = true;
      }
    }
    return isChanged;
  }

  override clearRow(row: number): void {
    super.clearRow(row);
    const { stride } = this;
    for (const keys of [this.keys, this.openKeys]) keys.fill(Number.NaN, row * stride, (row + 1) * stride);
    this.needs.fill(Number.POSITIVE_INFINITY, row * stride * 2 * stride, (row + 1) * stride * 2 * stride);
    this.#raiseRow(row, allResources);
  }

  override lengthen(rows: number): void {
    super.lengthen(rows);
    const { stride, keys, needs, stamps } = this;
    this.keys = new Float64Array(rows * stride).fill(Number.NaN);
    this.keys.set(keys);
    this.openKeys = this.keys.slice();
    this.needs = new Float64Array(rows * stride * 2 * stride).fill(Number.POSITIVE_INFINITY);
    this.needs.set(needs);
    this.stamps = new Uint32Array(rows * stride).fill(1);
    this.stamps.set(stamps);
  }

  protected override widened(before: number): void {
    const { stride } = this;
    for (const shape of this.shapes.all()) shape.need = widerRows(shape.need, before, stride);
    const rows = this.keys.length / before;
    this.keys = widerRows(this.keys, before, stride, Number.NaN);
    this.openKeys = this.keys.slice();
    this.stamps = new Uint32Array(rows * stride).fill(1);
    this.needs = new Float64Array(rows * stride * 2 * stride);
    this.#minimum = new Float64Array(2 * stride);
    this.searchClassChanged();
  }

  /** All needs anew from the leaves up, after a change of what a need is. */
  protected override searchClassChanged(): void {
    this.needs.fill(Number.POSITIVE_INFINITY);
    const visit = (queue: Queue): void => {
      for (const child of queue.children) visit(child);
      for (const list of queue.bucketLists) list?.rebuild(2 * this.stride);
      this.raiseOne(queue, allResources);
      if (queue.parent === undefined) return;
      for (let resource = 1; resource < this.resources.length; resource++) this.#update(queue, resource);
    };
    visit(this.root);
  }
}

function lower(minimum: Float64Array, needs: Float64Array, begin: number): void {
  for (let at = 0; at < minimum.length; at++) {
    const need = needs[begin + at] as number;
    if (need < (minimum[at] as number)) minimum[at] = need;
  }
}
