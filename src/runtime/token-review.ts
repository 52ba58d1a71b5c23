import { createHash } from "node:crypto";
import type { KubeObject } from "../api/meta.ts";
import { tokenReviews } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import type { KubeClient } from "../kube/client.ts";

/** Whom the API server takes the bearer of a token for. */
export interface TokenUser {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** The bearer of a token; undefined = nobody knows the token. Rejects when that cannot be found out now. */
export type TokenReviewer = (token: string) => Promise<TokenUser | undefined>;

export interface TokenReviewerOptions {
  readonly client: Pick<KubeClient, "create">;
  readonly clock: Clock;
  /** Tokens must be meant for one of these; absent = those of the API server. */
  readonly audiences?: readonly string[];
}

interface TokenReview extends KubeObject {
  readonly spec: { readonly token: string; readonly audiences?: readonly string[] };
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: Partial<TokenUser>;
    readonly error?: string;
  };
}

interface Known {
  readonly user: TokenUser | undefined;
  readonly until: number;
}

/** A token that is withdrawn is refused at the latest so much later. */
const knownMs = 60_000;
const unknownMs = 10_000;
const mostKnown = 1000;

/** Asks the API server who the bearer is, and remembers the answer for a minute by the token's hash. */
export function createTokenReviewer({ client, clock, audiences }: TokenReviewerOptions): TokenReviewer {
  const known = new Map<string, Known>();
  const asking = new Map<string, Promise<Known>>();

  async function review(token: string): Promise<Known> {
    const { status } = await client.create<TokenReview>(tokenReviews, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: { name: "" },
      spec: { token, ...(audiences !== undefined && { audiences }) },
    });
    const { username, groups = [], ...more } = status?.user ?? {};
    if (status?.authenticated !== true || username === undefined) return { user: undefined, until: clock.monotonic() + unknownMs };
    return { user: { username, groups, ...more }, until: clock.monotonic() + knownMs };
  }

  return async (token) => {
    const key = createHash("sha256").update(token).digest("base64");
    const found = known.get(key);
    if (found !== undefined && found.until > clock.monotonic()) return found.user;
    const under = asking.get(key);
    if (under !== undefined) return (await under).user;
    const asked = review(token);
    asking.set(key, asked);
    try {
      const answer = await asked;
      known.delete(key);
      known.set(key, answer);
      if (known.size > mostKnown) known.delete(known.keys().next().value as string);
      return answer.user;
    } finally {
      asking.delete(key);
    }
  };
}

/** The token of an Authorization header; undefined when there is none in it. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer +(\S{1,16384})$/i.exec(header ?? "")?.[1];
}
