import type { ElasticJobSpecRetryRule } from "../../api/elastic-job.gen.ts";
import { firstMatch, type MatchedRule, type RetryReason } from "../../api/retry-rule.ts";
import type { AttemptPod, Verdict } from "./attempt.ts";

/** One entry of retry.rules. */
export type RetryRule = ElasticJobSpecRetryRule;

/** What a rule says of an attempt that did not succeed. */
export type RetryAction = RetryRule["action"];

/** Words for an end by which a pod was taken away while its node went on; "Preempting" is the kubelet's, for a critical pod. */
const evictions: ReadonlySet<string> = new Set(["Evicted", "Disrupted", "Vanished", "Preempting"]);
/** Words of ours, the kubelet's and the node controller's for a node that went; for a task at an executor that is its instance. */
const nodeLosses: ReadonlySet<string> = new Set([
  "NodeGone",
  "Unreachable",
  "NodeLost",
  "NodeShutdown",
  "Terminated",
  "Shutdown",
  "InstanceGone",
]);

/**
 * The first rule that matches an attempt that failed or was lost; undefined = none does. What the operator withdrew itself is no end that
 * rules speak of.
 * @param nodeKnown whether a node exists as far as caches tell: a pod that vanished with its node was lost with it
 */
export function matchRule(
  rules: readonly RetryRule[],
  pod: AttemptPod,
  verdict: Verdict,
  nodeKnown: (node: string) => boolean,
): MatchedRule<RetryAction> | undefined {
  if (rules.length === 0 || verdict.outcome === "Succeeded" || verdict.outcome === "Withdrawn") return undefined;
  const reason = reasonOf(pod, verdict, nodeKnown);
  return firstMatch(rules, {
    ...(pod.end?.failedCodes !== undefined && { failedCodes: pod.end.failedCodes }),
    ...(pod.conditions !== undefined && { conditions: pod.conditions }),
    ...(reason !== undefined && { reason }),
  });
}

function reasonOf(pod: AttemptPod, { reason, outcome }: Verdict, nodeKnown: (node: string) => boolean): RetryReason | undefined {
  if (reason === "OOMKilled" || reason === "ImagePull" || reason === "StartTimeout") return reason;
  const evicted = evictions.has(reason) || (outcome === "Lost" && pod.disrupted);
  if (nodeLosses.has(reason) || (evicted && pod.node !== undefined && !nodeKnown(pod.node))) return "NodeLost";
  return evicted ? "Evicted" : undefined;
}
