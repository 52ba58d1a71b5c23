import type { Bucket } from "./bucket.ts";
import { compareNames } from "./exact.ts";
import type { Queue } from "./queue.ts";
import type { Shape } from "./shape.ts";

/** A workload that the tree knows. Internal: others see specs and answers. */
export interface Workload {
  readonly id: string;
  queue: Queue;
  readonly priority: number;
  /** Infinity: it may stay for ever. */
  readonly promiseSeconds: number;
  /** When it was submitted, ms. */
  readonly since: number;
  /** What starts together. */
  readonly shape: Shape;
  /** One step of an elastic workload, its growth and its shrinking. */
  step: Shape | undefined;
  /** How many steps may be asked back. */
  steps: number;
  /** It may be asked for steps only. */
  readonly keepsRequest: boolean;
  isAdmitted: boolean;
  /** What waits: the workload itself, or steps of growth; undefined when nothing does. */
  item: Item | undefined;
  /** Growth that waits until the workload itself is admitted. */
  pendingSteps: number;
  pendingSince: number;
}

/** What waits in a bucket: a workload that is to start, or `count` equal steps of one that grows. */
export class Item {
  readonly workload: Workload;
  readonly isGrowth: boolean;
  readonly shape: Shape;
  readonly since: number;
  readonly priority: number;
  readonly name: string;
  count: number;
  bucket: Bucket | undefined;
  /** Its place in the heap of its bucket. */
  at = -1;
  /** How much has passed while capacity was held for it: see `admission-search.ts`. */
  passed = 0;

  constructor(workload: Workload, shape: Shape, isGrowth: boolean, count: number, since: number) {
    this.workload = workload;
    this.shape = shape;
    this.isGrowth = isGrowth;
    this.count = count;
    this.since = since;
    this.priority = workload.priority;
    this.name = workload.id;
  }
}

/** By priority, then age, then name. */
export function compareByPriority(a: Item, b: Item): number {
  return b.priority - a.priority || compareByAge(a, b);
}

/** By age, then name. */
export function compareByAge(a: Item, b: Item): number {
  return a.since - b.since || compareNames(a.name, b.name);
}
