import { daysFromCivil, monthLength, weekdayOf } from "./civil.ts";

/**
 * Which days match. Days are bit masks: bit n stands for day n of the month (bit 0 is never set), bit n of `weekdays` for weekday n, 0 = Sunday.
 */
export interface DayRule {
  /** `DayOfMonth` and `DayOfWeek`: only that side counts. `Either`, `Both`: vixie's rule for two day fields. */
  readonly combine: "DayOfMonth" | "DayOfWeek" | "Either" | "Both";
  readonly daysOfMonth: number;
  /** L-n: days counted back from the last day, 0 = the last day itself. */
  readonly fromLast: readonly number[];
  /** nW. */
  readonly nearestWeekday: readonly number[];
  /** LW and L-nW. */
  readonly nearestWeekdayFromLast: readonly number[];
  readonly weekdays: number;
  /** n#k: the k-th such weekday of the month. */
  readonly nth: { readonly weekday: number; readonly nth: number } | undefined;
  /** nL: the last such weekday of the month. */
  readonly lastWeekday: number | undefined;
}

/** The matching days of a month as a bit mask. */
export function matchingDays(rule: DayRule, year: number, month: number): number {
  const length = monthLength(year, month);
  const firstWeekday = weekdayOf(daysFromCivil(year, month, 1));
  if (rule.combine === "DayOfMonth") return byDayOfMonth(rule, firstWeekday, length);
  if (rule.combine === "DayOfWeek") return byDayOfWeek(rule, firstWeekday, length);
  const dayOfMonth = byDayOfMonth(rule, firstWeekday, length);
  const dayOfWeek = byDayOfWeek(rule, firstWeekday, length);
  return rule.combine === "Either" ? dayOfMonth | dayOfWeek : dayOfMonth & dayOfWeek;
}

/** Mask of the days 1..length; unsigned, since bit 31 is the sign. */
function allDays(length: number): number {
  return length === 31 ? 0xffff_fffe | 0 : (1 << (length + 1)) - 2;
}

function byDayOfMonth(rule: DayRule, firstWeekday: number, length: number): number {
  let mask = rule.daysOfMonth & allDays(length);
  for (const offset of rule.fromLast) if (offset < length) mask |= 1 << (length - offset);
  for (const day of rule.nearestWeekday) if (day <= length) mask |= 1 << nearestWorkday(day, firstWeekday, length);
  for (const offset of rule.nearestWeekdayFromLast) {
    if (offset < length) mask |= 1 << nearestWorkday(length - offset, firstWeekday, length);
  }
  return mask;
}

/** Monday to Friday nearest to the day, never leaving the month (Quartz: 1W on a Saturday is Monday the 3rd). */
function nearestWorkday(day: number, firstWeekday: number, length: number): number {
  const weekday = (firstWeekday + day - 1) % 7;
  if (weekday === 6) return day === 1 ? 3 : day - 1;
  if (weekday === 0) return day === length ? day - 2 : day + 1;
  return day;
}

function byDayOfWeek(rule: DayRule, firstWeekday: number, length: number): number {
  if (rule.nth !== undefined) {
    const day = 1 + ((rule.nth.weekday - firstWeekday + 7) % 7) + 7 * (rule.nth.nth - 1);
    return day <= length ? 1 << day : 0;
  }
  if (rule.lastWeekday !== undefined) {
    const lastDaysWeekday = (firstWeekday + length - 1) % 7;
    return 1 << (length - ((lastDaysWeekday - rule.lastWeekday + 7) % 7));
  }
  let mask = 0;
  for (let day = 1; day <= length; day++) if (rule.weekdays & (1 << ((firstWeekday + day - 1) % 7))) mask |= 1 << day;
  return mask;
}

const mondayToFriday = 0b011_1110;
const everyWeekday = 0b111_1111;

/**
 * The rule for dates that are treated as weekdays (decision 43): the weekday part matches iff it holds all of Monday to Friday, whatever
 * weekday the date really is; the rest is as usual. undefined = no such date matches.
 */
export function asWeekdayRule(rule: DayRule): DayRule | undefined {
  const matches = rule.nth === undefined && rule.lastWeekday === undefined && (rule.weekdays & mondayToFriday) === mondayToFriday;
  switch (rule.combine) {
    case "DayOfMonth":
      return rule;
    case "DayOfWeek":
      return matches ? { ...rule, weekdays: everyWeekday } : undefined;
    case "Either":
      return matches ? { ...rule, combine: "DayOfWeek", weekdays: everyWeekday } : { ...rule, combine: "DayOfMonth" };
    case "Both":
      return matches ? { ...rule, combine: "DayOfMonth" } : undefined;
  }
}
