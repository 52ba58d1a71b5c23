import { CronError, type CronFieldName } from "./schedule-error.ts";
import { ValueSet } from "./value-set.ts";

/** One field of an expression as it was written. `position` is that of its first character in the whole text, from 1. */
export interface FieldText {
  readonly name: CronFieldName;
  readonly text: string;
  readonly position: number;
}

/** One element of a field's list, after names became numbers. A `Value` with a step runs on to the end of the field. */
export type FieldItem =
  | { readonly kind: "All"; readonly step: number }
  | { readonly kind: "Value"; readonly value: number }
  | { readonly kind: "Range"; readonly from: number; readonly to: number; readonly step: number };

/** A parsed field of plain numbers. */
export interface Field {
  readonly items: readonly FieldItem[];
  readonly set: ValueSet;
  /** A `*` or a step is in it: the field means "every so often" and follows elapsed time when the clocks change. */
  readonly periodic: boolean;
}

/** What numbers and names a field may hold. Weekday names count as the dialect does. */
export interface FieldRange {
  readonly minimum: number;
  readonly maximum: number;
  readonly names: readonly string[];
  /** The number of the first name. */
  readonly firstName: number;
}

const none = { names: [], firstName: 0 } as const;
const monthNames = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"] as const;
const weekdayNames = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] as const;

/** Seconds or minutes. */
export const sixtieths: FieldRange = { minimum: 0, maximum: 59, ...none };
export const hours: FieldRange = { minimum: 0, maximum: 23, ...none };
export const daysOfMonth: FieldRange = { minimum: 1, maximum: 31, ...none };
export const months: FieldRange = { minimum: 1, maximum: 12, names: monthNames, firstName: 1 };
/** 1 = Sunday. */
export const quartzWeekdays: FieldRange = { minimum: 1, maximum: 7, names: weekdayNames, firstName: 1 };
/** 0 and 7 = Sunday. */
export const unixWeekdays: FieldRange = { minimum: 0, maximum: 7, names: weekdayNames, firstName: 0 };
/** Quartz documents 1970 to 2099. */
export const years: FieldRange = { minimum: 1970, maximum: 2099, ...none };

/** The elements of a field's list with their positions. Throws CronError for an empty element. */
export function listOf(field: FieldText): readonly FieldText[] {
  let position = field.position;
  return field.text.split(",").map((text) => {
    const element = { name: field.name, text, position };
    if (text === "") throw new CronError(field.name, position, "a list has an empty element; remove the comma too much");
    position += text.length + 1;
    return element;
  });
}

/** A whole number in the range, from the digits `text` at `position`. */
export function numberIn(range: FieldRange, text: string, field: CronFieldName, position: number): number {
  if (!/^\d+$/.test(text)) throw new CronError(field, position, `${shown(text)} is not a number; ${expected(range)}`);
  const value = Number(text);
  if (value >= range.minimum && value <= range.maximum) return value;
  throw new CronError(field, position, `${text} is out of range; ${expected(range)}`, {
    neverFires: range === years && value > years.maximum,
  });
}

/** What a field may hold, for messages: "write 1 to 12 or JAN to DEC". */
export function expected(range: FieldRange): string {
  const names = range.names.length === 0 ? "" : ` or ${range.names[0]} to ${range.names.at(-1)}`;
  return `write ${range.minimum} to ${range.maximum}${names}`;
}

/** A text in quotes for a message, or "nothing here". */
export function shown(text: string): string {
  return text === "" ? "nothing here" : `"${text}"`;
}

/** The numbers that an item stands for. A range whose end is before its start wraps around the end of the field. */
export function valuesOf(item: FieldItem, range: FieldRange): readonly number[] {
  if (item.kind === "Value") return [item.value];
  const from = item.kind === "All" ? range.minimum : item.from;
  const to = item.kind === "All" ? range.maximum : item.to;
  const size = range.maximum - range.minimum + 1;
  const values: number[] = [];
  for (let value = from; value <= (to < from ? to + size : to); value += item.step)
    values.push(value > range.maximum ? value - size : value);
  return values;
}

/** The field of the given items; there is at least one. */
export function fieldOf(field: FieldText, items: readonly FieldItem[], range: FieldRange): Field {
  return {
    items,
    set: new ValueSet(
      items.flatMap((item) => valuesOf(item, range)),
      range.minimum,
      range.maximum,
    ),
    periodic: /[*/]/.test(field.text) && items.some((item) => item.kind !== "Value"),
  };
}
