/** A text was not a set of numbers; the message says what would be. */
export class IntervalSetError extends Error {
  override readonly name = "IntervalSetError";
}

/** Texts longer than this many characters are written as a bit map instead (decision 46). */
const longestIntervalText = 1024;
const bitmapPrefix = "b64:";

/**
 * A set of numbers from 0, small enough to hold as bits. As text: ascending intervals without blanks, `a` or `a-b` with a < b, joined
 * by commas (decision 42); or, when that would be longer than 1 KiB, `b64:` and the bits, lowest number first, in base64.
 */
export class IntervalSet {
  #words: Uint32Array;
  #size = 0;

  constructor(numbers: Iterable<number> = []) {
    this.#words = new Uint32Array(1);
    for (const number of numbers) this.add(number);
  }

  /** All numbers from 0 to `count` - 1. */
  static upTo(count: number): IntervalSet {
    const set = new IntervalSet();
    set.addRange(0, count - 1);
    return set;
  }

  /**
   * Reads either form; absent and "" are the empty set.
   * @throws IntervalSetError naming the part that is wrong, or that exceeds `largest`.
   */
  static parse(text: string | undefined, largest = 1_000_000): IntervalSet {
    const set = new IntervalSet();
    if (text === undefined || text === "") return set;
    if (text.startsWith(bitmapPrefix)) {
      const bytes = Buffer.from(text.slice(bitmapPrefix.length), "base64");
      for (let index = 0; index < bytes.length * 8; index++) if ((((bytes[index >> 3] as number) >> (index & 7)) & 1) === 1) set.add(index);
      return set;
    }
    let previous = -1;
    for (const part of text.split(",")) {
      const match = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part);
      if (match === null) throw new IntervalSetError(`"${part}" is neither a number nor an interval such as 7-9`);
      const first = Number(match[1]);
      const last = match[2] === undefined ? first : Number(match[2]);
      if (match[2] !== undefined && first >= last) throw new IntervalSetError(`"${part}" must rise`);
      if (first <= previous) throw new IntervalSetError(`"${part}" must come after ${previous}: intervals are ascending`);
      if (last > largest) throw new IntervalSetError(`${last} must be no more than ${largest}`);
      set.addRange(first, last);
      previous = last;
    }
    return set;
  }

  /** How many numbers are in it. */
  get size(): number {
    return this.#size;
  }

  has(number: number): boolean {
    const word = this.#words[number >>> 5];
    return word !== undefined && ((word >>> (number & 31)) & 1) === 1;
  }

  add(number: number): this {
    const at = number >>> 5;
    if (at >= this.#words.length) {
      const grown = new Uint32Array(Math.max(at + 1, this.#words.length * 2));
      grown.set(this.#words);
      this.#words = grown;
    }
    const bit = 1 << (number & 31);
    const word = this.#words[at] as number;
    if ((word & bit) === 0) {
      this.#words[at] = word | bit;
      this.#size++;
    }
    return this;
  }

  addRange(first: number, last: number): this {
    for (let number = first; number <= last; number++) this.add(number);
    return this;
  }

  addAll(numbers: Iterable<number>): this {
    for (const number of numbers) this.add(number);
    return this;
  }

  /** A new set of what is in this one and not in the other. */
  minus(other: IntervalSet): IntervalSet {
    const rest = new IntervalSet();
    for (const number of this) if (!other.has(number)) rest.add(number);
    return rest;
  }

  /** Ascending. */
  *[Symbol.iterator](): Generator<number> {
    for (let at = 0; at < this.#words.length; at++) {
      let word = this.#words[at] as number;
      while (word !== 0) {
        const bit = 31 - Math.clz32(word & -word);
        yield at * 32 + bit;
        word &= word - 1;
      }
    }
  }

  toString(): string {
    const parts: string[] = [];
    let first = -1;
    let last = -1;
    const close = () => {
      if (first >= 0) parts.push(first === last ? `${first}` : `${first}-${last}`);
    };
    for (const number of this) {
      if (number === last + 1 && first >= 0) last = number;
      else {
        close();
        first = number;
        last = number;
      }
    }
    close();
    const text = parts.join(",");
    return text.length <= longestIntervalText ? text : bitmapPrefix + this.#bitmap();
  }

  #bitmap(): string {
    let largest = -1;
    for (const number of this) largest = number;
    const bytes = Buffer.alloc((largest >> 3) + 1);
    for (const number of this) bytes[number >> 3] = (bytes[number >> 3] as number) | (1 << (number & 7));
    return bytes.toString("base64");
  }
}
