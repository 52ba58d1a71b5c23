import type { TenantQueue, TenantQueueStatusReclaim } from "../../../api/tenant-queue.gen.ts";
import { parseTime } from "../../../base/time.ts";

/** One request to give back, as status has told of it. Instants are milliseconds since the epoch. */
export interface ReclaimFacts {
  readonly id: string;
  /** The workload that was asked, `<ref>/<part>` of status, and its queue. */
  readonly donor: string;
  readonly queue: string;
  /** Told of like the donor. Absent = its queue is drained. */
  readonly claimant?: string;
  readonly target: number;
  readonly requestedAt: number;
  readonly firstSeenAt: number;
  state: TenantQueueStatusReclaim["state"];
}

/** All requests that stood in the status of queues. */
export class ReclaimHistory {
  readonly #records = new Map<string, ReclaimFacts>();

  get all(): Iterable<ReclaimFacts> {
    return this.#records.values();
  }

  /** Takes a stored queue in. Returns the requests of which it is the first to tell. */
  observe({ metadata, status }: TenantQueue, now: number): readonly ReclaimFacts[] {
    const fresh: ReclaimFacts[] = [];
    const standing = new Set(status?.reclaims?.map(keyOf));
    // What is asked again, or was told for long enough, stands there no more.
    for (const [key, facts] of this.#records)
      if (facts.queue === metadata.name && isOpen(facts) && !standing.has(key)) facts.state = "Withdrawn";
    for (const reclaim of status?.reclaims ?? []) {
      const key = keyOf(reclaim);
      const known = this.#records.get(key);
      if (known !== undefined) {
        known.state = reclaim.state;
        continue;
      }
      const facts: ReclaimFacts = {
        id: reclaim.id,
        donor: `${reclaim.workload?.ref}/${reclaim.workload?.part}`,
        queue: metadata.name,
        ...(reclaim.claimant?.ref !== undefined && { claimant: `${reclaim.claimant.ref}/${reclaim.claimant.part}` }),
        target: reclaim.target ?? 0,
        requestedAt: parseTime(reclaim.requestedAt) ?? 0,
        firstSeenAt: now,
        state: reclaim.state,
      };
      this.#records.set(key, facts);
      fresh.push(facts);
    }
    return fresh;
  }
}

const keyOf = ({ id, requestedAt }: TenantQueueStatusReclaim): string => `${id} ${requestedAt}`;

export const isOpen = ({ state }: ReclaimFacts): boolean => state === "Requested" || state === "Acknowledged";
