import type { Action } from "../../api/action.ts";
import { controllerOf, type KubeObject, ownedBy } from "../../api/meta.ts";
import { labels } from "../../api/names.ts";
import { podDisruptionBudgets } from "../../api/resource.ts";
import { equalJson } from "../../base/diff.ts";
import { type DisruptionBudgetSpec, disruptionBudgetOf } from "./disruption-budget.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import type { ObservedApp } from "./observed.ts";

export interface StoredBudget extends KubeObject {
  readonly spec?: Partial<DisruptionBudgetSpec>;
}

/** Keeps the app's PodDisruptionBudget, which has the app's name. One of somebody else is left alone. */
export function stepBudget({ app, budget, memory }: ObservedApp, spec: EffectiveSpec): readonly Action[] {
  const wanted = disruptionBudgetOf(app.metadata.name, spec.evacuation.budget, spec.maxUnavailable);
  if (budget === undefined) {
    if (memory.namespaceTerminating || memory.namesTaken.has(app.metadata.name)) return [];
    const { name, namespace } = app.metadata;
    const metadata = { name, namespace: namespace as string, labels: { [labels.app]: name }, ownerReferences: ownedBy(app) };
    const object = { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata, spec: wanted };
    return [{ tag: "create", resource: podDisruptionBudgets, object }];
  }
  if (controllerOf(budget.metadata)?.uid !== app.metadata.uid || isSame(budget.spec, wanted)) return [];
  return [{ tag: "replace", resource: podDisruptionBudgets, object: { ...budget, spec: wanted } as KubeObject }];
}

const isSame = (stored: StoredBudget["spec"], wanted: DisruptionBudgetSpec): boolean =>
  stored?.maxUnavailable === wanted.maxUnavailable &&
  stored.unhealthyPodEvictionPolicy === wanted.unhealthyPodEvictionPolicy &&
  equalJson(stored.selector, wanted.selector);
