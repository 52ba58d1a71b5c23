import { type Clock, sleepWith, type Timer } from "./clock.ts";
import { Heap } from "./heap.ts";

interface Entry {
  readonly due: number;
  readonly order: number;
  readonly action: () => void;
  cancelled: boolean;
}

/**
 * Time that stands still until somebody moves it: it jumps from timer to timer. Timers due at the same instant fire in the order in
 * which they were set, so a run is a function of its inputs alone.
 */
export class VirtualClock implements Clock {
  readonly sleep: Clock["sleep"];
  #now: number;
  readonly #origin: number;
  #order = 0;
  readonly #timers = new Heap<Entry>((a, b) => a.due - b.due || a.order - b.order);

  /** @param start wall time in milliseconds since the epoch */
  constructor(start: number) {
    this.#now = Math.floor(start);
    this.#origin = this.#now;
    this.sleep = sleepWith((delayMs, action) => this.after(delayMs, action));
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#origin;
  }

  after(delayMs: number, action: () => void): Timer {
    // Whole milliseconds, rounded up as real timers are: a fraction too small to move a number of this size would stand still for ever.
    const entry: Entry = { due: this.#now + Math.ceil(Math.max(0, delayMs)), order: this.#order++, action, cancelled: false };
    this.#timers.push(entry);
    return {
      cancel: () => {
        entry.cancelled = true;
      },
    };
  }

  /** The instant of the next timer, or undefined when nothing is armed. */
  nextDue(): number | undefined {
    this.#dropCancelled();
    return this.#timers.peek()?.due;
  }

  /** Moves to the next timer and fires it; false, and time unchanged, when there is none at or before `limit`. */
  step(limit = Number.POSITIVE_INFINITY): boolean {
    this.#dropCancelled();
    const next = this.#timers.peek();
    if (next === undefined || next.due > limit) return false;
    this.#timers.pop();
    this.#now = Math.max(this.#now, next.due);
    next.action();
    return true;
  }

  /**
   * Fires all timers up to `instant`, letting promises settle after each, and ends there. Only work that is driven by this clock and by
   * promises is waited for: real sockets and files are not.
   */
  async runUntil(instant: number): Promise<void> {
    await settle();
    while (this.step(instant)) await settle();
    this.#now = Math.max(this.#now, instant);
  }

  #dropCancelled(): void {
    while (this.#timers.peek()?.cancelled) this.#timers.pop();
  }
}

/** Lets all promise reactions run, however long their chain: setImmediate comes after every microtask. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** How far a process's clock is off: wall time is shifted, timers and monotonic time are not. */
export function skewedClock(clock: Clock, offsetMs: () => number): Clock {
  return {
    now: () => clock.now() + offsetMs(),
    monotonic: () => clock.monotonic(),
    after: (delayMs, action) => clock.after(delayMs, action),
    sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
  };
}
