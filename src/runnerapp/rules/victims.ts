import type { Removal } from "./fleet-arithmetic.ts";
import { availableFrom, type InstancePod, restartsOf } from "./instance.ts";

/** How instances stand to each other when some have to go. */
export interface Standing {
  readonly now: number;
  readonly minReadyMs: number;
  /** The revision that is kept besides; instances of neither go before its own. */
  readonly stable?: string;
  readonly isDue: (pod: InstancePod) => boolean;
  readonly isMoving: (pod: InstancePod) => boolean;
}

/**
 * Chooses instances that go. Of those that are not available: what has no node, then what is not ready. Of all: what is of no wanted revision, what
 * must leave anyway, what restarted more, and what is younger (as a ReplicaSet chooses, k8s.io/kubernetes pkg/controller, ActivePodsWithRanks).
 */
export function victims(pods: readonly InstancePod[], { unavailable, available }: Removal, standing: Standing): readonly InstancePod[] {
  if (unavailable + available === 0) return [];
  const sorted = pods.toSorted(byWorth(standing));
  const isAvailable = (pod: InstancePod) => availableFrom(pod, standing.minReadyMs) <= standing.now;
  return [...sorted.filter((pod) => !isAvailable(pod)).slice(0, unavailable), ...sorted.filter(isAvailable).slice(0, available)];
}

/** Those to go first come first. */
export function byWorth({ stable, isDue, isMoving }: Standing): (left: InstancePod, right: InstancePod) => number {
  const ranks = (pod: InstancePod): readonly number[] => [
    pod.node === undefined ? 0 : 1,
    pod.readySince === undefined ? 0 : 1,
    stable !== undefined && pod.revision !== stable ? 0 : 1,
    isMoving(pod) ? 0 : 1,
    isDue(pod) ? 0 : 1,
    -restartsOf(pod),
    -(pod.readySince ?? 0),
    -pod.createdAt,
  ];
  const known = new Map<InstancePod, readonly number[]>();
  const ranksOf = (pod: InstancePod) => {
    const found = known.get(pod) ?? ranks(pod);
    known.set(pod, found);
    return found;
  };
  return (left, right) => {
    const [a, b] = [ranksOf(left), ranksOf(right)];
    for (const [index, rank] of a.entries()) if (rank !== b[index]) return rank - (b[index] as number);
    return left.metadata.name < right.metadata.name ? 1 : -1;
  };
}
