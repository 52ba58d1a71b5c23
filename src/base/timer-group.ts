import type { Clock, Timer } from "./clock.ts";

/** The timers of one thing, which end together with it. */
export class TimerGroup {
  readonly #clock: Pick<Clock, "after">;
  readonly #timers = new Set<Timer>();
  #isClosed = false;

  constructor(clock: Pick<Clock, "after">) {
    this.#clock = clock;
  }

  /** As the clock's; once the group is closed nothing is due any more. */
  after(delayMs: number, action: () => void): Timer {
    if (this.#isClosed) return { cancel() {} };
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer);
      action();
    });
    this.#timers.add(timer);
    return timer;
  }

  /** Nothing that is due now happens; what is asked for later does. */
  cancel(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  /** Nothing happens any more. */
  close(): void {
    this.#isClosed = true;
    this.cancel();
  }
}
