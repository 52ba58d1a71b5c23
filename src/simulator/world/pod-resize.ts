import { isDeepStrictEqual } from "node:util";
import type { Container, Node, Pod, PodCondition } from "../../api/core.ts";
import { capacityOf, type Demand, demandOf } from "./pod-demand.ts";

/** What containers were given, while their spec may already want something else. */

/** Why a resize is not done: Deferred waits for room, Infeasible can never be on this node. */
export interface ResizeRefusal {
  readonly reason: "Deferred" | "Infeasible";
  readonly message: string;
}

type Resources = NonNullable<Container["resources"]>;

/** The resources that a container is to have, as its status shows them. */
export function wantedResources(pod: Pod, name: string): Resources {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  return containers.find((container) => container.name === name)?.resources ?? {};
}

/** Whether a change from one to the other must start the container anew, by its own policy. */
export function needsRestart(container: Container, from: Resources, to: Resources): boolean {
  const policies = Array.isArray(container.resizePolicy) ? (container.resizePolicy as readonly Readonly<Record<string, string>>[]) : [];
  return policies.some(
    ({ resourceName = "", restartPolicy }) =>
      restartPolicy === "RestartContainer" &&
      (from.requests?.[resourceName] !== to.requests?.[resourceName] || from.limits?.[resourceName] !== to.limits?.[resourceName]),
  );
}

/** The pod with the resources that its containers have and not those that they are to have. */
export function allocatedPod(pod: Pod, granted: ReadonlyMap<string, Resources>): Pod {
  const held = (container: Container): Container => {
    const resources = granted.get(container.name);
    return resources === undefined || isDeepStrictEqual(resources, container.resources ?? {}) ? container : { ...container, resources };
  };
  const { initContainers } = pod.spec;
  const spec = { ...pod.spec, containers: pod.spec.containers.map(held) };
  return { ...pod, spec: initContainers === undefined ? spec : { ...spec, initContainers: initContainers.map(held) } };
}

/** Whether the node has room for the pod as it is to be, beside what the others hold. */
export function resizeRefusal(pod: Pod, node: Node | undefined, others: readonly Demand[]): ResizeRefusal | undefined {
  if (node === undefined) return undefined;
  const wanted = demandOf(pod);
  const capacity = capacityOf(node.status?.allocatable);
  for (const [name, shown] of [
    ["cpu", (cores: number) => Math.ceil(cores * 1_000)],
    ["memory", (bytes: number) => bytes],
  ] as const) {
    const limit = capacity[name];
    if (wanted[name] > limit + 1e-9) {
      const message = `Node didn't have enough capacity: ${name}, requested: ${shown(wanted[name])}, capacity: ${shown(limit)}`;
      return { reason: "Infeasible", message };
    }
    const used = others.reduce((sum, demand) => sum + demand[name], 0);
    if (used + wanted[name] > limit + 1e-9) {
      const message = `Node didn't have enough resource: ${name}, requested: ${shown(wanted[name])}, used: ${shown(used)}, capacity: ${shown(limit)}`;
      return { reason: "Deferred", message };
    }
  }
  return undefined;
}

/** The condition of a pod whose resize waits. */
export const pendingCondition = ({ reason, message }: ResizeRefusal): PodCondition => ({
  type: "PodResizePending",
  status: "True",
  reason,
  message,
});
