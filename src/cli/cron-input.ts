import { CronError, ScheduleError } from "../cron/schedule-error.ts";
import { createSchedule, type Schedule, type ScheduleOptions } from "../cron/schedule.ts";
import type { CronDialect } from "../cron/expression.ts";
import { parseZone, type Zone } from "../cron/zone.ts";
import { UsageError } from "./command-context.ts";

/** How the names of dialects are typed. */
export const dialects: Readonly<Record<string, CronDialect>> = { quartz: "Quartz", unix: "Unix" };

/** The zone of --time-zone. Throws UsageError. */
export function zoneFlag(text: string): Zone {
  return asUsage("--time-zone", () => parseZone(text));
}

/** The schedule of one expression. Throws UsageError that names the field and what is wrong with it. */
export function scheduleOf(expression: string, options: Omit<ScheduleOptions, "crons">): Schedule {
  return asUsage("cron expression", () => createSchedule({ ...options, crons: [expression] }));
}

function asUsage<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof CronError || error instanceof ScheduleError) throw new UsageError(`${what}: ${error.message}`, { cause: error });
    throw error;
  }
}
