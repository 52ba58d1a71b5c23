import { DAY, HOUR, SECOND } from "./civil.ts";
import type { FieldExpression } from "./expression.ts";
import { nextAsQuartz, previousAsQuartz } from "./quartz-occurrence.ts";
import { LAST_YEAR, wallAtOrAfter, wallAtOrBefore } from "./wall-search.ts";
import type { Zone } from "./zone.ts";

/**
 * What happens when the clocks change. `Once`: a fixed time inside a gap fires once at the gap's end, in an overlap once, at the
 * first pass; an expression with `*` or a step in hour or minute follows elapsed time. `Quartz`: as Quartz 2.5 does.
 */
export type DstRule = "Once" | "Quartz";

/** Clocks that jump further than this are a correction of the calendar (Apia, 2011-12-30): nothing is owed for the lost time. The limit is vixie cron's. */
const LONGEST_GAP = 3 * HOUR;
/** Beyond this distance from a change of offset no wall time of now can come again. */
const NEAR = 2 * DAY;
/** After so many gaps that swallowed the only candidates an expression is taken to have no fire time in the zone. */
const GAPS = 100;
const END = Date.UTC(LAST_YEAR + 1, 0, 1);

/** The first fire time strictly after an instant, in the years 1970 to 9999. Milliseconds. */
export function nextOccurrence(expression: FieldExpression, zone: Zone, dst: DstRule, after: number): number | undefined {
  const from = Math.max(0, (Math.floor(after / SECOND) + 1) * SECOND);
  if (!(from < END)) return undefined;
  const found =
    dst === "Quartz"
      ? nextAsQuartz(expression, zone, from)
      : expression.periodic
        ? nextElapsed(expression, zone, from)
        : nextFixed(expression, zone, from);
  return found !== undefined && found < END ? found : undefined;
}

/** The last fire time strictly before an instant, in the years 1970 to 9999. Milliseconds. */
export function previousOccurrence(expression: FieldExpression, zone: Zone, dst: DstRule, before: number): number | undefined {
  const from = Math.min(END, Math.ceil(before / SECOND) * SECOND) - SECOND;
  if (!(from >= 0)) return undefined;
  const found =
    dst === "Quartz"
      ? previousAsQuartz(expression, zone, from)
      : expression.periodic
        ? previousElapsed(expression, zone, from)
        : previousFixed(expression, zone, from);
  return found !== undefined && found >= 0 ? found : undefined;
}

/** The wall of an instant, and for one in the second pass of an overlap, what the overlap's walls are. */
function secondPass(zone: Zone, instant: number, wall: number): { readonly wallEnd: number } | undefined {
  const meaning = zone.meaningOf(wall);
  return meaning.kind === "Overlap" && instant === meaning.second ? meaning : undefined;
}

function nextFixed(expression: FieldExpression, zone: Zone, from: number): number | undefined {
  const { start, offset } = zone.segmentAt(from);
  const wallNow = from + offset;
  // At the end of a gap what lies inside of it is owed.
  const wallBefore = from === start ? from + zone.segmentAt(from - SECOND).offset : wallNow;
  // In the second pass all walls of the overlap have had their turn.
  let wall: number | undefined = secondPass(zone, from, wallNow)?.wallEnd ?? Math.min(wallNow, wallBefore);
  for (let gaps = 0; gaps < GAPS; gaps++) {
    wall = wallAtOrAfter(expression, wall);
    if (wall === undefined) return undefined;
    const meaning = zone.meaningOf(wall);
    if (meaning.kind === "Unique") return meaning.instant;
    if (meaning.kind === "Overlap") return meaning.first;
    if (meaning.wallEnd - meaning.wallStart <= LONGEST_GAP) return meaning.instant;
    wall = meaning.wallEnd;
  }
  return undefined;
}

function previousFixed(expression: FieldExpression, zone: Zone, from: number): number | undefined {
  const wallNow = from + zone.segmentAt(from).offset;
  const passed = secondPass(zone, from, wallNow);
  let wall: number | undefined = passed === undefined ? wallNow : passed.wallEnd - SECOND;
  for (let gaps = 0; gaps < GAPS; gaps++) {
    wall = wallAtOrBefore(expression, wall);
    if (wall === undefined) return undefined;
    const meaning = zone.meaningOf(wall);
    if (meaning.kind === "Unique") return meaning.instant;
    if (meaning.kind === "Overlap") return meaning.first;
    if (meaning.wallEnd - meaning.wallStart <= LONGEST_GAP) return meaning.instant;
    wall = meaning.wallStart - SECOND;
  }
  return undefined;
}

// Elapsed time: every instant whose wall matches fires. Inside a segment that is a search over walls. Where the segment ends
// soon, walls may come again or be lost, so the search goes on in the next one; where it does not, no wall from now on is
// smaller than the present one, so that the smallest matching wall is also the first.

function nextElapsed(expression: FieldExpression, zone: Zone, start: number): number | undefined {
  let from = start;
  for (let turns = 0; turns < GAPS; turns++) {
    const segment = zone.segmentAt(from);
    const wall = wallAtOrAfter(expression, from + segment.offset);
    if (wall === undefined) return undefined;
    if (wall - segment.offset < segment.end) return wall - segment.offset;
    if (segment.end - from <= NEAR) {
      from = segment.end;
      continue;
    }
    const meaning = zone.meaningOf(wall);
    if (meaning.kind === "Unique") return meaning.instant;
    if (meaning.kind === "Overlap") return meaning.first;
    from = meaning.instant;
  }
  return undefined;
}

function previousElapsed(expression: FieldExpression, zone: Zone, start: number): number | undefined {
  let from = start;
  for (let turns = 0; turns < GAPS && from >= 0; turns++) {
    const segment = zone.segmentAt(from);
    const wall = wallAtOrBefore(expression, from + segment.offset);
    if (wall === undefined) return undefined;
    if (wall - segment.offset >= segment.start) return wall - segment.offset;
    if (from - segment.start <= NEAR) {
      from = segment.start - SECOND;
      continue;
    }
    const meaning = zone.meaningOf(wall);
    if (meaning.kind === "Unique") return meaning.instant;
    if (meaning.kind === "Overlap") return meaning.second;
    from = meaning.instant - SECOND;
  }
  return undefined;
}
