import type { Clock } from "../base/clock.ts";

const rememberedMs = 5000;
const sweepEach = 1000;

/**
 * UIDs whose deletion the server has taken a moment ago. Until the watch tells of it, caches show the object as it was, and a plan made
 * from them asks for the same deletion once more.
 */
export class RecentDeletions {
  readonly #clock: Clock;
  /** Monotonic time of the deletion, oldest first. */
  readonly #times = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(uid: string): boolean {
    const time = this.#times.get(uid);
    return time !== undefined && this.#clock.monotonic() - time < rememberedMs;
  }

  note(uid: string): void {
    const now = this.#clock.monotonic();
    this.#times.delete(uid);
    this.#times.set(uid, now);
    if (this.#times.size % sweepEach !== 0) return;
    for (const [old, time] of this.#times) {
      if (now - time < rememberedMs) break;
      this.#times.delete(old);
    }
  }
}
