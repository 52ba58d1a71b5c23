import type { Item } from "./item.ts";
import type { Queue } from "./queue.ts";
import { allResources } from "./sibling-table.ts";
import type { TreeState } from "./tree-state.ts";

/** An open reclaim: capacity is kept for `item` until it is admitted, withdrawn, or the claim is given up. */
export interface Claim {
  readonly item: Item;
  /** So many steps of an elastic workload are kept for; at least 1 of one that grows, perhaps 0 of one that is to start. */
  steps: number;
  /** Its place among all claims: the earlier are served first. */
  readonly order: number;
  /** What donors were asked for and have not yet given, by workload: amounts by the column of the resource. */
  readonly asked: Map<string, Float64Array>;
}

/** The open claims of a tree, and what they keep of each queue's room. */
export class Claims {
  readonly #state: TreeState;
  readonly #claims = new Map<Item, Claim>();
  #inOrder: readonly Claim[] | undefined;

  constructor(state: TreeState) {
    this.#state = state;
  }

  /** In order. */
  get all(): readonly Claim[] {
    this.#inOrder ??= [...this.#claims.values()].sort((a, b) => a.order - b.order);
    return this.#inOrder;
  }

  get size(): number {
    return this.#claims.size;
  }

  of(item: Item): Claim | undefined {
    return this.#claims.get(item);
  }

  open(claim: Claim): void {
    this.#claims.set(claim.item, claim);
    this.#keep(claim.item, claimNeed(claim), 1);
  }

  close(item: Item): Claim | undefined {
    const claim = this.#claims.get(item);
    if (claim === undefined) return undefined;
    this.#claims.delete(item);
    this.#keep(item, claimNeed(claim), -1);
    return claim;
  }

  /** The claim is for so many steps from now on, fewer than before. */
  narrow(item: Item, steps: number): void {
    const claim = this.#claims.get(item);
    if (claim === undefined || claim.steps <= steps) return;
    this.#keep(item, claimNeed(claim), -1);
    claim.steps = steps;
    this.#keep(item, claimNeed(claim), 1);
  }

  /** A workload that is gone gives nothing more. */
  gone(workload: string): void {
    for (const claim of this.#claims.values()) claim.asked.delete(workload);
  }

  /** What was asked of a workload by any claim, by column; undefined when nothing was. */
  askedOf(workload: string): Float64Array | undefined {
    let sum: Float64Array | undefined;
    for (const claim of this.#claims.values()) {
      const asked = claim.asked.get(workload);
      if (asked === undefined) continue;
      sum ??= new Float64Array(this.#state.stride);
      for (let at = 0; at < asked.length; at++) sum[at] = (sum[at] as number) + (asked[at] as number);
    }
    return sum;
  }

  /** Takes what a workload has given off what it was asked for, the earliest claim first. */
  given(workload: string, amounts: Float64Array): void {
    const rest = Float64Array.from(amounts);
    for (const claim of this.all) {
      const asked = claim.asked.get(workload);
      if (asked === undefined) continue;
      let isOpen = false;
      for (let at = 0; at < asked.length; at++) {
        const taken = Math.min(asked[at] as number, rest[at] as number);
        rest[at] = (rest[at] as number) - taken;
        asked[at] = (asked[at] as number) - taken;
        isOpen ||= (asked[at] as number) > 0;
      }
      if (!isOpen) claim.asked.delete(workload);
    }
  }

  #keep({ workload }: Item, need: Float64Array, sign: 1 | -1): void {
    const { kept, stride, resources } = this.#state;
    this.#inOrder = undefined;
    this.#state.raise(workload.queue, allResources);
    for (let queue: Queue | undefined = workload.queue; queue !== undefined; queue = queue.parent) {
      const row = queue.index * stride;
      for (let at = 0; at < resources.length; at++) kept[row + at] = (kept[row + at] as number) + (need[at] as number) * sign;
    }
  }
}

/** What is kept for a claim in all, by column. */
export function claimNeed({ item, steps }: Pick<Claim, "item" | "steps">): Float64Array {
  const { shape, isGrowth, workload } = item;
  const step = workload.step?.need;
  return shape.need.map((amount, at) => (isGrowth ? amount * steps : amount + (step?.[at] ?? 0) * steps));
}

/** Whether a queue is `top` or lies beneath it. */
export function isBeneath(queue: Queue, top: Queue): boolean {
  for (let each: Queue | undefined = queue; each !== undefined; each = each.parent) if (each === top) return true;
  return false;
}
