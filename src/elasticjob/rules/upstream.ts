import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import { conditionReasons, conditionTypes } from "../../api/reasons.ts";
import { parseTime } from "../../base/time.ts";
import type { Schedule } from "../../cron/schedule.ts";
import { fireTimeOf } from "./run-id.ts";

/** What became of a fire time of another job, as far as its status tells. */
export type FireTimeOutcome =
  | "Succeeded"
  | "Failed"
  | "Cancelled"
  | "Skipped"
  /** It has not ended, or has not come yet. */
  | "Pending"
  /** The job does not fire then. */
  | "NotDue"
  /** Older than what status tells about: before the job was created, dropped by an edit or a suspension, or long ago. */
  | "Unknown";

/** A job that another one is after: a readonly picture of its status. Instants are milliseconds since the epoch. */
export interface Upstream {
  readonly job: string;
  /** Its fire times, by its own schedule or from the jobs that it is after itself; absent = none are known. */
  readonly schedule?: Schedule;
  readonly suspended: boolean;
  /** Why it fires nothing until somebody does something; absent = it is well. */
  readonly stalled?: string;
  /** -Infinity before the first. */
  readonly handled: number;
  /** Every fire time in (from, handled] that is not listed and not active has succeeded; Infinity = nothing is known yet. */
  readonly from: number;
  /** Fire times that did not succeed. */
  readonly listed: ReadonlyMap<number, FireTimeOutcome>;
  /** Fire times whose runs go on. */
  readonly active: ReadonlySet<number>;
  /** How the runs in status.history ended, which may be older than `from`. */
  readonly ended: ReadonlyMap<number, FireTimeOutcome>;
  /** The newest fire time that succeeded. */
  readonly lastSucceeded?: number;
}

const never = Number.POSITIVE_INFINITY;

/** Reads the picture from a job as the cache holds it. Runs that were asked for are none of its fire times. */
export function upstreamOf(job: ElasticJob, schedule: Schedule | undefined): Upstream {
  const status = job.status ?? {};
  const ofFireTimes = <T extends { readonly run: string }>(runs: readonly T[] | undefined) =>
    (runs ?? []).flatMap((run) => {
      const time = fireTimeOf(run.run);
      return time === undefined ? [] : [[time, run] as const];
    });
  const ready = status.conditions?.find((condition) => condition.type === conditionTypes.ready);
  const stalled = status.conditions?.find((condition) => condition.type === conditionTypes.stalled && condition.status === "True");
  const lastSucceeded = parseTime(status.outcomes?.lastSucceeded);
  return {
    job: job.metadata.name,
    ...(schedule !== undefined && { schedule }),
    suspended: job.spec.suspend === true || ready?.reason === conditionReasons.suspended,
    ...(stalled !== undefined && { stalled: stalled.reason }),
    handled: parseTime(status.lastHandledFireTime) ?? -never,
    from: parseTime(status.outcomes?.from) ?? never,
    listed: new Map(
      (status.outcomes?.notSucceeded ?? []).map((entry) => [parseTime(entry.fireTime) ?? 0, entry.outcome as FireTimeOutcome]),
    ),
    active: new Set(ofFireTimes(status.active).map(([time]) => time)),
    ended: new Map(ofFireTimes(status.history).map(([time, run]) => [time, run.phase as FireTimeOutcome])),
    ...(lastSucceeded !== undefined && { lastSucceeded }),
  };
}

/** What became of a fire time (decision 17). A retry that succeeds later has corrected the list, so the list goes before history. */
export function outcomeAt(upstream: Upstream, fireTime: number): FireTimeOutcome {
  if (upstream.active.has(fireTime)) return "Pending";
  const listed = upstream.listed.get(fireTime);
  if (listed !== undefined) return listed;
  const isDue = upstream.schedule === undefined || firesAt(upstream.schedule, fireTime);
  if (fireTime > upstream.handled) return isDue ? "Pending" : "NotDue";
  if (fireTime > upstream.from) return isDue ? "Succeeded" : (upstream.ended.get(fireTime) ?? "NotDue");
  return upstream.ended.get(fireTime) ?? "Unknown";
}

/** The newest fire time that has a run, and that has ended; undefined when none is known. */
export function latestEnded(upstream: Upstream): { readonly fireTime: number; readonly outcome: FireTimeOutcome } | undefined {
  let latest =
    upstream.lastSucceeded === undefined ? undefined : { fireTime: upstream.lastSucceeded, outcome: "Succeeded" as FireTimeOutcome };
  for (const [fireTime, outcome] of upstream.listed)
    if (outcome !== "Skipped" && fireTime > (latest?.fireTime ?? -never)) latest = { fireTime, outcome };
  return latest;
}

/** Whether an instant is a fire time. */
export function firesAt(schedule: Schedule, instant: number): boolean {
  return schedule.next(instant - 1) === instant;
}
