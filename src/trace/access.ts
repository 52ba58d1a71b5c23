import { createTokenReviewer, type TokenReviewerOptions } from "../runtime/token-review.ts";

/** What somebody wants to do with the trace. */
export type TraceVerb = "read" | "write";

/** Whether the bearer of a token may. `unauthenticated`: nobody knows the token. Rejects when that cannot be found out now. */
export type TraceAccess = (token: string, verb: TraceVerb) => Promise<"allowed" | "forbidden" | "unauthenticated">;

export interface TokenAccessOptions extends TokenReviewerOptions {
  /** User names such as system:serviceaccount:nuptse-system:nuptse, or group:<name>. */
  readonly writers: readonly string[];
  readonly readers: readonly string[];
}

/** Asks the API server who the bearer is, and compares that with those who may. */
export function createTokenAccess({ writers, readers, ...options }: TokenAccessOptions): TraceAccess {
  const bearerOf = createTokenReviewer(options);
  const allowed: Readonly<Record<TraceVerb, readonly string[]>> = { write: writers, read: readers };
  return async (token, verb) => {
    const user = await bearerOf(token);
    if (user === undefined) return "unauthenticated";
    const subjects = new Set([user.username, ...user.groups.map((group) => `group:${group}`)]);
    return allowed[verb].some((subject) => subjects.has(subject)) ? "allowed" : "forbidden";
  };
}
