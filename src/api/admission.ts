import type { QueueChoice } from "./queue-access.ts";

/** Amounts by resource, in the whole units of quota/resource-vector.ts. */
export type Amounts = Readonly<Record<string, number>>;

/** What the owner of a workload agrees to at submission (api.md section 2). */
export type OnReclaim = "Refuse" | "Finish" | "Stop";

/** The object that a workload belongs to: that of which people speak. */
export interface WorkloadOwner {
  /** Such as ElasticJob. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * A workload as its owner sees it at this moment: a number of equal items, of which some begin together and the others one by one. It is
 * declared anew, as a whole, at each look at the owner; declaring the same twice changes nothing.
 */
export interface WorkloadWant {
  /** Names it among those of its owner, for good: the run of an ElasticJob. */
  readonly part: string;
  readonly queue: string;
  /** -1000 to 1000. */
  readonly priority: number;
  /** Since when it waits, wall time in milliseconds. */
  readonly since: number;
  /** What one item requests, as its template tells; pods that exist correct it. */
  readonly item: Amounts;
  /** Items that begin together, at least 1. */
  readonly atLeast: number;
  /** Items that it would have at work now if it could, those that are among them. */
  readonly wanted: number;
  /** Items at work. */
  readonly atWork: number;
  /** Items that stand as admitted where they survive a restart: in its status, or on its pods. */
  readonly recorded: number;
  readonly onReclaim: OnReclaim;
  /** What it can last at most from its admission on (decision 9), seconds; Infinity = for ever. */
  readonly promiseSeconds: number;
  /** It does not end by itself. */
  readonly resident?: boolean;
}

/** What admitted pods need to run on the nodes of their tree. */
export interface PoolFields {
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly {
    readonly key?: string;
    readonly operator: "Exists" | "Equal";
    readonly value: string;
    readonly effect?: string;
  }[];
}

/** The part under which the instances of a RunnerApp ask for their share. */
export const fleetPart = "fleet";

/** What has been decided about a workload. */
export interface AdmissionAnswer {
  /** Items that may be at work. Fewer than are: some are to go, in the way that was agreed to. */
  readonly allowed: number;
  /** Why no more are allowed, once that is decided; absent while nothing is, and when all that is wanted is allowed. */
  readonly waits?: {
    readonly reason: string;
    readonly message: string;
    /** It can never be admitted as it is: it must not wait for ever. */
    readonly never?: true;
  };
  /** Set while some are asked back. `deadline` in milliseconds. */
  readonly reclaim?: { readonly claimant: string; readonly deadline: number };
  readonly pool?: PoolFields;
  /** Pods that find no node for so long are withdrawn with all that waits beside them, milliseconds. */
  readonly unschedulableMs: number;
}

/**
 * Where workloads ask for their share. Answers come later: whoever connected is told the owner, and asks again. Everything is kept in memory; after
 * a restart owners declare what they have.
 */
export interface Admission {
  /**
   * The queue of workloads of a namespace that name this one, or none; a refusal says why there is none. undefined = they do without: they name
   * none, and none is the namespace's default.
   */
  queueFor(namespace: string, named: string | undefined): QueueChoice | undefined;
  /** All workloads of an owner; what was declared before and is missing now is over, and gives back what it has. */
  declare(owner: WorkloadOwner, wants: readonly WorkloadWant[]): void;
  /** The owner is gone, and all its workloads with it. */
  forget(ownerUid: string): void;
  /** By `part`. */
  answersFor(ownerUid: string): ReadonlyMap<string, AdmissionAnswer>;
  /** The owner will not give back what was asked of one of its workloads. */
  decline(ownerUid: string, part: string): void;
}
