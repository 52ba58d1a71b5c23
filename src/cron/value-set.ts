/** An immutable set of small numbers with constant-time neighbours in both directions. */
export class ValueSet {
  /** Ascending, without duplicates. */
  readonly values: readonly number[];
  readonly first: number;
  readonly last: number;
  readonly #minimum: number;
  readonly #next: Int16Array;
  readonly #previous: Int16Array;

  /** `values` must not be empty and must lie in minimum..maximum (both below 32,768). */
  constructor(values: Iterable<number>, minimum: number, maximum: number) {
    const sorted = [...new Set(values)].sort((a, b) => a - b);
    const size = maximum - minimum + 1;
    this.values = sorted;
    this.first = sorted[0] ?? minimum;
    this.last = sorted.at(-1) ?? maximum;
    this.#minimum = minimum;
    const present = new Set(sorted);
    this.#next = new Int16Array(size).fill(-1);
    this.#previous = new Int16Array(size).fill(-1);
    for (let index = size - 1, following = -1; index >= 0; index--) {
      if (present.has(index + minimum)) following = index + minimum;
      this.#next[index] = following;
    }
    for (let index = 0, preceding = -1; index < size; index++) {
      if (present.has(index + minimum)) preceding = index + minimum;
      this.#previous[index] = preceding;
    }
  }

  has(value: number): boolean {
    return this.atOrAfter(value) === value;
  }

  /** The smallest member >= value, or -1. */
  atOrAfter(value: number): number {
    const index = value - this.#minimum;
    return this.#next[Math.max(0, index)] ?? -1;
  }

  /** The greatest member <= value, or -1. */
  atOrBefore(value: number): number {
    const index = value - this.#minimum;
    return index < 0 ? -1 : (this.#previous[index] ?? this.last);
  }
}
