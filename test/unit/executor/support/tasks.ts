import { setTimeout as sleep } from "node:timers/promises";
import type { ExecutorTarget, ExecutorTask } from "../../../../src/api/executor.ts";
import type { VirtualClock } from "../../../../src/base/virtual-clock.ts";

/** 2026-11-20T16:00:00Z. */
export const fireTime = Date.UTC(2026, 10, 20, 16);

export const makeTask = (differs: Partial<ExecutorTask> = {}): ExecutorTask => ({
  id: "u-1.20261120t160000z.2.1",
  job: { namespace: "batch", name: "import", uid: "u-1" },
  run: "20261120t160000z",
  fireTime,
  item: 2,
  total: 3,
  handler: "importer",
  parameter: "all",
  itemParameter: "Leeds",
  attempt: 1,
  deadline: undefined,
  traceparent: undefined,
  ...differs,
});

export const makeTarget = (baseUrl: string, differs: Partial<ExecutorTarget> = {}): ExecutorTarget => ({
  protocol: "HTTP",
  app: "batch/importers",
  instance: "pod-1",
  baseUrl,
  token: "s3cret-token",
  ...differs,
});

/** Resolves with the promise; meanwhile sockets have real time, and timers that are due at most `withinMs` from now fire. */
export async function whileTimePasses<T>(clock: VirtualClock, withinMs: number, promise: Promise<T>): Promise<T> {
  const limit = clock.now() + withinMs;
  let ended = false;
  const watched = promise.finally(() => {
    ended = true;
  });
  while (!ended) {
    await sleep(5);
    clock.step(limit);
  }
  return watched;
}
