import { compareProducts } from "./exact.ts";
import { compareByAge, compareByPriority } from "./item.ts";
import type { CompareEntries, Entry } from "./ordered-list.ts";
import type { Queue } from "./queue.ts";

/** The order of the buckets of a leaf. */
export function bucketOrder(queue: Queue): CompareEntries {
  return queue.ordering === "FIFO" ? compareBucketsByAge : compareBucketsByPriority;
}

function compareBucketsByAge(a: Entry, b: Entry): number {
  return compareByAge(a.head, b.head);
}

function compareBucketsByPriority(a: Entry, b: Entry): number {
  return compareByPriority(a.head, b.head);
}

/** Siblings for one judged resource: (tier, level, priority, age, name). */
export function compareQueues(a: Entry, b: Entry): number {
  return a.tier - b.tier || compareProducts(a.numerator, b.denominator, b.numerator, a.denominator) || compareByPriority(a.head, b.head);
}
