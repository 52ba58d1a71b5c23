/** What is to wait for a place, by whether there is room for it. */
export interface LaneFit<T> {
  readonly waits: readonly T[];
  /** Beyond the room: the newest are refused (decision 47). */
  readonly refused: readonly T[];
}

/** The first of a lane as far as there is room; `times` in the order of the lane. */
export function fitLane<T>(times: readonly T[], room: number): LaneFit<T> {
  const places = Math.max(0, room);
  return { waits: times.slice(0, places), refused: times.slice(places) };
}
