import type { Item } from "./item.ts";
import type { Chunk, OrderedList } from "./ordered-list.ts";
import type { Queue } from "./queue.ts";
import type { Shape } from "./shape.ts";

/**
 * What waits in one leaf with equal shapes, by the leaf's ordering: one place in a list, one test, however many there are. Items know their
 * places in the heap, since any of them may be withdrawn.
 */
export class Bucket {
  list: OrderedList | undefined = undefined;
  chunk: Chunk | undefined = undefined;
  priority: number;
  since: number;
  /** The item by which it stands in its list: `head`, once it has been placed. */
  listed: Item;
  readonly queue: Queue;
  readonly shape: Shape;
  /** It is larger than a max of its path, or than the capacity: it is in no list. */
  isImpossible = false;
  /** Steps and workloads. */
  count: number;
  readonly #heap: Item[];

  /** With its first item, so that the many with one are small. */
  constructor(queue: Queue, item: Item) {
    this.queue = queue;
    this.shape = item.shape;
    this.listed = item;
    this.priority = item.priority;
    this.since = item.since;
    this.#heap = [item];
    this.count = item.count;
    item.bucket = this;
    item.at = 0;
  }

  get head(): Item | undefined {
    return this.#heap[0];
  }

  get name(): string {
    return this.listed.name;
  }

  /** In no order. */
  get items(): readonly Item[] {
    return this.#heap;
  }

  /** It stands in its list by its head from now on. Returns whether that is another than before. */
  takeHead(): boolean {
    const { head } = this;
    if (head === undefined || head === this.listed) return false;
    this.listed = head;
    this.priority = head.priority;
    this.since = head.since;
    return true;
  }

  push(item: Item): void {
    item.bucket = this;
    item.at = this.#heap.length;
    this.#heap.push(item);
    this.count += item.count;
    this.#rise(item);
  }

  remove(item: Item): void {
    const last = this.#heap.pop() as Item;
    if (last !== item) {
      last.at = item.at;
      this.#heap[last.at] = last;
      this.#rise(last);
      this.#sink(last);
    }
    item.bucket = undefined;
    this.count -= item.count;
  }

  /** After the leaf's ordering has changed. */
  reorder(): void {
    const items = this.#heap.splice(0);
    this.count = 0;
    for (const item of items) this.push(item);
  }

  #rise(item: Item): void {
    while (item.at > 0) {
      const parent = this.#heap[(item.at - 1) >> 1] as Item;
      if (this.queue.compare(parent, item) <= 0) return;
      this.#swap(item, parent);
    }
  }

  #sink(item: Item): void {
    const { compare } = this.queue;
    for (;;) {
      const left = item.at * 2 + 1;
      let child = this.#heap[left];
      const right = this.#heap[left + 1];
      if (child === undefined) return;
      if (right !== undefined && compare(right, child) < 0) child = right;
      if (compare(item, child) <= 0) return;
      this.#swap(item, child);
    }
  }

  #swap(a: Item, b: Item): void {
    const { at } = a;
    a.at = b.at;
    b.at = at;
    this.#heap[a.at] = a;
    this.#heap[b.at] = b;
  }
}
