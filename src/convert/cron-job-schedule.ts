import type { ElasticJobSpecSchedule } from "../api/elastic-job.gen.ts";
import { ScheduleError } from "../cron/schedule-error.ts";
import { createSchedule } from "../cron/schedule.ts";
import type { ConvertOptions, Notes } from "./conversion.ts";
import type { Fields } from "./fields.ts";
import { changesClocks, firesAtFixedTimes } from "./zone-notes.ts";

/**
 * The schedule of a CronJob: robfig/cron's five fields in the words of the Unix dialect, so that the fire times are the same. Undefined, and a
 * note, where the CronJob would never fire either: its schedule cannot be read or names no date.
 */
export function cronJobSchedule(spec: Fields, options: ConvertOptions, notes: Notes): ElasticJobSpecSchedule | undefined {
  const path = spec.at("schedule");
  const written = spec.word("schedule") ?? "";
  const [, prefix, text = ""] = /^(?:(?:CRON_)?TZ=(\S+)\s+)?(.*)$/s.exec(written) ?? [];
  const timeZone = spec.word("timeZone") ?? prefix ?? (options.timeZone === "Etc/UTC" ? undefined : options.timeZone);
  const schedule = { crons: [unixExpression(text, path, notes)], ...(timeZone !== undefined && { timeZone }) };
  try {
    createSchedule({ ...schedule, anchor: options.now });
    if (timeZone !== undefined && changesClocks(timeZone, options.now) && firesAtFixedTimes(schedule.crons[0] as string)) {
      notes.add(
        path,
        `When clocks change in ${timeZone}, a CronJob leaves out a time that does not exist and runs twice at one that comes twice; here it runs once on every day.`,
      );
    }
    return schedule;
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    notes.add(path, `"${written}" cannot be used: ${error.message} The job has no schedule and never fires by itself.`);
    return undefined;
  }
}

/** What robfig/cron reads otherwise than crontab, rewritten. */
function unixExpression(text: string, path: string, notes: Notes): string {
  if (text.startsWith("@every")) return every(text, path, notes);
  const fields = text.split(/\s+/).map((field) => field.replaceAll("?", "*"));
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields;
  if (fields.length !== 5 || !(minute && hour && dayOfMonth && month && dayOfWeek)) return text;
  // robfig forgets the star of a step, so that either day field is enough; crontab keeps it and wants both. A range has no star, and any star in a
  // list makes the whole of it one.
  const [day, weekday] = [isWhole(dayOfMonth) ? "*" : dayOfMonth, isWhole(dayOfWeek) ? "*" : dayOfWeek];
  const either = day !== "*" && weekday !== "*";
  const withoutStar = (field: string, range: string) => (either ? field.replaceAll(/(^|,)\*\//g, `$1${range}/`) : field);
  return [minute, hour, withoutStar(day, "1-31"), month, withoutStar(weekday, "0-6")].join(" ");
}

/** Whether the field is a star for robfig: any part of the list is `*` or a step of one. */
function isWhole(field: string): boolean {
  return field.split(",").some((part) => /^\*(?:\/0*1)?$/.test(part));
}

/** Go's durations in whole seconds, at least one: `@every 1.5h`, `@every 90s`. */
function every(text: string, path: string, notes: Notes): string {
  const duration = text.slice("@every".length).trim();
  const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000_001 };
  const parts = [...duration.matchAll(/(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== duration) return text;
  const ms = parts.reduce((sum, [, number, unit]) => sum + Number(number) * (unitMs[unit as string] as number), 0);
  const seconds = Math.max(1, Math.floor(ms / 1000));
  notes.add(
    path,
    "A CronJob counts @every from its creation and last run, and drifts; here the distances are equal, from schedule.startAt or the job's creation.",
  );
  return `@every ${seconds}s`;
}
