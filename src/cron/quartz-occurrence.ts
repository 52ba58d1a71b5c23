import { civilFromDays, DAY, daysFromCivil, HOUR, MINUTE, SECOND } from "./civil.ts";
import { matchingDays } from "./day-rule.ts";
import type { FieldExpression } from "./expression.ts";
import { wallAtOrAfter, wallAtOrBefore } from "./wall-search.ts";
import type { Zone } from "./zone.ts";

// Fire times as Quartz 2.5 finds them when the clocks change. It keeps wall time only, in a lenient java.util.Calendar: an instant
// of an overlap's first pass is taken for the second one (so a job due every half hour stalls for the first pass), and a wall
// inside a gap reads later by the length of the gap. Since it moves field by field, from the second to the year, what it misses
// after a gap depends on where each step lands; that walk is followed here, but only where a gap lies on the way.
// The walk over a gap always begins at the fire time before the gap, as it does in a job that runs, wherever the question was
// asked from: so there is one sequence of fire times, and both directions agree on it.

/** Quartz gives up a hundred years ahead. */
const HORIZON = 100;
/** Walls that a walk may skip lie within so much of the gap's end. */
const AFTERMATH = 4 * HOUR;

/** The first fire time at or after the whole second `from`. */
export function nextAsQuartz(expression: FieldExpression, zone: Zone, from: number): number | undefined {
  const passed = gapBefore(zone, from);
  const before = passed === undefined ? undefined : previousReal(expression, zone, passed - SECOND);
  if (before !== undefined) {
    const landed = step(expression, zone, before + SECOND);
    if (landed !== undefined && from <= landed) return landed;
  }
  return step(expression, zone, from);
}

/** The first fire time at or after `from`, where no gap has just passed. */
function step(expression: FieldExpression, zone: Zone, from: number): number | undefined {
  const straight = wallAtOrAfter(expression, from + zone.segmentAt(from).offset);
  if (straight === undefined) return undefined;
  const ahead = gapAhead(zone, from, straight);
  if (ahead === undefined) return latestInstant(zone, straight);
  const start = (previousReal(expression, zone, ahead - SECOND) ?? from - SECOND) + SECOND;
  const walked = walk(expression, zone, start + zone.segmentAt(start).offset);
  return walked === undefined ? undefined : latestInstant(zone, walked);
}

/** The last fire time at or before the whole second `from`: the last that `nextAsQuartz` would give, asked from fire time to fire time. */
export function previousAsQuartz(expression: FieldExpression, zone: Zone, from: number): number | undefined {
  const candidate = previousReal(expression, zone, from);
  if (candidate === undefined) return undefined;
  const gapEnd = gapBefore(zone, candidate);
  if (gapEnd === undefined) return candidate;
  const before = previousReal(expression, zone, gapEnd - SECOND);
  if (before === undefined) return candidate;
  // The step over the gap leads from `before` to `landed`; what lies between is missed, what comes later is not.
  const landed = step(expression, zone, before + SECOND);
  return landed !== undefined && candidate >= landed ? candidate : before;
}

/** The last instant <= from that a matching wall means, gaps left out. */
function previousReal(expression: FieldExpression, zone: Zone, from: number): number | undefined {
  let wall: number | undefined = from + zone.segmentAt(from).offset;
  const now = zone.meaningOf(wall);
  if (now.kind === "Overlap" && from === now.first) wall = now.wallStart - SECOND;
  for (let gaps = 0; gaps < HORIZON; gaps++) {
    wall = wallAtOrBefore(expression, wall);
    if (wall === undefined) return undefined;
    const meaning = zone.meaningOf(wall);
    if (meaning.kind === "Unique") return meaning.instant;
    if (meaning.kind === "Overlap") return meaning.second;
    wall = meaning.wallStart - SECOND;
  }
  return undefined;
}

/** The end of a gap that lies shortly before the instant. */
function gapBefore(zone: Zone, instant: number): number | undefined {
  let segment = zone.segmentAt(instant);
  while (instant - segment.start <= AFTERMATH) {
    const earlier = zone.segmentAt(segment.start - SECOND);
    if (earlier.offset < segment.offset) return segment.start;
    segment = earlier;
  }
  return undefined;
}

/** The end of the first gap between an instant and a wall. */
function gapAhead(zone: Zone, from: number, wall: number): number | undefined {
  let segment = zone.segmentAt(from);
  while (segment.end + segment.offset <= wall) {
    const following = zone.segmentAt(segment.end);
    if (following.offset > segment.offset) return following.start;
    segment = following;
  }
  return undefined;
}

function latestInstant(zone: Zone, wall: number): number {
  const meaning = zone.meaningOf(wall);
  return meaning.kind === "Overlap" ? meaning.second : meaning.instant;
}

/** A wall as the lenient calendar shows it. */
function land(zone: Zone, wall: number): number {
  const meaning = zone.meaningOf(wall);
  return meaning.kind === "Gap" ? wall + meaning.wallEnd - meaning.wallStart : wall;
}

/** Lands on an hour of a day; if the clocks do not show that hour, on the hour after it. 24 is the next day's 0 and is left alone. */
function landOnHour(zone: Zone, day: number, hour: number, minute: number): number {
  const landed = land(zone, day * DAY + hour * HOUR + minute * MINUTE);
  const landedDay = Math.floor(landed / DAY);
  const sinceMidnight = landed - landedDay * DAY;
  if (hour === 24 || Math.floor(sinceMidnight / HOUR) === hour) return landed;
  return land(zone, landedDay * DAY + (hour + 1) * HOUR + (sinceMidnight % HOUR));
}

function walk(expression: FieldExpression, zone: Zone, start: number): number | undefined {
  let wall = start;
  const lastYear = civilFromDays(Math.floor(start / DAY)).year + HORIZON;
  for (;;) {
    const minuteStart = Math.floor(wall / MINUTE) * MINUTE;
    const second = expression.seconds.set.atOrAfter((wall - minuteStart) / SECOND);
    wall = second >= 0 ? minuteStart + second * SECOND : land(zone, minuteStart + MINUTE + expression.seconds.set.first * SECOND);

    const day = Math.floor(wall / DAY);
    const hour = Math.floor((wall - day * DAY) / HOUR);
    const minute = Math.floor((wall - day * DAY - hour * HOUR) / MINUTE);
    const nextMinute = expression.minutes.set.atOrAfter(minute);
    if (nextMinute !== minute) {
      wall = nextMinute >= 0 ? landOnHour(zone, day, hour, nextMinute) : landOnHour(zone, day, hour + 1, expression.minutes.set.first);
      continue;
    }
    const nextHour = expression.hours.set.atOrAfter(hour);
    if (nextHour !== hour) {
      wall = nextHour >= 0 ? landOnHour(zone, day, nextHour, 0) : landOnHour(zone, day + 1, expression.hours.set.first, 0);
      continue;
    }
    const date = civilFromDays(day);
    if (date.year > lastYear) return undefined;
    const days = matchingDays(expression.days, date.year, date.month);
    if (((days >>> date.day) & 1) === 0) {
      const later = date.day === 31 ? 0 : days & (-1 << (date.day + 1));
      wall = land(zone, (later === 0 ? monthStart(date.year, date.month + 1) : day - date.day + 31 - Math.clz32(later & -later)) * DAY);
      continue;
    }
    const nextMonth = expression.months.set.atOrAfter(date.month);
    if (nextMonth !== date.month) {
      wall = land(zone, (nextMonth >= 0 ? monthStart(date.year, nextMonth) : monthStart(date.year + 1, expression.months.set.first)) * DAY);
      continue;
    }
    if (expression.years === undefined || expression.years.has(date.year)) return wall;
    const nextYear = expression.years.atOrAfter(date.year);
    if (nextYear < 0) return undefined;
    wall = land(zone, monthStart(nextYear, 1) * DAY);
  }
}

function monthStart(year: number, month: number): number {
  return month === 13 ? daysFromCivil(year + 1, 1, 1) : daysFromCivil(year, month, 1);
}
