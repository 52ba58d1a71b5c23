/**
 * There is one installation a cluster: the kinds, the policies and the names of all that is made exist once. Leases cannot tell two installations apart,
 * since each has one of its own, so the definition of ElasticJobs says in an annotation whose cluster it is: `<namespace>/<name>` of that
 * installation's Lease (decision 52).
 *
 * A claim is void when nobody has renewed that Lease for `abandonedMs`, or it is not there, and nothing was written to it while it was watched for
 * `watchMs`. Whoever takes a void claim waits for `handOverMs` before it acts: whoever still works for the older installation looks at
 * the claim every `lookMs`, and ends.
 */
import type { Lease } from "../api/core.ts";
import { parseTime } from "../base/time.ts";

export const claimTimings = {
  /** Longer than pods of an operator are away while they move or are upgraded. */
  abandonedMs: 300_000,
  /** Longer than a lease lasts without a renewal, and than whoever took a claim waits before it makes its own. */
  watchMs: 30_000,
  /** Between two looks at the Lease of another installation. */
  watchStepMs: 2000,
  /** Between two looks at the claim by those who hold it. */
  lookMs: 10_000,
  /** Two looks. */
  handOverMs: 20_000,
} as const;

/** Whose cluster it is. */
export type Claimed =
  | { readonly by: "nobody" }
  | { readonly by: "us" }
  | { readonly by: "other"; readonly namespace: string; readonly name: string }
  | { readonly by: "unreadable" };

/** Reads the annotation; `ours` is what we write there. */
export function readClaim(value: string | undefined, ours: string): Claimed {
  if (value === undefined || value === "") return { by: "nobody" };
  if (value === ours) return { by: "us" };
  const { namespace, name } = /^(?<namespace>[a-z0-9-]+)\/(?<name>[a-z0-9.-]+)$/.exec(value)?.groups ?? {};
  return namespace === undefined || name === undefined ? { by: "unreadable" } : { by: "other", namespace, name };
}

/** What was seen of another installation's Lease while it is watched. */
export interface WatchedLease {
  /** Its resourceVersion; "" = it is not there. */
  readonly version: string;
  /** Since when it is that one, by our monotonic clock. */
  readonly since: number;
}

export type HolderVerdict =
  /** Somebody writes to its Lease. */
  { readonly kind: "alive" } | { readonly kind: "gone" } | { readonly kind: "unknown"; readonly watched: WatchedLease };

/**
 * Judges another installation by its Lease, read just now; undefined = there is none. `watched` is what the look before said, undefined for the first look and
 * after one that failed: a standstill of the API server is none of the installation. `serverNow` is in milliseconds, undefined while unknown.
 */
export function judgeHolder(
  watched: WatchedLease | undefined,
  lease: Lease | undefined,
  now: { readonly monotonic: number; readonly server: number | undefined },
): HolderVerdict {
  const version = lease?.metadata.resourceVersion ?? "";
  if (watched !== undefined && watched.version !== version && lease !== undefined) return { kind: "alive" };
  if (watched?.version !== version) return { kind: "unknown", watched: { version, since: now.monotonic } };
  const longAgo = lease === undefined || (now.server !== undefined && now.server - renewedAt(lease) >= claimTimings.abandonedMs);
  return longAgo && now.monotonic - watched.since >= claimTimings.watchMs ? { kind: "gone" } : { kind: "unknown", watched };
}

/** A Lease that was never renewed was so long ago. */
const renewedAt = ({ spec }: Lease): number => parseTime(spec?.renewTime) ?? Number.NEGATIVE_INFINITY;
