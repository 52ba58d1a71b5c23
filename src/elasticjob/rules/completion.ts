/** When a run has succeeded, and when it is given up. */
export interface CompletionPolicy {
  /** A number of items, or a share of the run's such as "10%". */
  readonly maxFailedItems: number | string;
  /** Whether the other items are cancelled once more have failed. */
  readonly failFast: boolean;
}

/**
 * How many of a run's items may fail. A share is rounded down: "10%" of 15 items is 1.
 * @param total the items of the run
 */
export function allowedFailures({ maxFailedItems }: CompletionPolicy, total: number): number {
  if (typeof maxFailedItems === "number") return maxFailedItems;
  return Math.floor((total * Number.parseInt(maxFailedItems, 10)) / 100);
}
