import { patience } from "../../support/patience.ts";

/**
 * How long tests of this folder wait for something to become true, in milliseconds. They say when a wait is given up as hopeless on a machine that
 * does other things too; no test asserts that something was fast.
 */
export const timeLimits = {
  /** A process from its start until it answers on /readyz, or until it leads where nobody else does. */
  operatorReady: 30_000 * patience,
  /** A standby takes over: the longest lease in these tests, and a refill of the caches. */
  takeOver: 40_000 * patience,
  /** A process that was told to end, or must end by itself. */
  operatorEnd: 30_000 * patience,
  /** What follows from one change: a condition, a pod, an event. */
  reaction: 20_000 * patience,
  /** A run of a few short items, its fire time a few seconds away, with retries. */
  run: 45_000 * patience,
  /** All runs of a suite with crashes are over. */
  settled: 90_000 * patience,
  /** One test with several of these in a row. */
  test: 120_000 * patience,
} as const;

/** With NUPTSE_LONG=1 the variants run that take minutes of real time. */
export const longTests = process.env.NUPTSE_LONG === "1";
