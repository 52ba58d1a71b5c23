import { backoffDelay } from "../../base/backoff.ts";
import type { AttemptPod, Verdict } from "./attempt.ts";
import type { RetryPolicy } from "./effective-spec.ts";

/** An item that ends as Failed after so many attempts, whatever they were (decision 18). */
export const mostAttempts = 100;

/** The attempt that comes after one that did not succeed. */
export interface NextAttempt {
  readonly attempt: number;
  readonly counted: number;
  readonly lost: number;
  /** Nodes to be left out. */
  readonly nodes: readonly string[];
  /** The node to be used again; absent = any other. */
  readonly node?: string;
  /** Not before this instant. */
  readonly notBefore: number;
}

export type AfterAttempt =
  | { readonly kind: "again"; readonly next: NextAttempt; readonly failedOver: boolean }
  | { readonly kind: "failed"; readonly reason: "RetriesExhausted" | "TooManyAttempts" };

/**
 * What follows an attempt that failed or was lost. Local before cross-machine: `sameNode` repetitions on the node, then the whole on
 * another one, `otherNodes` times; nodes that failed are left out. Losses count only beyond the failover limit (decision 18). Every wait
 * is that of the attempt's number, whatever the class.
 * @param mayReuse whether a node can take the item again (present, not cordoned)
 */
export function afterAttempt(pod: AttemptPod, verdict: Verdict, policy: RetryPolicy, mayReuse: (node: string) => boolean): AfterAttempt {
  const failedOver = verdict.outcome === "Lost" && pod.history.lost < policy.failoverLimit;
  const counts = verdict.outcome !== "Withdrawn" && !failedOver;
  const counted = pod.history.counted + (counts ? 1 : 0);
  const perNode = policy.sameNode + 1;
  if (counted >= perNode * (policy.otherNodes + 1)) return { kind: "failed", reason: "RetriesExhausted" };
  if (pod.attempt >= mostAttempts) return { kind: "failed", reason: "TooManyAttempts" };
  const stays = verdict.outcome === "Failed" && counted % perNode !== 0 && pod.node !== undefined && mayReuse(pod.node);
  // An attempt that waited in vain for the node that it was pinned to goes elsewhere too.
  const left = pod.node ?? pod.history.pinned;
  const leave = stays || left === undefined || pod.history.nodes.includes(left) ? [] : [left];
  return {
    kind: "again",
    failedOver,
    next: {
      attempt: pod.attempt + 1,
      counted,
      lost: pod.history.lost + (failedOver ? 1 : 0),
      nodes: [...pod.history.nodes, ...leave],
      ...(stays && { node: pod.node as string }),
      notBefore: verdict.at + backoffDelay(policy.backoff, pod.attempt),
    },
  };
}
