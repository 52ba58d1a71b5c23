import { shortHash } from "../base/hash.ts";
import type { TenantQueueStatus } from "./tenant-queue.gen.ts";

/** Amounts by resource as quantities; nuptse.dev/workloads counts workloads, see spec.limits.running of a TenantQueue. */
export type QuantityTexts = Readonly<Record<string, string>>;

/** A workload that stands in the way of another, or is asked to give back. */
export interface NamedWork {
  /** Its leaf. */
  readonly queue: string;
  /** {@link workRef} of its owner: whoever may get the owner knows its UID, and so finds the name to it. Absent where the UID is not known. */
  readonly ref?: string;
  /** The rest is for those only who may get the owner. */
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** The run of an ElasticJob. */
  readonly part?: string;
}

/** Where a queue stands among its siblings, for one resource; the lower is decided first. */
export interface Standing {
  readonly queue: string;
  readonly resource: string;
  /** `Guarantee`: below its guarantee, level = used / guaranteed; `Share`: level = used / capacity / weight; `Rest`: weight 0, used / capacity. */
  readonly tier: "Guarantee" | "Share" | "Rest";
  readonly level: number;
  readonly used: string;
}

/** Room that is lacking in a queue of the path: in its max, or in the root's capacity. */
export interface RoomLack {
  readonly queue: string;
  readonly resource: string;
  readonly requested: string;
  /** What is free, less what is kept for claims. */
  readonly free: string;
  /** The leaves that have most of it: those that borrow first, at most five. */
  readonly holders: readonly { readonly queue: string; readonly used: string; readonly borrowed: string }[];
}

/** Why a workload waits, or waits for more. Instants are RFC 3339. */
export interface WaitingWork {
  /** The run of an ElasticJob. */
  readonly part: string;
  readonly queue: string;
  readonly priority: number;
  readonly since: string;
  /** Items that it may have at work, of those that it wants. */
  readonly allowed: number;
  readonly wanted: number;
  /** As it stands in status. */
  readonly reason?: string;
  readonly message?: string;
  /** From 1, by the ordering of the leaf; absent when it has no place in a tree. */
  readonly position?: number;
  /** The queue of the path in which nothing new is admitted: its stop policy, or what it owes since a reclaim is overdue. */
  readonly stoppedBy?: { readonly queue: string; readonly reason: "Held" | "Frozen" };
  readonly neverFits?: { readonly queue: string; readonly resource: string; readonly requested: string; readonly most: string };
  /** What is decided before it, and the queue under which the two paths part; without sides it is the same leaf. Absent: it is next. */
  readonly loses?: { readonly to: NamedWork; readonly under: string; readonly own?: Standing; readonly other?: Standing };
  readonly lacks: readonly RoomLack[];
  /** Guarantees that are lent for so many seconds, or fewer, would be over the capacity by so much: no borrower may stay so long. */
  readonly lacksConsent: readonly { readonly resource: string; readonly lentSeconds: number; readonly over: string }[];
  /** Of 64, by how much others passed it while capacity is held for it: 1 for yieldable, 4 for other work. */
  readonly passed: number;
  /** What others are asked to give back for it. */
  readonly reclaims: readonly {
    readonly from: NamedWork;
    readonly resources: QuantityTexts;
    readonly state: "Requested" | "Acknowledged";
    readonly deadline: string;
    readonly overdue: boolean;
  }[];
  /** It is itself asked to give back for another queue, and gets no more meanwhile. */
  readonly gives?: { readonly claimant: string; readonly deadline: string };
}

/** The answer of `GET /v1/why`. */
export interface WhyAnswer {
  readonly at: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Those that wait, or wait for more, by age. */
  readonly workloads: readonly WaitingWork[];
}

/** A queue as of now, in the words of a TenantQueue's status. */
export interface LiveQueue {
  readonly name: string;
  readonly status: Pick<
    TenantQueueStatus,
    "capacity" | "used" | "fairShare" | "borrowed" | "lent" | "admitted" | "waiting" | "oldestWaitSince" | "head"
  >;
}

/** One in the line of a leaf. */
export interface QueuedWork {
  readonly position: number;
  readonly work: NamedWork;
  readonly priority: number;
  readonly since: string;
  readonly allowed: number;
  readonly wanted: number;
}

/** The answer of `GET /v1/queue`. */
export interface QueueAnswer {
  readonly at: string;
  /** The queue that was asked for, and all below it. */
  readonly queues: readonly LiveQueue[];
  /** Of a leaf the first 20 that wait, in their order. */
  readonly line: readonly QueuedWork[];
}

/**
 * Stands for an object by its UID. UIDs are random numbers of 122 bits, so nobody finds the UID from it; who knows the UID knows what it stands
 * for.
 */
export const workRef = (uid: string): string => shortHash(`nuptse.dev/work ${uid}`, 16);
