import type { TraceRow } from "../api/trace.ts";
import type { QueryKind } from "./query.ts";
import type { AttemptQuery, TraceRetention } from "./store.ts";

/** What the thread is asked to do. */
export type SqliteRequest =
  | { readonly call: "append"; readonly rows: readonly TraceRow[] }
  | { readonly call: "query"; readonly kind: QueryKind; readonly query: AttemptQuery }
  | { readonly call: "prune"; readonly retention: TraceRetention; readonly now: number }
  | { readonly call: "close" };

/** A request with the number that its answer carries. */
export interface NumberedRequest {
  readonly id: number;
  readonly request: SqliteRequest;
}

/** The answer: a value, or what went wrong. */
export interface SqliteAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly message: string; readonly isQuery: boolean };
}
