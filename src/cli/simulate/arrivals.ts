import type { SpecProblem } from "../../api/problem.ts";
import type { Workload, WorkloadSpecArrival, WorkloadSpecArrivalDuring } from "../../api/workload.gen.ts";
import { parseDuration } from "../../base/duration.ts";
import { fnv1a32 } from "../../base/hash.ts";
import { createSeededRandom } from "../../base/random.ts";
import { createSchedule, type Schedule } from "../../cron/schedule.ts";
import { ScheduleError } from "../../cron/schedule-error.ts";
import { parseZone, utc, type Zone } from "../../cron/zone.ts";
import { UsageError } from "../command-context.ts";
import { parseInstant } from "../instant.ts";

/** The stretch of time that is simulated, in milliseconds since 1970; `to` is exclusive. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const hourMs = 3_600_000;
const minutesOfDay = 1440;
const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;

/** What the schema cannot say of a workload that it admitted. */
export function workloadProblems({ spec }: Workload, span: Span): readonly SpecProblem[] {
  const problems: SpecProblem[] = [];
  const add = (path: string, message: string) => problems.push({ path, message });
  const { uniform, exponential, fixed } = spec.duration;
  const lengths = [
    ["spec.duration.fixed", fixed],
    ["spec.duration.uniform.max", uniform?.max],
    ["spec.duration.exponential.mean", exponential?.mean],
    ["spec.duration.exponential.max", exponential?.max],
  ] as const;
  for (const [path, text] of lengths) if (text !== undefined && parseDuration(text) === 0) add(path, "must be more than 0s");
  if (uniform !== undefined && lengthOf(uniform.min) > lengthOf(uniform.max))
    add("spec.duration.uniform.min", `must not be over max, which is ${uniform.max}`);
  let zone: Zone = utc;
  try {
    zone = zoneOf(spec.timeZone);
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    add("spec.timeZone", error.message);
    return problems;
  }
  for (const [index, pattern] of spec.arrivals.entries()) {
    const path = `spec.arrivals[${index}]`;
    if (pattern.every !== undefined && lengthOf(pattern.every) < 1000) add(`${path}.every`, "must be at least 1s");
    const [start, end] = hoursOf(pattern.during ?? {});
    if (start === end) add(`${path}.during.to`, "must differ from from; leave both out for the whole day");
    if (pattern.cron !== undefined) problems.push(...cronProblems(pattern.cron, spec.timeZone, span, `${path}.cron`));
    for (const [at, text] of (pattern.at ?? []).entries()) {
      try {
        instantOf(text, span, zone);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        add(
          `${path}.at[${at}]`,
          `"${text}" is no time; write how long after the beginning (90m), or an instant such as 2026-01-05T09:00:00Z`,
        );
      }
    }
  }
  return problems;
}

function cronProblems(text: string, timeZone: string | undefined, span: Span, path: string): readonly SpecProblem[] {
  try {
    scheduleOf(text, timeZone, span);
    return [];
  } catch (error) {
    if (error instanceof ScheduleError) return [{ path, message: error.message }];
    throw error;
  }
}

/**
 * When work comes, ascending, once for each of `count`. The same seed gives the same instants, whatever other workloads there are and however
 * long is simulated. Throws as soon as there are more than `most`.
 */
export function arrivalsOf({ metadata, spec }: Workload, span: Span, seed: number, most: number): readonly number[] {
  const zone = zoneOf(spec.timeZone);
  const name = `${metadata.namespace ?? "default"}/${metadata.name}`;
  const instants: number[] = [];
  for (const [index, pattern] of spec.arrivals.entries()) {
    const times = timesOf(pattern, { span, zone, timeZone: spec.timeZone, seed: fnv1a32(`${seed} ${name} ${index}`) });
    for (const at of times) {
      if (at < span.from || at >= span.to) continue;
      if (pattern.during !== undefined && !isDuring(pattern.during, at + zone.segmentAt(at).offset)) continue;
      for (let each = 0; each < (pattern.count ?? 1); each++) instants.push(at);
      if (instants.length > most)
        throw new UsageError(
          `Workload ${name}: brings more than ${most} arrivals; simulate a shorter time (--for), or make fewer and larger ones`,
        );
    }
  }
  return instants.sort((left, right) => left - right);
}

interface PatternTerms {
  readonly span: Span;
  readonly zone: Zone;
  readonly timeZone: string | undefined;
  readonly seed: number;
}

function* timesOf(pattern: WorkloadSpecArrival, { span, zone, timeZone, seed }: PatternTerms): Iterable<number> {
  if (pattern.perHour !== undefined) {
    // What falls outside of the hours is dropped afterwards, which leaves a Poisson process of the same rate within them.
    const random = createSeededRandom(seed);
    const gapMs = () => (-hourMs / (pattern.perHour as number)) * Math.log(1 - random.next());
    for (let at = span.from + gapMs(); at < span.to; at += gapMs()) yield Math.floor(at);
  } else if (pattern.every !== undefined) {
    const stepMs = lengthOf(pattern.every);
    for (let at = span.from; at < span.to; at += stepMs) yield at;
  } else if (pattern.cron !== undefined) {
    const schedule = scheduleOf(pattern.cron, timeZone, span);
    for (let after = span.from - 1; ; ) {
      const { times, truncated } = schedule.between(after, span.to, 10_000);
      yield* times;
      if (!truncated) return;
      after = times.at(-1) as number;
    }
  } else for (const text of pattern.at ?? []) yield instantOf(text, span, zone);
}

/** How long an item is at work, in milliseconds: a function of seed, job and item. */
export function itemDurationMs({ spec }: Workload, seed: number, job: string, item: string): number {
  const { fixed, uniform, exponential } = spec.duration;
  const chance = createSeededRandom(fnv1a32(`${seed} ${job} ${item}`)).next();
  if (fixed !== undefined) return lengthOf(fixed);
  if (uniform !== undefined) {
    const least = lengthOf(uniform.min);
    return Math.round(least + chance * (lengthOf(uniform.max) - least));
  }
  const mean = lengthOf(exponential?.mean ?? "");
  const most = exponential?.max === undefined ? 10 * mean : lengthOf(exponential.max);
  return Math.max(1, Math.min(most, Math.round(-mean * Math.log(1 - chance))));
}

/** @param wall local time as if it were UTC */
function isDuring(during: WorkloadSpecArrivalDuring, wall: number): boolean {
  const { days } = during;
  const [start, end] = hoursOf(during);
  const minute = Math.floor(wall / 60_000) % minutesOfDay;
  const isOvernight = end < start;
  const within = isOvernight ? minute >= start || minute < end : minute >= start && minute < end;
  if (!within || days === undefined) return within;
  const begunYesterday = isOvernight && minute < end;
  const day = weekdays[new Date(wall - (begunYesterday ? 24 * hourMs : 0)).getUTCDay()] as (typeof weekdays)[number];
  return days.includes(day);
}

/** In minutes of the day. */
function hoursOf({ from = "00:00", to = "24:00" }: WorkloadSpecArrivalDuring): readonly [number, number] {
  const minuteOf = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
  return [minuteOf(from), minuteOf(to)];
}

/** Of a text that the schema admitted. */
const lengthOf = (text: string): number => parseDuration(text) ?? 0;

const zoneOf = (timeZone: string | undefined): Zone => (timeZone === undefined ? utc : parseZone(timeZone));

function instantOf(text: string, span: Span, zone: Zone): number {
  const after = parseDuration(text);
  return after === undefined ? parseInstant("at", text, zone) : span.from + after;
}

function scheduleOf(cron: string, timeZone: string | undefined, span: Span): Schedule {
  return createSchedule({ crons: [cron], timeZone, anchor: span.from });
}
