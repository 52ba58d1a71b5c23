import { type AmountTable, isShown } from "./amount-table.ts";
import { compareProducts } from "./exact.ts";
import { lendClasses, promiseClassOf } from "./promise.ts";
import type { ResourceVector } from "./resource-vector.ts";
import { Shape } from "./shape.ts";

/** The shapes of all requests in a tree: equal ones are one object. */
export class ShapeTable {
  readonly #amounts: AmountTable;
  #searchClass = lendClasses - 1;
  /** By hash. */
  readonly #shapes = new Map<number, Shape[]>();
  #number = 0;
  #scratch = new Float64Array(0);

  constructor(amounts: AmountTable) {
    this.#amounts = amounts;
  }

  /** The shape of a request. It counts as used once more until `drop`. */
  take(request: ResourceVector, workloads: 0 | 1, promiseSeconds: number, isYieldable: boolean, isResident: boolean): Shape {
    const promiseClass = promiseClassOf(promiseSeconds);
    for (const name in request) if ((request[name] as number) > 0) this.#amounts.resourceIndex(name);
    const scratch = this.#scratch.length === this.#amounts.stride ? this.#scratch.fill(0) : new Float64Array(this.#amounts.stride);
    this.#scratch = scratch;
    scratch[0] = workloads;
    for (const name in request) {
      const amount = request[name] as number;
      if (amount > 0) scratch[this.#amounts.indexes.get(name) as number] = amount;
    }
    let hash = promiseClass * 4 + (isYieldable ? 2 : 0) + (isResident ? 1 : 0);
    for (let at = 0; at < this.#amounts.resources.length; at++) {
      const amount = scratch[at] as number;
      if (amount > 0) hash = (Math.imul(hash ^ at, 0x01000193) ^ amount ^ (amount / 2 ** 32)) | 0;
    }
    let alike = this.#shapes.get(hash);
    if (alike === undefined) {
      alike = [];
      this.#shapes.set(hash, alike);
    }
    for (const shape of alike) {
      if (shape.promiseClass !== promiseClass || shape.isYieldable !== isYieldable || shape.isResident !== isResident) continue;
      if (!isSamePrefix(shape.need, scratch)) continue;
      shape.uses++;
      return shape;
    }
    const need = new Float64Array(this.#amounts.stride * 2);
    need.set(scratch);
    const shape = new Shape(this.#number++, hash, Object.freeze(this.#amounts.rowOf(need, 0)), need, promiseClass, isYieldable, isResident);
    this.#complete(shape);
    this.#judgeAnew(shape);
    shape.uses = 1;
    alike.push(shape);
    return shape;
  }

  drop(shape: Shape): void {
    shape.uses--;
    if (shape.uses > 0) return;
    const alike = this.#shapes.get(shape.hash) as Shape[];
    alike.splice(alike.indexOf(shape), 1);
    if (alike.length === 0) this.#shapes.delete(shape.hash);
  }

  /** After a change of capacity: the shapes that are judged by another resource now, or fit into it no longer, or only now. */
  capacityChanged(): readonly Shape[] {
    return [...this.all()].filter((shape) => this.#judgeAnew(shape));
  }

  #judgeAnew(shape: Shape): boolean {
    const { judged, fitsCapacity } = shape;
    shape.judged = this.#judge(shape.need);
    shape.fitsCapacity = this.#amounts.capacity.every((amount, at) => (shape.need[at] as number) <= amount);
    return shape.judged !== judged || shape.fitsCapacity !== fitsCapacity;
  }

  /** argmax request / capacity; of equal ones, and for a request of nothing, the first by name. */
  #judge(need: Float64Array): number {
    const { order, resources, capacity } = this.#amounts;
    let judged = 0;
    for (const at of order) {
      if ((need[at] as number) === 0 || !isShown(resources[at] as string)) continue;
      const isLarger =
        judged === 0 || compareProducts(need[at] as number, capacity[judged] as number, need[judged] as number, capacity[at] as number) > 0;
      if (isLarger) judged = at;
    }
    return judged > 0 ? judged : (order.find((at) => isShown(resources[at] as string)) ?? 0);
  }

  /** Every shape once. */
  *all(): Generator<Shape> {
    for (const alike of this.#shapes.values()) yield* alike;
  }

  /** Sets the lending class of the search, which the second part of each need is about. */
  setSearchClass(searchClass: number): void {
    this.#searchClass = searchClass;
    for (const shape of this.all()) this.#complete(shape);
  }

  #complete({ need, promiseClass }: Shape): void {
    const { stride } = this.#amounts;
    for (let at = 0; at < stride; at++) need[stride + at] = promiseClass > this.#searchClass ? (need[at] as number) : 0;
  }
}

function isSamePrefix(need: Float64Array, amounts: Float64Array): boolean {
  for (let at = 0; at < amounts.length; at++) if (need[at] !== amounts[at]) return false;
  return true;
}
