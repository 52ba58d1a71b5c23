import type { ElasticJobRun } from "../../../api/elastic-job.gen.ts";
import type { IntervalSet } from "../../../base/interval-set.ts";
import type { LiveRun } from "../live-run.ts";
import { type DispatchRecord, dispatchEntries, type TaskState } from "./dispatch-record.ts";
import type { ResidentStep } from "./resident-run.ts";

type Progress = NonNullable<ElasticJobRun["progress"]>[number];

/** Items whose progress status tells. */
const mostProgress = 20;
const longestProgressMessage = 200;

/**
 * What the entry of a run tells besides when its items are at executors: who works on it and, while it goes on, every dispatch whose item has
 * not ended.
 * @param goesOn it has no outcome yet
 */
export function residentEntry(
  run: LiveRun,
  { runner, assigned }: ResidentStep,
  goesOn: boolean,
  succeeded: IntervalSet,
  failed: IntervalSet,
): Pick<ElasticJobRun, "runner" | "dispatches" | "progress"> {
  if (!goesOn) return { runner };
  const records = new Map<number, DispatchRecord>();
  const progress: Progress[] = [];
  for (const { item, end, executor } of run.newest.values()) {
    if (executor === undefined || isOver(item, end !== undefined)) continue;
    const { record, state } = executor;
    records.set(item, { ...record, round: Math.max(record.round, state?.round ?? 1) });
    if (end === undefined && state !== undefined && progress.length < mostProgress) progress.push(...progressOf(item, state));
  }
  for (const record of assigned) records.set(record.item, record);
  const dispatches = dispatchEntries(records.values());
  return { runner, ...(dispatches.length > 0 && { dispatches }), ...(progress.length > 0 && { progress }) };

  /** Its end is recorded, and nothing of it is at work any more. */
  function isOver(item: number, hasEnded: boolean): boolean {
    return hasEnded && (succeeded.has(item) || failed.has(item));
  }
}

/** How far an item has come, and why it does not go on; nothing when there is nothing to tell. */
function progressOf(item: number, { percent, message, trouble }: TaskState): readonly Progress[] {
  if (percent === undefined && message === undefined && trouble === undefined) return [];
  return [
    {
      item,
      ...(percent !== undefined && { percent }),
      ...(message !== undefined && { message: message.slice(0, longestProgressMessage) }),
      ...(trouble !== undefined && { trouble: trouble.slice(0, longestProgressMessage) }),
    },
  ];
}
