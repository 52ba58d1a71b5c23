import type { Ordering } from "./queue.ts";
import type { ResourceVector } from "./resource-vector.ts";

/** What a queue of the tree is told. Whatever is absent has the default, also in an edit: a spec is always the whole. */
export interface QueueSpec {
  /** Share above the guarantees among siblings, a whole number from 0 to 1,000,000; default 1. 0: nothing while anybody else wants it. */
  readonly weight?: number;
  /** The effective guarantee, in amounts: percentages, over-commitment and lost capacity have been reckoned with. */
  readonly guaranteed?: ResourceVector;
  /** Never exceeded by an admission. A resource that it does not name is without bound. */
  readonly max?: ResourceVector;
  /** `lend.maxSeconds`, default 3600. */
  readonly lendMaxSeconds?: number;
  /** Of a leaf; default PriorityFIFO. */
  readonly ordering?: Ordering;
  /** At most so many workloads run in it and beneath. */
  readonly runningLimit?: number;
  /** At most so many workloads wait in this leaf: `submit` refuses more. */
  readonly waitingLimit?: number;
  /** The stop policy is Hold or HoldAndDrain: nothing new is admitted in it or beneath. */
  readonly isHeld?: boolean;
}

/** What asks to be admitted. */
export interface WorkloadSpec {
  /** Unique in the tree; the last word of every tie, by code units. */
  readonly id: string;
  readonly queue: string;
  /** What starts together, as one vector: a gang's sum; of an elastic workload what it begins with. */
  readonly request: ResourceVector;
  /** Higher goes first; default 0. */
  readonly priority?: number;
  /** When it was submitted, ms: its age. */
  readonly since: number;
  /** What it can last at most when asked to go (decision 9), seconds; default Infinity. */
  readonly promiseSeconds?: number;
  /** Whether it may be asked to go at all (`Finish`, `Stop`); default false. */
  readonly isYieldable?: boolean;
  /** It does not end by itself, as an instance of a RunnerApp or a pod of a Deployment: nothing is held in the hope that it ends. Default false. */
  readonly isResident?: boolean;
  /** An elastic workload has steps above `request`, each admitted by itself. A scale change is a delta of steps. */
  readonly elastic?: {
    /** What one step asks for. */
    readonly step: ResourceVector;
    /** How many steps it wants above `request`. They wait until `request` is admitted. */
    readonly steps: number;
    /** It never shrinks below `request`; else it may be asked for all of it, once all steps are. Default false. */
    readonly keepsRequest?: boolean;
  };
}

/** The queue whose max, or the root whose capacity, is smaller than a request will ever be. */
export interface NeverFits {
  readonly queue: string;
  readonly resource: string;
  /** Units of the resource, see ResourceVector. */
  readonly requested: number;
  readonly most: number;
}

/** What becomes of something submitted. */
export type Submission =
  | { readonly state: "Waiting" }
  /** It is kept, and waits as soon as an edit or more capacity makes it possible. */
  | ({ readonly state: "NeverFits" } & NeverFits)
  /** It is not kept. */
  | { readonly state: "Refused"; readonly reason: "TooManyWaiting"; readonly limit: number }
  | { readonly state: "Refused"; readonly reason: "NotALeaf" };

/** One decision. */
export interface Admission {
  readonly id: string;
  readonly queue: string;
  /** `Start`: the workload itself; `Grow`: one step of it. */
  readonly kind: "Start" | "Grow";
  /** What is admitted with this decision. */
  readonly request: ResourceVector;
}

/** What a reclaim asks of one workload. */
export interface ReclaimAsk {
  readonly workload: string;
  /** The donor's leaf. */
  readonly queue: string;
  /** How many of its steps; absent: all of it. */
  readonly steps?: number;
  /** What it gives back with that. */
  readonly amount: ResourceVector;
}

/** A reclaim that would be enough. */
export interface Reclaim {
  /** The workload that waits: itself, or its growth. */
  readonly claimant: string;
  /** How many steps of an elastic claimant it is for, besides its request while that waits; absent = as many as the asks are enough for. */
  readonly steps?: number;
  readonly asks: readonly ReclaimAsk[];
}

/** The tree was asked for what cannot be; the message names the queue or the workload. */
export class QuotaError extends Error {
  override readonly name = "QuotaError";
}
