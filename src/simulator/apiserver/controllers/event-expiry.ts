import type { Clock, Timer } from "../../../base/clock.ts";
import { coreEvents, resourcePath } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";

const lifeMs = 3_600_000;
/** Events are looked at in batches: nobody waits for them to go. */
const pauseMs = 60_000;

/** Events live for an hour after their last change, as etcd's leases make them. */
export class EventExpiry {
  readonly #server: ApiServer;
  readonly #clock: Clock;
  /** Oldest change first: a change moves an event to the end. */
  readonly #due = new Map<string, { readonly namespace: string; readonly name: string; readonly at: number }>();
  #timer: Timer | undefined;

  constructor(server: ApiServer, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
  }

  observe(commit: Commit): void {
    if (commit.resource !== coreEvents) return;
    const { namespace = "", name } = commit.object.metadata;
    const key = `${namespace}/${name}`;
    this.#due.delete(key);
    if (commit.type === "DELETED") return;
    this.#due.set(key, { namespace, name, at: this.#clock.now() + lifeMs });
    this.#arm();
  }

  /** Lets everything live on. */
  close(): void {
    this.#due.clear();
    this.#timer?.cancel();
  }

  #arm(): void {
    const first = this.#due.values().next().value;
    if (this.#timer !== undefined || first === undefined) return;
    this.#timer = this.#clock.after(Math.max(pauseMs, first.at - this.#clock.now()), () => {
      this.#timer = undefined;
      this.#expire();
      this.#arm();
    });
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const { namespace, name, at } of [...this.#due.values()]) {
      if (at > now) break;
      this.#server.handle({ method: "DELETE", path: resourcePath(coreEvents, namespace, name), userAgent: "kube-apiserver/embedded" });
    }
  }
}
