/** The clocks that a plan is made by, milliseconds since the epoch. */
export interface Clocks {
  readonly now: number;
  /** The API server's time as far as its answers tell; undefined when they do not, as after a jump of our own clock. */
  readonly serverNow: number | undefined;
  /** 0 = any. */
  readonly maxClockSkewMs: number;
}

/** The lease is renewed every two seconds: its answer tells the time, or the lease is given up. */
export const clockOffWaitMs = 1000;

/**
 * Our clock jumped, or is further off than this replica may lead with (decision 11), and the lease is not given up yet. What would be
 * written now stays wrong after the clock is right again: a run's end a year ahead is in the way of every fire time before it.
 */
export function isClockOff({ now, serverNow, maxClockSkewMs }: Clocks): boolean {
  return serverNow === undefined || (maxClockSkewMs > 0 && Math.abs(now - serverNow) > maxClockSkewMs);
}
