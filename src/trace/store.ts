import type { TraceAttempt, TraceRow, TraceState } from "../api/trace.ts";

/** One page of an answer. */
export interface TracePage<Row> {
  readonly rows: readonly Row[];
  /** The query's `cursor` for the page after this one; absent = there is none. */
  readonly next?: string;
}

/** What all queries have in common. Absent = no limit by that. Instants are milliseconds since the epoch. */
export interface TraceQuery {
  readonly namespace?: string;
  readonly job?: string;
  readonly run?: string;
  /** [from, to) of the end of an attempt, or of the change of a state. */
  readonly from?: number;
  readonly to?: number;
  /** Results of attempts, or states, any of which will do. */
  readonly results?: readonly string[];
  /** 1 to 1,000; absent = 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
}

export interface AttemptQuery extends TraceQuery {
  readonly item?: number;
}

/** Reads the event trace; every store gives the same answers. */
export interface TraceReader {
  /** Ended and skipped runs, newest first: the history of one job, or of all. */
  runs(query: TraceQuery): Promise<TracePage<TraceState>>;
  /** Attempts: newest first, but those of one run by item and attempt. */
  attempts(query: AttemptQuery): Promise<TracePage<TraceAttempt>>;
  /** All changes of state, newest first. */
  states(query: TraceQuery): Promise<TracePage<TraceState>>;
}

/** What is kept. */
export interface TraceRetention {
  /** Rows older than this go, milliseconds. */
  readonly maxAgeMs: number;
  /** The oldest rows beyond so many go, of each of the two tables. */
  readonly maxRows: number;
}

/** A place where rows are kept. */
export interface TraceStore extends TraceReader {
  /** Resolves once the rows are safe; those that are there already are ignored. Rejects with TraceRefused when trying again is no use. */
  append(rows: readonly TraceRow[]): Promise<void>;
  /** Removes what is no longer kept, in small steps; resolves to how many rows went. */
  prune(retention: TraceRetention, now: number): Promise<number>;
  close(): Promise<void>;
}

/** The store answered that it will never take these rows. */
export class TraceRefused extends Error {
  override readonly name = "TraceRefused";
}

/** A query that cannot be answered; the message says what would be right. */
export class TraceQueryError extends Error {
  override readonly name = "TraceQueryError";
}

/** Rows of a page when the query does not say. */
export const defaultPageRows = 100;
/** Rows of a page at most. */
export const mostPageRows = 1000;
