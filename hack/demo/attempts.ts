import type { ContainerStatus, Pod } from "../../src/api/core.ts";
import { annotations, itemOfLabel, labels } from "../../src/api/names.ts";
import { parseTime } from "../../src/base/time.ts";

/** One pod that works, or worked, on an item. Instants are milliseconds since the epoch. */
export interface Attempt {
  readonly pod: string;
  readonly job: string;
  readonly run: string;
  readonly item: number;
  /** From 1. */
  readonly attempt: number;
  /** Absent until it is scheduled. */
  readonly node?: string;
  /** Leaving: told to go and not gone yet. Lost: it went before its work was done. */
  readonly state: "Pending" | "Running" | "Leaving" | "Succeeded" | "Failed" | "Lost";
  /** How often the item had been lost before this attempt, as the operator counts it. */
  readonly lostBefore: number;
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly exitCode?: number;
  /** What the program left behind, when it failed. */
  readonly message?: string;
}

/** All attempts that were ever seen, by the names of their pods. */
export type Attempts = ReadonlyMap<string, Attempt>;

const finalStates: ReadonlySet<Attempt["state"]> = new Set(["Succeeded", "Failed", "Lost"]);

/**
 * What was seen before, brought up to date with the pods that exist now. An end is final; an attempt whose pod went without one is Lost.
 * @param now for ends that carry no time of their own
 */
export function seeAttempts(before: Attempts, pods: readonly Pod[], now: number): Attempts {
  const after = new Map(before);
  const existing = new Set<string>();
  for (const pod of pods) {
    existing.add(pod.metadata.name);
    const known = before.get(pod.metadata.name);
    if (known !== undefined && finalStates.has(known.state)) continue;
    const seen = attemptOf(pod, now);
    if (seen !== undefined) after.set(seen.pod, seen);
  }
  for (const attempt of before.values()) {
    if (!existing.has(attempt.pod) && !finalStates.has(attempt.state)) after.set(attempt.pod, { ...attempt, state: "Lost", endedAt: now });
  }
  return after;
}

/** The attempts of a run by item, each item's in order. */
export function attemptsOfRun(attempts: Attempts, job: string, run: string): ReadonlyMap<number, readonly Attempt[]> {
  const own = [...attempts.values()].filter((attempt) => attempt.job === job && attempt.run === run);
  own.sort((a, b) => a.item - b.item || a.attempt - b.attempt);
  return Map.groupBy(own, (attempt) => attempt.item);
}

function attemptOf(pod: Pod, now: number): Attempt | undefined {
  const own = pod.metadata.labels ?? {};
  const { [labels.job]: job, [labels.run]: run } = own;
  if (job === undefined || run === undefined) return undefined;
  const state = pod.status?.containerStatuses?.[0]?.state;
  const ended = state?.terminated;
  const startedAt = parseTime(state?.running?.startedAt ?? ended?.startedAt);
  return {
    pod: pod.metadata.name,
    job,
    run,
    item: itemOfLabel(own[labels.item]),
    attempt: Number(own[labels.attempt]),
    state: stateOf(pod, state),
    lostBefore: lostBefore(pod),
    ...(pod.spec.nodeName !== undefined && { node: pod.spec.nodeName }),
    ...(startedAt !== undefined && { startedAt }),
    ...(ended !== undefined && { endedAt: parseTime(ended.finishedAt) ?? now, exitCode: ended.exitCode }),
    ...(ended?.message !== undefined && ended.exitCode !== 0 && { message: ended.message.trim() }),
  };
}

function stateOf(pod: Pod, state: ContainerStatus["state"]): Attempt["state"] {
  const leaving = pod.metadata.deletionTimestamp !== undefined;
  if (state?.terminated !== undefined) {
    if (leaving) return "Lost";
    return state.terminated.exitCode === 0 ? "Succeeded" : "Failed";
  }
  if (leaving) return "Leaving";
  return state?.running === undefined ? "Pending" : "Running";
}

function lostBefore(pod: Pod): number {
  const text = pod.metadata.annotations?.[annotations.run];
  return text === undefined ? 0 : (JSON.parse(text) as { readonly lost: number }).lost;
}
