import type { TenantQueue } from "../../api/tenant-queue.gen.ts";
import type { ResourceVector } from "../../quota/resource-vector.ts";
import type { Span } from "./arrivals.ts";

// What a simulation leaves behind: facts that its API server saw, of which all figures are made. Instants in milliseconds since 1970.

/** A pod from its creation to the end of its program. */
export interface PodRecord {
  readonly from: number;
  /** Absent = it is at work at the end. */
  to?: number;
  succeeded: boolean;
  readonly request: ResourceVector;
}

/** One run: an arrival of a workload, or a fire time of a job that was given. */
export interface RunRecord {
  /** "namespace/name" of the workload, or of the job. */
  readonly source: string;
  /** Absent = of none, or not known. */
  queue?: string;
  readonly arrivedAt: number;
  items: number;
  /** Items at work at once. */
  parallelism: number;
  /** Items that begin together. */
  minCount: number;
  /** Of one item. */
  readonly request: ResourceVector;
  readonly pods: PodRecord[];
  endedAt?: number;
  phase?: string;
  /** Why it waits, or has failed. */
  reason?: string | undefined;
  message?: string | undefined;
}

/** What a queue had from an instant on. */
export interface QueueFact {
  readonly at: number;
  readonly guaranteed: ResourceVector;
  /** Of a root. */
  readonly capacity: ResourceVector;
}

/** A request to give back, as it is at the end. */
export interface ReclaimFact {
  /** Of who is asked. */
  readonly queue: string;
  /** Of whom it is asked for; the same = the queue drains itself. */
  readonly claimantQueue: string;
  state: string;
  isOverdue: boolean;
}

export interface Recording {
  readonly span: Span;
  readonly runs: readonly RunRecord[];
  /** As they were at the end. */
  readonly queues: readonly TenantQueue[];
  /** By queue, ascending. */
  readonly facts: ReadonlyMap<string, readonly QueueFact[]>;
  readonly reclaims: readonly ReclaimFact[];
}
