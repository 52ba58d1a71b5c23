import type { DayRule } from "./day-rule.ts";
import type { CronExpression, EveryExpression, FieldExpression } from "./expression.ts";
import type { Field } from "./field.ts";

const monthNames = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const weekdayNames = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ordinals = ["", "first", "second", "third", "fourth", "fifth"];
const ALL_DAYS = 0xffff_fffe | 0;
const ALL_WEEKDAYS = 0b1111111;
const MONDAY_TO_FRIDAY = 0b0111110;
const WEEKEND = 0b1000001;
/** More times of day than this are told by their rule instead of one by one. */
const MOST_TIMES = 6;

/** An expression in plain words, without a full stop: "at 02:30 on weekdays". */
export function explainCron(expression: CronExpression): string {
  if (expression.kind === "Every") return explainEvery(expression);
  const times = timesOfDay(expression);
  const time = times === undefined ? rhythm(expression) : `at ${joined(times)}`;
  const days = dayPhrase(expression);
  const everyDay = times === undefined ? "" : " every day";
  return `${time}${days === "" ? everyDay : ` ${days}`}${yearPhrase(expression)}`;
}

function explainEvery({ interval }: EveryExpression): string {
  const seconds = interval / 1000;
  const parts = [
    counted(Math.floor(seconds / 3600), "hour"),
    counted(Math.floor(seconds / 60) % 60, "minute"),
    counted(seconds % 60, "second"),
  ].filter((part) => part !== "");
  const [only = ""] = parts;
  return `every ${parts.length === 1 ? only.replace(/^1 /, "") : joined(parts)}, counted from the start of the schedule`;
}

function counted(count: number, unit: string): string {
  return count === 0 ? "" : `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** Single times of day, if they are few. */
function timesOfDay({ hours, minutes, seconds }: FieldExpression): readonly string[] | undefined {
  const single = (field: Field) => field.items.every((item) => item.kind === "Value");
  if (!(single(hours) && single(minutes) && single(seconds))) return undefined;
  if (hours.set.values.length * minutes.set.values.length * seconds.set.values.length > MOST_TIMES) return undefined;
  const withSeconds = seconds.set.last > 0;
  return hours.set.values.flatMap((hour) =>
    minutes.set.values.flatMap((minute) =>
      seconds.set.values.map((second) => `${two(hour)}:${two(minute)}${withSeconds ? `:${two(second)}` : ""}`),
    ),
  );
}

/** How often, for expressions that fire by a rhythm: "every 15 minutes from 09:00 to 17:59". */
function rhythm({ hours, minutes, seconds }: FieldExpression): string {
  const allMinutes = minutes.set.values.length === 60;
  const allHours = hours.set.values.length === 24;
  const atSecondZero = seconds.set.last === 0;
  const finest = atSecondZero ? "" : unitPhrase(seconds, "second");
  const parts: string[] = [];
  if (finest !== "") parts.push(finest);
  if (finest === "") parts.push(unitPhrase(minutes, "minute"));
  else if (!allMinutes) parts.push(during(minutes, "minute"));
  else if (!finest.startsWith("every")) parts.push("of every minute");
  const minuteIsPeriodic = parts.some((part) => part.startsWith("every"));
  if (!allHours) parts.push(hourPhrase(hours, minuteIsPeriodic && allMinuteSpan(minutes)));
  else if (!minuteIsPeriodic && !parts.includes("of every minute")) parts.push("of every hour");
  return parts.join(" ");
}

function allMinuteSpan(minutes: Field): boolean {
  return minutes.items.some((item) => item.kind === "All");
}

/** "every 5 minutes", "every minute from 10 to 20", "at minutes 0 and 30". */
function unitPhrase(field: Field, unit: string): string {
  const { values } = field.set;
  if (values.length === 60) return `every ${unit}`;
  const [item] = field.items;
  if (field.items.length === 1 && item !== undefined && item.kind !== "Value") {
    const from = item.kind === "All" ? 0 : item.from;
    const to = item.kind === "All" ? 59 : item.to;
    const every = item.step === 1 ? `every ${unit}` : `every ${item.step} ${unit}s`;
    if (from === 0 && to === 59) return 60 % item.step === 0 ? every : `${every} from ${unit} 0`;
    return to === 59 ? `${every} from ${unit} ${from}` : `${every} from ${unit} ${from} to ${to}`;
  }
  return `at ${values.length === 1 ? unit : `${unit}s`} ${joined(values.map(String))}`;
}

function during(field: Field, unit: string): string {
  const { values } = field.set;
  const [item] = field.items;
  if (field.items.length === 1 && item !== undefined && item.kind !== "Value") {
    if (item.kind === "All" || (item.from === 0 && item.to === 59)) return `of every ${nth(item.step)} ${unit}`;
    const step = item.step === 1 ? "" : `every ${nth(item.step)} of `;
    return `during ${step}the ${unit}s ${item.from} to ${item.to}`;
  }
  return `during ${values.length === 1 ? `${unit}` : `the ${unit}s`} ${joined(values.map(String))}`;
}

function hourPhrase(hours: Field, wholeHours: boolean): string {
  const { values } = hours.set;
  const [item] = hours.items;
  if (hours.items.length === 1 && item !== undefined && item.kind !== "Value") {
    const from = item.kind === "All" ? 0 : item.from;
    const to = item.kind === "All" ? 23 : item.to;
    if (item.step > 1) {
      const every = `of every ${nth(item.step)} hour`;
      if (from === 0 && to === 23) return every;
      return to === 23 ? `${every} from ${two(from)}:00` : `${every} from ${two(from)}:00 to ${two(to)}:59`;
    }
    return wholeHours ? `from ${two(from)}:00 to ${two(to)}:59` : `of every hour from ${two(from)}:00 to ${two(to)}:59`;
  }
  const names = joined(values.map((hour) => `${two(hour)}:00`));
  return values.length === 1 ? `of the hour from ${names}` : `of the hours from ${names}`;
}

function dayPhrase(expression: FieldExpression): string {
  const { days } = expression;
  const months = monthPhrase(expression.months);
  const everyDayOfMonth = days.daysOfMonth === ALL_DAYS;
  const everyWeekday = days.weekdays === ALL_WEEKDAYS && days.nth === undefined && days.lastWeekday === undefined;
  const open =
    (days.combine === "DayOfMonth" && everyDayOfMonth) ||
    (days.combine === "DayOfWeek" && everyWeekday) ||
    (days.combine === "Either" && (everyDayOfMonth || everyWeekday)) ||
    (days.combine === "Both" && everyDayOfMonth && everyWeekday);
  if (open) return months === "" ? "" : `every day in ${months}`;
  if (days.combine === "DayOfMonth" || (days.combine === "Both" && everyWeekday)) return monthDays(days, months);
  if (days.combine === "DayOfWeek" || (days.combine === "Both" && everyDayOfMonth)) return weekDays(days, months);
  const which = monthDays(days, months);
  if (days.combine === "Either") return `${which} and also ${weekDays(days, months)}`;
  return `${which}, if that is ${alternatives(days.weekdays)}`;
}

function monthDays(days: DayRule, months: string): string {
  const month = months === "" ? "the month" : months;
  const parts: string[] = [];
  const single = bits(days.daysOfMonth);
  if (days.daysOfMonth === ALL_DAYS) parts.push("every day");
  else if (single.length > 0) parts.push(progression(single) ?? `the ${joined(runs(single, nth))}`);
  for (const day of days.nearestWeekday) parts.push(`the weekday nearest the ${nth(day)}`);
  for (const offset of days.fromLast) parts.push(offset === 0 ? "the last day" : `the day ${offset} before the last`);
  for (const offset of days.nearestWeekdayFromLast)
    parts.push(offset === 0 ? "the last weekday" : `the weekday nearest the day ${offset} before the last`);
  return `on ${joined(parts)} of ${month}`;
}

/** "every 5th day from the 1st", for three days or more at equal distance above 1. */
function progression(days: readonly number[]): string | undefined {
  const [first = 0, second = 0] = days;
  const step = second - first;
  if (days.length < 4 || step < 2 || days.some((day, index) => day !== first + index * step) || (days.at(-1) ?? 0) + step <= 31)
    return undefined;
  return `every ${nth(step)} day from the ${nth(first)}`;
}

function weekDays(days: DayRule, months: string): string {
  const inMonths = months === "" ? "" : ` in ${months}`;
  const month = months === "" ? "the month" : months;
  if (days.nth !== undefined) return `on the ${ordinals[days.nth.nth]} ${weekdayNames[days.nth.weekday]} of ${month}`;
  if (days.lastWeekday !== undefined) return `on the last ${weekdayNames[days.lastWeekday]} of ${month}`;
  if (days.weekdays === MONDAY_TO_FRIDAY) return `on weekdays${inMonths}`;
  if (days.weekdays === WEEKEND) return `on weekends${inMonths}`;
  return `on ${joined(weekdaysOf(days.weekdays))}${inMonths}`;
}

function alternatives(weekdays: number): string {
  if (weekdays === MONDAY_TO_FRIDAY) return "a weekday";
  if (weekdays === WEEKEND) return "a Saturday or Sunday";
  return `a ${joined(weekdaysOf(weekdays), "or")}`;
}

/** Monday first. */
function weekdaysOf(mask: number): readonly string[] {
  return [1, 2, 3, 4, 5, 6, 0].filter((weekday) => (mask >>> weekday) & 1).map((weekday) => weekdayNames[weekday] ?? "");
}

function monthPhrase(field: Field): string {
  if (field.set.values.length === 12) return "";
  return joined(runs(field.set.values, (month) => monthNames[month - 1] ?? ""));
}

function yearPhrase({ years }: FieldExpression): string {
  return years === undefined ? "" : ` in ${joined(runs(years.values, String))}`;
}

/** Numbers in words, three or more in a row as "a to b". */
function runs(values: readonly number[], name: (value: number) => string): readonly string[] {
  const words: string[] = [];
  for (let start = 0; start < values.length; ) {
    let end = start;
    while (values[end + 1] === (values[end] ?? 0) + 1) end++;
    if (end - start >= 2) words.push(`${name(values[start] ?? 0)} to ${name(values[end] ?? 0)}`);
    else for (let index = start; index <= end; index++) words.push(name(values[index] ?? 0));
    start = end + 1;
  }
  return words;
}

function bits(mask: number): readonly number[] {
  const days: number[] = [];
  for (let day = 1; day <= 31; day++) if ((mask >>> day) & 1) days.push(day);
  return days;
}

function joined(parts: readonly string[], conjunction = "and"): string {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} ${conjunction} ${parts.at(-1)}`;
}

function nth(value: number): string {
  const teen = value % 100 >= 11 && value % 100 <= 13;
  const suffix = teen ? "th" : (["th", "st", "nd", "rd"][value % 10] ?? "th");
  return `${value}${suffix}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
