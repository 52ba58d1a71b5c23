import type { Random } from "./random.ts";

/** Waits that grow: `initialMs`, then times `factor` each, at most `maxMs`. */
export interface BackoffPolicy {
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
  /** Share of the wait, 0 to 1, by which it is spread at random; absent = none. */
  readonly jitter?: number;
}

/** The wait in milliseconds before try number `failures` + 1; `failures` counts from 1. */
export function backoffDelay(policy: BackoffPolicy, failures: number, random?: Random): number {
  const exponent = Math.max(0, failures - 1);
  const delay = Math.min(policy.maxMs, policy.initialMs * policy.factor ** exponent);
  const spread = random === undefined ? 0 : (policy.jitter ?? 0) * (random.next() * 2 - 1);
  return Math.max(0, delay * (1 + spread));
}
