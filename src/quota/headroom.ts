import { needSlots, residentSlot } from "./amount-table.ts";
import { lendClasses } from "./promise.ts";
import type { Queue } from "./queue.ts";
import type { Shape } from "./shape.ts";
import type { TreeState } from "./tree-state.ts";

/** What is free in the queues of a tree, and what guarantees still consent to. */
export class Headroom {
  readonly #state: TreeState;

  constructor(state: TreeState) {
    this.#state = state;
  }

  /** The capacity at the root, a max elsewhere. */
  boundOf(queue: Queue, resource: number): number {
    const { capacity, max, root, stride } = this.#state;
    const own = max[queue.index * stride + resource] as number;
    return queue === root ? Math.min(capacity[resource] as number, own) : own;
  }

  /** What is free at a queue: of the root's capacity, of another queue's max, less what claims keep. Never below 0. */
  freeAt(queue: Queue, resource: number): number {
    const { used, kept, stride } = this.#state;
    const at = queue.index * stride + resource;
    return Math.max(0, this.boundOf(queue, resource) - (used[at] as number) - (kept[at] as number));
  }

  lacksRoom(queue: Queue, shape: Shape): boolean {
    const count = this.#state.resources.length;
    for (let resource = 0; resource < count; resource++) {
      const amount = shape.need[resource] as number;
      if (amount > 0 && amount > this.freeAt(queue, resource)) return true;
    }
    return false;
  }

  /** Whether a request would take of what is held for another at a queue. */
  takesRoom(queue: Queue, held: Shape, shape: Shape): boolean {
    const count = this.#state.resources.length;
    for (let resource = 0; resource < count; resource++) {
      const amount = shape.need[resource] as number;
      const kept = held.need[resource] as number;
      if (amount > 0 && kept > 0 && amount > Math.max(0, this.freeAt(queue, resource) - kept)) return true;
    }
    return false;
  }

  /** Whether the request would fit at a queue if all work had gone that ends by itself. */
  mayGetRoom(queue: Queue, shape: Shape): boolean {
    const { resident, resources, stride } = this.#state;
    for (let resource = 0; resource < resources.length; resource++) {
      const amount = shape.need[resource] as number;
      if (amount > 0 && amount > this.boundOf(queue, resource) - (resident[queue.index * stride + resource] as number)) return false;
    }
    return true;
  }

  /** Decision 9: for every class that the work's promise is over, need_v(root) does not rise or stays within the capacity. */
  consents(queue: Queue, shape: Shape): boolean {
    return this.lackingConsent(queue, shape) === 0;
  }

  /** One bit for each class of `slots` whose need_v(root) would rise beyond the capacity. */
  lackingConsent(queue: Queue, shape: Shape): number {
    const { resources, slots } = this.#state;
    let lacking = 0;
    for (const slot of slots) {
      if (slot >= shape.promiseClass) break;
      for (let resource = 1; resource < resources.length; resource++) {
        const amount = shape.need[resource] as number;
        if (amount === 0) continue;
        const slack = this.slackOf(slot, resource);
        if (amount > slack && this.riseOf(queue, amount, slot, resource) > slack) lacking |= 1 << slot;
      }
    }
    return lacking;
  }

  /** Whether guarantees would let the request begin if all work had gone that ends by itself. O(queues) for work that leaves in time and is large. */
  mayGetConsent(queue: Queue, shape: Shape): boolean {
    const { resources, slots } = this.#state;
    for (let resource = 1; resource < resources.length; resource++) {
      const amount = shape.need[resource] as number;
      // With every guarantee counted no need is smaller than with those of one class.
      if (amount === 0 || this.riseOf(queue, amount, residentSlot, resource) <= this.slackOf(residentSlot, resource)) continue;
      if (shape.promiseClass === lendClasses) return false;
      for (const slot of slots) {
        if (slot >= shape.promiseClass) break;
        const before = this.#leastNeed(this.#state.root, slot, resource, undefined, 0);
        const after = this.#leastNeed(this.#state.root, slot, resource, queue, amount);
        if (after > before && after > (this.#state.capacity[resource] as number)) return false;
      }
    }
    return true;
  }

  /** need_v of a queue if all work had gone that ends by itself, and one leaf beneath it used so much more. */
  #leastNeed(queue: Queue, slot: number, resource: number, leaf: Queue | undefined, amount: number): number {
    const { beneath, guaranteed, stride } = this.#state;
    let use = queue === leaf ? amount : 0;
    if (queue.isLeaf) use += beneath[(queue.index * needSlots + residentSlot) * stride + resource] as number;
    for (const child of queue.children) use += this.#leastNeed(child, slot, resource, leaf, amount);
    return Math.max(use, queue.lendClass <= slot ? (guaranteed[queue.index * stride + resource] as number) : 0);
  }

  /** What need_v(root) leaves of the capacity, never below 0. */
  slackOf(slot: number, resource: number): number {
    const { capacity, need, stride } = this.#state;
    return Math.max(0, (capacity[resource] as number) - (need[slot * stride + resource] as number));
  }

  /** By how much need_v(root) rises when a queue uses so much more for work of a longer promise. */
  riseOf(queue: Queue, amount: number, slot: number, resource: number): number {
    let rise = amount;
    for (let each: Queue | undefined = queue; each !== undefined && rise > 0; each = each.parent)
      rise -= this.#state.absorbed(each, slot, resource);
    return Math.max(0, rise);
  }
}
