import type { PatchAction } from "../../api/action.ts";
import type { PoolFields } from "../../api/admission.ts";
import type { Pod } from "../../api/core.ts";
import { type JsonPatchOperation, pointer } from "../../api/json-patch.ts";
import { annotations, queueGate } from "../../api/names.ts";
import { pods as podResource } from "../../api/resource.ts";
import { type GatedSpec, type QueuedPod, queuedPod } from "./queued-pod.ts";

/** Why the pool's node selector cannot be added to a pod: it asks for other nodes itself. undefined = it can. */
export function poolMismatch({ gate }: QueuedPod, pool: PoolFields | undefined): string | undefined {
  for (const [key, value] of Object.entries(pool?.nodeSelector ?? {})) {
    const own = gate?.nodeSelector?.[key];
    if (own !== undefined && own !== value)
      return `spec.nodeSelector says ${key}: ${own}, and the nodes of its queue's tree have ${key}: ${value}`;
  }
  return undefined;
}

/**
 * Takes the gate away, and in the same step binds the pod to the nodes of its tree (decision 63). A gate is never put back, so it tests that the
 * gate still stands where it stood.
 */
export function releaseOf(pod: QueuedPod, pool: PoolFields | undefined, surge: boolean): PatchAction {
  const gate = pod.gate as GatedSpec;
  const at = gate.gates.indexOf(queueGate);
  return patchOf(pod, [
    { op: "test", path: pointer("spec", "schedulingGates", at, "name"), value: queueGate },
    { op: "remove", path: pointer("spec", "schedulingGates", at) },
    ...poolOperations(gate, pool),
    ...(surge ? surgeMark(gate) : []),
  ]);
}

/** Takes the gate from all of these pods that still have it, whatever their queues say: for when there is nobody any more who would. */
export function releasesOfAll(pods: readonly Pod[]): readonly PatchAction[] {
  return pods
    .map(queuedPod)
    .filter(({ state, terminating }) => state === "gated" && !terminating)
    .map((pod) => releaseOf(pod, undefined, false));
}

/** The queue has room for a pod that began as surge: from now on it is counted. */
export function countedAs(pod: QueuedPod): PatchAction {
  const path = pointer("metadata", "annotations", annotations.surge);
  return patchOf(pod, [
    { op: "test", path, value: "true" },
    { op: "remove", path },
  ]);
}

function patchOf({ metadata }: QueuedPod, operations: readonly JsonPatchOperation[]): PatchAction {
  return {
    tag: "patch",
    resource: podResource,
    ref: { namespace: metadata.namespace as string, name: metadata.name },
    uid: metadata.uid as string,
    resourceVersion: metadata.resourceVersion as string,
    operations,
  };
}

function poolOperations({ nodeSelector, tolerations }: GatedSpec, pool: PoolFields | undefined): readonly JsonPatchOperation[] {
  const added = Object.entries(pool?.nodeSelector ?? {}).filter(([key]) => nodeSelector?.[key] === undefined);
  const selector: JsonPatchOperation[] =
    nodeSelector === undefined
      ? added.length === 0
        ? []
        : [{ op: "add", path: "/spec/nodeSelector", value: Object.fromEntries(added) }]
      : added.map(([key, value]) => ({ op: "add", path: pointer("spec", "nodeSelector", key), value }));
  const missing = (pool?.tolerations ?? []).filter((wanted) => !tolerations?.some((own) => sameToleration(own, wanted)));
  if (missing.length === 0) return selector;
  return tolerations === undefined
    ? [...selector, { op: "add", path: "/spec/tolerations", value: missing }]
    : [...selector, ...missing.map((value) => ({ op: "add" as const, path: "/spec/tolerations/-", value }))];
}

function surgeMark({ hasAnnotations }: GatedSpec): readonly JsonPatchOperation[] {
  return hasAnnotations
    ? [{ op: "add", path: pointer("metadata", "annotations", annotations.surge), value: "true" }]
    : [{ op: "add", path: "/metadata/annotations", value: { [annotations.surge]: "true" } }];
}

interface Tolerating {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
}

function sameToleration(left: Tolerating, right: Tolerating): boolean {
  const text = ({ key = "", operator = "Equal", value = "", effect = "" }: Tolerating) => [key, operator, value, effect].join("\n");
  return text(left) === text(right);
}
