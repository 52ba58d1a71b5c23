import type { ElasticJob, ElasticJobRun, ElasticJobRunDispatch } from "../../../api/elastic-job.gen.ts";
import { IntervalSet } from "../../../base/interval-set.ts";
import { getOrMake } from "../../../base/map.ts";
import { formatMillis, parseTime } from "../../../base/time.ts";
import type { AttemptPod, RunKind } from "../attempt.ts";

/**
 * One attempt of an item at an executor, as status holds it before the executor hears of it (decision 7): what a new leader needs to take
 * it up under the same task id. Instants are milliseconds since the epoch.
 */
export interface DispatchRecord {
  readonly item: number;
  readonly attempt: number;
  /** The instance: its id, and its name for people. */
  readonly instance: string;
  readonly name: string;
  /** When it was decided. */
  readonly at: number;
  /** Nobody waits for it after this; Infinity = without end. */
  readonly deadline: number;
  /** Failures of the item before this attempt that count, and losses that do not. */
  readonly counted: number;
  readonly lost: number;
  /** Names of instances that this attempt must not use. */
  readonly left: readonly string[];
  /** How often the handler said that there is more of the same, plus 1 (repeatWhileContinue). */
  readonly round: number;
}

/** What is known of a task at an executor besides its record: the dispatcher's account, which a restart forgets. */
export interface TaskState {
  /** The executor has it. */
  readonly accepted: boolean;
  readonly round: number;
  /** Since when there is no answer that can be read. */
  readonly silentSince?: number;
  /** Why it does not go on, for people. */
  readonly trouble?: string;
  readonly percent?: number;
  readonly message?: string;
  /** When it was first asked to end. */
  readonly recalledAt?: number;
  /** Since when its executor is being asked whether it ever heard of it. */
  readonly uncertainSince?: number;
  readonly end?: TaskEnd;
}

/** How a task ended, by the executor's word or for want of one. */
export interface TaskEnd {
  readonly at: number;
  /** Lost = it is surely at work nowhere, and nobody knows how far it came. */
  readonly outcome: "Succeeded" | "Failed" | "Lost";
  /** Refused, Forgotten, NeverBegun, Unacknowledged, InstanceGone, Expired; "" otherwise. */
  readonly reason: string;
  readonly message: string;
}

/** The name of an attempt within its job. */
export const taskKey = (run: string, item: number, attempt: number): string => `${run}/${item}/${attempt}`;

/** The records of a run's entry, one for each item that is at an executor. */
export function recordsOf(entry: ElasticJobRun): readonly DispatchRecord[] {
  return (entry.dispatches ?? []).flatMap((group) => {
    const at = parseTime(group.at) ?? 0;
    return [...IntervalSet.parse(group.items)].map((item) => ({
      item,
      attempt: group.attempt ?? 1,
      instance: group.instance ?? "",
      name: group.name ?? "",
      at,
      deadline: parseTime(group.deadline) ?? Number.POSITIVE_INFINITY,
      counted: group.counted ?? 0,
      lost: group.lost ?? 0,
      left: group.left ?? [],
      round: group.round ?? 1,
    }));
  });
}

/** Records for status: those that differ in the item alone are one entry. */
export function dispatchEntries(records: Iterable<DispatchRecord>): readonly ElasticJobRunDispatch[] {
  const groups = new Map<string, { readonly record: DispatchRecord; readonly items: IntervalSet }>();
  for (const record of records) {
    const { item, name: _name, ...same } = record;
    getOrMake(groups, JSON.stringify(same), () => ({ record, items: new IntervalSet() })).items.add(item);
  }
  return [...groups.values()].map(({ record, items }) => ({
    items: items.toString(),
    attempt: record.attempt,
    instance: record.instance,
    name: record.name,
    at: formatMillis(record.at),
    ...(record.deadline < Number.POSITIVE_INFINITY && { deadline: formatMillis(record.deadline) }),
    ...(record.counted > 0 && { counted: record.counted }),
    ...(record.lost > 0 && { lost: record.lost }),
    ...(record.left.length > 0 && { left: record.left }),
    ...(record.round > 1 && { round: record.round }),
  }));
}

/** What is known of where a task is: its instance, as far as caches show it. */
export interface TaskPlace {
  /** It was seen to be gone, or to have ended for good. */
  readonly goneAt?: number;
  /** It is there, and takes no new work. */
  readonly isUnready: boolean;
}

/**
 * An attempt at an executor as the pod that it would be: so the rules of retries, limits and outcomes hold for it unchanged.
 * @param runner the RunnerApp whose instance it is
 * @param state what the dispatcher knows; absent = nothing yet
 */
export function attemptAtExecutor(
  job: ElasticJob,
  entry: ElasticJobRun,
  runner: string,
  record: DispatchRecord,
  state: TaskState | undefined,
  place: TaskPlace,
  now: number,
): AttemptPod {
  const { item, attempt, at } = record;
  const end = state?.end ?? withoutAnswer(record, place, now);
  return {
    metadata: { name: taskKey(entry.run, item, attempt), namespace: job.metadata.namespace as string, uid: taskId(job, entry.run, record) },
    job: job.metadata.name,
    jobUid: job.metadata.uid as string,
    run: entry.run,
    item,
    attempt,
    history: {
      kind: (entry.kind ?? "Schedule") as RunKind,
      fireTime: entry.fireTime ?? "",
      revision: entry.revision ?? "",
      items: entry.items ?? "",
      counted: record.counted,
      lost: record.lost,
      nodes: record.left,
      since: entry.startedAt ?? formatMillis(at),
      ...(entry.request !== undefined && { request: entry.request }),
    },
    createdAt: at,
    scheduledAt: at,
    ...(state?.accepted === true && { startedAt: at }),
    node: record.name,
    disrupted: false,
    executor: { runner, record, ...(state !== undefined && { state }) },
    ...(state?.recalledAt !== undefined && end === undefined && { deletion: { at: state.recalledAt, graceMs: 0 } }),
    ...(end !== undefined && {
      end: {
        terminated: end.outcome !== "Lost",
        success: end.outcome === "Succeeded",
        finishedAt: end.at,
        message: end.message,
        reason: end.reason,
      },
    }),
  };
}

/** The id of a task: the same work for whoever makes it. */
export function taskId(job: ElasticJob, run: string, { item, attempt, round }: Pick<DispatchRecord, "item" | "attempt" | "round">): string {
  return `${job.metadata.uid}/${taskKey(run, item, attempt)}${round > 1 ? `.${round}` : ""}`;
}

/**
 * Clocks of leaders and of executors differ by so much at the most, and an executor ends a task by its own. What was said to an executor comes to it within
 * that time, or never.
 */
export const clockMarginMs = 60_000;

/** An executor that says nothing any more has surely ended when its instance has, or when it is out of service and its time is over. */
function withoutAnswer(record: DispatchRecord, { goneAt, isUnready }: TaskPlace, now: number): TaskEnd | undefined {
  if (goneAt !== undefined)
    return { at: Math.max(goneAt, record.at), outcome: "Lost", reason: "InstanceGone", message: `the instance ${record.name} is gone` };
  if (!isUnready || record.deadline + clockMarginMs > now) return undefined;
  return { at: record.deadline, outcome: "Lost", reason: "Expired", message: `${record.name} was out of service when its time was over` };
}
