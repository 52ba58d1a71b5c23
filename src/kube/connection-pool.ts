import type { Client } from "undici";
import { UnreachableError } from "./errors.ts";

/** Makes a connection that carries one request at a time; it connects when it is first used, and again after it broke. */
export type ConnectionFactory = () => Client;

/**
 * A semaphore whose permits are connections: who holds one writes at once, so nothing ever waits inside of undici, where the fence of a
 * write could no longer be asked (decision 10). First come, first served, but for those that somebody waits for; the connection used last is used
 * next, so few stay warm.
 */
export class ConnectionPool {
  readonly #limit: number;
  readonly #make: ConnectionFactory;
  #members = new Set<Client>();
  #idle: Client[] = [];
  #busy = 0;
  /** Those that go before all others. */
  readonly #first: Waiting[] = [];
  readonly #waiting: Waiting[] = [];
  #waitingFrom = 0;
  #closed = false;

  constructor(limit: number, make: ConnectionFactory) {
    this.#limit = limit;
    this.#make = make;
  }

  /** How many requests wait for a connection. */
  get waiting(): number {
    return this.#first.length + this.#waiting.length - this.#waitingFrom;
  }

  /**
   * A connection to be given back by `release`. Rejects with UnreachableError when the pool is closed.
   * @param isPrompt it gets the next one that becomes free, before all that are not
   */
  acquire(isPrompt = false): Promise<Client> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#busy < this.#limit) {
      this.#busy++;
      return Promise.resolve(this.#take());
    }
    return new Promise((resolve, reject) => (isPrompt ? this.#first : this.#waiting).push({ resolve, reject }));
  }

  /** Gives a connection back; `broken` = it must not be used again, since something unsent may still hang on it. */
  release(client: Client, broken = false): void {
    if (!this.#members.has(client)) {
      endQuietly(client, broken);
    } else if (broken) {
      this.#members.delete(client);
      endQuietly(client, true);
    } else {
      this.#idle.push(client);
    }
    const next = this.#shift();
    if (next === undefined) this.#busy--;
    else next.resolve(this.#take());
  }

  /** Lets go of all connections, those in use after their request: new ones are made when they are needed. */
  renew(): void {
    for (const client of this.#idle) endQuietly(client, false);
    this.#idle = [];
    this.#members = new Set();
  }

  /** Breaks all connections; who waits is rejected. */
  close(): void {
    this.#closed = true;
    for (let next = this.#shift(); next !== undefined; next = this.#shift()) next.reject(closedError());
    for (const client of this.#members) endQuietly(client, true);
    this.#idle = [];
    this.#members.clear();
  }

  #take(): Client {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const client = this.#make();
    this.#members.add(client);
    return client;
  }

  #shift(): Waiting | undefined {
    if (this.#first.length > 0) return this.#first.shift();
    const next = this.#waiting[this.#waitingFrom];
    if (next === undefined) return undefined;
    this.#waitingFrom++;
    // a storm may queue thousands: the front is cut off now and then instead of moving all of them for each
    if (this.#waitingFrom > 1000 || this.#waitingFrom === this.#waiting.length) {
      this.#waiting.splice(0, this.#waitingFrom);
      this.#waitingFrom = 0;
    }
    return next;
  }
}

interface Waiting {
  readonly resolve: (client: Client) => void;
  readonly reject: (error: Error) => void;
}

/** Ends a connection whose fate interests nobody any more. */
export function endQuietly(client: Client, atOnce: boolean): void {
  (atOnce ? client.destroy() : client.close()).catch(() => undefined);
}

function closedError(): UnreachableError {
  return new UnreachableError("the connections to the API server are closed");
}
