import type { RunRecord } from "./recording.ts";

/** How long runs waited, in seconds: nearest-rank percentiles. */
export interface WaitSeconds {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** From its arrival to its first pod; of one that still waits, until the end. Undefined = it ended without ever having had one. */
export function waitMsOf({ arrivedAt, pods, endedAt }: RunRecord, end: number): number | undefined {
  const first = pods[0];
  if (first !== undefined) return Math.max(0, first.from - arrivedAt);
  return endedAt === undefined ? end - arrivedAt : undefined;
}

/** Undefined = none of them waited or began. */
export function waitSecondsOf(runs: readonly RunRecord[], end: number): WaitSeconds | undefined {
  const waits = runs.flatMap((run) => waitMsOf(run, end) ?? []).sort((left, right) => left - right);
  if (waits.length === 0) return undefined;
  const rank = (percent: number) => seconds(waits[Math.max(0, Math.ceil((percent / 100) * waits.length) - 1)] as number);
  return { p50: rank(50), p90: rank(90), p99: rank(99), max: rank(100) };
}

/** Milliseconds in seconds with one decimal. */
export const seconds = (ms: number): number => Math.round(ms / 100) / 10;
