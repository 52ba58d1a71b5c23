import { labels } from "../../api/names.ts";

/** evacuation.budget: what evictions by others may do to an app. */
export type EvacuationBudget = "Budget" | "Strict";

/** The spec of a policy/v1 PodDisruptionBudget, as far as we write it. */
export interface DisruptionBudgetSpec {
  readonly maxUnavailable: number;
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly unhealthyPodEvictionPolicy: "AlwaysAllow";
}

/**
 * The PodDisruptionBudget that makes `kubectl drain` wait. Budget: so many may be evicted at a time as may be unavailable. Strict: no serving
 * instance is evicted; ours leave by our own deletion, which is no eviction, once their replacement serves, and the drain's next try (every
 * 5 s) finds them gone. Instances that are not Ready may always be evicted: those hinder nobody, and a drained one is among them.
 * @param maxUnavailable of the strategy, resolved: a percentage in a PodDisruptionBudget is rounded up, a Deployment's is rounded down
 */
export function disruptionBudgetOf(app: string, budget: EvacuationBudget, maxUnavailable: number): DisruptionBudgetSpec {
  return {
    maxUnavailable: budget === "Strict" ? 0 : maxUnavailable,
    selector: { matchLabels: { [labels.app]: app } },
    unhealthyPodEvictionPolicy: "AlwaysAllow",
  };
}
