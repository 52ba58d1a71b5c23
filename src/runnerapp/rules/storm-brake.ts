/** retry.storm: at most so many replacements in a window. */
export interface StormPolicy {
  readonly moves: number;
  readonly windowMs: number;
}

/**
 * Instants of the newest replacements, ascending, in milliseconds since the epoch. Kept in status, so that a restart of the operator does
 * not release the brake (kube-sharding's, in memory only, is lost).
 */
export type BrakeState = readonly number[];

/**
 * What still counts: moves within the window, at most `moves` of them. An instant in the future, after a clock was set back, counts as now.
 * Doing it twice changes nothing.
 */
export function brakeAt(state: BrakeState, { moves, windowMs }: StormPolicy, now: number): BrakeState {
  const within = state.map((at) => Math.min(at, now)).filter((at) => now - at < windowMs);
  return within.sort((a, b) => a - b).slice(Math.max(0, within.length - moves));
}

/** How many replacements may begin now. */
export function movesLeft(state: BrakeState, policy: StormPolicy, now: number): number {
  return Math.max(0, policy.moves - brakeAt(state, policy, now).length);
}

/** When the next replacement may begin; undefined = now, or never because `moves` is 0. */
export function brakeReleasesAt(state: BrakeState, policy: StormPolicy, now: number): number | undefined {
  const within = brakeAt(state, policy, now);
  return within.length < policy.moves || within.length === 0 ? undefined : (within[0] as number) + policy.windowMs;
}

/** The state after `count` replacements that begin now. */
export function withMoves(state: BrakeState, policy: StormPolicy, now: number, count: number): BrakeState {
  return brakeAt([...brakeAt(state, policy, now), ...Array.from({ length: count }, () => now)], policy, now);
}

/**
 * Whether so many nodes are unheard of that the fault is rather on the way to them than theirs: more than half. Nothing is replaced then
 * because of lost nodes, like the node controller, which stops evicting when a zone is down.
 */
export const isOutage = (lostNodes: number, nodes: number): boolean => lostNodes * 2 > nodes;
