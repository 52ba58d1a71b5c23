import { itemLabel, reduceItem } from "../../api/names.ts";
import { formatSeconds } from "../../base/time.ts";

/** "20261120t160000z": the id of the run of a fire time, one lock for Schedule, Misfire and Dependency (decision 14). */
export function runIdOf(fireTime: number): string {
  return formatSeconds(fireTime).replaceAll(/[-:]/g, "").toLowerCase();
}

/** The fire time in an id, in milliseconds; undefined when the text is no id of a run. */
export function fireTimeOf(runId: string): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})t(\d{2})(\d{2})(\d{2})z$/.exec(runId);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match.map(Number);
  return Date.UTC(year as number, (month as number) - 1, day, hour, minute, second);
}

/**
 * The name of the pod of an attempt, which is the lock that keeps an item from being started twice. At most 63 characters, so that the
 * host name in the pod equals it: 18 + 8 + 26 + 4 + 3 and four dashes at the most. The word "reduce" takes two letters from the job's name.
 */
export function podName(job: { readonly name: string; readonly uid: string }, runId: string, item: number, attempt: number): string {
  return `${job.name.slice(0, item === reduceItem ? 16 : 18)}-${job.uid.slice(0, 8)}-${runId}-${itemLabel(item)}-${attempt}`;
}
