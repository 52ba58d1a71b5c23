import { IntervalSet } from "../../base/interval-set.ts";
import type { ObservedJob } from "./observed.ts";
import { readyInstances } from "./resident/assignments.ts";

/** How many items a new run has, and which of them are left out. */
export function itemScope({ spec, job, fleets }: ObservedJob): { readonly total: number; readonly disabledItems: IntervalSet } {
  if (spec.strategy !== "Broadcast") return spec;
  // One for each instance that is ready; one that waits while there is none.
  const fleet = fleets?.get(job.spec.runnerRef?.name ?? "")?.fleet;
  const ready = typeof fleet === "object" ? readyInstances(fleet.instances).length : 0;
  return { total: Math.max(1, ready), disabledItems: new IntervalSet() };
}

/** The items of a new run. */
export function itemsOf(observed: ObservedJob): IntervalSet {
  const { total, disabledItems } = itemScope(observed);
  return IntervalSet.upTo(total).minus(disabledItems);
}
