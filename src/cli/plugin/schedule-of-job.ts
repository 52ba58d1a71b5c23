import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { Schedule } from "../../cron/schedule.ts";
import { parseZone, utc, type Zone } from "../../cron/zone.ts";
import { readSpec } from "../../elasticjob/rules/read-spec.ts";
import { elasticJobProblems } from "../../validation/elastic-job.ts";

/** When a job fires, as the operator reads its spec; undefined when it has no schedule, or one that is wrong. */
export function scheduleOfJob(job: ElasticJob): Schedule | undefined {
  return readSpec(job, elasticJobProblems(job.spec)).armed?.schedule;
}

/** The zone of a job's schedule, UTC when that is unknown. */
export function zoneOfJob(job: ElasticJob): Zone {
  try {
    return job.spec.schedule?.timeZone === undefined ? utc : parseZone(job.spec.schedule.timeZone);
  } catch {
    return utc;
  }
}
