import type { ElasticJobSpec } from "../../api/elastic-job.gen.ts";
import { parseTime } from "../../base/time.ts";

/**
 * The simulation's own, plain reading of schedules, kept apart from the operator's: it knows "0 *\/5 * * * ?" (every five minutes) and
 * "*\/2 * * * * ?" (every two seconds) with divisors of 60, which follow elapsed time in zones whose offsets are whole half hours, and
 * "0 30 2 * * ?" (a fixed time of day), and nothing else.
 */
export function periodOf(cron: string): number {
  const minutes = /^0 \*\/(\d+) \* \* \* \?$/.exec(cron);
  if (minutes !== null) return Number(minutes[1]) * minuteMs;
  const seconds = /^\*\/(\d+) \* \* \* \* \?$/.exec(cron);
  if (seconds !== null) return Number(seconds[1]) * 1000;
  throw new RangeError(`the simulation cannot read the schedule "${cron}"`);
}

/** A spec, and what its calendars leave out as of some instant. */
export interface ScheduleFacts {
  readonly spec: ElasticJobSpec;
  /** Stretches [from, to) without fire times; "everything" = a calendar is missing. Absent = no calendar. */
  readonly excluded?: Excluded;
  /** The namespace is only observed, so nothing is owed. */
  readonly observing?: true;
}

export type Excluded = readonly (readonly [number, number])[] | "everything";

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** The fire times of a spec in (after, upTo], whether it is suspended or not. */
export function fireTimesBetween({ spec, excluded = [] }: ScheduleFacts, after: number, upTo: number): readonly number[] {
  const { schedule } = spec;
  if (schedule === undefined || excluded === "everything") return [];
  const from = Math.max(after + 1, parseTime(schedule.startAt) ?? Number.NEGATIVE_INFINITY);
  const to = Math.min(upTo, (parseTime(schedule.endAt) ?? Number.POSITIVE_INFINITY) - 1);
  const times = new Set(schedule.crons.flatMap((cron) => timesOf(cron, schedule.timeZone ?? "Etc/UTC", from, to)));
  return [...times].filter((time) => !excluded.some(([begin, end]) => begin <= time && time < end)).sort((a, b) => a - b);
}

function timesOf(cron: string, zone: string, from: number, to: number): readonly number[] {
  const daily = /^0 (\d+) (\d+) \* \* \?$/.exec(cron);
  if (daily !== null) return dailyTimes(Number(daily[2]) * 60 + Number(daily[1]), zone, from, to);
  const period = periodOf(cron);
  const times: number[] = [];
  for (let time = Math.ceil(from / period) * period; time <= to; time += period) times.push(time);
  return times;
}

/**
 * A fixed time of day runs once a day: at its first pass, and where the clocks jump over it, when they have jumped. A day that is lost whole
 * owes nothing. Found by looking at the clock on the wall minute by minute.
 */
function dailyTimes(minuteOfDay: number, zone: string, from: number, to: number): readonly number[] {
  const times: number[] = [];
  for (let time = Math.ceil(from / minuteMs) * minuteMs; time <= to; time += minuteMs) {
    const wall = wallAt(zone, time);
    const before = wallAt(zone, time - minuteMs);
    const jump = wall - before - minuteMs;
    const met = modulo(wall, dayMs) === minuteOfDay * minuteMs;
    const again = met && [30, 60, 120].some((minutes) => wallAt(zone, time - minutes * minuteMs) === wall);
    const jumpedOver =
      jump > 0 && jump <= 3 * 60 * minuteMs && walls(before, wall).some((each) => modulo(each, dayMs) === minuteOfDay * minuteMs);
    if ((met && !again) || jumpedOver) times.push(time);
  }
  return times;
}

/** The minutes after one wall and before another. */
function walls(after: number, before: number): readonly number[] {
  return Array.from({ length: Math.max(0, (before - after) / minuteMs - 1) }, (_, index) => after + (index + 1) * minuteMs);
}

const modulo = (value: number, by: number): number => ((value % by) + by) % by;

const formats = new Map<string, Intl.DateTimeFormat>();
const wallsSeen = new Map<string, number>();

/** Local time written as if it were UTC. */
function wallAt(zone: string, instant: number): number {
  const key = `${zone} ${instant}`;
  const seen = wallsSeen.get(key);
  if (seen !== undefined) return seen;
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-CA", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    });
    formats.set(zone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
  const wall = Date.UTC(year, month - 1, day, hour, minute);
  if (wallsSeen.size > 100_000) wallsSeen.clear();
  wallsSeen.set(key, wall);
  return wall;
}

/** How much later than its fire time a run starts (decision 42), computed apart from the operator's code. */
export function jitterMs(job: { readonly name: string }, spec: ElasticJobSpec): number {
  const most = spec.schedule?.jitterSeconds ?? 0;
  if (most === 0) return 0;
  let hash = 2_166_136_261n;
  for (const byte of Buffer.from(`default/${job.name}`)) hash = ((hash ^ BigInt(byte)) * 16_777_619n) & 0xffff_ffffn;
  return Number(hash % BigInt(most + 1)) * 1000;
}

/** The fire time in a run id such as 20261121t123100z; undefined when it holds none. */
export function fireTimeOfRun(run: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)z$/.exec(run);
  return match === null ? undefined : parseTime(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`);
}

/** Whether two specs fire alike: a change of anything else drops nothing that is owed. */
export function sameSchedule(a: ScheduleFacts, b: ScheduleFacts): boolean {
  return text(a) === text(b);
}

const text = ({ spec, excluded, observing }: ScheduleFacts): string =>
  JSON.stringify([spec.schedule, spec.suspend ?? false, excluded, observing]);

/** Whether a run is one of a backfill: it stands beside all others. */
export const isBackfilled = (run: string): boolean => /-b[0-9a-f]{8}$/.test(run);
