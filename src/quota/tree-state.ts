import { AmountTable, needSlots, residentSlot, widerRows } from "./amount-table.ts";
import { Bucket } from "./bucket.ts";
import { bucketOrder, queueOrder } from "./entry-order.ts";
import { compareNames } from "./exact.ts";
import type { Item, Workload } from "./item.ts";
import { Entry, OrderedList } from "./ordered-list.ts";
import { lendClasses } from "./promise.ts";
import { Queue } from "./queue.ts";
import type { Shape } from "./shape.ts";
import { ShapeTable } from "./shape-table.ts";

const allResources = -1;

/**
 * Everything that the tree of one capacity domain knows, and the arithmetic that keeps it consistent: amounts in flat arrays (row = queue,
 * column = resource), sums along the path to the root, and for each queue and judged resource the ordered list of its children (of a leaf: of
 * its buckets). A change touches one path.
 *
 * Each entry of a list has a *need* of two parts. First, of each resource, the smallest amount that anything waiting beneath asks for;
 * Infinity where the max of a queue stops all of it. Second, of each resource, the smallest rise that anything beneath would cause in the
 * need of the parent's other side (need_v of decision 9) in the lending class `searchClass`. Both are bounds: nothing beneath
 * can be admitted where the need is not met.
 */
export class TreeState extends AmountTable {
  readonly root: Queue;
  readonly queues = new Map<string, Queue>();
  readonly workloads = new Map<string, Workload>();
  /**
   * The lending classes of which need_v is kept: those of the guarantees that there are. In any other class no more guarantees count than
   * in the next lower of these, and less work; so need_v and its rise are no larger there. Below the lowest no guarantee counts, and it is
   * enough to fit.
   */
  slots: readonly number[] = [lendClasses - 1];
  /** The class whose need bounds the search: the longest of them, the one that most often binds. */
  searchClass = lendClasses - 1;
  readonly shapes: ShapeTable;
  #rows = 1;
  /** By depth. */
  readonly #staleQueues: Queue[][] = [];
  readonly #staleCounts: number[] = [];
  readonly #freeRows: number[] = [];

  constructor(rootName: string) {
    super();
    this.shapes = new ShapeTable(this);
    this.root = new Queue(rootName, 0, undefined);
    this.queues.set(rootName, this.root);
  }

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
    parent.children.push(queue);
    parent.children.sort((a, b) => compareNames(a.name, b.name));
    this.#addToParents(queue, 1);
    if (wasLeaf) this.refresh(parent);
    this.refresh(queue);
  }

  /** Takes a queue with all that it has from its parent. */
  detach(queue: Queue): void {
    this.flush();
    const parent = queue.parent as Queue;
    for (const entry of queue.entries) entry?.list?.remove(entry);
    this.#addToParents(queue, -1);
    parent.children.splice(parent.children.indexOf(queue), 1);
    this.refresh(parent);
    queue.parent = undefined;
  }

  /** Counts `times` the shape as used in a queue and on its path. */
  addUsage(queue: Queue, shape: Shape, times: number): void {
    const { need, promiseClass, isResident } = shape;
    const { used, resident, stride } = this;
    const count = this.resources.length;
    for (let each: Queue | undefined = queue; each !== undefined; each = each.parent) {
      const row = each.index * stride;
      for (let at = 0; at < count; at++) {
        const amount = (need[at] as number) * times;
        if (amount === 0) continue;
        used[row + at] = (used[row + at] as number) + amount;
        if (isResident) resident[row + at] = (resident[row + at] as number) + amount;
      }
    }
    for (const slot of this.slots) if (slot < promiseClass) this.#addNeed(queue, slot, need, times);
    if (isResident && promiseClass === lendClasses) this.#addNeed(queue, residentSlot, need, times);
    // what is judged by another resource stays where it is, and needs stay as they are, unless a max or consent ties them to the use
    let keys = 0;
    for (let at = 0; at < count; at++) if ((need[at] as number) > 0) keys |= 1 << (at & 31);
    for (let each: Queue | undefined = queue; each !== undefined; each = each.parent) {
      each.stamp++;
      this.#markStale(each, each.isLimited ? allResources : 0, keys);
    }
  }

  /** Reckons need_v anew from a queue up, after its guarantee or lending class has changed. O(queues) where the lending classes may be others. */
  guaranteeChanged(queue: Queue, isLendingChanged: boolean): void {
    for (const slot of [...this.slots, residentSlot])
      for (let at = 0; at < this.resources.length; at++) this.#raiseNeed(queue, slot, at, 0);
    if (isLendingChanged || !this.#isGuaranteed(queue) || !this.slots.includes(queue.lendClass)) this.chooseSlots();
  }

  /** Finds the lending classes of all guarantees: `slots`, and the longest of them, `searchClass`. O(queues), O(work) for a new one. */
  chooseSlots(): void {
    const found = new Set<number>();
    for (const queue of this.queues.values()) {
      if (!found.has(queue.lendClass) && this.#isGuaranteed(queue)) found.add(queue.lendClass);
    }
    if (found.size === 0) found.add(lendClasses - 1);
    const before = this.slots;
    this.slots = [...found].sort((a, b) => a - b);
    for (const slot of this.slots) if (!before.includes(slot)) this.#reckonSlot(slot);
    const chosen = this.slots.at(-1) as number;
    if (chosen === this.searchClass) return;
    this.searchClass = chosen;
    this.shapes.setSearchClass(chosen);
    this.#rebuildLists();
  }

  #isGuaranteed({ index }: Queue): boolean {
    return this.guaranteed.subarray(index * this.stride, (index + 1) * this.stride).some((amount) => amount > 0);
  }

  /** How far the use beneath a queue may grow in a class before its own need does. */
  absorbed(queue: Queue, slot: number, resource: number): number {
    const at = (queue.index * needSlots + slot) * this.stride + resource;
    return (this.need[at] as number) - (this.beneath[at] as number);
  }

  /** What the max of a queue leaves of a resource, never below 0; of the root what its max leaves, not what is free. */
  roomOf(queue: Queue, resource: number): number {
    const at = queue.index * this.stride + resource;
    return Math.max(0, (this.max[at] as number) - (this.used[at] as number));
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

  /** See refreshWaiting for `isShown`. */
  dequeue(item: Item, isShown = true): void {
    const bucket = item.bucket as Bucket;
    bucket.remove(item);
    if (!item.isGrowth) bucket.queue.waiting--;
    this.placeBucket(bucket, isShown);
    if (bucket.head === undefined) bucket.queue.buckets.delete(bucket.shape.number);
  }

  /** Puts a bucket where it belongs now: into the list of its judged resource, or into none. See refreshWaiting for `isShown`. */
  placeBucket(bucket: Bucket, isShown = true): void {
    const { queue, head, shape } = bucket;
    const before = bucket.entry?.list;
    if (head === undefined || bucket.isImpossible) {
      if (before === undefined) return;
      before.remove(bucket.entry as Entry);
    } else {
      const list = this.#bucketList(queue, shape.judged);
      const isSameHead = bucket.entry?.head === head;
      const entry = bucket.entryFor(head);
      if (before !== list) {
        before?.remove(entry);
        list.insert(entry);
      } else if (isSameHead) {
        return;
      } else {
        list.moved(entry);
      }
    }
    const after = bucket.entry?.list;
    if (after !== undefined) this.refreshWaiting(queue, shape.judged, isShown);
    if (before !== undefined && before !== after) this.refreshWaiting(queue, queue.bucketLists.indexOf(before), isShown);
  }

  /** After a change of capacity: what resource is judged, and what can never fit. O(shapes + queues x shapes to which it matters). */
  capacityChanged(): void {
    const shapes = this.shapes.capacityChanged();
    for (const queue of this.queues.values()) {
      queue.stamp++;
      for (const shape of queue.buckets.size === 0 ? [] : shapes) {
        const bucket = queue.buckets.get(shape.number);
        if (bucket === undefined) continue;
        bucket.isImpossible = this.neverFits(queue, shape) !== undefined;
        this.placeBucket(bucket, false);
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
      if (bucket.head !== undefined) bucket.entryFor(bucket.head);
    }
    for (const list of queue.bucketLists) list?.rebuild(bucketOrder(queue), this.stride * 2);
    this.refresh(queue);
  }

  /** After a change of amounts in a queue: its entries and those of its path are brought up to date by the next `flush`. */
  refresh(queue: Queue): void {
    for (let each: Queue | undefined = queue; each !== undefined; each = each.parent) {
      each.stamp++;
      this.#markStale(each, allResources, 0);
    }
  }

  /** The same after a change of what waits, for one judged resource. `isShown` false: the caller raises the stamps of the path. */
  refreshWaiting(queue: Queue, resource: number, isShown = true): void {
    for (let each = isShown ? queue : undefined; each !== undefined; each = each.parent) each.stamp++;
    this.#markStale(queue, 1 << (resource & 31), 0);
  }

  /**
   * Brings all entries up to date, the deepest first, each once for all changes since the last time. To be called before lists are read, and
   * after each change that comes alone: a decision must not pay for all that has ended and been submitted since the last.
   */
  flush(): void {
    const count = this.resources.length;
    for (let depth = this.#staleQueues.length - 1; depth >= 0; depth--) {
      const queues = this.#staleQueues[depth] as Queue[];
      for (let at = this.#staleCounts[depth] as number; at > 0; at--) {
        const queue = queues[at - 1] as Queue;
        const { stale, staleKeys, parent } = queue;
        queue.stale = 0;
        queue.staleKeys = 0;
        for (let resource = 1; parent !== undefined && resource < count; resource++) {
          const bit = 1 << (resource & 31);
          const isFelt =
            (stale & bit) !== 0 ? this.#updateEntry(queue, resource) : (staleKeys & bit) !== 0 && this.#updateKey(queue, resource);
          if (isFelt) this.#markStale(parent, bit, 0);
        }
      }
      this.#staleCounts[depth] = 0;
    }
  }

  #markStale(queue: Queue, bits: number, keys: number): void {
    if (bits === 0 && keys === 0) return;
    if (queue.stale === 0 && queue.staleKeys === 0) {
      const { depth } = queue;
      while (this.#staleQueues.length <= depth) {
        this.#staleQueues.push([]);
        this.#staleCounts.push(0);
      }
      // the arrays never shrink: they are filled again with every decision
      (this.#staleQueues[depth] as Queue[])[(this.#staleCounts[depth] as number)++] = queue;
    }
    queue.stale |= bits;
    queue.staleKeys |= keys;
  }

  /** Moves the entry of a queue by its use. Returns whether the first of its siblings is another then. */
  #updateKey(queue: Queue, resource: number): boolean {
    const entry = queue.entries[resource];
    const list = entry?.list;
    if (entry === undefined || list === undefined || !this.#writeKey(queue, resource, entry, entry.head)) return false;
    const first = list.first;
    list.moved(entry);
    return list.first !== first;
  }

  /** Brings an entry up to date. Returns whether the parent's entry may be another then: its need, or the head of its first. */
  #updateEntry(queue: Queue, resource: number): boolean {
    const { parent } = queue;
    const list = queue.listOf(resource);
    let entry = queue.entries[resource];
    if (parent === undefined) return false;
    const first = list?.first;
    if (list === undefined || first === undefined || queue.isClosed) {
      if (entry?.list === undefined) return false;
      entry.list.remove(entry);
      return true;
    }
    entry ??= new Entry(queue, new Float64Array(this.stride * 2), first.head);
    queue.entries[resource] = entry;
    const { head } = entry;
    const siblings = entry.list;
    const firstBefore = siblings?.first;
    const isNeedChanged = this.#writeNeed(queue, list.minimum(), entry.need);
    const isKeyChanged = this.#writeKey(queue, resource, entry, first.head);
    if (siblings === undefined) {
      this.#childList(parent, resource).insert(entry);
      return true;
    }
    if (isNeedChanged) siblings.needChanged(entry);
    if (isKeyChanged) siblings.moved(entry);
    const firstAfter = siblings.first;
    return isNeedChanged || firstAfter !== firstBefore || (firstAfter === entry && entry.head !== head);
  }

  #writeKey(queue: Queue, resource: number, entry: Entry, head: Item): boolean {
    const at = queue.index * this.stride + resource;
    const used = (this.used[at] as number) + (queue.isIndebted ? (this.debt[at] as number) : 0);
    const guaranteed = this.guaranteed[at] as number;
    const tier = used < guaranteed ? 0 : queue.weight > 0 ? 1 : 2;
    const denominator = tier === 0 ? guaranteed : tier === 1 ? queue.weight : 1;
    if (entry.tier === tier && entry.numerator === used && entry.denominator === denominator && entry.head === head) return false;
    entry.tier = tier;
    entry.numerator = used;
    entry.denominator = denominator;
    if (entry.head !== head) entry.setHead(head);
    return true;
  }

  #writeNeed(queue: Queue, minimum: Float64Array, written: Float64Array): boolean {
    const { stride, need, beneath } = this;
    const count = this.resources.length;
    let isStopped = false;
    if (queue.isLimited) for (let at = 0; at < count; at++) isStopped ||= (minimum[at] as number) > this.roomOf(queue, at);
    const row = (queue.index * needSlots + this.searchClass) * stride;
    let isChanged = false;
    for (let at = 0; at < count; at++) {
      const amount = isStopped ? Number.POSITIVE_INFINITY : (minimum[at] as number);
      if (written[at] !== amount) {
        written[at] = amount;
        isChanged = true;
      }
      let rise = minimum[stride + at] as number;
      if (rise > 0) rise = Math.max(0, rise - (need[row + at] as number) + (beneath[row + at] as number));
      if (written[stride + at] !== rise) {
        written[stride + at] = rise;
        isChanged = true;
      }
    }
    return isChanged;
  }

  #childList(queue: Queue, resource: number): OrderedList {
    queue.childLists[resource] ??= new OrderedList(queueOrder, this.stride * 2);
    return queue.childLists[resource] as OrderedList;
  }

  #bucketList(queue: Queue, resource: number): OrderedList {
    queue.bucketLists[resource] ??= new OrderedList(bucketOrder(queue), this.stride * 2);
    return queue.bucketLists[resource] as OrderedList;
  }

  #addNeed(queue: Queue, slot: number, amounts: Float64Array, times: number): void {
    const row = (queue.index * needSlots + slot) * this.stride;
    for (let at = 0; at < this.resources.length; at++) {
      const amount = amounts[at] as number;
      if (amount === 0) continue;
      this.beneath[row + at] = (this.beneath[row + at] as number) + amount * times;
      this.#raiseNeed(queue, slot, at, amount * times);
    }
  }

  /** Reckons a class from all that is admitted. */
  #reckonSlot(slot: number): void {
    const { stride } = this;
    const count = this.resources.length;
    for (const queue of this.queues.values()) {
      const row = (queue.index * needSlots + slot) * stride;
      this.need.fill(0, row, row + stride);
      this.beneath.fill(0, row, row + stride);
    }
    for (const { queue, shape, step, steps, isAdmitted } of this.workloads.values()) {
      if (!isAdmitted || shape.promiseClass <= slot) continue;
      const row = (queue.index * needSlots + slot) * stride;
      for (let at = 0; at < count; at++) {
        const amount = (shape.need[at] as number) + (step === undefined ? 0 : (step.need[at] as number) * steps);
        this.beneath[row + at] = (this.beneath[row + at] as number) + amount;
      }
    }
    const visit = (queue: Queue): void => {
      const row = (queue.index * needSlots + slot) * stride;
      for (const child of queue.children) {
        visit(child);
        const below = (child.index * needSlots + slot) * stride;
        for (let at = 0; at < count; at++) this.beneath[row + at] = (this.beneath[row + at] as number) + (this.need[below + at] as number);
      }
      for (let at = 0; at < count; at++) {
        const own = queue.lendClass <= slot ? (this.guaranteed[queue.index * stride + at] as number) : 0;
        this.need[row + at] = Math.max(own, this.beneath[row + at] as number);
      }
    };
    visit(this.root);
  }

  /**
   * need = max(own guarantee where it is not lent to the class, what is beneath); the difference goes up. What it absorbs of the change beneath
   * is the only reason for which the need in a queue's entry may be another then.
   */
  #raiseNeed(queue: Queue, slot: number, resource: number, beneath: number): void {
    let change = beneath;
    for (let each = queue; ; ) {
      const at = (each.index * needSlots + slot) * this.stride + resource;
      const own = each.lendClass <= slot ? (this.guaranteed[each.index * this.stride + resource] as number) : 0;
      const need = Math.max(own, this.beneath[at] as number);
      const rise = need - (this.need[at] as number);
      if (rise !== change && slot === this.searchClass) this.#markStale(each, allResources, 0);
      if (rise === 0) return;
      change = rise;
      this.need[at] = need;
      if (each.parent === undefined) return;
      each = each.parent;
      const above = (each.index * needSlots + slot) * this.stride + resource;
      this.beneath[above] = (this.beneath[above] as number) + rise;
    }
  }

  /** Adds all that a queue has used and needs to its ancestors, or takes it from them. */
  #addToParents(queue: Queue, sign: 1 | -1): void {
    const { stride } = this;
    const parent = queue.parent as Queue;
    for (let at = 0; at < this.resources.length; at++) {
      for (const sums of [this.used, this.resident, this.kept]) {
        const amount = (sums[queue.index * stride + at] as number) * sign;
        for (let each: Queue | undefined = parent; each !== undefined; each = each.parent) {
          sums[each.index * stride + at] = (sums[each.index * stride + at] as number) + amount;
        }
      }
      for (const slot of [...this.slots, residentSlot]) {
        const need = (this.need[(queue.index * needSlots + slot) * stride + at] as number) * sign;
        const above = (parent.index * needSlots + slot) * stride + at;
        this.beneath[above] = (this.beneath[above] as number) + need;
        this.#raiseNeed(parent, slot, at, need);
      }
    }
  }

  protected override widened(before: number): void {
    for (const shape of this.shapes.all()) shape.need = widerRows(shape.need, before, this.stride);
    this.#rebuildLists();
  }

  /** All entries anew from the leaves up, after a change of what a need is. */
  #rebuildLists(): void {
    const visit = (queue: Queue): void => {
      for (const child of queue.children) visit(child);
      for (const bucket of queue.buckets.values()) if (bucket.entry !== undefined) bucket.entry.need = bucket.shape.need;
      for (const list of queue.bucketLists) list?.rebuild(bucketOrder(queue), this.stride * 2);
      for (const list of queue.childLists) list?.rebuild(queueOrder, this.stride * 2);
      for (const entry of queue.entries) if (entry !== undefined) entry.need = new Float64Array(this.stride * 2);
      queue.stamp++;
      for (let resource = 0; resource < this.resources.length; resource++) this.#updateEntry(queue, resource);
    };
    visit(this.root);
  }
}

function setDepth(queue: Queue, depth: number): void {
  queue.depth = depth;
  for (const child of queue.children) setDepth(child, depth + 1);
}
