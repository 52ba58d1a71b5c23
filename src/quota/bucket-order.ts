import { compareNames } from "./exact.ts";
import type { ListOrder } from "./ordered-list.ts";
import type { Queue } from "./queue.ts";

/** The order of the buckets of a leaf: that of their heads. */
export function bucketOrder(queue: Queue): ListOrder {
  return queue.ordering === "FIFO" ? byAge : byPriority;
}

const byAge: ListOrder = {
  keyOf: ({ since }) => since,
  compare: (a, b) => a.since - b.since || compareNames(a.name, b.name),
};

const byPriority: ListOrder = {
  keyOf: ({ priority }) => -priority,
  compare: (a, b) => b.priority - a.priority || a.since - b.since || compareNames(a.name, b.name),
};
