import { parseTime } from "../base/time.ts";
import type { NodeAffinity, NodeSelectorRequirement, PodSpec } from "./core.ts";

/** One entry of nodeRules, which all kinds have. */
export interface NodeRule {
  /** The node's name. */
  readonly node: string;
  readonly effect: "Prefer" | "Avoid" | "Exclude";
  /** From this instant on (RFC 3339) the rule is not there; absent = it stays. */
  readonly expiresAt?: string;
  /** For people. */
  readonly reason?: string;
}

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

/**
 * Adds what must be to the affinity that the template has: no node of `leave`, and only `node` if there is one. Selector terms are
 * alternatives, so the rule goes into each. Returned as it came when nothing must be.
 */
export function withPlacement(affinity: PodSpec["affinity"], leave: readonly string[], node?: string): PodSpec["affinity"] {
  if (leave.length === 0 && node === undefined) return affinity;
  const rules: NodeSelectorRequirement[] = [];
  if (node !== undefined) rules.push({ key: "metadata.name", operator: "In", values: [node] });
  // matchFields takes one value an entry for NotIn too.
  for (const name of leave) rules.push({ key: "metadata.name", operator: "NotIn", values: [name] });
  const existing = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const terms =
    existing.length === 0
      ? [{ matchFields: rules }]
      : existing.map((term) => ({ ...term, matchFields: [...(term.matchFields ?? []), ...rules] }));
  const nodeAffinity: NodeAffinity = {
    ...affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms },
  };
  return { ...affinity, nodeAffinity };
}
