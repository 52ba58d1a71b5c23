/** A quantity changes by so much at an instant. */
export interface Step {
  readonly at: number;
  readonly change: number;
}

/** The mean of a quantity, 0 before its first step, over each bucket of [from, to); the last one may be shorter. */
export function bucketMeans(
  steps: readonly Step[],
  { from, to }: { readonly from: number; readonly to: number },
  bucketMs: number,
): readonly number[] {
  const sums: number[] = Array.from({ length: Math.ceil((to - from) / bucketMs) }, () => 0);
  let value = 0;
  let at = from;
  const spend = (until: number): void => {
    while (at < until) {
      const bucket = Math.floor((at - from) / bucketMs);
      const end = Math.min(until, from + (bucket + 1) * bucketMs);
      sums[bucket] = (sums[bucket] as number) + value * (end - at);
      at = end;
    }
  };
  for (const step of inOrder(steps)) {
    spend(Math.min(Math.max(step.at, from), to));
    value += step.change;
  }
  spend(to);
  return sums.map((sum, bucket) => sum / (Math.min(to, from + (bucket + 1) * bucketMs) - (from + bucket * bucketMs)));
}

/** The largest value at any instant of [from, to). Changes of one instant count together. */
export function largestValue(steps: readonly Step[], { from, to }: { readonly from: number; readonly to: number }): number {
  let value = 0;
  let largest = 0;
  const ordered = inOrder(steps);
  for (const [index, step] of ordered.entries()) {
    if (step.at >= to) break;
    value += step.change;
    const next = ordered[index + 1]?.at;
    if (next !== step.at && (next === undefined || next > from)) largest = Math.max(largest, value);
  }
  return largest;
}

const inOrder = (steps: readonly Step[]): readonly Step[] => steps.toSorted((left, right) => left.at - right.at);
