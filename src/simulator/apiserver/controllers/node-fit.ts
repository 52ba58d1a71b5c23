import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod, Taint, Toleration } from "../../../api/core.ts";

/** Whether labels and name of the node satisfy the pod's nodeSelector and required node affinity. */
export function matchesNode(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {})) if (labels[key] !== value) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** The sum of the weights of the preferred node affinity that the node satisfies. */
export function preferenceOf(pod: Pod, node: Node): number {
  let sum = 0;
  for (const { weight, preference } of pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
    if (matchesTerm(preference, node)) sum += weight;
  }
  return sum;
}

/** A term without any requirement matches nothing, as in Kubernetes. */
function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    expressions.every((requirement) => matchesRequirement(requirement, labels[requirement.key])) &&
    fields.every((requirement) => requirement.key === "metadata.name" && matchesRequirement(requirement, node.metadata.name))
  );
}

function matchesRequirement(requirement: NodeSelectorRequirement, value: string | undefined): boolean {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return isWholeNumber(value) && isWholeNumber(values[0]) && BigInt(value) > BigInt(values[0]);
    case "Lt":
      return isWholeNumber(value) && isWholeNumber(values[0]) && BigInt(value) < BigInt(values[0]);
    default:
      return false;
  }
}

function isWholeNumber(text: string | undefined): text is string {
  return text !== undefined && /^-?\d+$/.test(text);
}

/** Whether one toleration covers the taint (key, value and effect; time is the taint manager's business). */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== "" && toleration.effect !== taint.effect) return false;
  const operator = toleration.operator ?? "Equal";
  if (toleration.key === undefined || toleration.key === "") return operator === "Exists";
  if (toleration.key !== taint.key) return false;
  return operator === "Exists" || (toleration.value ?? "") === (taint.value ?? "");
}

/** The first taint with one of the effects that the pod does not tolerate. */
export function untoleratedTaint(pod: Pod, taints: readonly Taint[], effects: readonly Taint["effect"][]): Taint | undefined {
  const tolerations = pod.spec.tolerations ?? [];
  return taints.find((taint) => effects.includes(taint.effect) && !tolerations.some((toleration) => tolerates(toleration, taint)));
}
