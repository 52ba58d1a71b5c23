import { compareNames } from "./exact.ts";
import { lendClasses } from "./promise.ts";
import type { ResourceVector } from "./resource-vector.ts";

/** need_v for each lending class, and one more: what would be needed if all work that ends by itself had ended. */
export const needSlots = lendClasses + 1;
/** The slot of the latter. */
export const residentSlot = lendClasses;
/** Workloads that run are counted as a resource of their own, so that `limits.running` is a max like any other. */
export const workloadsResource = "nuptse.dev/workloads";

/** Whether an amount of the resource is shown to people. */
export function isShown(resource: string): boolean {
  return resource !== workloadsResource;
}

const firstStride = 4;

/**
 * The amounts of all queues of a tree in flat arrays: a row a queue (for what is kept by lending class needSlots rows), a column a resource.
 * Row 0 is the root's. New resources get columns as they come.
 */
export class AmountTable {
  readonly resources: string[] = [];
  readonly indexes = new Map<string, number>();
  /** Indexes of resources by their names: the order of discovery decides nothing. */
  order: readonly number[] = [];
  stride = firstStride;
  /** Of the whole domain; Infinity for workloads. */
  capacity: Float64Array = new Float64Array(firstStride);
  used: Float64Array = new Float64Array(firstStride);
  /** Used by work that does not end by itself. */
  resident: Float64Array = new Float64Array(firstStride);
  guaranteed: Float64Array = new Float64Array(firstStride);
  max: Float64Array = new Float64Array(firstStride).fill(Number.POSITIVE_INFINITY);
  debt: Float64Array = new Float64Array(firstStride);
  /** Kept for open claims of work beneath. */
  kept: Float64Array = new Float64Array(firstStride);
  /** Sums that need_v is made of: the children's, or what is admitted in the queue itself. Row = queue x needSlots. */
  beneath: Float64Array = new Float64Array(firstStride * needSlots);
  need: Float64Array = new Float64Array(firstStride * needSlots);

  constructor() {
    this.resourceIndex(workloadsResource);
    this.capacity[0] = Number.POSITIVE_INFINITY;
  }

  /** The column of a resource, made when it is new. */
  resourceIndex(resource: string): number {
    const known = this.indexes.get(resource);
    if (known !== undefined) return known;
    const index = this.resources.length;
    if (index === this.stride) this.#widen(this.stride * 2);
    this.resources.push(resource);
    this.indexes.set(resource, index);
    this.order = this.resources.map((_, at) => at).sort((a, b) => compareNames(this.resources[a] as string, this.resources[b] as string));
    return index;
  }

  /** Writes a vector into a row; what it does not name becomes `absent`. Returns whether the row differs now. */
  setRow(array: "guaranteed" | "max" | "debt" | "capacity", row: number, vector: ResourceVector, absent: number): boolean {
    for (const name of Object.keys(vector)) this.resourceIndex(name);
    let isChanged = false;
    const values = this[array];
    for (let at = 0; at < this.resources.length; at++) {
      const name = this.resources[at] as string;
      if (!isShown(name)) continue;
      const value = vector[name] ?? absent;
      isChanged ||= values[row * this.stride + at] !== value;
      values[row * this.stride + at] = value;
    }
    return isChanged;
  }

  /** A row as a vector, without what is 0 or without bound. */
  rowOf(array: Float64Array, row: number): ResourceVector {
    const vector: Record<string, number> = {};
    for (const at of this.order) {
      const value = array[row * this.stride + at] as number;
      if (value > 0 && value !== Number.POSITIVE_INFINITY && isShown(this.resources[at] as string))
        vector[this.resources[at] as string] = value;
    }
    return vector;
  }

  clearRow(row: number): void {
    const { stride } = this;
    for (const array of [this.used, this.resident, this.guaranteed, this.debt, this.kept]) array.fill(0, row * stride, (row + 1) * stride);
    this.max.fill(Number.POSITIVE_INFINITY, row * stride, (row + 1) * stride);
    for (const array of [this.beneath, this.need]) array.fill(0, row * needSlots * stride, (row + 1) * needSlots * stride);
  }

  lengthen(rows: number): void {
    const longer = (array: Float64Array, each: number, fill = 0): Float64Array => {
      const result = new Float64Array(rows * each).fill(fill);
      result.set(array);
      return result;
    };
    this.used = longer(this.used, this.stride);
    this.resident = longer(this.resident, this.stride);
    this.guaranteed = longer(this.guaranteed, this.stride);
    this.debt = longer(this.debt, this.stride);
    this.kept = longer(this.kept, this.stride);
    this.max = longer(this.max, this.stride, Number.POSITIVE_INFINITY);
    this.beneath = longer(this.beneath, this.stride * needSlots);
    this.need = longer(this.need, this.stride * needSlots);
  }

  /** Called when the rows have become wider than `before`, for what else has their width. */
  protected widened(_before: number): void {}

  /** Room for more resources. */
  #widen(stride: number): void {
    const before = this.stride;
    const wider = (array: Float64Array, fill = 0): Float64Array => widerRows(array, before, stride, fill);
    this.capacity = wider(this.capacity);
    this.used = wider(this.used);
    this.resident = wider(this.resident);
    this.guaranteed = wider(this.guaranteed);
    this.debt = wider(this.debt);
    this.kept = wider(this.kept);
    this.max = wider(this.max, Number.POSITIVE_INFINITY);
    this.beneath = wider(this.beneath);
    this.need = wider(this.need);
    this.stride = stride;
    this.widened(before);
  }
}

/** Rows of another width, what is new in them filled. */
export function widerRows(array: Float64Array, before: number, stride: number, fill = 0): Float64Array {
  const rows = array.length / before;
  const result = new Float64Array(rows * stride).fill(fill);
  for (let row = 0; row < rows; row++) result.set(array.subarray(row * before, (row + 1) * before), row * stride);
  return result;
}
