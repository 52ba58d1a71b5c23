import type { DayRule } from "./day-rule.ts";
import {
  daysOfMonth as dayRange,
  expected,
  type Field,
  type FieldItem,
  type FieldRange,
  type FieldText,
  fieldOf,
  listOf,
  numberIn,
  quartzWeekdays,
  shown,
  valuesOf,
  years,
} from "./field.ts";
import { CronError } from "./schedule-error.ts";

// The Quartz dialect as org.quartz.CronExpression 2.5.2 reads it, with its habits: a name is its first three letters, whatever
// follows; a step after a name is dropped; the step 0 means "this value alone" (or, after *, every value); ranges wrap around;
// a # or L counts for the smallest weekday of its list alone. Where Quartz silently skips characters that mean nothing, we refuse.

/** A parsed field and what its author should know. */
export interface Parsed<T> {
  readonly value: T;
  readonly warnings: readonly string[];
}

/** A field of plain numbers or names: second, minute, hour, month, year. */
export function parseQuartzField(field: FieldText, range: FieldRange): Parsed<Field> {
  const warnings: string[] = [];
  const items = listOf(field).map((element) => parseItem(element, range, warnings));
  return { value: fieldOf(field, items, range), warnings };
}

function parseItem(element: FieldText, range: FieldRange, warnings: string[]): FieldItem {
  const { name, text, position } = element;
  if (text.includes("?"))
    throw new CronError(name, position + text.indexOf("?"), `"?" is for day-of-month and day-of-week only; ${expected(range)} or *`);
  const star = /^(\*?)(?:\/(.*))?$/.exec(text);
  if (star !== null && text !== "") {
    if (star[2] === undefined) return { kind: "All", step: 1 };
    const step = stepIn(range, element, star[2]);
    if (step === 0) warnings.push(`${name}: Quartz reads the step 0 in "${text}" as 1`);
    return { kind: "All", step: Math.max(1, step) };
  }
  const named = /^[A-Za-z]/.test(text) ? parseNames(element, range, warnings) : undefined;
  if (named !== undefined) return named;
  const parts = /^(\d+)(?:-([^/]*))?(?:\/(.*))?$/.exec(text);
  if (parts === null) {
    const digits = /^\d*/.exec(text)?.[0].length ?? 0;
    throw new CronError(
      name,
      position + digits,
      `${shown(text.slice(digits))} is not understood here; ${expected(range)}, lists (1,2), ranges (1-5), steps (0/5) or *`,
    );
  }
  const [, fromText = "", toText, stepText] = parts;
  const from = numberIn(range, fromText, name, position);
  const to = toText === undefined ? undefined : numberIn(range, toText, name, position + fromText.length + 1);
  if (stepText === undefined) return to === undefined ? { kind: "Value", value: from } : rangeItem(element, from, to, 1);
  // Quartz checks the step of an open range alone: 0-59/70 passes, 0/70 does not.
  const step = to === undefined ? stepIn(range, element, stepText) : stepNumber(element, stepText);
  if (step === 0) {
    warnings.push(`${name}: Quartz reads the step 0 in "${text}" as ${from} alone`);
    return { kind: "Value", value: from };
  }
  return rangeItem(element, from, to ?? range.maximum, step);
}

function rangeItem({ name, text, position }: FieldText, from: number, to: number, step: number): FieldItem {
  if (name === "year" && to < from) {
    throw new CronError(name, position, `the range ${shown(text)} ends before it starts; years do not wrap around, write ${to}-${from}`);
  }
  return { kind: "Range", from, to, step };
}

/** A name or a range of names. Anything after them but -, # and L is skipped, as Quartz does, if it is letters or a step. */
function parseNames({ name, text, position }: FieldText, range: FieldRange, warnings: string[]): FieldItem {
  const from = nameIn(range, text.slice(0, 3), name, position);
  let rest = text.slice(3);
  let item: FieldItem = { kind: "Value", value: from };
  if (rest.startsWith("-")) {
    item = { kind: "Range", from, to: nameIn(range, rest.slice(1, 4), name, position + 4), step: 1 };
    rest = rest.slice(4);
  }
  const skipped = /^[A-Za-z]*(\/\d+)?$/.exec(rest);
  if (skipped === null) {
    const restPosition = position + text.length - rest.length;
    const longRange = /^[A-Za-z]*-([A-Za-z]{3})/.exec(rest);
    const right = longRange === null ? expected(range) : `write ${text.slice(0, 3)}-${longRange[1]}`;
    throw new CronError(name, restPosition, `"${rest}" is not understood after a name; ${right}`);
  }
  if (skipped[1] !== undefined) {
    warnings.push(`${name}: Quartz drops the step of "${text}", since it follows a name; write numbers to have it`);
  }
  return item;
}

function nameIn(range: FieldRange, letters: string, field: FieldText["name"], position: number): number {
  const index = range.names.indexOf(letters.toUpperCase());
  if (index < 0) throw new CronError(field, position, `${shown(letters)} is not a name; ${expected(range)}`);
  return range.firstName + index;
}

function stepNumber({ name, text, position }: FieldText, digits: string): number {
  if (/^\d+$/.test(digits)) return Number(digits);
  throw new CronError(name, position + text.length - digits.length, `"/" must be followed by a number, the step, as in 0/5`);
}

function stepIn(range: FieldRange, element: FieldText, digits: string): number {
  const step = stepNumber(element, digits);
  const greatest = range === years ? Number.POSITIVE_INFINITY : range.maximum;
  if (step <= greatest) return step;
  throw new CronError(
    element.name,
    element.position + element.text.length - digits.length,
    `the step ${step} is greater than the field; write 1 to ${greatest}`,
  );
}

/** The two day fields together. Exactly one of them must be `?`. */
export function parseQuartzDays(dayOfMonth: FieldText, dayOfWeek: FieldText): Parsed<DayRule> {
  const anyDay = dayOfMonth.text === "?";
  const anyWeekday = dayOfWeek.text === "?";
  if (anyDay && anyWeekday)
    throw new CronError("day-of-week", dayOfWeek.position, `"?" may stand in one of day-of-month and day-of-week only; write * here`);
  if (!anyDay && !anyWeekday) {
    // The plain * is the one to give way; where both are plain, convention asks for ? in the day of the week.
    const giving = dayOfMonth.text === "*" && dayOfWeek.text !== "*" ? dayOfMonth : dayOfWeek;
    throw new CronError(
      giving.name,
      giving.position,
      `day-of-month and day-of-week cannot both be given; write "?" for the one that does not matter`,
    );
  }
  return anyWeekday ? parseDaysOfMonth(dayOfMonth) : parseDaysOfWeek(dayOfWeek);
}

const noDays: Omit<DayRule, "combine"> = {
  daysOfMonth: 0,
  fromLast: [],
  nearestWeekday: [],
  nearestWeekdayFromLast: [],
  weekdays: 0,
  nth: undefined,
  lastWeekday: undefined,
};

function parseDaysOfMonth(field: FieldText): Parsed<DayRule> {
  const warnings: string[] = [];
  const fromLast: number[] = [];
  const nearestWeekday: number[] = [];
  const nearestWeekdayFromLast: number[] = [];
  let mask = 0;
  for (const element of listOf(field)) {
    const last = /^L(?:-(\d+))?(W)?$/i.exec(element.text);
    const nearest = /^(\d+)W$/i.exec(element.text);
    if (last !== null) {
      const offset = Number(last[1] ?? 0);
      if (offset > 30) throw new CronError(field.name, element.position + 2, `the offset from the last day must be at most 30`);
      (last[2] === undefined ? fromLast : nearestWeekdayFromLast).push(offset);
    } else if (nearest !== null) {
      nearestWeekday.push(numberIn(dayRange, nearest[1] ?? "", field.name, element.position));
    } else if (/^[A-Za-z]/.test(element.text)) {
      throw new CronError(field.name, element.position, `"${element.text}" is not a day of the month; write 1 to 31, L, L-3, LW, 15W or ?`);
    } else {
      for (const day of valuesOf(parseItem(element, dayRange, warnings), dayRange)) mask |= 1 << day;
    }
  }
  return { value: { ...noDays, combine: "DayOfMonth", daysOfMonth: mask, fromLast, nearestWeekday, nearestWeekdayFromLast }, warnings };
}

function parseDaysOfWeek(field: FieldText): Parsed<DayRule> {
  const { name, text } = field;
  const warnings: string[] = [];
  const elements = listOf(field);
  const weekdays: number[] = [];
  let nth: number | undefined;
  let last = false;
  for (const element of elements) {
    const ordinal = /^([^#]*)#(.*)$/.exec(element.text);
    const lastOne = /^(\d|[A-Za-z]{3})L[A-Za-z]*$/i.exec(element.text);
    if (ordinal !== null) {
      if (nth !== undefined) throw new CronError(name, element.position, `only one "#" may be given; use one cron per ordinal`);
      weekdays.push(weekdayIn(element, ordinal[1] ?? "", warnings));
      nth = Number(ordinal[2]);
      if (!/^[1-5]$/.test(ordinal[2] ?? "")) {
        throw new CronError(
          name,
          element.position + element.text.indexOf("#") + 1,
          `"#" must be followed by 1 to 5, as in 6#3, the third Friday`,
        );
      }
    } else if (/^L$/i.test(element.text)) {
      if (elements.length > 1) throw new CronError(name, element.position, `"L" cannot be combined with other days of the week`);
      weekdays.push(7);
      warnings.push(`${name}: "L" alone is 7, every Saturday; the last Saturday of a month is 7L`);
    } else if (lastOne !== null) {
      if (elements.length > 1) throw new CronError(name, element.position, `"L" cannot be combined with other days of the week`);
      weekdays.push(weekdayIn(element, lastOne[1] ?? "", warnings));
      last = true;
    } else {
      if (/\d/.test(element.text.replace(/\/.*$/, ""))) warnings.push(sundayIsOne);
      weekdays.push(...valuesOf(parseItem(element, quartzWeekdays, warnings), quartzWeekdays));
    }
  }
  const smallest = Math.min(...weekdays) - 1;
  if ((nth !== undefined || last) && weekdays.length > 1)
    warnings.push(`${name}: Quartz applies the "#" of "${text}" to the first weekday of the week alone and drops the others`);
  return {
    value: {
      ...noDays,
      combine: "DayOfWeek",
      weekdays: weekdays.reduce((mask, weekday) => mask | (1 << (weekday - 1)), 0),
      nth: nth === undefined ? undefined : { weekday: smallest, nth },
      lastWeekday: last ? smallest : undefined,
    },
    warnings: [...new Set(warnings)],
  };
}

const sundayIsOne = "day-of-week: numbers count from 1 = Sunday to 7 = Saturday in Quartz; names (MON-FRI) are clearer";

function weekdayIn(element: FieldText, text: string, warnings: string[]): number {
  if (/^[A-Za-z]{3}/.test(text)) return nameIn(quartzWeekdays, text.slice(0, 3), element.name, element.position);
  warnings.push(sundayIsOne);
  return numberIn(quartzWeekdays, text, element.name, element.position);
}
