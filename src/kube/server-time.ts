import type { Clock } from "../base/clock.ts";

/** One answer of the API server as a witness of its clock. All instants are wall time in milliseconds since the epoch. */
export interface ServerDate {
  /** The answer's Date header: the server's clock when it answered, cut to whole seconds. */
  readonly serverMs: number;
  /** Our clock when the request was sent, and when its answer came. */
  readonly sentMs: number;
  readonly receivedMs: number;
}

/** An estimate of the API server's clock (decision 11). */
export interface ServerTime {
  observe(date: ServerDate): void;
  /** What to add to our wall time to have the server's, in milliseconds; undefined before the first answer. */
  offsetMs(): number | undefined;
  /** The most by which the offset can be wrong, in milliseconds; below 500 plus half of the fastest round trip. */
  uncertaintyMs(): number;
  /** The server's wall time; ours before the first answer. */
  now(): number;
}

/** Clocks drift and are slewed: what was true a minute ago counts no more than what is. */
const windowMs = 60_000;
/** Wall time against monotonic time: more than this is a jump of our own clock, and voids what was measured with it. */
const jumpMs = 250;

interface Bounds {
  readonly low: number;
  readonly high: number;
}

/**
 * Each answer bounds the offset from both sides: the server's clock showed D to D+1 s at some moment between sending and receiving.
 * The bounds of a minute's answers are intersected, so the estimate is better than a second as soon as answers come at different parts
 * of one. Where they contradict each other, a clock was set, and the newest answer alone counts.
 */
export function createServerTime(clock: Clock): ServerTime {
  let older: Bounds | undefined;
  let newer: Bounds | undefined;
  let windowStart = 0;
  let wallAhead = 0;

  const forgetAfterJump = () => {
    const ahead = clock.now() - clock.monotonic();
    if (Math.abs(ahead - wallAhead) > jumpMs) {
      older = undefined;
      newer = undefined;
      wallAhead = ahead;
    }
  };
  const bounds = (): Bounds | undefined => {
    forgetAfterJump();
    return older !== undefined && newer !== undefined ? (intersect(older, newer) ?? newer) : (newer ?? older);
  };

  return {
    observe(date) {
      forgetAfterJump();
      const seen = { low: date.serverMs - date.receivedMs, high: date.serverMs + 1000 - date.sentMs };
      const both = newer === undefined ? seen : intersect(newer, seen);
      if (both === undefined) older = undefined;
      newer = both ?? seen;
      if (clock.monotonic() - windowStart >= windowMs) {
        older = newer;
        newer = seen;
        windowStart = clock.monotonic();
      }
    },
    offsetMs() {
      const known = bounds();
      return known === undefined ? undefined : (known.low + known.high) / 2;
    },
    uncertaintyMs() {
      const known = bounds();
      return known === undefined ? Number.POSITIVE_INFINITY : (known.high - known.low) / 2;
    },
    now() {
      return clock.now() + (this.offsetMs() ?? 0);
    },
  };
}

function intersect(a: Bounds, b: Bounds): Bounds | undefined {
  const low = Math.max(a.low, b.low);
  const high = Math.min(a.high, b.high);
  return low <= high ? { low, high } : undefined;
}
