import { createTokenReviewer, type TokenReviewerOptions } from "./token-review.ts";

/** Whether the bearer of a token may. `unauthenticated`: nobody knows the token. Rejects when that cannot be found out now. */
export type TokenAccess<Verb extends string> = (token: string, verb: Verb) => Promise<"allowed" | "forbidden" | "unauthenticated">;

export interface TokenAccessOptions<Verb extends string> extends TokenReviewerOptions {
  /** Who may do what: user names such as system:serviceaccount:nuptse-system:nuptse, or group:<name>. */
  readonly allowed: Readonly<Record<Verb, readonly string[]>>;
}

/** Asks the API server who the bearer is, and compares that with those who may. */
export function createTokenAccess<Verb extends string>({ allowed, ...options }: TokenAccessOptions<Verb>): TokenAccess<Verb> {
  const bearerOf = createTokenReviewer(options);
  return async (token, verb) => {
    const user = await bearerOf(token);
    if (user === undefined) return "unauthenticated";
    const subjects = new Set([user.username, ...user.groups.map((group) => `group:${group}`)]);
    return allowed[verb].some((subject) => subjects.has(subject)) ? "allowed" : "forbidden";
  };
}
