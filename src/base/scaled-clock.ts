import { type Clock, sleepWith } from "./clock.ts";

/** How a clock differs from the one that drives it. */
export interface ClockScale {
  /** How many of its seconds pass in one of the other's; above 0. */
  readonly speed: number;
  /** What it shows at first, in milliseconds since the epoch; absent = what the other one shows. */
  readonly startsAt?: number;
}

/** Hundredths of a microsecond: floating point loses less in a conversion there and back, and an instant must never be early. */
const roundingMs = 1e-5;

/** A clock that is driven by another one at another speed. Wall time moves with monotonic time: jumps of the other's wall time are not seen. */
export function createScaledClock(inner: Clock, { speed, startsAt = inner.now() }: ClockScale): Clock {
  const begun = inner.monotonic();
  const passed = (): number => (inner.monotonic() - begun) * speed;
  const after: Clock["after"] = (delayMs, action) => inner.after(delayMs / speed, action);
  return { now: () => startsAt + Math.floor(passed() + roundingMs), monotonic: passed, after, sleep: sleepWith(after) };
}
