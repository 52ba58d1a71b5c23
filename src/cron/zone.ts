import { DAY, HOUR, MINUTE, SECOND } from "./civil.ts";
import { ZoneError } from "./schedule-error.ts";

// A zone answers in constant time: time is cut into blocks of a year, and a block's changes of offset are found once, by a probe
// of Intl per week and a bisection, and kept for the life of the process (about 0.1 ms per block). No zone has changed its offset
// there and back within a week since 1970, which is where fire times begin.
// "Wall" means local time written as if it were UTC: wall = instant + offset, in milliseconds.

/** A stretch of time with one offset. `end` is exclusive. It may end without a change of offset, at the edge of a block. */
export interface ZoneSegment {
  readonly start: number;
  readonly end: number;
  /** Milliseconds to add to UTC. */
  readonly offset: number;
}

/**
 * What a wall time means. `Gap`: it never was; the clocks jumped over wallStart..wallEnd at `instant`, which reads wallEnd.
 * `Overlap`: it was twice, at `first` and `second`; the walls wallStart..wallEnd (exclusive) were.
 */
export type WallMeaning =
  | { readonly kind: "Unique"; readonly instant: number }
  | { readonly kind: "Gap"; readonly instant: number; readonly wallStart: number; readonly wallEnd: number }
  | { readonly kind: "Overlap"; readonly first: number; readonly second: number; readonly wallStart: number; readonly wallEnd: number };

/** A time zone, by IANA name or fixed offset. Instants and walls are milliseconds, instants from 1970 on. */
export interface Zone {
  readonly name: string;
  segmentAt(instant: number): ZoneSegment;
  meaningOf(wall: number): WallMeaning;
}

const BLOCK = 366 * DAY;
const PROBE = 7 * DAY;
/** More than the difference of any two offsets. */
const REACH = 2 * DAY;
const MAXIMUM_FIXED_HOURS = 18;

abstract class AnyZone implements Zone {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  abstract segmentAt(instant: number): ZoneSegment;

  meaningOf(wall: number): WallMeaning {
    const guess = this.segmentAt(wall);
    const instant = wall - guess.offset;
    if (instant - REACH >= guess.start && instant + REACH < guess.end) return { kind: "Unique", instant };
    return this.#search(wall);
  }

  /** Walks over the few segments that could hold the wall, in order of time. */
  #search(wall: number): WallMeaning {
    let segment = this.segmentAt(wall - REACH);
    let found: { readonly instant: number; readonly segment: ZoneSegment } | undefined;
    for (;;) {
      const instant = wall - segment.offset;
      if (instant >= segment.start && instant < segment.end) {
        if (found !== undefined) {
          return {
            kind: "Overlap",
            first: found.instant,
            second: instant,
            wallStart: segment.start + segment.offset,
            wallEnd: segment.start + found.segment.offset,
          };
        }
        found = { instant, segment };
      }
      const following = this.segmentAt(segment.end);
      if (found === undefined && instant >= segment.end && wall < following.start + following.offset) {
        return {
          kind: "Gap",
          instant: following.start,
          wallStart: following.start + segment.offset,
          wallEnd: following.start + following.offset,
        };
      }
      if (segment.end > wall + REACH) break;
      // Block edges are no changes: a later segment of equal offset still belongs to the one in which the wall was found.
      if (found !== undefined && following.offset === found.segment.offset) found = { instant: found.instant, segment: following };
      segment = following;
    }
    if (found === undefined) throw new Error(`no meaning for wall time ${wall} in ${this.name}`);
    return { kind: "Unique", instant: found.instant };
  }
}

class FixedZone extends AnyZone {
  readonly #segment: ZoneSegment;

  constructor(name: string, offset: number) {
    super(name);
    this.#segment = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY, offset };
  }

  override segmentAt(): ZoneSegment {
    return this.#segment;
  }
}

class NamedZone extends AnyZone {
  readonly #format: Intl.DateTimeFormat;
  readonly #blocks = new Map<number, readonly ZoneSegment[]>();

  constructor(name: string, format: Intl.DateTimeFormat) {
    super(name);
    this.#format = format;
  }

  override segmentAt(instant: number): ZoneSegment {
    const index = Math.floor(instant / BLOCK);
    let block = this.#blocks.get(index);
    if (block === undefined) {
      block = this.#explore(index * BLOCK, (index + 1) * BLOCK);
      this.#blocks.set(index, block);
    }
    for (const segment of block) if (instant < segment.end) return segment;
    throw new Error(`no segment of ${this.name} at ${instant}`);
  }

  #explore(start: number, end: number): readonly ZoneSegment[] {
    const segments: ZoneSegment[] = [];
    let since = start;
    let offset = this.#offsetAt(start);
    for (let from = start; from < end; from += PROBE) {
      const to = Math.min(from + PROBE, end - SECOND);
      if (this.#offsetAt(to) === offset) continue;
      let low = from;
      let high = to;
      while (high - low > SECOND) {
        const middle = low + Math.floor((high - low) / 2 / SECOND) * SECOND;
        if (this.#offsetAt(middle) === offset) low = middle;
        else high = middle;
      }
      segments.push({ start: since, end: high, offset });
      since = high;
      offset = this.#offsetAt(high);
      from = high - PROBE;
    }
    segments.push({ start: since, end, offset });
    return segments;
  }

  #offsetAt(instant: number): number {
    const text = this.#format.format(instant);
    const match = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text);
    if (match === null) throw new Error(`no offset in ${JSON.stringify(text)}`);
    const [, sign, hours = "0", minutes = "0", seconds = "0"] = match;
    const size = Number(hours) * HOUR + Number(minutes) * MINUTE + Number(seconds) * SECOND;
    return sign === "-" ? -size : size;
  }
}

/** UTC. */
export const utc: Zone = new FixedZone("Etc/UTC", 0);

const namedZones = new Map<string, Zone>();

/**
 * A zone from an IANA name (`Asia/Shanghai`), `UTC`, `GMT`, or a fixed offset as Java writes it (`GMT+8`, `GMT+08:00`, `UTC-05:30`;
 * east of Greenwich is plus, other than in `Etc/GMT-8`). Throws ZoneError: unknown names, three-letter abbreviations (CST has four meanings).
 */
export function parseZone(text: string): Zone {
  if (/^(?:Etc\/)?(?:UTC|GMT)$/i.test(text)) return utc;
  const fixed = /^(?:GMT|UTC)([+-])(\d{1,2})(?::?(\d{2}))?$/.exec(text);
  if (fixed !== null) return fixedZone(text, fixed);
  if (/^[A-Za-z]{3}$/.test(text)) {
    throw new ZoneError(
      `"${text}" is an abbreviation, which several zones share or which knows no summer time; write a name such as "Europe/Paris", or a fixed offset such as "GMT+08:00"`,
    );
  }
  if (/^[+-]\d/.test(text)) throw new ZoneError(`"${text}" is not a time zone; write "GMT${text}"`);
  const key = text.toLowerCase();
  const known = namedZones.get(key);
  if (known !== undefined) return known;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", { timeZone: text, timeZoneName: "longOffset" });
  } catch {
    const similar = similarName(text);
    throw new ZoneError(
      `unknown time zone "${text}"; ${similar === undefined ? `write a name of the IANA time zone database such as "Asia/Shanghai", or "GMT+08:00"` : `did you mean "${similar}"?`}`,
    );
  }
  const zone = new NamedZone(text, format);
  namedZones.set(key, zone);
  return zone;
}

function fixedZone(text: string, [, sign, hoursText = "", minutesText = "0"]: RegExpExecArray): Zone {
  const hours = Number(hoursText);
  const minutes = Number(minutesText);
  if (minutes > 59) throw new ZoneError(`"${text}" has ${minutes} minutes; an offset's minutes go from 00 to 59`);
  const size = hours * HOUR + minutes * MINUTE;
  if (size > MAXIMUM_FIXED_HOURS * HOUR) throw new ZoneError(`"${text}" is too far from Greenwich; offsets go from -18:00 to +18:00`);
  return new FixedZone(text, sign === "-" ? -size : size);
}

/** The known name that differs from the text in the fewest letters, at most two, or has the same last part. */
function similarName(text: string): string | undefined {
  const wanted = text.toLowerCase();
  const city = wanted.split("/").at(-1)?.replaceAll(" ", "_") ?? "";
  let best: string | undefined;
  let bestDistance = 3;
  for (const name of Intl.supportedValuesOf("timeZone")) {
    const lower = name.toLowerCase();
    if (lower.split("/").at(-1) === city) return name;
    if (Math.abs(lower.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(lower, wanted);
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const following = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      following.push(Math.min(replaced, (row[j] ?? 0) + 1, (following[j - 1] ?? 0) + 1));
    }
    row = following;
  }
  return row[right.length] ?? 0;
}
