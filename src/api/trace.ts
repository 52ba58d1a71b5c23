/** One attempt at an item, written once it has ended. Instants are milliseconds since the epoch. */
export interface TraceAttempt {
  readonly type: "attempt";
  readonly namespace: string;
  readonly job: string;
  readonly jobUid: string;
  readonly run: string;
  readonly item: number;
  /** Counts from 1. */
  readonly attempt: number;
  /** The pod's name, "" when it was never seen. */
  readonly pod: string;
  /** Why it ran: the run's kind (Schedule, Misfire, ...), or Failover once the item was lost before in this run. */
  readonly source: string;
  /** When its containers had started; absent when they never did. */
  readonly startedAt?: number;
  readonly endedAt: number;
  readonly success: boolean;
  /** Succeeded, Failed, Lost or Withdrawn. */
  readonly result: string;
  /** One word: Completed, Error, OOMKilled, NodeGone, ... */
  readonly reason: string;
  readonly exitCode?: number;
  /** What the program or the kubelet said, at most 4,000 characters; "" for a success. */
  readonly failureCause: string;
  /** The node's name, "" when it had none. */
  readonly host: string;
  /** The pod's address, "" when it had none. */
  readonly ip: string;
}

/** One change of state of a run, or of some of its items, as the status recorded it. */
export interface TraceState {
  readonly type: "state";
  readonly namespace: string;
  readonly job: string;
  readonly jobUid: string;
  readonly run: string;
  /** What changed: the run as a whole, or the items that are named. */
  readonly scope: "Run" | "Items";
  /** An interval set; of a run all its items. */
  readonly items: string;
  /** Of a run: Waiting, Running, Succeeded, Failed, Cancelled, Skipped. Of items: Running, Succeeded, Failed. */
  readonly state: string;
  readonly reason: string;
  /** At most 1,024 characters. */
  readonly message: string;
  readonly at: number;
  /** The run's kind. */
  readonly source: string;
  readonly fireTime?: number;
  /** The figures of a run, as far as they are known at this change. */
  readonly startedAt?: number;
  readonly total?: number;
  readonly succeeded?: number;
  readonly failed?: number;
  /** Attempts that were lost and made again. */
  readonly lost?: number;
}

export type TraceRow = TraceAttempt | TraceState;

/** Where the rows of the event trace go. Never throws, never waits; a row that comes twice is kept once. */
export interface TraceSink {
  write(rows: readonly TraceRow[]): void;
}

/** Characters of a failure's cause that are kept. */
export const longestFailureCause = 4000;
/** Characters of a state's message that are kept. */
export const longestStateMessage = 1024;

/** The states in which a run stays. */
export const finalRunStates: readonly string[] = ["Succeeded", "Failed", "Cancelled", "Skipped"];
