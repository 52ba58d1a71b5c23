import type { Clock } from "../base/clock.ts";

export interface TokenBucketLimits {
  /** How many may be taken at once after a rest. */
  readonly burst: number;
  readonly perSecond: number;
}

/** Lets through a burst, and then so many a second, on monotonic time. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #limits: TokenBucketLimits;
  #tokens: number;
  #at: number;

  constructor(clock: Clock, limits: TokenBucketLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#at = clock.monotonic();
  }

  /** Takes a token if there is one. */
  take(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Whether it is as if it had never been used. */
  get full(): boolean {
    this.#refill();
    return this.#tokens >= this.#limits.burst;
  }

  #refill(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + ((now - this.#at) / 1000) * this.#limits.perSecond);
    this.#at = now;
  }
}
