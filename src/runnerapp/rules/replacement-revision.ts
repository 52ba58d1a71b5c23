/** A pod that moves, and what the roll-out asks for at that moment. */
export interface MovingPod {
  readonly revision: string;
  /** It ails with the revision that is rolled out. */
  readonly failed: boolean;
}

export interface RolloutAsk {
  readonly stable: string;
  readonly update: string;
  /** Paused by people, or by failures of the canary. */
  readonly paused: boolean;
  /** The next instance is to get the revision that is rolled out. */
  readonly updatesNext: boolean;
}

/**
 * The revision of the pod that comes in another one's place (research 5f). While a roll-out goes on, one that must be updated anyway gets
 * what the ratio asks for: one move, not two. While it is paused the ratio stays: the same revision, but stable for a canary that failed.
 */
export function replacementRevision({ revision, failed }: MovingPod, { stable, update, paused, updatesNext }: RolloutAsk): string {
  if (paused) return failed && revision === update ? stable : revision;
  return updatesNext || revision === update ? update : stable;
}
