import type { RetryRule } from "../../api/retry-rule.ts";
import type { BackoffPolicy } from "../../base/backoff.ts";
import type { SeenContainer } from "./restart-count.ts";
import type { StormPolicy } from "./storm-brake.ts";

/** What a rule of retry.rules says of a runner's failure: it is given up, it does not count, or it counts whatever it is. */
export type RunnerRetryAction = "FailInstance" | "Ignore" | "Count";

/** spec.retry with every default filled in; durations in milliseconds. */
export interface RunnerRetryPolicy {
  /** Failures that are answered on the same node. */
  readonly sameNode: number;
  /** Further nodes after that. */
  readonly otherNodes: number;
  readonly backoff: BackoffPolicy;
  /** Ready for so long, all is forgotten; and so long after retries are used up they begin anew. */
  readonly resetAfterMs: number;
  readonly rules: readonly RetryRule<RunnerRetryAction>[];
  readonly storm: StormPolicy;
}

/** A replacement that is decided: the intention, which stands in status before the pod is deleted. */
export interface RetryMove {
  /** SameNode: there again. OtherNode: none of those it failed on. Anywhere: no node is at fault. */
  readonly kind: "SameNode" | "OtherNode" | "Anywhere";
  /** UID of the pod to be replaced. */
  readonly pod: string;
  readonly node?: string;
  /** Instants in milliseconds since the epoch. */
  readonly decidedAt: number;
  readonly notBefore: number;
  /** The storm brake has let it through. */
  readonly granted: boolean;
}

/**
 * What is kept in status of an instance that has failed (status.recoveries[]). An instance without one has never failed. If it is lost
 * all ends of the pod count as new ones: another node comes earlier, never later.
 */
export interface RetrySeries {
  readonly instance: string;
  /** The revision that failed. */
  readonly revision: string;
  /** spec.restartedAt as it was then; a later one forgives. */
  readonly restartedAt?: number;
  /** UID of the pod whose ends `seen` tells of. */
  readonly pod: string;
  readonly seen: readonly SeenContainer[];
  /** Failures on the node where it is. */
  readonly sameNodeUsed: number;
  readonly otherNodesUsed: number;
  /** Nodes that it failed on and must not come back to. */
  readonly nodes: readonly string[];
  /** The node on which its pod is to be started again. */
  readonly pinned?: string;
  readonly move?: RetryMove;
  /** When all retries were used up, or a rule gave the instance up. */
  readonly exhaustedAt?: number;
  /** How often that was so since it last served for long; absent = never. */
  readonly rounds?: number;
}

/** Whether and where a pod of the instance may be created. */
export type Creation =
  | { readonly kind: "Allowed"; readonly pinned?: string; readonly leave: readonly string[] }
  /** Not before this instant. */
  | { readonly kind: "Later"; readonly at: number }
  /** The storm brake holds it. */
  | { readonly kind: "Braked" }
  /** No more pods until a new revision, a later restartedAt, or this instant. */
  | { readonly kind: "Exhausted"; readonly until: number };

/** What a new pod is made from. */
export interface PodOrigin {
  readonly revision: string;
  /** spec.restartedAt that is in force, in milliseconds since the epoch; absent = none. */
  readonly restartedAt?: number;
}

/** Whether something new is to run, of which the failures until now tell nothing. */
export const isForgiven = (series: RetrySeries, { revision, restartedAt }: PodOrigin): boolean =>
  revision !== series.revision || (restartedAt !== undefined && restartedAt > (series.restartedAt ?? Number.NEGATIVE_INFINITY));

/** Whether it has failed, and has not served for long since; absent = it never has. */
export const isTroubled = (series: RetrySeries | undefined): boolean =>
  series !== undefined && (hasFailedThere(series) || series.otherNodesUsed > 0 || series.nodes.length > 0);

/** The same on the node where it is now. */
export const hasFailedThere = (series: RetrySeries | undefined): boolean =>
  series !== undefined &&
  (series.sameNodeUsed > 0 || series.move !== undefined || series.exhaustedAt !== undefined || series.rounds !== undefined);

/** Whether a pod of the instance may be created now, and where. */
export function creationOf(series: RetrySeries | undefined, origin: PodOrigin, policy: RunnerRetryPolicy, now: number): Creation {
  if (series === undefined || isForgiven(series, origin)) return { kind: "Allowed", leave: [] };
  const { move } = series;
  if (series.exhaustedAt !== undefined) {
    const until = series.exhaustedAt + policy.resetAfterMs;
    return now < until ? { kind: "Exhausted", until } : { kind: "Allowed", leave: [] };
  }
  if (move !== undefined && !move.granted) return { kind: "Braked" };
  if (move !== undefined && now < move.notBefore) return { kind: "Later", at: move.notBefore };
  const pinned = move === undefined ? series.pinned : move.kind === "SameNode" ? move.node : undefined;
  return { kind: "Allowed", leave: series.nodes, ...(pinned !== undefined && { pinned }) };
}
