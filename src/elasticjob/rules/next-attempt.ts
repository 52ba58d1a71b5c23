import { backoffDelay } from "../../base/backoff.ts";
import { type AttemptPod, isGivenBack, type Verdict } from "./attempt.ts";
import type { RetryPolicy } from "./effective-spec.ts";
import { matchRule } from "./retry-rule.ts";

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
  | {
      readonly kind: "failed";
      readonly reason: "RetriesExhausted" | "TooManyAttempts" | "RetryRule";
      /** Set when the whole run fails with the item: what to tell people. */
      readonly failsRun?: string;
    };

/** What can be told of nodes where an attempt is to come. */
export interface NodeJudgement {
  /** Whether a node can take the item again (present, not cordoned, not excluded). */
  mayReuse(node: string): boolean;
  known(node: string): boolean;
}

/**
 * What follows an attempt that failed or was lost (decision 18). The first of retry.rules that matches decides; else a loss is a failover
 * while under its limit; else it counts. Local before cross-machine: `sameNode` repetitions on the node, then the whole on another one,
 * `otherNodes` times; nodes that failed are left out. Every wait is that of the attempt's number, whatever the class.
 */
export function afterAttempt(pod: AttemptPod, verdict: Verdict, policy: RetryPolicy, nodes: NodeJudgement): AfterAttempt {
  const rule = matchRule(policy.rules, pod, verdict, (node) => nodes.known(node));
  if (rule?.action === "FailItem") return { kind: "failed", reason: "RetryRule" };
  if (rule?.action === "FailRun") {
    const failsRun = `item ${pod.item}, attempt ${pod.attempt}: ${verdict.reason}; retry.rules[${rule.index}] fails the run`;
    return { kind: "failed", reason: "RetryRule", failsRun };
  }
  const ignored = rule?.action === "Ignore";
  const failedOver = verdict.outcome === "Lost" && rule === undefined && pod.history.lost < policy.failoverLimit;
  const counts = verdict.outcome !== "Withdrawn" && !failedOver && !ignored;
  const anew = verdict.outcome === "Failed" && pod.startedAt !== undefined && verdict.at - pod.startedAt >= policy.resetAfterMs;
  const counted = (anew ? 0 : pod.history.counted) + (counts ? 1 : 0);
  const perNode = policy.sameNode + 1;
  if (counted >= perNode * (policy.otherNodes + 1)) return { kind: "failed", reason: "RetriesExhausted" };
  if (pod.attempt >= mostAttempts) return { kind: "failed", reason: "TooManyAttempts" };
  const stays = verdict.outcome === "Failed" && counted % perNode !== 0 && pod.node !== undefined && nodes.mayReuse(pod.node);
  // An attempt that waited in vain for the node that it was pinned to goes elsewhere too; a failure that is ignored is none of its node's.
  const left = pod.node ?? pod.history.pinned;
  const before = anew ? [] : pod.history.nodes;
  // Nothing is wrong with a node that was given back.
  const isKept = stays || (ignored && verdict.outcome === "Failed") || isGivenBack(verdict.reason);
  const leave = isKept || left === undefined || before.includes(left) ? [] : [left];
  return {
    kind: "again",
    failedOver,
    next: {
      attempt: pod.attempt + 1,
      counted,
      lost: pod.history.lost + (failedOver ? 1 : 0),
      nodes: [...before, ...leave],
      ...(stays && { node: pod.node as string }),
      // What was asked back waits for its share, and for nothing else.
      notBefore: verdict.reason === "Reclaimed" ? verdict.at : verdict.at + backoffDelay(policy.backoff, pod.attempt),
    },
  };
}
