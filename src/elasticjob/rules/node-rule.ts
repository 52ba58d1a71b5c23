import type { NodeAffinity, NodeSelectorRequirement, PodSpec } from "../../api/core.ts";
import type { ElasticJobSpecNodeRule } from "../../api/elastic-job.gen.ts";
import { parseTime } from "../../base/time.ts";

/** One entry of nodeRules. */
export type NodeRule = ElasticJobSpecNodeRule;

/** Among nodes that may be used, a rule of ours weighs as much as any of the template's preferences can. */
const heaviest = 100;

/** The rules that hold at an instant: those that have not expired. */
export function nodeRulesAt(rules: readonly NodeRule[], now: number): readonly NodeRule[] {
  return rules.filter((rule) => (parseTime(rule.expiresAt) ?? Number.POSITIVE_INFINITY) > now);
}

/** The nodes that must not be used. */
export function excludedNodes(rules: readonly NodeRule[]): readonly string[] {
  return rules.filter((rule) => rule.effect === "Exclude").map((rule) => rule.node);
}

/** Adds what is rather wanted, Prefer and Avoid, to the affinity that the template has; undefined stays so when nothing is wanted. */
export function withPreferences(affinity: PodSpec["affinity"], rules: readonly NodeRule[]): PodSpec["affinity"] {
  const wanted = rules.filter((rule) => rule.effect !== "Exclude");
  if (wanted.length === 0) return affinity;
  const terms = wanted.map(({ node, effect }) => {
    const rule: NodeSelectorRequirement = { key: "metadata.name", operator: effect === "Prefer" ? "In" : "NotIn", values: [node] };
    return { weight: heaviest, preference: { matchFields: [rule] } };
  });
  const nodeAffinity: NodeAffinity = {
    ...affinity?.nodeAffinity,
    preferredDuringSchedulingIgnoredDuringExecution: [
      ...(affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []),
      ...terms,
    ],
  };
  return { ...affinity, nodeAffinity };
}
