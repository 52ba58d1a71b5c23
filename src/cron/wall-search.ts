import { civilFromDays, DAY, daysFromCivil } from "./civil.ts";
import { matchingDays } from "./day-rule.ts";
import type { FieldExpression } from "./expression.ts";

// Search over wall time alone: a clock without a zone, in whole seconds (as milliseconds). What a wall time means is the zone's affair.

/** The last year whose fire times are computed: RFC 3339 writes years with four digits. */
export const LAST_YEAR = 9999;
const FIRST_YEAR = 1969;
/** The Gregorian calendar repeats itself, weekdays included, every 400 years. */
const CYCLE = 400;

/** The smallest matching wall >= `wall` (a whole second), or undefined. */
export function wallAtOrAfter(expression: FieldExpression, wall: number): number | undefined {
  const day = Math.floor(wall / DAY);
  const { year, month, day: dayOfMonth } = civilFromDays(day);
  if (dayMatches(expression, year, month, dayOfMonth)) {
    const time = timeAtOrAfter(expression, (wall - day * DAY) / 1000);
    if (time >= 0) return day * DAY + time * 1000;
  }
  const following = dayAfter(expression, year, month, dayOfMonth);
  return following === undefined ? undefined : following * DAY + firstTime(expression) * 1000;
}

/** The greatest matching wall <= `wall` (a whole second), or undefined. */
export function wallAtOrBefore(expression: FieldExpression, wall: number): number | undefined {
  const day = Math.floor(wall / DAY);
  const { year, month, day: dayOfMonth } = civilFromDays(day);
  if (dayMatches(expression, year, month, dayOfMonth)) {
    const time = timeAtOrBefore(expression, (wall - day * DAY) / 1000);
    if (time >= 0) return day * DAY + time * 1000;
  }
  const preceding = dayBefore(expression, year, month, dayOfMonth);
  return preceding === undefined ? undefined : preceding * DAY + lastTime(expression) * 1000;
}

function dayMatches(expression: FieldExpression, year: number, month: number, day: number): boolean {
  if (!expression.months.set.has(month)) return false;
  if (expression.years !== undefined && !expression.years.has(year)) return false;
  return ((matchingDays(expression.days, year, month) >>> day) & 1) === 1;
}

/** Day number of the first matching day after the date. */
function dayAfter(expression: FieldExpression, fromYear: number, fromMonth: number, fromDay: number): number | undefined {
  let month = fromMonth;
  let later = fromDay === 31 ? 0 : -1 << (fromDay + 1);
  for (let year = fromYear; year <= Math.min(LAST_YEAR, fromYear + CYCLE); year++, month = 1, later = -1) {
    if (expression.years !== undefined) {
      const possible = expression.years.atOrAfter(year);
      if (possible < 0) return undefined;
      if (possible > year) {
        year = possible;
        month = 1;
        later = -1;
      }
    }
    for (
      let candidate = expression.months.set.atOrAfter(month);
      candidate > 0;
      candidate = expression.months.set.atOrAfter(candidate + 1)
    ) {
      const days = matchingDays(expression.days, year, candidate) & (candidate === month ? later : -1);
      if (days !== 0) return daysFromCivil(year, candidate, 31 - Math.clz32(days & -days));
    }
  }
  return undefined;
}

/** Day number of the last matching day before the date. */
function dayBefore(expression: FieldExpression, fromYear: number, fromMonth: number, fromDay: number): number | undefined {
  let month = fromMonth;
  let earlier = (1 << fromDay) - 1;
  for (let year = fromYear; year >= Math.max(FIRST_YEAR, fromYear - CYCLE); year--, month = 12, earlier = -1) {
    if (expression.years !== undefined) {
      const possible = expression.years.atOrBefore(year);
      if (possible < 0) return undefined;
      if (possible < year) {
        year = possible;
        month = 12;
        earlier = -1;
      }
    }
    for (
      let candidate = expression.months.set.atOrBefore(month);
      candidate > 0;
      candidate = expression.months.set.atOrBefore(candidate - 1)
    ) {
      const days = matchingDays(expression.days, year, candidate) & (candidate === month ? earlier : -1);
      if (days !== 0) return daysFromCivil(year, candidate, 31 - Math.clz32(days));
    }
  }
  return undefined;
}

function firstTime({ hours, minutes, seconds }: FieldExpression): number {
  return hours.set.first * 3600 + minutes.set.first * 60 + seconds.set.first;
}

function lastTime({ hours, minutes, seconds }: FieldExpression): number {
  return hours.set.last * 3600 + minutes.set.last * 60 + seconds.set.last;
}

/** The smallest matching second of the day >= `time`, or -1. */
function timeAtOrAfter({ hours, minutes, seconds }: FieldExpression, time: number): number {
  let hour = Math.floor(time / 3600);
  if (hours.set.has(hour)) {
    const rest = time - hour * 3600;
    let minute = Math.floor(rest / 60);
    if (minutes.set.has(minute)) {
      const second = seconds.set.atOrAfter(rest - minute * 60);
      if (second >= 0) return time - rest + minute * 60 + second;
    }
    minute = minutes.set.atOrAfter(minute + 1);
    if (minute >= 0) return time - rest + minute * 60 + seconds.set.first;
  }
  hour = hours.set.atOrAfter(hour + 1);
  return hour < 0 ? -1 : hour * 3600 + minutes.set.first * 60 + seconds.set.first;
}

/** The greatest matching second of the day <= `time`, or -1. */
function timeAtOrBefore({ hours, minutes, seconds }: FieldExpression, time: number): number {
  let hour = Math.floor(time / 3600);
  if (hours.set.has(hour)) {
    const rest = time - hour * 3600;
    let minute = Math.floor(rest / 60);
    if (minutes.set.has(minute)) {
      const second = seconds.set.atOrBefore(rest - minute * 60);
      if (second >= 0) return time - rest + minute * 60 + second;
    }
    minute = minutes.set.atOrBefore(minute - 1);
    if (minute >= 0) return time - rest + minute * 60 + seconds.set.last;
  }
  hour = hours.set.atOrBefore(hour - 1);
  return hour < 0 ? -1 : hour * 3600 + minutes.set.last * 60 + seconds.set.last;
}
