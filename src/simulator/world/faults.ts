import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { Range } from "./range.ts";

/** Every kind of fault that the world knows, by the name under which it is counted. */
export const faultClasses = [
  /** The process dies before, or after, a write reached the API server. */
  "crashBeforeWrite",
  "crashAfterWrite",
  /** The process stands still and goes on later, not knowing that it was deposed. */
  "paused",
  /** Answers of the API server without anything having been done. */
  "conflict409",
  "throttled429",
  "internal500",
  /** 504: by chance it was done, or not. */
  "timeout504",
  "connectionRefused",
  "timedOutNotDone",
  "timedOutDone",
  /** A write that passed the fence and is executed seconds later, perhaps after the lease went to somebody else. */
  "delayedWrite",
  /** A list that is old when it arrives, so that lists of two kinds show two instants. */
  "listsApart",
  "watchStalled",
  "watchDropped",
  "watchDuplicated",
  "watchReordered",
  "watchExpired",
  "watchBroken",
  "clockOffset",
  "nodeLost",
  "nodePartitioned",
  "nodeDeleted",
  "nodeReturned",
  "evicted",
  "slowStart",
  "itemCrashed",
  "outOfMemory",
  "imagePull",
] as const;

export type FaultClass = (typeof faultClasses)[number];

/** A fault that waits for its opportunity: it strikes once, at the first request, event or pod that it fits. */
export interface ArmedFault {
  readonly class: FaultClass;
  /** Absent = whichever process comes first. */
  readonly process?: string;
  /** Aimed: only the process's write with this number, from 1. */
  readonly write?: number;
  /** Only this kind, by its plural. */
  readonly resource?: string;
  /** The request class that it may strike; absent = "writes" but for the lease's. */
  readonly scope?: "writes" | "leases" | "reads";
  /** The process stands still for so long from then on: what it sent is executed when somebody else leads. */
  readonly thenPausedMs?: number;
}

/** The death of a process, as its transport tells it. Whoever runs the process stops it; its requests fail with this from then on. */
export class CrashSignal extends Error {
  override readonly name = "CrashSignal";
  readonly process: string;

  constructor(process: string, where: string) {
    super(`process ${process} crashed ${where}`);
    this.process = process;
  }
}

export interface FaultsOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The client library's errors, which the world may not import. */
  readonly errors: {
    /** The request may have been executed. */
    readonly timedOut: (what: string) => Error;
    /** The request was surely not sent. */
    readonly unreachable: (what: string) => Error;
  };
  /** What every request takes, in milliseconds; absent = 1 to 10. */
  readonly latencyMs?: Range;
  /** What every watch event takes; each watch adds a constant of its own drawn from it. Absent = 0 to 100. */
  readonly watchLagMs?: Range;
}

/**
 * What may go wrong between a process and the API server. Faults are armed, by a schedule or aimed by a test, and strike at the next
 * opportunity; each that struck is counted. All chance comes from `random`, so a seed gives the same faults again.
 */
export class Faults {
  readonly options: FaultsOptions;
  readonly #armed: ArmedFault[] = [];
  readonly #counts = new Map<FaultClass, number>();
  #stopped = false;

  constructor(options: FaultsOptions) {
    this.options = options;
  }

  arm(fault: ArmedFault): void {
    this.#armed.push(fault);
  }

  /** The first armed fault that fits, which is thereby used up and counted. */
  take(fits: (fault: ArmedFault) => boolean): ArmedFault | undefined {
    if (this.#stopped) return undefined;
    const index = this.#armed.findIndex(fits);
    const fault = this.#armed[index];
    if (fault === undefined) return undefined;
    this.#armed.splice(index, 1);
    this.count(fault.class);
    return fault;
  }

  /** Whether any fault is armed: the common case is none, and must cost nothing. */
  get isArmed(): boolean {
    return this.#armed.length > 0 && !this.#stopped;
  }

  /** Counts a fault that struck elsewhere. */
  count(fault: FaultClass): void {
    this.#counts.set(fault, (this.#counts.get(fault) ?? 0) + 1);
  }

  /** How often one class struck. */
  countOf(fault: FaultClass): number {
    return this.#counts.get(fault) ?? 0;
  }

  /** How often each class struck. */
  counts(): Readonly<Record<FaultClass, number>> {
    return Object.fromEntries(faultClasses.map((name) => [name, this.#counts.get(name) ?? 0])) as Record<FaultClass, number>;
  }

  /** The classes that never struck: a seed counts only when there are none. */
  missing(): readonly FaultClass[] {
    return faultClasses.filter((name) => !this.#counts.has(name));
  }

  /** No fault strikes from now on; stalls and pauses under way end by themselves. */
  stop(): void {
    this.#stopped = true;
    this.#armed.length = 0;
  }
}
