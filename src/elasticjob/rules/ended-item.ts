import type { AttemptPod, Verdict } from "./attempt.ts";

/** An item that ended for good, and the attempt that decided it. */
export interface EndedItem {
  readonly item: number;
  readonly succeeded: boolean;
  /** RetriesExhausted, TooManyAttempts, Cancelled; "" when it succeeded. */
  readonly reason: string;
  readonly pod?: AttemptPod;
  readonly verdict?: Verdict;
}
