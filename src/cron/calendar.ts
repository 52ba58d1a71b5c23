import { DAY, daysFromCivil, monthLength, SECOND } from "./civil.ts";
import { ScheduleError } from "./schedule-error.ts";
import { LAST_YEAR } from "./wall-search.ts";
import type { Zone } from "./zone.ts";

/** A stretch of local time, [from, to), in milliseconds of a clock without a zone. */
export interface CalendarWindow {
  readonly from: number;
  readonly to: number;
}

/** The dates of a calendar: ascending, disjoint. */
export type CalendarWindows = readonly CalendarWindow[];

/** What calendars do to a schedule. Where both match an instant, treatAsWeekday wins. */
export interface ScheduleCalendars {
  readonly exclude: CalendarWindows;
  readonly treatAsWeekday: CalendarWindows;
}

/** A calendar's text that cannot be read: says where and what would be right. */
export class CalendarError extends ScheduleError {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;

  constructor(line: number, column: number, problem: string) {
    super(`line ${line}, column ${column}: ${problem}`, "calendars");
    this.name = "CalendarError";
    this.line = line;
    this.column = column;
  }
}

/** Bytes of one calendar: some 5,000 dates. */
export const mostCalendarBytes = 65_536;

const forms = "write 2026-10-01, or 2026-10-01/2026-10-07, or 2026-10-01T22:00/2026-10-02T06:00";

/**
 * Reads a calendar: a line for each date (`2026-10-01`), span of dates (`2026-10-01/2026-10-07`, both inclusive) or stretch of local time
 * (`2026-10-01T22:00/2026-10-02T06:00`, the end exclusive); `#` begins a comment; empty lines are nothing.
 * @throws CalendarError
 */
export function parseCalendar(text: string): CalendarWindows {
  if (Buffer.byteLength(text) > mostCalendarBytes)
    throw new CalendarError(1, 1, `the calendar has ${Buffer.byteLength(text)} bytes; at most ${mostCalendarBytes} are read`);
  const windows: CalendarWindow[] = [];
  for (const [index, whole] of text.split(/\r\n|\n|\r/).entries()) {
    const line = whole.replace(/#.*$/, "").trimEnd();
    const entry = line.trimStart();
    if (entry !== "") windows.push(parseEntry(entry, index + 1, line.length - entry.length + 1));
  }
  return joined(windows);
}

function parseEntry(entry: string, line: number, column: number): CalendarWindow {
  const slash = entry.indexOf("/");
  const firstText = slash < 0 ? entry : entry.slice(0, slash);
  const first = parsePoint(firstText, line, column);
  if (slash < 0) {
    if (first.timed) throw new CalendarError(line, column + entry.length, `an end is missing after "${entry}"; ${forms}`);
    return { from: first.wall, to: first.wall + DAY };
  }
  const lastColumn = column + slash + 1;
  const last = parsePoint(entry.slice(slash + 1), line, lastColumn);
  if (first.timed !== last.timed) throw new CalendarError(line, lastColumn, "both ends must be dates, or both must have a time of day");
  const to = last.timed ? last.wall : last.wall + DAY;
  if (to <= first.wall) throw new CalendarError(line, lastColumn, `the end is ${last.timed ? "not after" : "before"} the beginning`);
  return { from: first.wall, to };
}

function parsePoint(text: string, line: number, column: number): { readonly wall: number; readonly timed: boolean } {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text);
  if (match === null) throw new CalendarError(line, column, `"${text.slice(0, 40)}" is not understood; ${forms}`);
  const [, yearText, monthText, dayText, hourText, minuteText = "0", secondText = "0"] = match;
  const [year, month, day] = [Number(yearText), Number(monthText), Number(dayText)];
  if (year < 1970) throw new CalendarError(line, column, `the year ${yearText} is before 1970, where schedules begin`);
  if (month < 1 || month > 12) throw new CalendarError(line, column + 5, `there is no month ${monthText}; months go from 01 to 12`);
  const length = monthLength(year, month);
  if (day < 1 || day > length)
    throw new CalendarError(line, column + 8, `there is no day ${dayText} in ${yearText}-${monthText}; its days go from 01 to ${length}`);
  const [hour, minute, second] = [Number(hourText ?? 0), Number(minuteText), Number(secondText)];
  if (hour > 23 || minute > 59 || second > 59)
    throw new CalendarError(line, column + 11, `"${text.slice(11)}" is no time of day; times go from 00:00 to 23:59:59`);
  const wall = daysFromCivil(year, month, day) * DAY + (hour * 3600 + minute * 60 + second) * SECOND;
  return { wall, timed: hourText !== undefined };
}

/** All windows of several calendars as one list, ascending and disjoint. */
export function joined(windows: readonly CalendarWindow[]): CalendarWindows {
  const sorted = [...windows].sort((a, b) => a.from - b.from);
  const result: CalendarWindow[] = [];
  for (const window of sorted) {
    const last = result.at(-1);
    if (last === undefined || window.from > last.to) result.push(window);
    else if (window.to > last.to) result[result.length - 1] = { from: last.from, to: window.to };
  }
  return result;
}

/** One source of fire times: the first strictly after an instant, the last strictly before one. Milliseconds. */
export interface FireTimeSource {
  next(after: number): number | undefined;
  previous(before: number): number | undefined;
}

/**
 * The fire times of `usual` outside of all windows, and those of `asWeekday` inside of the windows that are treated as weekdays. An instant
 * lies in a window when its local time does. Each step passes a window or an edge of the zone's offsets, so no search is endless.
 * @param asWeekday the same schedule with every day taken for a weekday; undefined = on such days it does not fire
 */
export function withCalendars(
  usual: FireTimeSource,
  asWeekday: FireTimeSource | undefined,
  zone: Zone,
  { exclude, treatAsWeekday }: ScheduleCalendars,
): FireTimeSource {
  const barred = joined([...exclude, ...treatAsWeekday]);
  return {
    next(after) {
      const outside = nextOutside(usual, zone, barred, after);
      const inside = asWeekday === undefined ? undefined : nextInside(asWeekday, zone, treatAsWeekday, after, outside);
      return outside === undefined || inside === undefined ? (outside ?? inside) : Math.min(outside, inside);
    },
    previous(before) {
      const outside = previousOutside(usual, zone, barred, before);
      const inside = asWeekday === undefined ? undefined : previousInside(asWeekday, zone, treatAsWeekday, before, outside);
      return outside === undefined || inside === undefined ? (outside ?? inside) : Math.max(outside, inside);
    },
  };
}

function nextOutside(source: FireTimeSource, zone: Zone, barred: CalendarWindows, start: number): number | undefined {
  for (let after = start; ; ) {
    const time = source.next(after);
    if (time === undefined) return undefined;
    const { offset, end } = zone.segmentAt(time);
    const window = windowAt(barred, time + offset);
    if (window === undefined) return time;
    // The clocks may show the same again, or less, once they have changed.
    after = Math.max(time, Math.min(window.to - offset, end) - SECOND);
  }
}

function previousOutside(source: FireTimeSource, zone: Zone, barred: CalendarWindows, start: number): number | undefined {
  for (let before = start; ; ) {
    const time = source.previous(before);
    if (time === undefined) return undefined;
    const segment = zone.segmentAt(time);
    const window = windowAt(barred, time + segment.offset);
    if (window === undefined) return time;
    before = Math.min(time, Math.max(window.from - segment.offset, segment.start));
  }
}

/** What the clocks may show again when they change lies so far back at most. */
const reach = 2 * DAY;
const END = Date.UTC(LAST_YEAR + 1, 0, 1);

/** The first fire time after `start` that lies inside of a window, and before `limit`. */
function nextInside(source: FireTimeSource, zone: Zone, windows: CalendarWindows, start: number, limit = END): number | undefined {
  const last = windows.at(-1);
  const first = Math.max(0, start + 1);
  if (last === undefined) return undefined;
  for (let segment = zone.segmentAt(first); segment.start < limit; segment = zone.segmentAt(segment.end)) {
    const { offset, end } = segment;
    const from = Math.max(first, segment.start);
    if (from + offset >= last.to + reach) return undefined;
    for (let index = firstEndingAfter(windows, from + offset); index < windows.length; ) {
      const window = windows[index] as CalendarWindow;
      const opens = Math.max(from, window.from - offset);
      if (opens >= end) break;
      const time = source.next(opens - 1);
      if (time === undefined || time >= limit) return undefined;
      if (time < Math.min(window.to - offset, end)) return time;
      index = Math.max(index + 1, firstEndingAfter(windows, time + offset));
    }
    if (end >= END) return undefined;
  }
  return undefined;
}

/** The last fire time before `start` that lies inside of a window, and after `limit`. */
function previousInside(source: FireTimeSource, zone: Zone, windows: CalendarWindows, start: number, limit = -1): number | undefined {
  const [oldest] = windows;
  const last = Math.min(END, start) - 1;
  if (oldest === undefined || last < 0) return undefined;
  for (let segment = zone.segmentAt(last); segment.end > limit; segment = zone.segmentAt(segment.start - SECOND)) {
    const { offset, start: begin } = segment;
    const to = Math.min(last, segment.end - 1);
    if (to + offset < oldest.from - reach) return undefined;
    for (let index = lastBeginningBy(windows, to + offset); index >= 0; ) {
      const window = windows[index] as CalendarWindow;
      const closes = Math.min(to + 1, window.to - offset);
      if (closes <= begin) break;
      const time = source.previous(closes);
      if (time === undefined || time <= limit) return undefined;
      if (time >= Math.max(window.from - offset, begin)) return time;
      index = Math.min(index - 1, lastBeginningBy(windows, time + offset));
    }
    if (begin <= 0) return undefined;
  }
  return undefined;
}

function windowAt(windows: CalendarWindows, wall: number): CalendarWindow | undefined {
  const window = windows[firstEndingAfter(windows, wall)];
  return window !== undefined && window.from <= wall ? window : undefined;
}

/** The index of the first window with an end after a wall; the length when there is none. */
function firstEndingAfter(windows: CalendarWindows, wall: number): number {
  let low = 0;
  let high = windows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((windows[middle] as CalendarWindow).to > wall) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The index of the last window that begins at a wall or before it; -1 when there is none. */
function lastBeginningBy(windows: CalendarWindows, wall: number): number {
  let low = 0;
  let high = windows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((windows[middle] as CalendarWindow).from > wall) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}
