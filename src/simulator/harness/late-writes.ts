/** Longer than any write is delayed. */
const lateWriteMs = 41_000;

/**
 * Whether a write may be executed now that was sent long ago: one that was delayed, perhaps until somebody else led. To be asked at every
 * commit, since it counts.
 */
export function lateWriteWindow(delayedWrites: () => number, now: () => number): () => boolean {
  let delayed = 0;
  let delayedAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (delayedWrites() !== delayed) {
      delayed = delayedWrites();
      delayedAt = now();
    }
    return now() - delayedAt < lateWriteMs;
  };
}
