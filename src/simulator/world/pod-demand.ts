import type { Container, Pod } from "../../api/core.ts";
import { parseQuantity } from "../apiserver/quantity.ts";

/** What a pod takes of a node, or a node has: cores, bytes, places for pods. */
export interface Demand {
  readonly cpu: number;
  readonly memory: number;
  readonly pods: number;
}

/** The effective request of a pod as the scheduler counts it: the ordinary containers with the sidecars, or the largest init step. */
export function demandOf(pod: Pod): Demand {
  let cpu = 0;
  let memory = 0;
  for (const container of pod.spec.containers) {
    cpu += requestOf(container, "cpu");
    memory += requestOf(container, "memory");
  }
  let sidecarCpu = 0;
  let sidecarMemory = 0;
  let initCpu = 0;
  let initMemory = 0;
  for (const container of pod.spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") {
      sidecarCpu += requestOf(container, "cpu");
      sidecarMemory += requestOf(container, "memory");
    } else {
      initCpu = Math.max(initCpu, sidecarCpu + requestOf(container, "cpu"));
      initMemory = Math.max(initMemory, sidecarMemory + requestOf(container, "memory"));
    }
  }
  return { cpu: Math.max(cpu + sidecarCpu, initCpu), memory: Math.max(memory + sidecarMemory, initMemory), pods: 1 };
}

/** What a node offers to pods; a quantity that is not given has no limit. */
export function capacityOf(allocatable: Readonly<Record<string, string>> | undefined): Demand {
  const amount = (name: string) => {
    const text = allocatable?.[name];
    return text === undefined ? Number.POSITIVE_INFINITY : amountOf(text);
  };
  return { cpu: amount("cpu"), memory: amount("memory"), pods: amount("pods") };
}

/** Whether the pod still takes room on its node: a finished one does not. */
export function takesRoom(pod: Pod): boolean {
  return pod.status?.phase !== "Succeeded" && pod.status?.phase !== "Failed";
}

function requestOf(container: Container, name: string): number {
  const text = container.resources?.requests?.[name] ?? container.resources?.limits?.[name];
  return text === undefined ? 0 : amountOf(text);
}

const amounts = new Map<string, number>();

/** A quantity as a double; what is none counts as 0, since no API server stores such a thing. */
function amountOf(text: string): number {
  let amount = amounts.get(text);
  if (amount === undefined) {
    amount = Number(parseQuantity(text)?.nano ?? 0n) / 1e9;
    // The same few texts come again and again; a world of endless different ones is not worth remembering.
    if (amounts.size < 10_000) amounts.set(text, amount);
  }
  return amount;
}
