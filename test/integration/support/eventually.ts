import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 50;

/**
 * Asks again and again until the answer is neither undefined nor false, and returns it. What `isSo` throws counts as "not yet" and is told in the
 * end: after `limitMs` it throws with `what` and the last error.
 */
export async function eventually<T>(
  what: string,
  limitMs: number,
  isSo: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await isSo();
      if (answer !== undefined && answer !== false) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for ${what}`, { cause: last });
    await sleep(pollMs);
  }
}
