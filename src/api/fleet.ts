import type { ExecutorProtocol } from "./executor.ts";
import type { LabelSelector } from "./label-selector.ts";
import type { ObjectRef } from "./meta.ts";

/** How the instances of a fleet take tasks: `executor` of a RunnerApp, with its defaults. */
export interface ExecutorSettings {
  readonly protocol: ExecutorProtocol;
  readonly port: number;
  /** "" or such as "/jobs": what stands before the protocol's own paths. */
  readonly path: string;
  /** Tasks at work at once on one instance. */
  readonly capacity: number;
  /** It answers a repeated task with the result of the first time, for at least 900 s after its end. */
  readonly remembers: boolean;
  readonly tokenSecretRef?: { readonly name: string; readonly key: string };
  /** The jobs that may use it, by their labels; absent = all of the namespace. */
  readonly allowedJobs?: LabelSelector;
}

/** One instance of a fleet. */
export interface FleetInstance {
  /** UID of its pod; its address where it has none. */
  readonly id: string;
  /** Of its pod; its address where it has none. */
  readonly name: string;
  /** Its IP; absent while it has none. */
  readonly address?: string;
  /** It takes new work. */
  readonly isReady: boolean;
  /** It has ended for good: nothing is at work on it any more. */
  readonly isOver: boolean;
}

/**
 * Whether an instance, by its id, has no pod: a machine of a fleet that somebody else runs. Nobody can tell when what is at work there has ended,
 * for it may go on while its address is listed nowhere. UIDs of pods have neither dots nor colons.
 */
export const hasNoPod = (id: string): boolean => /[.:]/.test(id);

/** A fleet that takes tasks, as it is now. */
export interface Fleet {
  readonly namespace: string;
  readonly name: string;
  readonly executor: ExecutorSettings;
  /** Somebody else runs it: its instances are those of a Service. */
  readonly isForeign?: true;
  /** All that exist, in the order in which items are dealt to them. */
  readonly instances: readonly FleetInstance[];
}

/**
 * A fleet, or why there is none: "missing" when there is no RunnerApp of that name, "noExecutor" when it takes no tasks, "unread" while it is not
 * known yet which instances it has.
 */
export type FoundFleet = Fleet | "missing" | "noExecutor" | "unread";

/** Port: where jobs learn of the fleets that take their tasks. */
export interface Fleets {
  fleet(ref: ObjectRef): FoundFleet;
}
