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
  shown,
  unixWeekdays,
  valuesOf,
} from "./field.ts";
import type { Parsed } from "./quartz-fields.ts";
import { CronError, type CronFieldName } from "./schedule-error.ts";

// The Unix dialect as vixie's cron and its heirs read it. One thing more: 5/15 is 5-59/15, as Kubernetes CronJobs read it
// (vixie's cron takes the 5 and silently drops the step).

/** A field of the Unix dialect. */
export function parseUnixField(field: FieldText, range: FieldRange): Parsed<Field> {
  const warnings: string[] = [];
  const items = listOf(field).map((element) => parseItem(element, range, warnings));
  return { value: fieldOf(field, items, range), warnings };
}

function parseItem(element: FieldText, range: FieldRange, warnings: string[]): FieldItem {
  const { name, text, position } = element;
  const odd = /[^0-9A-Za-z*/-]/.exec(text);
  if (odd !== null) {
    const hint =
      odd[0] === "?"
        ? "write * instead, or use the Quartz dialect (six fields)"
        : odd[0] === "#"
          ? "#, L and W belong to the Quartz dialect (six fields)"
          : expected(range);
    throw new CronError(name, position + odd.index, `"${odd[0]}" is not understood here; ${hint}`);
  }
  const [base = "", stepText, ...more] = text.split("/");
  if (more.length > 0) throw new CronError(name, position + text.lastIndexOf("/"), `only one "/" may be given, as in */5`);
  const stepPosition = position + base.length + 1;
  const step = stepText === undefined ? 1 : stepOf(name, stepText, stepPosition);
  if (step > range.maximum) warnings.push(`${name}: the step ${step} is greater than the field, so "${text}" is its first value alone`);
  if (base === "*") return { kind: "All", step };
  const [fromText = "", toText, ...others] = base.split("-");
  if (others.length > 0) throw new CronError(name, position + base.lastIndexOf("-"), `a range has one "-", as in 1-5`);
  const from = valueIn(range, fromText, name, position);
  if (toText === undefined)
    return stepText === undefined ? { kind: "Value", value: from } : { kind: "Range", from, to: Math.max(from, lastOf(range)), step };
  const toPosition = position + fromText.length + 1;
  let to = valueIn(range, toText, name, toPosition);
  if (to === 0 && range === unixWeekdays && /^sun$/i.test(toText)) to = 7;
  if (to < from) {
    throw new CronError(
      name,
      toPosition,
      `the range ${base} ends before it starts; ranges do not wrap around here, write ${fromText}-${range.maximum},${range.minimum}-${toText}`,
    );
  }
  return { kind: "Range", from, to, step };
}

/** Where an open range (5/2) or * ends: on weekdays at Saturday, since 7 is Sunday again. */
function lastOf(range: FieldRange): number {
  return range === unixWeekdays ? 6 : range.maximum;
}

function stepOf(name: CronFieldName, text: string, position: number): number {
  if (!/^\d+$/.test(text)) throw new CronError(name, position, `"/" must be followed by a number, the step, as in */5`);
  if (Number(text) === 0) throw new CronError(name, position, "the step 0 leads nowhere; write 1 or more");
  return Number(text);
}

function valueIn(range: FieldRange, text: string, name: CronFieldName, position: number): number {
  if (!/^[A-Za-z]/.test(text)) return numberIn(range, text, name, position);
  const index = range.names.indexOf(text.toUpperCase());
  if (index >= 0) return range.firstName + index;
  if (/^(?:L|W|LW)$/i.test(text)) throw new CronError(name, position, "#, L and W belong to the Quartz dialect (six fields)");
  throw new CronError(name, position, `${shown(text)} is not a name of three letters; ${expected(range)}`);
}

/**
 * The two day fields together, by vixie's rule: a day matches if either field does; if one of them begins with *, both must
 * (hence `*` leaves the other to decide, and `*`/2 with a weekday means both).
 */
export function parseUnixDays(dayOfMonth: FieldText, dayOfWeek: FieldText): Parsed<DayRule> {
  const days = parseUnixField(dayOfMonth, dayRange);
  const weekdays = parseUnixField(dayOfWeek, unixWeekdays);
  let dayMask = 0;
  for (const day of days.value.set.values) dayMask |= 1 << day;
  let weekdayMask = 0;
  for (const item of weekdays.value.items) {
    const closed: FieldItem = item.kind === "All" ? { kind: "Range", from: 0, to: 6, step: item.step } : item;
    for (const weekday of valuesOf(closed, unixWeekdays)) weekdayMask |= 1 << (weekday % 7);
  }
  const starred = dayOfMonth.text.startsWith("*") || dayOfWeek.text.startsWith("*");
  const combine = dayOfWeek.text === "*" ? "DayOfMonth" : dayOfMonth.text === "*" ? "DayOfWeek" : starred ? "Both" : "Either";
  return {
    value: {
      combine,
      daysOfMonth: dayMask,
      fromLast: [],
      nearestWeekday: [],
      nearestWeekdayFromLast: [],
      weekdays: weekdayMask,
      nth: undefined,
      lastWeekday: undefined,
    },
    warnings: [...days.warnings, ...weekdays.warnings],
  };
}
