/** The middle value; of an even number of values the mean of the middle two. NaN for none. */
export function median(values: readonly number[]): number {
  return percentile(values, 50, "mean");
}

/** The value that so many percent of the values do not exceed (nearest rank); NaN for none. */
export function percentile(values: readonly number[], percent: number, tie: "rank" | "mean" = "rank"): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = (percent / 100) * sorted.length;
  const upper = sorted[Math.max(0, Math.ceil(rank) - 1)] ?? Number.NaN;
  if (tie === "rank" || !Number.isInteger(rank)) return upper;
  return (upper + (sorted[rank] ?? upper)) / 2;
}

/** The largest value, NaN for none; for any number of values, which the spread operator is not. */
export function largest(values: Iterable<number>): number {
  let found = Number.NaN;
  for (const value of values) if (!(value <= found)) found = value;
  return found;
}

/** Rounded to so many digits after the point, so that JSON stays readable. */
export function rounded(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}
