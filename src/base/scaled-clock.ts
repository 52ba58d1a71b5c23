import { type Clock, sleepWith, type Timer } from "./clock.ts";

/** How a clock differs from the one that drives it. */
export interface ClockScale {
  /** How many of its seconds pass in one of the other's; above 0. */
  readonly speed: number;
  /** What it shows at first, in milliseconds since the epoch; absent = what the other one shows. */
  readonly startsAt?: number;
}

/** Hundredths of a microsecond: what floating point loses in a conversion there and back. */
const roundingMs = 1e-5;

/** A clock that is driven by another one at another speed. Wall time moves with monotonic time: jumps of the other's wall time are not seen. */
export function createScaledClock(inner: Clock, { speed, startsAt = inner.now() }: ClockScale): Clock {
  const begun = inner.monotonic();
  const passed = (): number => (inner.monotonic() - begun) * speed;
  const after = (delayMs: number, action: () => void): Timer => {
    const due = passed() + Math.max(0, delayMs);
    let timer: Timer;
    const arm = (): void => {
      timer = inner.after((due - passed()) / speed, fire);
    };
    // an instant must never be early
    const fire = (): void => (passed() + roundingMs < due ? arm() : action());
    arm();
    return { cancel: () => timer.cancel() };
  };
  return { now: () => Math.floor(startsAt + passed() + roundingMs), monotonic: passed, after, sleep: sleepWith(after) };
}
