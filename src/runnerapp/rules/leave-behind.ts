/** What fleets leave behind when nobody sees to them any more: it must stand in nobody's way. */
import type { DeleteAction, StatusAction } from "../../api/action.ts";
import type { Pod } from "../../api/core.ts";
import { controllerOf, type KubeObject, type ObjectMeta } from "../../api/meta.ts";
import { podDisruptionBudgets, runnerApps } from "../../api/resource.ts";
import { gateOf, gateOpened } from "./service-gate.ts";

/** Made for a RunnerApp, of whatever version of the kind, and also where the kind itself is gone. */
export function isOfSomeApp(metadata: ObjectMeta): boolean {
  const owner = controllerOf(metadata);
  return owner?.kind === runnerApps.kind && owner.apiVersion.startsWith(`${runnerApps.group}/`);
}

/** Deletes the PodDisruptionBudgets of fleets: a Strict one would keep its nodes from being drained for ever. Those of others stay. */
export function budgetDeletions(budgets: readonly KubeObject[]): readonly DeleteAction[] {
  return budgets
    .filter(({ metadata }) => isOfSomeApp(metadata) && metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => ({
      tag: "delete",
      resource: podDisruptionBudgets,
      ref: { namespace: metadata.namespace as string, name: metadata.name },
      uid: metadata.uid as string,
    }));
}

/** Puts all of these pods that live and are out of service back into it, also such whose containers are not ready yet: they will be. */
export function intoService(pods: readonly Pod[], now: number): readonly StatusAction[] {
  return pods
    .filter(
      ({ metadata, status }) => metadata.deletionTimestamp === undefined && status?.phase !== "Succeeded" && status?.phase !== "Failed",
    )
    .filter((pod) => gateOf(pod)?.isOpen === false)
    .map((pod) => gateOpened({ metadata: pod.metadata, facts: pod }, now));
}
