import { compareNames, compareProducts } from "./exact.ts";
import type { Entry, EntryOrder } from "./ordered-list.ts";
import type { Queue } from "./queue.ts";

/** The order of the buckets of a leaf. */
export function bucketOrder(queue: Queue): EntryOrder {
  return queue.ordering === "FIFO" ? byAge : byPriority;
}

const byAge: EntryOrder = {
  keyOf: ({ since }) => since,
  compare: (a, b) => a.since - b.since || compareNames(a.head.name, b.head.name),
};

const byPriority: EntryOrder = {
  keyOf: ({ priority }) => -priority,
  compare: compareByPriority,
};

/**
 * Siblings for one judged resource: (tier, level, priority, age, name). The key is the level, each tier in a range of its own. Rounding never
 * turns two levels round: those that it makes equal are compared exactly.
 */
export const queueOrder: EntryOrder = {
  keyOf: ({ tier, numerator, denominator }) =>
    tier === 0 ? numerator / denominator - 2 : tier === 1 ? numerator / denominator : Number.POSITIVE_INFINITY,
  compare: (a, b) => a.tier - b.tier || compareProducts(a.numerator, b.denominator, b.numerator, a.denominator) || compareByPriority(a, b),
};

function compareByPriority(a: Entry, b: Entry): number {
  return b.priority - a.priority || a.since - b.since || compareNames(a.head.name, b.head.name);
}
