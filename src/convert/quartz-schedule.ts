import type { ElasticJobSpec, ElasticJobSpecSchedule } from "../api/elastic-job.gen.ts";
import { ScheduleError } from "../cron/schedule-error.ts";
import { createSchedule } from "../cron/schedule.ts";
import type { ConvertOptions, Notes } from "./conversion.ts";
import { changesClocks, firesAtFixedTimes } from "./zone-notes.ts";

/** What a scheduler built on Quartz says of its times. */
export interface QuartzTimes {
  readonly expression: string | undefined;
  readonly timeZone: string | undefined;
}

/**
 * The schedule of a job that Quartz fired; nothing when it has no expression. Where the zone changes its clocks, `dst: Quartz` keeps what the
 * old scheduler did. A wrong expression or zone leaves the job without a schedule, and a note tells why.
 */
export function quartzSchedule(
  times: QuartzTimes,
  paths: { readonly cron: string; readonly zone: string },
  options: ConvertOptions,
  notes: Notes,
): Pick<ElasticJobSpec, "schedule"> {
  const { expression } = times;
  if (expression === undefined) return {};
  const timeZone = times.timeZone ?? options.timeZone;
  const schedule: ElasticJobSpecSchedule = {
    crons: [expression],
    ...(timeZone !== "Etc/UTC" && { timeZone }),
  };
  try {
    createSchedule({ crons: [expression], dialect: "Quartz", timeZone, anchor: options.now });
    const changes = changesClocks(timeZone, options.now);
    if (times.timeZone === undefined && options.timeZone === "Etc/UTC") {
      notes.add(paths.zone, "The old scheduler used the zone of its JVM; this is UTC. Name another with --time-zone.");
    }
    if (changes && firesAtFixedTimes(expression)) {
      notes.add(
        paths.cron,
        `dst: Quartz keeps Quartz' own rule when clocks change in ${timeZone}: a time that does not exist is left out. Take it away to run once on every day.`,
      );
    }
    return { schedule: { ...schedule, ...(changes && { dst: "Quartz" }) } };
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    notes.add(error.path === "timeZone" ? paths.zone : paths.cron, `${error.message} The job has no schedule and never fires by itself.`);
    return {};
  }
}
