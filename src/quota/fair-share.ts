import type { Queue } from "./queue.ts";
import type { QuotaTree } from "./quota-tree.ts";
import type { ResourceVector } from "./resource-vector.ts";
import type { TreeState } from "./tree-state.ts";

/** What each queue is taken to want: without end, or what it uses and waits for now. */
export type Demand = "Endless" | "Current";

interface Claimant {
  readonly weight: number;
  readonly floor: number;
  readonly cap: number;
}

/**
 * What the rule of admission would give each queue in steady state, each resource by itself: clamp(weight x level, guaranteed, max), with one
 * level for all children of a queue; weight 0 only what is left then. Nobody gets more than he wants. Rounded down to whole units.
 * O(queues x resources x log siblings + waiting).
 */
export function fairShares(tree: QuotaTree, demand: Demand): ReadonlyMap<string, ResourceVector> {
  const { state } = tree.internals;
  const shares = new Map<string, Record<string, number>>();
  for (const queue of state.queues.values()) shares.set(queue.name, {});
  const capacity = tree.capacity;
  for (const resource of Object.keys(capacity)) {
    const column = state.indexes.get(resource) as number;
    const caps = new Map<Queue, number>();
    capOf(state, state.root, column, demand, caps);
    const give = (queue: Queue, share: number): void => {
      const whole = Math.floor(share + 1e-6);
      if (whole > 0) (shares.get(queue.name) as Record<string, number>)[resource] = whole;
      const claimants = queue.children.map((child): Claimant => {
        const cap = caps.get(child) as number;
        return { weight: child.weight, cap, floor: Math.min(cap, state.guaranteed[child.index * state.stride + column] as number) };
      });
      for (const [at, part] of fill(share, claimants).entries()) give(queue.children[at] as Queue, part);
    };
    give(state.root, Math.min(capacity[resource] as number, caps.get(state.root) as number));
  }
  return shares;
}

/** The most that a queue can take, from the leaves up. */
function capOf(state: TreeState, queue: Queue, column: number, demand: Demand, caps: Map<Queue, number>): number {
  let wanted = 0;
  if (!queue.isLeaf) for (const child of queue.children) wanted += capOf(state, child, column, demand, caps);
  else wanted = demand === "Endless" ? Number.POSITIVE_INFINITY : (state.used[queue.index * state.stride + column] as number);
  if (queue.isLeaf && demand === "Current") {
    for (const bucket of queue.buckets.values()) if (!bucket.isImpossible) wanted += bucket.count * (bucket.shape.need[column] as number);
  }
  const cap = Math.min(wanted, state.max[queue.index * state.stride + column] as number);
  caps.set(queue, cap);
  return cap;
}

/** Parts of an amount: clamp(weight x level, floor, cap). Floors that are together too large are cut in proportion. */
export function fill(amount: number, claimants: readonly Claimant[]): readonly number[] {
  const floors = claimants.reduce((sum, { floor }) => sum + floor, 0);
  if (floors >= amount) return claimants.map(({ floor }) => (floors === 0 ? 0 : (floor * amount) / floors));
  const weighted = level(amount, claimants);
  const left = amount - weighted.reduce((sum, part) => sum + part, 0);
  if (left <= 0) return weighted;
  // what nobody with a weight can take: equal levels for those without
  return level(
    amount,
    claimants.map((each, at) =>
      each.weight > 0 ? { weight: 1, floor: weighted[at] as number, cap: weighted[at] as number } : { ...each, weight: 1 },
    ),
  );
}

/** Weight 0 gets its floor. The floors together are below the amount. */
function level(amount: number, claimants: readonly Claimant[]): readonly number[] {
  // the sum as a function of the level rises in straight pieces between these points
  const points = claimants.flatMap(({ weight, floor, cap }) => (weight > 0 ? [floor / weight, cap / weight] : []));
  const partsAt = (height: number): readonly number[] =>
    claimants.map(({ weight, floor, cap }) => (weight > 0 ? Math.min(cap, Math.max(floor, weight * height)) : floor));
  const sumAt = (height: number): number => partsAt(height).reduce((sum, part) => sum + part, 0);
  const heights = [...new Set([0, ...points.filter((point) => Number.isFinite(point))])].sort((a, b) => a - b);
  let below = 0;
  let above = heights.length;
  while (below + 1 < above) {
    const middle = (below + above) >> 1;
    if (sumAt(heights[middle] as number) <= amount) below = middle;
    else above = middle;
  }
  const base = heights[below] as number;
  const next = heights[below + 1] ?? Number.POSITIVE_INFINITY;
  const slope = claimants.reduce(
    (sum, { weight, floor, cap }) => (weight > 0 && floor / weight <= base && cap / weight > base ? sum + weight : sum),
    0,
  );
  const height = slope === 0 ? base : Math.min(next, base + (amount - sumAt(base)) / slope);
  return partsAt(height);
}
