import { proportionOf } from "../../base/percentage.ts";
import type { QueueUsage } from "../../quota/queue-tree.ts";
import type { ResourceVector } from "../../quota/resource-vector.ts";

/** A tree as this file needs it. */
export interface LendingTree {
  readonly capacity: ResourceVector;
  /** The root first. */
  readonly queues: readonly { readonly name: string; readonly parent?: string }[];
}

/**
 * What others use of each queue's guarantee. Siblings first borrow what is guaranteed to nobody; what they use beyond that comes from the idle
 * guarantees, from each in proportion, rounded down. Queues that lend nothing are left out.
 */
export function lentOf({ capacity, queues }: LendingTree, usageOf: (queue: string) => QueueUsage): ReadonlyMap<string, ResourceVector> {
  const lent = new Map<string, Record<string, number>>();
  for (const [parent, siblings] of Map.groupBy(queues, (queue) => queue.parent)) {
    if (parent === undefined) continue;
    const usages = siblings.map(({ name }) => ({ name, usage: usageOf(name) }));
    const above = usageOf(parent);
    const isRoot = parent === queues[0]?.name;
    for (const resource of new Set(usages.flatMap(({ usage }) => Object.keys(usage.idle)))) {
      const sum = (part: "guaranteed" | "borrowed" | "idle") =>
        usages.reduce((total, { usage }) => total + (usage[part][resource] ?? 0), 0);
      const has = isRoot ? (capacity[resource] ?? 0) : Math.max(above.guaranteed[resource] ?? 0, above.used[resource] ?? 0);
      const idle = sum("idle");
      const used = Math.min(idle, Math.max(0, sum("borrowed") - Math.max(0, has - sum("guaranteed"))));
      if (used === 0) continue;
      for (const { name, usage } of usages) {
        const part = proportionOf(usage.idle[resource] ?? 0, used, idle);
        if (part === 0) continue;
        const vector = lent.get(name) ?? {};
        lent.set(name, vector);
        vector[resource] = part;
      }
    }
  }
  return lent;
}
