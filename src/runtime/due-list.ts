import { Heap } from "../base/heap.ts";

interface Mark<Key> {
  readonly key: Key;
  readonly due: number;
  readonly order: number;
}

/** Below this many marks a heap is not worth cleaning. */
const smallHeap = 256;

/**
 * Keys with an instant each, on whatever time line the caller counts. Setting an instant again only leaves a void mark in the heap; void
 * marks are swept when they outnumber the others, so that memory stays in proportion to the number of keys.
 */
export class DueList<Key> {
  readonly #dues = new Map<Key, number>();
  #heap = new Heap<Mark<Key>>(earlier);
  #order = 0;

  get size(): number {
    return this.#dues.size;
  }

  /** Gives the key this instant unless it has an earlier one. */
  setEarliest(key: Key, due: number): void {
    const current = this.#dues.get(key);
    if (current !== undefined && current <= due) return;
    this.#dues.set(key, due);
    this.#heap.push({ key, due, order: this.#order++ });
    if (this.#heap.size > smallHeap && this.#heap.size > 3 * this.#dues.size) this.#sweep();
  }

  delete(key: Key): void {
    this.#dues.delete(key);
  }

  /** The instant of a key, if it has one. */
  get(key: Key): number | undefined {
    return this.#dues.get(key);
  }

  /** The earliest instant of all. */
  next(): number | undefined {
    return this.#top()?.due;
  }

  /** Takes out one key whose instant is at or before `now`, the earliest first; of one instant the one that was set first. */
  take(now: number): { readonly key: Key; readonly due: number } | undefined {
    const top = this.#top();
    if (top === undefined || top.due > now) return undefined;
    this.#heap.pop();
    this.#dues.delete(top.key);
    return top;
  }

  #top(): Mark<Key> | undefined {
    for (;;) {
      const top = this.#heap.peek();
      if (top === undefined || this.#dues.get(top.key) === top.due) return top;
      this.#heap.pop();
    }
  }

  #sweep(): void {
    const heap = new Heap<Mark<Key>>(earlier);
    const live = new Set<Key>();
    for (let mark = this.#heap.pop(); mark !== undefined; mark = this.#heap.pop()) {
      if (this.#dues.get(mark.key) !== mark.due || live.has(mark.key)) continue;
      live.add(mark.key);
      heap.push(mark);
    }
    this.#heap = heap;
  }
}

function earlier(a: Mark<unknown>, b: Mark<unknown>): number {
  return a.due - b.due || a.order - b.order;
}
