import type { Clock } from "../../base/clock.ts";
import { fnv1a32 } from "../../base/hash.ts";

/** A port is not given to another app for so long after it was freed: clients and gateways may still take it for the old one (decision 55). */
const coolingMs = 60_000;

interface Hold {
  /** Of a service of an app: see {@link claimOf}. */
  readonly claim: string;
  /** In monotonic milliseconds. */
  readonly until: number;
}

/** A service of an app, by the app's UID. */
export const claimOf = (appUid: string, service: string): string => `${appUid}/${service}`;

/**
 * What statuses do not show of the ports of the gateways: who is about to get one, so that two apps that are planned side by side do not choose the same,
 * and which were freed a moment ago. It is forgotten with the process. What a forerunner freed in its last minute is not known then, so in the first minute
 * of a term the search begins where nobody else's is likely to have begun.
 */
export class PortLedger {
  readonly #clock: Clock;
  readonly #holds = new Map<number, Hold>();
  #begunAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** This process leads from now on. */
  beginTerm(): void {
    this.#begunAt = this.#clock.monotonic();
    this.#holds.clear();
  }

  /** Where an app's search for a port begins. */
  offsetFor(appUid: string): number {
    const isEarly = this.#begunAt !== undefined && this.#clock.monotonic() < this.#begunAt + coolingMs;
    return isEarly ? fnv1a32(appUid) : 0;
  }

  /** The service is about to have the port in its app's status, or had it until a moment ago. */
  hold(port: number, claim: string): void {
    if (!this.isHeld(port, claim)) this.#holds.set(port, { claim, until: this.#clock.monotonic() + coolingMs });
  }

  /** Whether another one holds it. */
  isHeld(port: number, byOtherThan: string): boolean {
    const hold = this.#holds.get(port);
    if (hold === undefined) return false;
    if (hold.until > this.#clock.monotonic()) return hold.claim !== byOtherThan;
    this.#holds.delete(port);
    return false;
  }
}
