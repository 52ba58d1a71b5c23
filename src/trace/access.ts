import { createHash } from "node:crypto";
import type { KubeObject } from "../api/meta.ts";
import { tokenReviews } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import type { KubeClient } from "../kube/client.ts";

/** What somebody wants to do with the trace. */
export type TraceVerb = "read" | "write";

/** Whether the bearer of a token may. `unauthenticated`: nobody knows the token. Rejects when that cannot be found out now. */
export type TraceAccess = (token: string, verb: TraceVerb) => Promise<"allowed" | "forbidden" | "unauthenticated">;

export interface TokenAccessOptions {
  readonly client: Pick<KubeClient, "create">;
  readonly clock: Clock;
  /** User names such as system:serviceaccount:nuptse-system:nuptse, or group:<name>. */
  readonly writers: readonly string[];
  readonly readers: readonly string[];
  /** Tokens must be meant for one of these; absent = those of the API server. */
  readonly audiences?: readonly string[];
}

interface TokenReview extends KubeObject {
  readonly spec: { readonly token: string; readonly audiences?: readonly string[] };
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: { readonly username?: string; readonly groups?: readonly string[] };
    readonly error?: string;
  };
}

interface Known {
  /** Names the bearer answers to; undefined = unauthenticated. */
  readonly subjects: ReadonlySet<string> | undefined;
  readonly until: number;
}

/** A token that is withdrawn is refused at the latest so much later. */
const knownMs = 60_000;
const unknownMs = 10_000;
const mostKnown = 1000;

/** Asks the API server who the bearer is, and remembers the answer for a minute by the token's hash. */
export function createTokenAccess({ client, clock, writers, readers, audiences }: TokenAccessOptions): TraceAccess {
  const known = new Map<string, Known>();
  const asking = new Map<string, Promise<Known>>();
  const allowed: Readonly<Record<TraceVerb, readonly string[]>> = { write: writers, read: readers };

  async function review(token: string): Promise<Known> {
    const { status } = await client.create<TokenReview>(tokenReviews, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: { name: "" },
      spec: { token, ...(audiences !== undefined && { audiences }) },
    });
    if (status?.authenticated !== true || status.user?.username === undefined)
      return { subjects: undefined, until: clock.monotonic() + unknownMs };
    const groups = status.user.groups?.map((group) => `group:${group}`) ?? [];
    return { subjects: new Set([status.user.username, ...groups]), until: clock.monotonic() + knownMs };
  }

  async function bearerOf(token: string): Promise<Known> {
    const key = createHash("sha256").update(token).digest("base64");
    const found = known.get(key);
    if (found !== undefined && found.until > clock.monotonic()) return found;
    const under = asking.get(key);
    if (under !== undefined) return under;
    const asked = review(token);
    asking.set(key, asked);
    try {
      const answer = await asked;
      known.delete(key);
      known.set(key, answer);
      if (known.size > mostKnown) known.delete(known.keys().next().value as string);
      return answer;
    } finally {
      asking.delete(key);
    }
  }

  return async (token, verb) => {
    const { subjects } = await bearerOf(token);
    if (subjects === undefined) return "unauthenticated";
    return allowed[verb].some((subject) => subjects.has(subject)) ? "allowed" : "forbidden";
  };
}
