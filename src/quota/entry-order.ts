import { compareNames, compareProducts } from "./exact.ts";
import type { CompareEntries, Entry } from "./ordered-list.ts";
import type { Queue } from "./queue.ts";

/** The order of the buckets of a leaf. */
export function bucketOrder(queue: Queue): CompareEntries {
  return queue.ordering === "FIFO" ? compareBucketsByAge : compareBucketsByPriority;
}

function compareBucketsByAge(a: Entry, b: Entry): number {
  return a.since - b.since || compareNames(a.head.name, b.head.name);
}

function compareBucketsByPriority(a: Entry, b: Entry): number {
  return b.priority - a.priority || a.since - b.since || compareNames(a.head.name, b.head.name);
}

/** Siblings for one judged resource: (tier, level, priority, age, name). */
export function compareQueues(a: Entry, b: Entry): number {
  return a.tier - b.tier || compareProducts(a.numerator, b.denominator, b.numerator, a.denominator) || compareBucketsByPriority(a, b);
}
