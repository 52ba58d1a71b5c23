import type { Clock, Timer } from "../../../base/clock.ts";
import type { ControllerClient } from "./owned.ts";

/** Work by key: what is asked for many times before it is done is done once, a moment later. */
export class KeyedWork {
  readonly #later: (action: () => void) => Timer;
  readonly #act: (key: string) => void;
  readonly #client: Pick<ControllerClient, "busy">;
  readonly #waiting = new Set<string>();

  /** @param client whose writes must be over before anything is done: the outcome of those that wait for webhooks is not to be seen yet */
  constructor(later: (action: () => void) => Timer, act: (key: string) => void, client: Pick<ControllerClient, "busy">) {
    this.#later = later;
    this.#act = act;
    this.#client = client;
  }

  enqueue(key: string): void {
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    this.#later(() => {
      this.#waiting.delete(key);
      const busy = this.#client.busy();
      if (busy === undefined) this.#act(key);
      else void busy.then(() => this.enqueue(key));
    });
  }
}

/** Looks at keys again later; of two times for one key the nearer counts. */
export class Rechecks {
  readonly #clock: Pick<Clock, "after" | "now">;
  readonly #act: (key: string) => void;
  readonly #timers = new Map<string, { readonly due: number; readonly timer: Timer }>();

  constructor(clock: Pick<Clock, "after" | "now">, act: (key: string) => void) {
    this.#clock = clock;
    this.#act = act;
  }

  /** @param due the wall time in milliseconds since the epoch */
  at(key: string, due: number): void {
    const armed = this.#timers.get(key);
    if (armed !== undefined && armed.due <= due) return;
    armed?.timer.cancel();
    // a timer takes no more than 24 days; then it is looked at, and armed again
    const wait = Math.min(Math.max(0, due - this.#clock.now()), 2 ** 31 - 1);
    const timer = this.#clock.after(wait, () => {
      this.#timers.delete(key);
      this.#act(key);
    });
    this.#timers.set(key, { due, timer });
  }

  close(): void {
    for (const { timer } of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
