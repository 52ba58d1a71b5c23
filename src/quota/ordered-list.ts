import type { Bucket } from "./bucket.ts";
import type { Item } from "./item.ts";
import type { Queue } from "./queue.ts";

/** What stands in an ordered list: a queue among its siblings, or a bucket among those of its leaf, for one judged resource. */
export class Entry {
  readonly queue: Queue | undefined;
  readonly bucket: Bucket | undefined;
  list: OrderedList | undefined;
  chunk: Chunk | undefined;
  /** 0: below its guarantee; 1: by level; 2: of weight 0. */
  tier = 0;
  /** The level is numerator / denominator. */
  numerator = 0;
  denominator = 1;
  /** The first waiting beneath; its priority and age stand here, too, so that comparing entries looks at nothing else. */
  head: Item;
  priority: number;
  since: number;
  /** The component-wise smallest need of what waits beneath (see TreeState): nothing beneath fits where this does not. */
  need: Float64Array;
  /** Of a queue: the first beneath it that neither the queue nor anything beneath stops, as of a stamp of the queue: kept by AdmissionSearch. */
  candidate: Bucket | undefined;
  stamp = -1;

  constructor(owner: Queue | Bucket, need: Float64Array, head: Item) {
    const isBucket = "shape" in owner;
    this.queue = isBucket ? undefined : owner;
    this.bucket = isBucket ? owner : undefined;
    this.need = need;
    this.head = head;
    this.priority = head.priority;
    this.since = head.since;
  }

  setHead(head: Item): void {
    this.head = head;
    this.priority = head.priority;
    this.since = head.since;
  }
}

/** The order of a list. */
export interface EntryOrder {
  /** Where the keys of two entries differ, the one with the lower key comes first; where they are equal, `compare` decides. Never NaN. */
  keyOf(entry: Entry): number;
  /** Negative: a before b. Total: two entries of a list are never equal. */
  compare(a: Entry, b: Entry): number;
}

const largestChunk = 64;
const smallChunk = 12;

class Chunk {
  readonly entries: Entry[] = [];
  /** The keys of the entries, side by side: to find a place in the order seldom looks at the entries themselves, which lie all over the heap. */
  readonly keys: number[] = [];
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
  first: Entry | undefined;
  #minimum: Float64Array;
  #isStale = true;
  #order: EntryOrder;

  /** @param width how many components a need has */
  constructor(order: EntryOrder, width: number) {
    this.#order = order;
    this.#minimum = new Float64Array(width);
  }

  insert(entry: Entry): void {
    const { chunks } = this;
    const key = this.#order.keyOf(entry);
    let chunk = chunks[this.#chunkFor(entry, key)];
    if (chunk === undefined) {
      chunk = new Chunk(this.#minimum.length);
      chunks.push(chunk);
    }
    const { entries, keys } = chunk;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isBefore(chunk, middle, entry, key)) low = middle + 1;
      else high = middle;
    }
    entries.push(entry);
    keys.push(key);
    for (let at = entries.length - 1; at > low; at--) {
      entries[at] = entries[at - 1] as Entry;
      keys[at] = keys[at - 1] as number;
    }
    entries[low] = entry;
    keys[low] = key;
    entry.list = this;
    entry.chunk = chunk;
    this.size++;
    if (low === 0) this.#findFirst();
    if (!chunk.isStale) lower(chunk.minimum, entry.need);
    if (!this.#isStale) lower(this.#minimum, entry.need);
    if (entries.length > largestChunk) this.#split(chunk);
  }

  remove(entry: Entry): void {
    const chunk = entry.chunk as Chunk;
    const { entries, keys } = chunk;
    const last = entries.length - 1;
    for (let at = entries.indexOf(entry); at < last; at++) {
      entries[at] = entries[at + 1] as Entry;
      keys[at] = keys[at + 1] as number;
    }
    entries.pop();
    keys.pop();
    entry.list = undefined;
    entry.chunk = undefined;
    this.size--;
    chunk.isStale ||= reaches(entry.need, chunk.minimum);
    this.#isStale ||= reaches(entry.need, this.#minimum);
    if (entries.length < smallChunk && this.chunks.length > 1) this.#merge(chunk);
    if (this.first === entry) this.#findFirst();
  }

  /** To be called when the key of an entry, or what else it is compared by, has changed. */
  moved(entry: Entry): void {
    const chunk = entry.chunk as Chunk;
    const { entries, keys } = chunk;
    const key = this.#order.keyOf(entry);
    const last = entries.length - 1;
    const from = entries.indexOf(entry);
    let at = from;
    while (at > 0 && !this.#isBefore(chunk, at - 1, entry, key)) {
      entries[at] = entries[at - 1] as Entry;
      keys[at] = keys[at - 1] as number;
      at--;
    }
    if (at === from) {
      while (at < last && this.#isBefore(chunk, at + 1, entry, key)) {
        entries[at] = entries[at + 1] as Entry;
        keys[at] = keys[at + 1] as number;
        at++;
      }
    }
    entries[at] = entry;
    keys[at] = key;
    // at the edge of its chunk it may belong into another
    if ((at === 0 && chunk !== this.chunks[0]) || (at === last && chunk !== this.chunks.at(-1))) {
      this.remove(entry);
      this.insert(entry);
    } else if (at === 0 || from === 0) {
      this.#findFirst();
    }
  }

  /** To be called when the need of an entry has changed. */
  needChanged(entry: Entry): void {
    (entry.chunk as Chunk).isStale = true;
    this.#isStale = true;
  }

  /** The component-wise smallest need of all entries; Infinity where there are none. Valid until the next change. */
  minimum(): Float64Array {
    const only = this.chunks.length === 1 ? this.chunks[0] : undefined;
    if (only !== undefined) return minimumOf(only);
    if (this.#isStale) {
      const minimum = this.#minimum.fill(Number.POSITIVE_INFINITY);
      for (const chunk of this.chunks) lower(minimum, minimumOf(chunk));
      this.#isStale = false;
    }
    return this.#minimum;
  }

  /** All entries again by another order, or with needs of another width, taken from `entries`. */
  rebuild(order: EntryOrder, width: number): void {
    const all = this.chunks.flatMap((chunk) => chunk.entries);
    this.#order = order;
    this.#minimum = new Float64Array(width);
    this.#isStale = true;
    this.chunks.length = 0;
    this.size = 0;
    this.first = undefined;
    for (const entry of all) this.insert(entry);
  }

  /** Whether the entry at a place of a chunk comes before another, of which the key is given. */
  #isBefore(chunk: Chunk, at: number, entry: Entry, key: number): boolean {
    const other = chunk.keys[at] as number;
    return other < key || (other === key && this.#order.compare(chunk.entries[at] as Entry, entry) < 0);
  }

  #findFirst(): void {
    this.first = this.chunks[0]?.entries[0];
  }

  /** The last chunk that begins before the entry, or the first. */
  #chunkFor(entry: Entry, key: number): number {
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
    const right = new Chunk(this.#minimum.length);
    const middle = chunk.entries.length >> 1;
    right.entries.push(...chunk.entries.splice(middle));
    right.keys.push(...chunk.keys.splice(middle));
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
  for (const { need } of chunk.entries) lower(minimum, need);
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
