import { getOrMake } from "../../base/map.ts";
import { addResources, multiplyResources, type ResourceVector, subtractResources } from "../../quota/resource-vector.ts";
import type { Recording, RunRecord } from "./recording.ts";

/** For how long a queue had waiting work that its guarantee had room for, in milliseconds. */
export interface Starvation {
  /** The longest stretch. */
  readonly longestMs: number;
  readonly totalMs: number;
}

interface Instant {
  readonly at: number;
  apply(): void;
}

/** A run, as it is at the instant that the sweep has come to. */
interface LiveRun {
  readonly run: RunRecord;
  atWork: number;
  left: number;
}

/**
 * Of each queue, for how long work waited beneath it although the queue used less than it is guaranteed by at least as much as that work asked
 * for: with a gang's first request the gang, otherwise one item. Resources that the guarantee does not name, or that the work does not ask for, do
 * not count; a queue without a guarantee never starves.
 * @param parents by queue
 */
export function starvationOf({ span, runs, facts }: Recording, parents: ReadonlyMap<string, string>): ReadonlyMap<string, Starvation> {
  const used = new Map<string, ResourceVector>();
  const guaranteed = new Map<string, ResourceVector>();
  const waiting = new Map<string, Set<LiveRun>>();
  const instants: Instant[] = [];
  for (const [queue, list] of facts)
    for (const fact of list) instants.push({ at: fact.at, apply: () => void guaranteed.set(queue, fact.guaranteed) });
  for (const run of runs) instants.push(...instantsOf(run, used, waiting, parents));
  instants.sort((left, right) => left.at - right.at);

  const since = new Map<string, number>();
  const found = new Map<string, { longestMs: number; totalMs: number }>();
  const look = (at: number): void => {
    for (const [queue, promise] of guaranteed) {
      const starves = at < span.to && isStarving(promise, used.get(queue) ?? {}, waiting.get(queue));
      const begun = since.get(queue);
      if (starves && begun === undefined) since.set(queue, at);
      else if (!starves && begun !== undefined) {
        since.delete(queue);
        const lengthMs = Math.min(at, span.to) - Math.max(begun, span.from);
        const sum = getOrMake(found, queue, () => ({ longestMs: 0, totalMs: 0 }));
        sum.longestMs = Math.max(sum.longestMs, lengthMs);
        sum.totalMs += Math.max(0, lengthMs);
      }
    }
  };
  for (const [index, instant] of instants.entries()) {
    if (instant.at >= span.to) break;
    instant.apply();
    if (instants[index + 1]?.at !== instant.at) look(instant.at);
  }
  look(span.to);
  return found;
}

function isStarving(promise: ResourceVector, used: ResourceVector, waiting: ReadonlySet<LiveRun> | undefined): boolean {
  if (waiting === undefined || Object.keys(promise).length === 0) return false;
  for (const { run, atWork } of waiting) {
    const asked = multiplyResources(run.request, atWork === 0 ? Math.min(run.minCount, run.items) : 1);
    const judged = Object.entries(asked).filter(([resource]) => promise[resource] !== undefined);
    if (judged.length > 0 && judged.every(([resource, amount]) => (used[resource] ?? 0) + amount <= (promise[resource] ?? 0))) return true;
  }
  return false;
}

function instantsOf(
  run: RunRecord,
  used: Map<string, ResourceVector>,
  waiting: Map<string, Set<LiveRun>>,
  parents: ReadonlyMap<string, string>,
): readonly Instant[] {
  if (run.queue === undefined) return [];
  const path = wayUp(run.queue, parents);
  const live: LiveRun = { run, atWork: 0, left: run.items };
  let isOver = false;
  const settle = (): void => {
    const waits = !isOver && live.atWork < Math.min(run.parallelism, live.left);
    for (const queue of path) {
      const set = getOrMake(waiting, queue, () => new Set<LiveRun>());
      if (waits) set.add(live);
      else set.delete(live);
    }
  };
  const instants: Instant[] = [{ at: run.arrivedAt, apply: settle }];
  for (const pod of run.pods) {
    const count = (sign: 1 | -1) => {
      live.atWork += sign;
      for (const queue of path) {
        const before = used.get(queue) ?? {};
        used.set(queue, sign === 1 ? addResources(before, pod.request) : subtractResources(before, pod.request));
      }
    };
    instants.push({
      at: pod.from,
      apply() {
        count(1);
        settle();
      },
    });
    if (pod.to === undefined) continue;
    instants.push({
      at: pod.to,
      apply() {
        count(-1);
        if (pod.succeeded) live.left -= 1;
        settle();
      },
    });
  }
  if (run.endedAt !== undefined)
    instants.push({
      at: run.endedAt,
      apply() {
        isOver = true;
        settle();
      },
    });
  return instants;
}

/** The queue and those above it. */
export function wayUp(queue: string, parents: ReadonlyMap<string, string>): readonly string[] {
  const path: string[] = [];
  for (let each: string | undefined = queue; each !== undefined && !path.includes(each); each = parents.get(each)) path.push(each);
  return path;
}
