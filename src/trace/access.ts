import type { TokenAccess } from "../runtime/token-access.ts";

/** What somebody wants to do with the trace. */
export type TraceVerb = "read" | "write";

/** Whether the bearer of a token may. */
export type TraceAccess = TokenAccess<TraceVerb>;
