import { formatSeconds } from "../base/time.ts";
import type { Condition } from "./meta.ts";

/** The list with one condition set; lastTransitionTime moves only when the status does. */
export function withCondition(
  conditions: readonly Condition[],
  now: number,
  generation: number,
  wanted: Pick<Condition, "type" | "status" | "reason" | "message">,
): readonly Condition[] {
  const known = conditions.find((condition) => condition.type === wanted.type);
  const lastTransitionTime = known?.status === wanted.status ? known.lastTransitionTime : formatSeconds(now);
  const next: Condition = { ...wanted, message: wanted.message.slice(0, 4096), lastTransitionTime, observedGeneration: generation };
  return known === undefined ? [...conditions, next] : conditions.map((condition) => (condition.type === wanted.type ? next : condition));
}
