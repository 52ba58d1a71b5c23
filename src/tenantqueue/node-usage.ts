import type { Amounts } from "../api/admission.ts";
import { getOrMake } from "../base/map.ts";
import type { QueuePod } from "./queue-pod.ts";

/** What pods that have not ended request on each node, by the queue that they name; "" for none. */
export class NodeUsage {
  readonly #nodes = new Map<string, Map<string, { pods: number; amounts: Record<string, number> }>>();

  /** Counts a pod, or takes off what was counted of it (sign -1). */
  count({ node, queue = "", request }: QueuePod, sign: 1 | -1): void {
    if (node === undefined || request === undefined) return;
    const queues = getOrMake(this.#nodes, node, () => new Map());
    const usage = getOrMake(queues, queue, () => ({ pods: 0, amounts: {} as Record<string, number> }));
    usage.pods += sign;
    for (const [resource, amount] of Object.entries(request)) usage.amounts[resource] = (usage.amounts[resource] ?? 0) + sign * amount;
    if (usage.pods === 0) queues.delete(queue);
    if (queues.size === 0) this.#nodes.delete(node);
  }

  /** What pods of other queues, and of none, request on a node; undefined when there are none. */
  foreign(node: string, own: ReadonlySet<string>): Amounts | undefined {
    const queues = this.#nodes.get(node);
    if (queues === undefined) return undefined;
    let sum: Record<string, number> | undefined;
    for (const [queue, { amounts }] of queues) {
      if (own.has(queue)) continue;
      sum ??= {};
      for (const [resource, amount] of Object.entries(amounts)) sum[resource] = (sum[resource] ?? 0) + amount;
    }
    return sum;
  }
}
