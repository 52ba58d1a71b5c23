import type { Item } from "./item.ts";
import { Entry } from "./ordered-list.ts";
import type { Queue } from "./queue.ts";
import type { Shape } from "./shape.ts";

/**
 * What waits in one leaf with equal shapes, by the leaf's ordering: one entry, one test, however many there are. Items know their places in
 * the heap, since any of them may be withdrawn.
 */
export class Bucket {
  readonly queue: Queue;
  readonly shape: Shape;
  /** It is larger than a max of its path, or than the capacity: it is in no list. */
  isImpossible = false;
  /** Steps and workloads. */
  count: number;
  entry: Entry | undefined;
  readonly #heap: Item[];

  /** With its first item, so that the many with one are small. */
  constructor(queue: Queue, item: Item) {
    this.queue = queue;
    this.shape = item.shape;
    this.#heap = [item];
    this.count = item.count;
    item.bucket = this;
    item.at = 0;
  }

  get head(): Item | undefined {
    return this.#heap[0];
  }

  /** In no order. */
  get items(): readonly Item[] {
    return this.#heap;
  }

  entryFor(head: Item): Entry {
    this.entry ??= new Entry(this, this.shape.need, head);
    if (this.entry.head !== head) this.entry.setHead(head);
    return this.entry;
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
