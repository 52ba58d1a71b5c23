import type { ControllerRevision } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { Schedule } from "../../cron/schedule.ts";
import { parseZone, utc, type Zone } from "../../cron/zone.ts";
import { readCalendars } from "../../elasticjob/rules/calendars.ts";
import { readSpec } from "../../elasticjob/rules/read-spec.ts";
import { elasticJobProblems } from "../../validation/elastic-job.ts";

/**
 * When a job fires, as the operator reads its spec; undefined when it has no schedule, or one that is wrong. A fire time begins its jitter later.
 * @param revisions those that hold the calendars by which the operator fires; without them, and without any, calendars leave nothing out
 */
export function scheduleOfJob(job: ElasticJob, revisions: readonly ControllerRevision[] = []): Schedule | undefined {
  return readSpec(job, elasticJobProblems(job.spec), readCalendars(job, new Map(), revisions)).armed?.schedule;
}

/** How long after its fire time a run begins, in milliseconds. */
export function jitterOfJob(job: ElasticJob): number {
  return readSpec(job, elasticJobProblems(job.spec)).jitterMs;
}

/** The ControllerRevision with the calendars by which the operator fires; undefined when the job has none, or none is read yet. */
export const calendarRevision = (job: ElasticJob): string | undefined => job.status?.schedule?.calendars;

/** The zone of a job's schedule, UTC when that is unknown. */
export function zoneOfJob(job: ElasticJob): Zone {
  try {
    return job.spec.schedule?.timeZone === undefined ? utc : parseZone(job.spec.schedule.timeZone);
  } catch {
    return utc;
  }
}
