import type { ResourceVector } from "./resource-vector.ts";

/** Requests that are equal in everything the rule looks at. One object per tree and shape. */
export class Shape {
  /** Unique in its tree. */
  readonly number: number;
  /** Equal shapes have equal hashes. */
  readonly hash: number;
  /**
   * First what is asked for of each resource, then as much again: what of it counts against the guarantees of others in the class that
   * the search looks at first (0 for work whose promise is within that class).
   */
  need: Float64Array;
  /** See `promiseClassOf`. */
  readonly promiseClass: number;
  readonly isYieldable: boolean;
  /** It does not end by itself. */
  readonly isResident: boolean;
  /** The index of the resource that it takes the largest share of. */
  judged = 0;
  /** What is asked for, as others are told it. */
  readonly request: ResourceVector;
  /** Whether the whole capacity is enough for it. */
  fitsCapacity = true;
  /** How many workloads and buckets have it. */
  uses = 0;

  constructor(
    number: number,
    hash: number,
    request: ResourceVector,
    need: Float64Array,
    promiseClass: number,
    isYieldable: boolean,
    isResident: boolean,
  ) {
    this.number = number;
    this.hash = hash;
    this.request = request;
    this.need = need;
    this.promiseClass = promiseClass;
    this.isYieldable = isYieldable;
    this.isResident = isResident;
  }
}
