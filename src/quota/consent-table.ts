import { AmountTable, needSlots, residentSlot } from "./amount-table.ts";
import type { Workload } from "./item.ts";
import { lendClasses } from "./promise.ts";
import { Queue } from "./queue.ts";
import { ShapeTable } from "./shape-table.ts";

/**
 * What must stay reachable by consent: need_v of decision 9 of each queue, for each lending class v that some guarantee has. A change at a queue
 * goes up its path as far as guarantees do not absorb it.
 */
export abstract class ConsentTable extends AmountTable {
  readonly root: Queue;
  readonly queues = new Map<string, Queue>();
  readonly workloads = new Map<string, Workload>();
  readonly shapes: ShapeTable;
  /**
   * The lending classes of which need_v is kept: those of the guarantees that there are. In any other class no more guarantees count than
   * in the next lower of these, and less work; so need_v and its rise are no larger there. Below the lowest no guarantee counts, and it is
   * enough to fit.
   */
  slots: readonly number[] = [lendClasses - 1];
  /** The class whose need bounds the search: the longest of them, the one that most often binds. */
  searchClass = lendClasses - 1;

  constructor(rootName: string) {
    super();
    this.shapes = new ShapeTable(this);
    this.root = new Queue(rootName, 0, undefined);
    this.queues.set(rootName, this.root);
  }

  /** Called when a queue absorbs more or less of what its use rises by, in the class of the search. */
  protected abstract absorptionChanged(queue: Queue): void;

  /** Called when need_v of another class bounds the search. */
  protected abstract searchClassChanged(): void;

  /** Reckons need_v anew from a queue up, after its guarantee or lending class has changed. O(queues) where the lending classes may be others. */
  guaranteeChanged(queue: Queue, isLendingChanged: boolean): void {
    for (const slot of [...this.slots, residentSlot])
      for (let at = 0; at < this.resources.length; at++) this.#raiseNeed(queue, slot, at, 0);
    if (isLendingChanged || !this.#isGuaranteed(queue) || !this.slots.includes(queue.lendClass)) this.chooseSlots();
  }

  /** Finds the lending classes of all guarantees: `slots`, and the longest of them, `searchClass`. O(queues), O(work) for a new one. */
  chooseSlots(): void {
    const found = new Set<number>();
    for (const queue of this.queues.values()) {
      if (!found.has(queue.lendClass) && this.#isGuaranteed(queue)) found.add(queue.lendClass);
    }
    if (found.size === 0) found.add(lendClasses - 1);
    const before = this.slots;
    this.slots = [...found].sort((a, b) => a - b);
    for (const slot of this.slots) if (!before.includes(slot)) this.#reckonSlot(slot);
    const chosen = this.slots.at(-1) as number;
    if (chosen === this.searchClass) return;
    this.searchClass = chosen;
    this.shapes.setSearchClass(chosen);
    this.searchClassChanged();
  }

  /** How far the use beneath a queue may grow in a class before its own need does. */
  absorbed(queue: Queue, slot: number, resource: number): number {
    const at = (queue.index * needSlots + slot) * this.stride + resource;
    return (this.need[at] as number) - (this.beneath[at] as number);
  }

  /** What is used in a queue by work of a longer promise than a class has grown by so many times the amounts. */
  protected addNeed(queue: Queue, slot: number, amounts: Float64Array, times: number): void {
    const row = (queue.index * needSlots + slot) * this.stride;
    for (let at = 0; at < this.resources.length; at++) {
      const amount = amounts[at] as number;
      if (amount === 0) continue;
      this.beneath[row + at] = (this.beneath[row + at] as number) + amount * times;
      this.#raiseNeed(queue, slot, at, amount * times);
    }
  }

  /** Adds all that a queue has used and needs to its ancestors, or takes it from them. */
  protected addToParents(queue: Queue, sign: 1 | -1): void {
    const { stride } = this;
    const parent = queue.parent as Queue;
    for (let at = 0; at < this.resources.length; at++) {
      for (const sums of [this.used, this.resident, this.kept]) {
        const amount = (sums[queue.index * stride + at] as number) * sign;
        for (let each: Queue | undefined = parent; each !== undefined; each = each.parent) {
          sums[each.index * stride + at] = (sums[each.index * stride + at] as number) + amount;
        }
      }
      for (const slot of [...this.slots, residentSlot]) {
        const need = (this.need[(queue.index * needSlots + slot) * stride + at] as number) * sign;
        const above = (parent.index * needSlots + slot) * stride + at;
        this.beneath[above] = (this.beneath[above] as number) + need;
        this.#raiseNeed(parent, slot, at, need);
      }
    }
  }

  #isGuaranteed({ index }: Queue): boolean {
    return this.guaranteed.subarray(index * this.stride, (index + 1) * this.stride).some((amount) => amount > 0);
  }

  /** Reckons a class from all that is admitted. */
  #reckonSlot(slot: number): void {
    const { stride } = this;
    const count = this.resources.length;
    for (const queue of this.queues.values()) {
      const row = (queue.index * needSlots + slot) * stride;
      this.need.fill(0, row, row + stride);
      this.beneath.fill(0, row, row + stride);
    }
    for (const { queue, shape, step, steps, isAdmitted } of this.workloads.values()) {
      if (!isAdmitted || shape.promiseClass <= slot) continue;
      const row = (queue.index * needSlots + slot) * stride;
      for (let at = 0; at < count; at++) {
        const amount = (shape.need[at] as number) + (step === undefined ? 0 : (step.need[at] as number) * steps);
        this.beneath[row + at] = (this.beneath[row + at] as number) + amount;
      }
    }
    const visit = (queue: Queue): void => {
      const row = (queue.index * needSlots + slot) * stride;
      for (const child of queue.children) {
        visit(child);
        const below = (child.index * needSlots + slot) * stride;
        for (let at = 0; at < count; at++) this.beneath[row + at] = (this.beneath[row + at] as number) + (this.need[below + at] as number);
      }
      for (let at = 0; at < count; at++) {
        const own = queue.lendClass <= slot ? (this.guaranteed[queue.index * stride + at] as number) : 0;
        this.need[row + at] = Math.max(own, this.beneath[row + at] as number);
      }
    };
    visit(this.root);
  }

  /**
   * need = max(own guarantee where it is not lent to the class, what is beneath); the difference goes up. What it absorbs of the change beneath
   * is the only reason for which the need of what waits there may be another then.
   */
  #raiseNeed(queue: Queue, slot: number, resource: number, beneath: number): void {
    let change = beneath;
    for (let each = queue; ; ) {
      const at = (each.index * needSlots + slot) * this.stride + resource;
      const own = each.lendClass <= slot ? (this.guaranteed[each.index * this.stride + resource] as number) : 0;
      const need = Math.max(own, this.beneath[at] as number);
      const rise = need - (this.need[at] as number);
      if (rise !== change && slot === this.searchClass) this.absorptionChanged(each);
      if (rise === 0) return;
      change = rise;
      this.need[at] = need;
      if (each.parent === undefined) return;
      each = each.parent;
      const above = (each.index * needSlots + slot) * this.stride + resource;
      this.beneath[above] = (this.beneath[above] as number) + rise;
    }
  }
}
