import type { Amounts } from "../api/admission.ts";
import { getOrMake } from "../base/map.ts";
import type { QueuePod } from "./queue-pod.ts";

/** Whose share a pod takes. */
export interface PodClaim {
  /** "" = none. */
  readonly queue: string;
  /** Of somebody else's pod: it takes part only while its namespace may use the queue. */
  readonly namespace?: string;
}

interface Usage {
  readonly claim: PodClaim;
  pods: number;
  readonly amounts: Record<string, number>;
}

/** What pods that have not ended request on each node, by whose share it is. */
export class NodeUsage {
  readonly #nodes = new Map<string, Map<string, Usage>>();

  /** Counts a pod, or takes off what was counted of it (sign -1). */
  count(pod: QueuePod, sign: 1 | -1): void {
    const { node, request } = pod;
    if (node === undefined || request === undefined) return;
    const claim = claimOf(pod);
    const key = `${claim.queue}/${claim.namespace ?? ""}`;
    const claims = getOrMake(this.#nodes, node, () => new Map<string, Usage>());
    const usage = getOrMake(claims, key, (): Usage => ({ claim, pods: 0, amounts: {} }));
    usage.pods += sign;
    for (const [resource, amount] of Object.entries(request)) usage.amounts[resource] = (usage.amounts[resource] ?? 0) + sign * amount;
    if (usage.pods === 0) claims.delete(key);
    if (claims.size === 0) this.#nodes.delete(node);
  }

  /** What pods on a node request that `isOwn` does not count; undefined when there are none. */
  foreign(node: string, isOwn: (claim: PodClaim) => boolean): Amounts | undefined {
    let sum: Record<string, number> | undefined;
    for (const { claim, amounts } of this.#nodes.get(node)?.values() ?? []) {
      if (isOwn(claim)) continue;
      sum ??= {};
      for (const [resource, amount] of Object.entries(amounts)) sum[resource] = (sum[resource] ?? 0) + amount;
    }
    return sum;
  }
}

function claimOf({ metadata, queue = "", isForeign }: QueuePod): PodClaim {
  return isForeign === true ? { queue, namespace: metadata.namespace as string } : { queue };
}
