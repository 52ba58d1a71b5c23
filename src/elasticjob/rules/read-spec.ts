import type { ElasticJob, ElasticJobSpec } from "../../api/elastic-job.gen.ts";
import type { SpecProblem } from "../../api/problem.ts";
import { canonicalJson, fnv1a32 } from "../../base/hash.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import { createSchedule } from "../../cron/schedule.ts";
import type { Zone } from "../../cron/zone.ts";
import { type CalendarsStep, calendarsText, noCalendars } from "./calendars.ts";
import { type EffectiveSpec, effectiveSpec } from "./effective-spec.ts";
import type { ArmedSchedule } from "./observed.ts";
import type { ParametersStep } from "./parameters.ts";
import type { RevisionData } from "./pod.ts";

/** A job's spec as rules use it; reading costs some 20 microseconds, so it is kept until the generation changes. */
export interface ReadSpec {
  readonly spec: EffectiveSpec;
  readonly problems: readonly SpecProblem[];
  readonly calendars: CalendarsStep;
  readonly armed?: ArmedSchedule;
  readonly jitterMs: number;
  readonly parameters?: ParametersStep;
  readonly pinned: { readonly data: RevisionData; readonly canonical: string };
  readonly scheduleText: string;
}

/** @param problems what validation found; what is wrong is left out of what is read */
export function readSpec(job: ElasticJob, problems: readonly SpecProblem[], calendars: CalendarsStep = noCalendars): ReadSpec {
  const wrong = (path: string) => problems.some((problem) => problem.path.startsWith(path));
  const { sharding, ...rest } = job.spec;
  const { disabledItems: _left, ...otherSharding } = sharding ?? {};
  const spec = effectiveSpec(wrong("spec.sharding.disabledItems") ? { ...rest, sharding: otherSharding } : job.spec);
  const armed = job.spec.schedule === undefined || wrong("spec.schedule") ? undefined : arm(job, calendars);
  const data = revisionDataOf(job.spec);
  const scheduleText = canonicalJson({
    schedule: scheduleData(job),
    // Without a schedule it has its fire times from there.
    ...(job.spec.schedule === undefined && spec.after.length > 0 && { after: job.spec.after }),
    suspend: spec.suspend,
    wrong: problems.length > 0,
    ...(calendars.kind !== "none" && { calendars: calendarsText(calendars) }),
  });
  const pinned = { data, canonical: canonicalJson(data) };
  return { spec, problems, calendars, ...(armed !== undefined && { armed }), jitterMs: jitterOf(job), pinned, scheduleText };
}

/** A whole number of seconds from 0 to schedule.jitterSeconds, as milliseconds (decision 42). */
function jitterOf({ metadata, spec }: ElasticJob): number {
  const most = spec.schedule?.jitterSeconds ?? 0;
  return most === 0 ? 0 : (fnv1a32(`${metadata.namespace}/${metadata.name}`) % (most + 1)) * 1000;
}

/** A schedule without what changes nothing, so that a field that is new to an old object changes no hash. */
function scheduleData({ spec: { schedule } }: ElasticJob): unknown {
  if (schedule === undefined) return null;
  const { jitterSeconds = 0, calendars = [], ...rest } = schedule;
  return { ...rest, ...(jitterSeconds > 0 && { jitterSeconds }), ...(calendars.length > 0 && { calendars }) };
}

/** The part of a spec that runs are pinned to. */
function revisionDataOf(spec: ElasticJobSpec): RevisionData {
  const {
    template,
    runnerRef,
    sharding,
    parameter,
    options,
    results,
    reduce,
    itemTimeoutSeconds,
    startTimeoutSeconds,
    safeToEvict,
    appendShardingContext,
  } = spec;
  return {
    ...(template !== undefined && { template }),
    ...(runnerRef !== undefined && { runnerRef }),
    ...(sharding !== undefined && { sharding }),
    ...(parameter !== undefined && { parameter }),
    ...(options !== undefined && { options }),
    ...(results !== undefined && { results }),
    ...(reduce !== undefined && { reduce }),
    ...(itemTimeoutSeconds !== undefined && { itemTimeoutSeconds }),
    ...(startTimeoutSeconds !== undefined && { startTimeoutSeconds }),
    ...(safeToEvict !== undefined && { safeToEvict }),
    ...(appendShardingContext === true && { appendShardingContext }),
  };
}

function arm(job: ElasticJob, calendars: CalendarsStep): ArmedSchedule {
  const { crons = [], dialect, timeZone, dst, startAt, endAt } = job.spec.schedule ?? {};
  const start = parseTime(startAt);
  const end = parseTime(endAt);
  const anchor = parseTime(job.metadata.creationTimestamp) ?? 0;
  const schedule = createSchedule({
    crons,
    dialect,
    timeZone,
    dst,
    ...(start !== undefined && { startAt: start }),
    ...(end !== undefined && { endAt: end }),
    anchor,
    ...(calendars.kind === "usable" && { calendars: calendars.calendars }),
  });
  const local = (instant: number) => formatSeconds(instant + schedule.zone.segmentAt(instant).offset);
  return {
    schedule,
    localDate: (instant) => local(instant).slice(0, 10),
    display: (instant) => `${local(instant).slice(5, 16).replace("T", " ")} ${abbreviation(schedule.zone, instant)}`,
  };
}

const formats = new Map<string, readonly Intl.DateTimeFormat[] | undefined>();

/** "CST", "GMT+8": what people call the zone at that instant. */
function abbreviation(zone: Zone, instant: number): string {
  if (zone.name === "Etc/UTC") return "UTC";
  if (!formats.has(zone.name)) formats.set(zone.name, formatsOf(zone.name));
  const names = formats
    .get(zone.name)
    ?.map((format) => format.formatToParts(instant).find((part) => part.type === "timeZoneName")?.value ?? "");
  return names?.find((name) => /^[A-Z]+$/.test(name)) ?? names?.[0] ?? zone.name;
}

function formatsOf(zone: string): readonly Intl.DateTimeFormat[] | undefined {
  try {
    // Each speaks of the zones that its readers know by name, and of others as GMT+1.
    return ["en-US", "en-GB", "en-AU", "en-IN"].map((locale) => new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: "short" }));
  } catch {
    // A fixed offset such as GMT+8 is its own abbreviation.
    return undefined;
  }
}
