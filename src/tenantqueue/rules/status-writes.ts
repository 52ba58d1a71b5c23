/*
 * How often status may be written (decision 26): at most one patch per queue and 10 s, 20 per second in all, stalest first. A waiting workload's
 * reason is patched once and when it changes, at most every 60 s.
 */

/** Between two status patches of one queue, in milliseconds. */
export const queueIntervalMs = 10_000;
/** Status patches of all queues together within any second. */
export const mostPerSecond = 20;
/** Between two patches of a waiting workload's reason, in milliseconds. */
export const reasonIntervalMs = 60_000;

const second = 1000;

/** A queue whose stored status is no longer true. Instants in milliseconds. */
export interface StaleStatus {
  readonly name: string;
  /** Since when it is not. */
  readonly since: number;
  /** When it was last written; absent = never by this leader. */
  readonly writtenAt?: number;
}

export interface StatusWrites {
  /** Queues to write now, stalest first. */
  readonly names: readonly string[];
  /** When to ask again for those that are left; absent when none is. */
  readonly wakeAt?: number;
}

/**
 * Which statuses may be written now.
 * @param recent instants of the patches of the last second, of all queues, in any order
 */
export function planStatusWrites(stale: readonly StaleStatus[], recent: readonly number[], now: number): StatusWrites {
  // A clock that was set back must not stop writing.
  const dueAt = ({ writtenAt }: StaleStatus) => (writtenAt === undefined ? now : Math.min(writtenAt, now) + queueIntervalMs);
  const due = stale
    .filter((each) => dueAt(each) <= now)
    .sort((left, right) => left.since - right.since || (left.name < right.name ? -1 : left.name > right.name ? 1 : 0));
  const inWindow = recent.map((instant) => Math.min(instant, now)).filter((instant) => instant > now - second);
  const room = Math.max(0, mostPerSecond - inWindow.length);
  const names = due.slice(0, room).map(({ name }) => name);
  if (names.length === stale.length) return { names };
  if (due.length > names.length) {
    // The oldest of the window makes room first; with an empty one what is written now does.
    const oldest = inWindow.length === 0 ? now : Math.min(...inWindow);
    return { names, wakeAt: oldest + second };
  }
  return { names, wakeAt: Math.min(...stale.map(dueAt).filter((instant) => instant > now)) };
}

/** From when a waiting workload's reason may be patched again; `now` at the latest is at once. */
export function reasonDueAt(patchedAt: number | undefined, now: number): number {
  return patchedAt === undefined ? now : Math.min(patchedAt, now) + reasonIntervalMs;
}
