import type { ExecutorTarget } from "../../api/executor.ts";
import type { Clock } from "../../base/clock.ts";

interface Registration {
  readonly appName: string;
  readonly token: string;
  readonly at: number;
}

/** Executors beat every 30 s. */
const forgottenAfterMs = 90_000;
const mostAddresses = 10_000;
const longestAddress = 512;

/**
 * The names under which executors register their addresses. Nobody is dispatched to for having registered: who serves is told by Kubernetes. The
 * names are needed since executors from 3.5 on want to hear theirs.
 */
export class Registrations {
  readonly #clock: Clock;
  readonly #byAddress = new Map<string, Registration>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An executor that holds this token is at an address. */
  add(appName: string, address: string, token: string): void {
    // No header could carry another one.
    if (!/^[\x21-\x7e]{1,128}$/.test(appName) || address.length > longestAddress) return;
    const key = plainAddress(address);
    // At the end of the map, whose front is what was heard of least lately.
    this.#byAddress.delete(key);
    this.#byAddress.set(key, { appName, token, at: this.#clock.monotonic() });
    for (const oldest of this.#byAddress.keys()) {
      if (this.#byAddress.size <= mostAddresses) break;
      this.#byAddress.delete(oldest);
    }
  }

  /** It says that it leaves. */
  remove(address: string, token: string): void {
    const key = plainAddress(address);
    if (this.#byAddress.get(key)?.token === token) this.#byAddress.delete(key);
  }

  /** The name of an executor: as it registered with the token of its fleet, else the name of the RunnerApp. */
  nameOf({ app, baseUrl, token }: ExecutorTarget): string {
    const known = this.#byAddress.get(plainAddress(baseUrl));
    const isFresh = known !== undefined && this.#clock.monotonic() < known.at + forgottenAfterMs;
    return isFresh && known.token === token ? known.appName : app.slice(app.indexOf("/") + 1);
  }
}

const plainAddress = (address: string): string => address.replace(/\/+$/, "");
