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
  const isAvailable = (pod: InstancePod) => availableFrom(pod, standing.minReadyMs) <= standing.now;
  const first = (of: readonly InstancePod[], count: number) => (count === 0 ? [] : of.toSorted(byWorth(standing)).slice(0, count));
  return [
    ...first(
      pods.filter((pod) => !isAvailable(pod)),
      unavailable,
    ),
    ...first(pods.filter(isAvailable), available),
  ];
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
    const a = ranksOf(left);
    const b = ranksOf(right);
    for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return (a[index] as number) - (b[index] as number);
    return left.metadata.name < right.metadata.name ? 1 : -1;
  };
}
