import type { Bucket } from "./bucket.ts";
import type { Shape } from "./shape.ts";

/** The order of a list. */
export interface ListOrder {
  /** Where the keys of two entries differ, the one with the lower key comes first; where they are equal, `compare` decides. Never NaN. */
  keyOf(entry: Bucket): number;
  /** Negative: a before b. Total: two entries of a list are never equal. */
  compare(a: Bucket, b: Bucket): number;
}

const largestChunk = 64;
const smallChunk = 12;

class Chunk {
  readonly entries: Bucket[] = [];
  /** The keys of the entries, side by side: to find a place in the order seldom looks at the entries themselves, which lie all over the heap. */
  readonly keys: number[] = [];
  /** The shapes of the entries likewise: there are few of them, and what they ask for is read often. */
  readonly shapes: Shape[] = [];
  minimum: Float64Array;
  isStale = true;

  constructor(width: number) {
    this.minimum = new Float64Array(width);
  }
}

export type { Chunk };

/**
 * Entries in order, in chunks of at most 64, each with the component-wise smallest need of its entries, reckoned when it is asked for: a search
 * goes from left to right and leaves out the chunks in which nothing can fit. Insert, remove and move are O(log k + 64).
 */
export class OrderedList {
  readonly chunks: Chunk[] = [];
  size = 0;
  /** Stands in the list itself because it is asked for far more often than anything else. */
  first: Bucket | undefined;
  /** Of all chunks; made when there are several for the first time. */
  #minimum: Float64Array | undefined;
  #isStale = true;
  #order: ListOrder;
  #width: number;

  /** @param width how many components a need has */
  constructor(order: ListOrder, width: number) {
    this.#order = order;
    this.#width = width;
  }

  insert(entry: Bucket): void {
    const { chunks } = this;
    const key = this.#order.keyOf(entry);
    let chunk = chunks[this.#chunkFor(entry, key)];
    if (chunk === undefined) {
      chunk = new Chunk(this.#width);
      chunks.push(chunk);
    }
    const { entries, keys, shapes } = chunk;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isBefore(chunk, middle, entry, key)) low = middle + 1;
      else high = middle;
    }
    entries.push(entry);
    keys.push(key);
    shapes.push(entry.shape);
    for (let at = entries.length - 1; at > low; at--) {
      entries[at] = entries[at - 1] as Bucket;
      keys[at] = keys[at - 1] as number;
      shapes[at] = shapes[at - 1] as Shape;
    }
    entries[low] = entry;
    keys[low] = key;
    shapes[low] = entry.shape;
    entry.list = this;
    entry.chunk = chunk;
    this.size++;
    if (low === 0) this.#findFirst();
    if (!chunk.isStale) lower(chunk.minimum, entry.shape.need);
    if (!this.#isStale) lower(this.#minimum as Float64Array, entry.shape.need);
    if (entries.length > largestChunk) this.#split(chunk);
  }

  remove(entry: Bucket): void {
    const chunk = entry.chunk as Chunk;
    const { entries, keys, shapes } = chunk;
    const last = entries.length - 1;
    for (let at = entries.indexOf(entry); at < last; at++) {
      entries[at] = entries[at + 1] as Bucket;
      keys[at] = keys[at + 1] as number;
      shapes[at] = shapes[at + 1] as Shape;
    }
    entries.pop();
    keys.pop();
    shapes.pop();
    entry.list = undefined;
    entry.chunk = undefined;
    this.size--;
    chunk.isStale ||= reaches(entry.shape.need, chunk.minimum);
    this.#isStale ||= reaches(entry.shape.need, this.#minimum as Float64Array);
    if (entries.length < smallChunk && this.chunks.length > 1) this.#merge(chunk);
    if (this.first === entry) this.#findFirst();
  }

  /** To be called when the key of an entry, or what else it is compared by, has changed. */
  moved(entry: Bucket): void {
    const chunk = entry.chunk as Chunk;
    const { entries, keys, shapes } = chunk;
    const key = this.#order.keyOf(entry);
    const last = entries.length - 1;
    const from = entries.indexOf(entry);
    let at = from;
    while (at > 0 && !this.#isBefore(chunk, at - 1, entry, key)) {
      entries[at] = entries[at - 1] as Bucket;
      keys[at] = keys[at - 1] as number;
      shapes[at] = shapes[at - 1] as Shape;
      at--;
    }
    if (at === from) {
      while (at < last && this.#isBefore(chunk, at + 1, entry, key)) {
        entries[at] = entries[at + 1] as Bucket;
        keys[at] = keys[at + 1] as number;
        shapes[at] = shapes[at + 1] as Shape;
        at++;
      }
    }
    entries[at] = entry;
    keys[at] = key;
    shapes[at] = entry.shape;
    // at the edge of its chunk it may belong into another
    if ((at === 0 && chunk !== this.chunks[0]) || (at === last && chunk !== this.chunks.at(-1))) {
      this.remove(entry);
      this.insert(entry);
    } else if (at === 0 || from === 0) {
      this.#findFirst();
    }
  }

  /** The component-wise smallest need of all entries; Infinity where there are none. Valid until the next change. */
  minimum(): Float64Array {
    const only = this.chunks.length === 1 ? this.chunks[0] : undefined;
    if (only !== undefined) return minimumOf(only);
    this.#minimum ??= new Float64Array(this.#width);
    if (this.#isStale) {
      const minimum = this.#minimum.fill(Number.POSITIVE_INFINITY);
      for (const chunk of this.chunks) lower(minimum, minimumOf(chunk));
      this.#isStale = false;
    }
    return this.#minimum;
  }

  /** All entries again, with needs of a width, or by another order. */
  rebuild(width: number, order = this.#order): void {
    const all = this.chunks.flatMap((chunk) => chunk.entries);
    this.#order = order;
    this.#width = width;
    this.#minimum = undefined;
    this.#isStale = true;
    this.chunks.length = 0;
    this.size = 0;
    this.first = undefined;
    for (const entry of all) this.insert(entry);
  }

  /** Whether the entry at a place of a chunk comes before another, of which the key is given. */
  #isBefore(chunk: Chunk, at: number, entry: Bucket, key: number): boolean {
    const other = chunk.keys[at] as number;
    return other < key || (other === key && this.#order.compare(chunk.entries[at] as Bucket, entry) < 0);
  }

  #findFirst(): void {
    this.first = this.chunks[0]?.entries[0];
  }

  /** The last chunk that begins before the entry, or the first. */
  #chunkFor(entry: Bucket, key: number): number {
    const { chunks } = this;
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const chunk = chunks[middle] as Chunk;
      if (chunk.entries.length > 0 && this.#isBefore(chunk, 0, entry, key)) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  #split(chunk: Chunk): void {
    const right = new Chunk(this.#width);
    const middle = chunk.entries.length >> 1;
    right.entries.push(...chunk.entries.splice(middle));
    right.keys.push(...chunk.keys.splice(middle));
    right.shapes.push(...chunk.shapes.splice(middle));
    for (const entry of right.entries) entry.chunk = right;
    this.chunks.splice(this.chunks.indexOf(chunk) + 1, 0, right);
    chunk.isStale = true;
    this.#isStale = true;
  }

  /** Into the left neighbour, or the right one into it, where both are small; an empty one goes in any case. */
  #merge(chunk: Chunk): void {
    const { chunks } = this;
    const at = chunks.indexOf(chunk);
    const from = at > 0 ? at : at + 1;
    const left = chunks[from - 1] as Chunk;
    const right = chunks[from] as Chunk;
    if (left.entries.length + right.entries.length > largestChunk / 2 && chunk.entries.length > 0) return;
    for (const entry of right.entries) {
      entry.chunk = left;
      left.entries.push(entry);
    }
    left.keys.push(...right.keys);
    left.shapes.push(...right.shapes);
    left.isStale = true;
    chunks.splice(from, 1);
    if (left.entries.length > largestChunk) this.#split(left);
  }
}

/** The component-wise smallest need of a chunk. */
export function minimumOf(chunk: Chunk): Float64Array {
  const { minimum } = chunk;
  if (!chunk.isStale) return minimum;
  minimum.fill(Number.POSITIVE_INFINITY);
  for (const { need } of chunk.shapes) lower(minimum, need);
  chunk.isStale = false;
  return minimum;
}

function lower(minimum: Float64Array, need: Float64Array): void {
  for (let at = 0; at < minimum.length; at++) if ((need[at] as number) < (minimum[at] as number)) minimum[at] = need[at] as number;
}

/** Whether the minimum may be another without the need. */
function reaches(need: Float64Array, minimum: Float64Array): boolean {
  for (let at = 0; at < minimum.length; at++) if ((need[at] as number) <= (minimum[at] as number)) return true;
  return false;
}
