/** A source of chance. Seeded in tests and in the simulator, so that what happened can happen again. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
}

/** A whole number in [0, bound). */
export function randomInteger(random: Random, bound: number): number {
  return Math.floor(random.next() * bound);
}

/**
 * A small, fast generator with 32 bits of state (the published mulberry32 recurrence). Good enough to spread jitter and to pick
 * faults; never for secrets.
 */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = state;
      mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}
