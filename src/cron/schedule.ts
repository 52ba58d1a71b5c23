import { type FireTimeSource, type ScheduleCalendars, withCalendars } from "./calendar.ts";
import { SECOND } from "./civil.ts";
import { asWeekdayRule } from "./day-rule.ts";
import { type CronDialect, type CronExpression, parseCron } from "./expression.ts";
import { type DstRule, nextOccurrence, previousOccurrence } from "./occurrence.ts";
import { CronError, ScheduleError, ZoneError } from "./schedule-error.ts";
import { parseZone, utc, type Zone } from "./zone.ts";

/** What a schedule is made of. All times are milliseconds since 1970, UTC. */
export interface ScheduleOptions {
  /** Fires when any of them matches; two that match the same second are one fire time. None: never fires. */
  readonly crons: readonly string[];
  /** Absent: by the number of fields of each expression. */
  readonly dialect?: CronDialect | undefined;
  /** Default `Etc/UTC`. */
  readonly timeZone?: string | undefined;
  /** Default `Once`. */
  readonly dst?: DstRule | undefined;
  /** Nothing fires before it. */
  readonly startAt?: number | undefined;
  /** Nothing fires at or after it. */
  readonly endAt?: number | undefined;
  /**
   * The object's creation. `@every d` fires at anchor + k*d, k = 1, 2, ...; with `startAt` at startAt + k*d, k = 0, 1, ..., so that the
   * first fire time is startAt itself. Parts of a second are rounded up.
   */
  readonly anchor: number;
  /** Dates that are left out, or taken for weekdays, in the schedule's zone. */
  readonly calendars?: ScheduleCalendars | undefined;
}

/** Fire times of an interval, ascending. */
export interface FireTimes {
  readonly times: readonly number[];
  /** There are more than were asked for. */
  readonly truncated: boolean;
}

/** The newest fire times of an interval, ascending. */
export interface NewestFireTimes {
  readonly times: readonly number[];
  /** All fire times of the interval, counted up to `COUNT_LIMIT`. */
  readonly total: number;
}

/** Where counting fire times ends. */
export const COUNT_LIMIT = 100_000;

/** The fire times of one job: whole seconds, in the years 1970 to 9999, with startAt <= F < endAt. */
export interface Schedule {
  readonly expressions: readonly CronExpression[];
  readonly zone: Zone;
  /** What is legal but doubtful, each with the path of its expression (`crons[0]: ...`). */
  readonly warnings: readonly string[];
  /** The first fire time strictly after an instant. */
  next(after: number): number | undefined;
  /** The last fire time strictly before an instant. */
  previous(before: number): number | undefined;
  /** The first `limit` fire times in (from, to]. */
  between(from: number, to: number, limit: number): FireTimes;
  /** The last `limit` fire times in (from, to]. */
  newestBetween(from: number, to: number, limit: number): NewestFireTimes;
}

/** Makes a schedule. Throws CronError with the path `crons[i]`, ZoneError with `timeZone`, ScheduleError with `endAt`. */
export function createSchedule(options: ScheduleOptions): Schedule {
  const zone = options.timeZone === undefined ? utc : zoneOf(options.timeZone);
  const expressions = options.crons.map((text, index) => expressionOf(text, options.dialect, index));
  const { startAt = Number.NEGATIVE_INFINITY, endAt = Number.POSITIVE_INFINITY } = options;
  if (endAt <= startAt) throw new ScheduleError("endAt is not after startAt, so this would never fire; choose a later endAt", "endAt");
  const sources = expressions.map((expression) => sourceOf(expression, zone, options));

  const next = (after: number): number | undefined => {
    const from = Math.max(after, startAt - 1);
    let earliest = Number.POSITIVE_INFINITY;
    for (const source of sources) earliest = Math.min(earliest, source.next(from) ?? Number.POSITIVE_INFINITY);
    return earliest < endAt ? earliest : undefined;
  };
  const previous = (before: number): number | undefined => {
    const from = Math.min(before, endAt);
    let latest = Number.NEGATIVE_INFINITY;
    for (const source of sources) latest = Math.max(latest, source.previous(from) ?? Number.NEGATIVE_INFINITY);
    return latest >= startAt && latest !== Number.NEGATIVE_INFINITY ? latest : undefined;
  };
  return {
    expressions,
    zone,
    warnings: expressions.flatMap((expression, index) => expression.warnings.map((warning) => `crons[${index}]: ${warning}`)),
    ...searches(next, previous),
  };
}

/** The searches of a schedule, made of its steps in both directions. */
export function searches(
  next: Schedule["next"],
  previous: Schedule["previous"],
): Pick<Schedule, "next" | "previous" | "between" | "newestBetween"> {
  return {
    next,
    previous,
    between(from, to, limit) {
      const times: number[] = [];
      for (let time = next(from); time !== undefined && time <= to; time = next(time)) {
        if (times.length === limit) return { times, truncated: true };
        times.push(time);
      }
      return { times, truncated: false };
    },
    newestBetween(from, to, limit) {
      // Not `time > from`: with the Quartz rule, time that it skips may lie after `from`, and both directions must agree on it.
      const oldest = next(from) ?? Number.POSITIVE_INFINITY;
      const times: number[] = [];
      let total = 0;
      for (let time = previous(to + 1); time !== undefined && time >= oldest && total < COUNT_LIMIT; time = previous(time)) {
        if (total < limit) times.push(time);
        total++;
      }
      return { times: times.reverse(), total };
    },
  };
}

function zoneOf(text: string): Zone {
  try {
    return parseZone(text);
  } catch (error) {
    throw error instanceof ZoneError ? error.withPath("timeZone") : error;
  }
}

/**
 * Expressions parsed lately, by dialect and text: an object is checked and then armed, and many have the same one. They never change, so
 * schedules may share them.
 */
const parsed = new Map<string, CronExpression>();
const mostParsed = 256;

function expressionOf(text: string, dialect: CronDialect | undefined, index: number): CronExpression {
  const key = `${dialect ?? ""} ${text}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  try {
    const expression = parseCron(text, { dialect });
    if (parsed.size >= mostParsed) parsed.clear();
    parsed.set(key, expression);
    return expression;
  } catch (error) {
    throw error instanceof CronError ? error.withPath(`crons[${index}]`) : error;
  }
}

/** The fire times of one expression by the calendars, without startAt and endAt. */
function sourceOf(expression: CronExpression, zone: Zone, options: ScheduleOptions): FireTimeSource {
  const usual = plainSource(expression, zone, options);
  if (options.calendars === undefined) return usual;
  const days = expression.kind === "Every" ? undefined : asWeekdayRule(expression.days);
  const asWeekday =
    expression.kind === "Every" ? usual : days === undefined ? undefined : plainSource({ ...expression, days }, zone, options);
  return withCalendars(usual, asWeekday, zone, options.calendars);
}

function plainSource(expression: CronExpression, zone: Zone, options: ScheduleOptions): FireTimeSource {
  if (expression.kind === "Every") {
    const first = options.startAt === undefined ? wholeSecond(options.anchor) + expression.interval : wholeSecond(options.startAt);
    return everySource(first, expression.interval);
  }
  const dst = options.dst ?? "Once";
  return {
    next: (after) => nextOccurrence(expression, zone, dst, after),
    previous: (before) => previousOccurrence(expression, zone, dst, before),
  };
}

function wholeSecond(instant: number): number {
  return Math.ceil(instant / SECOND) * SECOND;
}

function everySource(first: number, interval: number): FireTimeSource {
  return {
    next: (after) => Math.max(first, first + (Math.floor((after - first) / interval) + 1) * interval),
    previous: (before) => (before <= first ? undefined : first + (Math.ceil((before - first) / interval) - 1) * interval),
  };
}
