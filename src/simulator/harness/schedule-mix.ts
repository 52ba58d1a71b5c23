import { type Random, randomInteger } from "../../base/random.ts";
import type { SimulatedEdit, SimulatedJob } from "./job-mix.ts";

/** A night in which the clocks of a zone change, so that the change comes some minutes after the start. */
export interface Night {
  readonly zone: string;
  /** When the simulation begins. */
  readonly start: number;
  /** Minutes of the local day at which the change comes, before it. */
  readonly changesAt: number;
}

const minuteMs = 60_000;
const leadMs = 12 * minuteMs;

const nights: readonly Night[] = [
  // 02:00 shows 01:00
  { zone: "America/New_York", start: Date.UTC(2026, 10, 1, 6) - leadMs, changesAt: 120 },
  // 02:00 shows 03:00
  { zone: "America/New_York", start: Date.UTC(2027, 2, 14, 7) - leadMs, changesAt: 120 },
  // 02:00 shows 01:30
  { zone: "Australia/Lord_Howe", start: Date.UTC(2027, 3, 3, 15) - leadMs, changesAt: 120 },
  // 02:00 shows 02:30
  { zone: "Australia/Lord_Howe", start: Date.UTC(2026, 9, 3, 15, 30) - leadMs, changesAt: 120 },
  // the end of 29 December is the beginning of 31 December
  { zone: "Pacific/Apia", start: Date.UTC(2011, 11, 30, 10) - leadMs, changesAt: 0 },
];

/** Every second seed plays a night in which clocks change. */
export function nightOf(seed: number): Night | undefined {
  return seed % 2 === 0 ? nights[(seed / 2) % nights.length] : undefined;
}

export interface ScheduleMixOptions {
  /** When the simulation begins. */
  readonly start: number;
  readonly editsMs: number;
  readonly night?: Night | undefined;
}

const pick = <T>(random: Random, values: readonly T[]): T => values[randomInteger(random, values.length)] as T;

/** Gives jobs what schedules have besides expressions: jitter, a lane, a deadline, a calendar that is edited, fixed times around a change of clocks. */
export function mixSchedules(random: Random, jobs: readonly SimulatedJob[], options: ScheduleMixOptions): readonly SimulatedJob[] {
  return jobs.map((job) => (job.manifest.metadata.name.startsWith("job-") ? mixSchedule(random, job, options) : job));
}

function mixSchedule(random: Random, job: SimulatedJob, { start, editsMs, night }: ScheduleMixOptions): SimulatedJob {
  const jitter = random.next() < 0.25 && { jitterSeconds: pick(random, [5, 30]) };
  const lane = random.next() < 0.25 && { concurrencyPolicy: "Enqueue" as const, maxEnqueued: pick(random, [1, 2, 4]) };
  const deadline = random.next() < 0.3 && { deadlineSeconds: pick(random, [20, 90, 600]) };
  const atNight = night !== undefined && random.next() < 0.7;
  const withCalendar = !atNight && random.next() < 0.35;
  const { schedule, ...spec } = job.manifest.spec;
  const { name } = job.manifest.metadata;
  const calendars = withCalendar && { calendars: [{ name: `${name}-dates`, effect: "Exclude" as const }] };
  const fixed = atNight && { crons: aroundChange(night), timeZone: night.zone };
  const manifest = {
    ...job.manifest,
    spec: { ...spec, ...lane, ...deadline, schedule: { ...schedule, ...jitter, ...calendars, ...fixed } },
  } as SimulatedJob["manifest"];
  // Only fixed times are known to both readings in such a zone.
  const kept = job.edits.filter((edit) => !atNight || edit.kind !== "patch" || edit.spec["schedule"] === undefined);
  if (!withCalendar) return { manifest, edits: kept };
  const edits: readonly SimulatedEdit[] = [...kept, ...calendarEdits(random, start, editsMs)].sort((a, b) => a.atMs - b.atMs);
  return { manifest, calendar: stretches(random, start, editsMs), edits };
}

/** Fixed times of day before, inside of and after the hour that is lost or comes twice. */
function aroundChange({ changesAt }: Night): readonly string[] {
  return [-55, -50, -28, -10, -5, -2, 0, 2, 7, 15, 32, 40, 62, 70].map((offset) => {
    const minute = (changesAt + offset + 1440) % 1440;
    return `0 ${minute % 60} ${Math.floor(minute / 60)} * * ?`;
  });
}

/** Edited, emptied, broken, or taken away for a while. A broken one is not mended into another. */
function calendarEdits(random: Random, start: number, editsMs: number): readonly SimulatedEdit[] {
  const at = (from: number, to: number) => Math.floor((from + (to - from) * random.next()) * editsMs);
  const kind = random.next();
  if (kind < 0.3) return [{ kind: "calendar", atMs: at(0.2, 0.8), dates: stretches(random, start, editsMs) }];
  if (kind < 0.5) return [{ kind: "calendar", atMs: at(0.3, 0.8), dates: "next Tuesday" }];
  if (kind < 0.8)
    return [
      { kind: "calendar", atMs: at(0.2, 0.5), dates: undefined },
      { kind: "calendar", atMs: at(0.5, 0.8), dates: stretches(random, start, editsMs) },
    ];
  return [];
}

/** One to three stretches of some minutes, in UTC. */
function stretches(random: Random, start: number, withinMs: number): string {
  const lines = Array.from({ length: 1 + randomInteger(random, 3) }, () => {
    const from = start + Math.floor((random.next() * withinMs) / minuteMs) * minuteMs;
    const to = from + (1 + randomInteger(random, 6)) * minuteMs;
    return `${minuteText(from)}/${minuteText(to)}`;
  });
  return lines.join("\n");
}

const minuteText = (instant: number): string => new Date(instant).toISOString().slice(0, 16);
