/** A refusal by quota or admission that is true now, perhaps not later: a reason to wait, never a failure. */
export interface Refusal {
  readonly reason: "QuotaExceeded" | "AdmissionRefused";
  readonly message: string;
  /** Wall time in milliseconds. */
  readonly retryAt: number;
  /** How many pods may be tried at once then: 1, 2, 4, ... */
  readonly allowance: number;
  /** How often in a row. */
  readonly times: number;
}

/** A refusal is tried again after 5 s, 10 s, ... at most 5 min (decision 49), or when a quota of the namespace changes. */
const firstWaitMs = 5000;
const longestWaitMs = 300_000;

/**
 * What is known after some creations: `refused` when one of them was. Slow start: 1, 2, 4, ... until everything asked for was created.
 * @returns undefined when nothing stands in the way any more
 */
export function nextRefusal(
  known: Refusal | undefined,
  refused: { readonly message: string; readonly quota: boolean } | undefined,
  created: number,
  now: number,
): Refusal | undefined {
  if (refused !== undefined) {
    const times = created > 0 ? 1 : (known?.times ?? 0) + 1;
    const wait = Math.min(longestWaitMs, firstWaitMs * 2 ** (times - 1));
    const reason = refused.quota ? "QuotaExceeded" : "AdmissionRefused";
    return { reason, message: refused.message, retryAt: now + wait, allowance: 1, times };
  }
  if (known === undefined || created === 0) return known;
  return created < known.allowance ? undefined : { ...known, allowance: known.allowance * 2, retryAt: now };
}

/** A quota of the namespace has changed: it may be tried again at once. */
export const retriedNow = (refusal: Refusal, now: number): Refusal => ({ ...refusal, retryAt: now, times: 0 });

/** The paths of a PodTemplate in the API server's words as those of the object's own field. */
export function templatePath(message: string, path = "spec.template"): string {
  return `${path}: ${message.replaceAll(/\btemplate\.(spec|metadata)\b/g, `${path}.$1`)}`;
}
