import type { Random } from "../../base/random.ts";

/** A length of time in milliseconds: fixed, or drawn evenly between two bounds. */
export type Range = number | readonly [from: number, to: number];

/** One value of the range, in milliseconds. */
export function draw(range: Range, random: Random): number {
  if (typeof range === "number") return range;
  return range[0] + random.next() * (range[1] - range[0]);
}
