import { IntervalSet, IntervalSetError } from "../base/interval-set.ts";
import { formatSeconds } from "../base/time.ts";
import type { ElasticJobSpecOption } from "./elastic-job.gen.ts";
import { type GivenOptions, givenProblem } from "./option-value.ts";
import type { SpecProblem } from "./problem.ts";

/*
 * What may be wrong with a JobRequest, in words that are the same in admission and in its status. Each names the field and what would be right.
 */

export const suspendedUntilPast: SpecProblem = { path: "spec.suspend.until", message: "is past; it must be in the future" };

export const backfillWithoutSchedule: SpecProblem = {
  path: "spec.backfill",
  message: "the job has no spec.schedule, so it has no fire times to run",
};

/** @param now milliseconds since the epoch */
export function backfillIntoFuture(now: number): SpecProblem {
  return { path: "spec.backfill.to", message: `must not be in the future; the latest is now, ${formatSeconds(now)}` };
}

/** What is wrong with the options that a run is asked for with; undefined when they are right. */
export function runOptionsProblem(options: readonly ElasticJobSpecOption[], given: GivenOptions): SpecProblem | undefined {
  const wrong = givenProblem(options, given);
  if (wrong === undefined) return undefined;
  const end = wrong.indexOf(": ");
  return { path: `spec.run.options.${wrong.slice(0, end)}`, message: wrong.slice(end + 2) };
}

/** All items of a job that are not disabled, or those that a run is asked for with. */
export function runItems(
  { total, disabledItems }: { readonly total: number; readonly disabledItems: IntervalSet },
  text: string | undefined,
): IntervalSet | SpecProblem {
  const path = "spec.run.items";
  if (text === undefined) return IntervalSet.upTo(total).minus(disabledItems);
  try {
    const items = IntervalSet.parse(text, total - 1);
    const disabled = new IntervalSet([...items].filter((item) => disabledItems.has(item)));
    return disabled.size === 0 ? items : { path, message: `${disabled} are disabled by the job's sharding.disabledItems; leave them out` };
  } catch (error) {
    if (!(error instanceof IntervalSetError)) throw error;
    return { path, message: `${error.message}; items are numbered from 0 to sharding.total - 1 = ${total - 1}` };
  }
}
