import { residentSlot } from "./amount-table.ts";
import { bucketOrder } from "./bucket-order.ts";
import { Bucket } from "./bucket.ts";
import type { Item } from "./item.ts";
import { lendClasses } from "./promise.ts";
import { OrderedList } from "./ordered-list.ts";
import { Queue } from "./queue.ts";
import type { Shape } from "./shape.ts";
import { allResources, bitOf, SiblingTable } from "./sibling-table.ts";

/**
 * Everything that the tree of one capacity domain knows, and what keeps it consistent when queues, use and what waits change. It stands on
 * AmountTable (amounts in flat arrays), ConsentTable (what must stay reachable by consent) and SiblingTable (in which order queues are gone
 * through, and which are left out). In each leaf there is an ordered list of its buckets for each judged resource. A change touches one path.
 */
export class TreeState extends SiblingTable {
  #rows = 1;
  readonly #freeRows: number[] = [];

  addQueue(name: string, parent: Queue): Queue {
    const row = this.#freeRows.pop() ?? this.#rows++;
    if (row * this.stride >= this.used.length) this.lengthen(row * 2 + 1);
    const queue = new Queue(name, row, parent);
    this.queues.set(name, queue);
    this.attach(queue, parent);
    return queue;
  }

  /** The queue has neither children nor work. */
  removeQueue(queue: Queue): void {
    this.detach(queue);
    this.queues.delete(queue.name);
    const { index } = queue;
    this.clearRow(index);
    this.#freeRows.push(index);
  }

  /** Puts a queue with all that it has under a parent. */
  attach(queue: Queue, parent: Queue): void {
    this.flush();
    queue.parent = parent;
    setDepth(queue, parent.depth + 1);
    const wasLeaf = parent.isLeaf;
    parent.addChild(queue);
    this.addToParents(queue, 1);
    if (wasLeaf) this.refresh(parent);
    this.refresh(queue);
  }

  /** Takes a queue with all that it has from its parent. */
  detach(queue: Queue): void {
    this.flush();
    const parent = queue.parent as Queue;
    this.addToParents(queue, -1);
    parent.removeChild(queue);
    this.refresh(parent);
    queue.parent = undefined;
  }

  /** Counts `times` the shape as used in a queue and on its path. */
  addUsage(queue: Queue, shape: Shape, times: number): void {
    const { need, promiseClass, isResident } = shape;
    const { used, resident, keys, stride } = this;
    const count = this.resources.length;
    // what is judged by another resource stays in its order, but for a max that stops all
    let changed = 0;
    for (let at = 0; at < count; at++) if ((need[at] as number) > 0) changed |= bitOf(at);
    for (let each: Queue | undefined = queue; each !== undefined; each = each.parent) {
      const row = each.index * stride;
      for (let at = 0; at < count; at++) {
        const amount = (need[at] as number) * times;
        if (amount === 0) continue;
        used[row + at] = (used[row + at] as number) + amount;
        if (isResident) resident[row + at] = (resident[row + at] as number) + amount;
        if (!Number.isNaN(keys[row + at] as number)) this.writeKey(each, at);
      }
      if (each.isLimited) {
        changed = allResources;
        this.markStale(each, allResources);
      }
      this.raiseOne(each, changed);
    }
    for (const slot of this.slots) if (slot < promiseClass) this.addNeed(queue, slot, need, times);
    if (isResident && promiseClass === lendClasses) this.addNeed(queue, residentSlot, need, times);
  }

  /** The queue on the path, and the resource, whose max or capacity a shape can never fit; undefined when it can. */
  neverFits(queue: Queue, shape: Shape): { readonly queue: Queue; readonly resource: number; readonly most: number } | undefined {
    for (let each: Queue | undefined = queue; each !== undefined; each = each.parent) {
      if (!each.isLimited && each.parent !== undefined) continue;
      for (const resource of this.order) {
        const bound = this.max[each.index * this.stride + resource] as number;
        const most = each.parent === undefined ? Math.min(bound, this.capacity[resource] as number) : bound;
        if ((shape.need[resource] as number) > most) return { queue: each, resource, most };
      }
    }
    return undefined;
  }

  enqueue(item: Item): void {
    const { queue } = item.workload;
    let bucket = queue.buckets.get(item.shape.number);
    if (bucket === undefined) {
      bucket = new Bucket(queue, item);
      bucket.isImpossible = this.neverFits(queue, item.shape) !== undefined;
      queue.buckets.set(item.shape.number, bucket);
    } else {
      bucket.push(item);
    }
    if (!item.isGrowth) queue.waiting++;
    this.placeBucket(bucket);
  }

  dequeue(item: Item): void {
    const bucket = item.bucket as Bucket;
    bucket.remove(item);
    if (!item.isGrowth) bucket.queue.waiting--;
    this.placeBucket(bucket);
    if (bucket.head === undefined) bucket.queue.buckets.delete(bucket.shape.number);
  }

  /** Puts a bucket where it belongs now: into the list of its judged resource, or into none. */
  placeBucket(bucket: Bucket): void {
    const { queue, shape, list: before } = bucket;
    if (bucket.head === undefined || bucket.isImpossible) {
      if (before === undefined) return;
      before.remove(bucket);
    } else {
      const list = this.#bucketList(queue, shape.judged);
      const isOther = bucket.takeHead();
      if (before !== list) {
        before?.remove(bucket);
        list.insert(bucket);
      } else if (isOther) {
        list.moved(bucket);
      } else {
        return;
      }
      this.refreshWaiting(queue, shape.judged);
    }
    if (before !== undefined && before !== bucket.list) this.refreshWaiting(queue, queue.bucketLists.indexOf(before));
  }

  /** After a change of capacity: what resource is judged, and what can never fit. O(shapes + queues x shapes to which it matters). */
  capacityChanged(): void {
    const shapes = this.shapes.capacityChanged();
    for (const queue of this.queues.values()) {
      this.raiseOne(queue, allResources);
      for (const shape of queue.buckets.size === 0 ? [] : shapes) {
        const bucket = queue.buckets.get(shape.number);
        if (bucket === undefined) continue;
        bucket.isImpossible = this.neverFits(queue, shape) !== undefined;
        this.placeBucket(bucket);
      }
    }
  }

  /** After a change of a max on its path. */
  recheckBuckets(queue: Queue): void {
    for (const bucket of queue.buckets.values()) {
      const isImpossible = this.neverFits(queue, bucket.shape) !== undefined;
      if (isImpossible === bucket.isImpossible) continue;
      bucket.isImpossible = isImpossible;
      this.placeBucket(bucket);
    }
  }

  /** After a change of a leaf's ordering. */
  orderingChanged(queue: Queue): void {
    for (const bucket of queue.buckets.values()) {
      bucket.reorder();
      bucket.takeHead();
    }
    for (const list of queue.bucketLists) list?.rebuild(this.stride * 2, bucketOrder(queue));
    this.refresh(queue);
  }

  #bucketList(queue: Queue, resource: number): OrderedList {
    queue.bucketLists[resource] ??= new OrderedList(bucketOrder(queue), this.stride * 2);
    return queue.bucketLists[resource] as OrderedList;
  }
}

function setDepth(queue: Queue, depth: number): void {
  queue.depth = depth;
  for (const child of queue.children) setDepth(child, depth + 1);
}
