import type { ControllerRevision } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import { ownedBy } from "../../api/meta.ts";
import { labels } from "../../api/names.ts";
import { conditionReasons } from "../../api/reasons.ts";
import { canonicalJson, shortHash } from "../../base/hash.ts";
import { CalendarError, type CalendarWindows, joined, parseCalendar, type ScheduleCalendars } from "../../cron/calendar.ts";
import type { ConfigMapText } from "./config-map-text.ts";

/** The key of a ConfigMap that holds a calendar. */
export const calendarKey = "dates";

/** What a job's calendars come to. `key` is equal for equal ones. */
export type CalendarsStep =
  | { readonly kind: "none"; readonly key: string }
  /** Not read yet: nothing fires, and nothing is said about it. */
  | { readonly kind: "loading"; readonly key: string }
  /** Nothing fires until somebody mends it. */
  | { readonly kind: "unusable"; readonly key: string; readonly reason: string; readonly message: string }
  | {
      readonly kind: "usable";
      readonly key: string;
      readonly calendars: ScheduleCalendars;
      /** Keeps the content, for when a ConfigMap is edited into nonsense; it must be stored before anything fires by it. */
      readonly revision: ControllerRevision;
      readonly stored: boolean;
      /** Some of it is the last good content because the ConfigMap is not read yet: it may change nothing of what is recorded. */
      readonly provisional?: true;
      /** Why the last good content of some calendar holds instead of what the ConfigMap has now. */
      readonly problem?: string;
    };

export const noCalendars: CalendarsStep = { kind: "none", key: "" };

interface KeptCalendar {
  readonly name: string;
  readonly text: string;
}

/**
 * Reads the calendars that a job names (decision 43). What cannot be read now is taken from the ControllerRevision that the status names:
 * the last good content. A ConfigMap that does not exist has no last good content: somebody took the calendar away.
 * @param sources by the calendar's name
 */
export function readCalendars(
  job: ElasticJob,
  sources: ReadonlyMap<string, ConfigMapText>,
  revisions: readonly ControllerRevision[],
): CalendarsStep {
  const wanted = job.spec.schedule?.calendars ?? [];
  if (wanted.length === 0) return noCalendars;
  const lastGood = keptIn(revisions.find((revision) => revision.metadata.name === job.status?.schedule?.calendars));
  const content: KeptCalendar[] = [];
  const exclude: CalendarWindows[] = [];
  const treatAsWeekday: CalendarWindows[] = [];
  const problems: string[] = [];
  let provisional = false;
  for (const { name, effect } of wanted) {
    const source = sources.get(name) ?? { kind: "loading" };
    if (source.kind === "missing") {
      const where = `neither in the job's namespace nor in the operator's`;
      return unusable(
        conditionReasons.calendarMissing,
        `there is no ConfigMap "${name}", ${where}; create it with the key "${calendarKey}"`,
      );
    }
    const fresh = source.kind === "present" ? read(name, source.text) : undefined;
    let kept: KeptCalendar | undefined = fresh?.windows === undefined ? undefined : { name, text: (source as { text: string }).text };
    let windows = fresh?.windows;
    if (kept === undefined) {
      const problem = source.kind === "unreadable" ? `the operator may not read ConfigMap "${name}": ${source.message}` : fresh?.problem;
      kept = lastGood.find((known) => known.name === name);
      windows = kept === undefined ? undefined : read(name, kept.text).windows;
      if (kept === undefined || windows === undefined) {
        if (problem === undefined) return { kind: "loading", key: "loading" };
        return unusable(source.kind === "unreadable" ? conditionReasons.calendarMissing : conditionReasons.calendarInvalid, problem);
      }
      if (problem === undefined) provisional = true;
      else problems.push(problem);
    }
    content.push(kept);
    (effect === "Exclude" ? exclude : treatAsWeekday).push(windows as CalendarWindows);
  }
  const revision = revisionOf(job, content);
  const stored = revisions.some((known) => known.metadata.name === revision.metadata.name);
  const problem = problems.join("; ");
  return {
    kind: "usable",
    key: `${revision.metadata.name} ${stored} ${provisional} ${problem}`,
    calendars: { exclude: joined(exclude.flat()), treatAsWeekday: joined(treatAsWeekday.flat()) },
    revision,
    stored,
    ...(provisional && { provisional }),
    ...(problem !== "" && { problem }),
  };
}

function unusable(reason: string, message: string): CalendarsStep {
  return { kind: "unusable", key: `${reason} ${message}`, reason, message };
}

/** What decides when the job fires, as part of the schedule's hash (decision 12). */
export function calendarsText(step: CalendarsStep): string {
  return step.kind === "usable" ? step.revision.metadata.name : step.kind;
}

function read(name: string, text: string | undefined): { readonly windows?: CalendarWindows; readonly problem?: string } {
  if (text === undefined) return { problem: `ConfigMap "${name}" has no key "${calendarKey}"; write the dates there` };
  const known = parsed.get(text);
  if (known !== undefined) return { windows: known };
  try {
    const windows = parseCalendar(text);
    if (parsed.size >= mostParsed) parsed.clear();
    parsed.set(text, windows);
    return { windows };
  } catch (error) {
    if (!(error instanceof CalendarError)) throw error;
    return { problem: `ConfigMap "${name}", key "${calendarKey}", ${error.message}` };
  }
}

/** Calendars parsed lately, by their text: most jobs have the same few. */
const parsed = new Map<string, CalendarWindows>();
const mostParsed = 64;

function keptIn(revision: ControllerRevision | undefined): readonly KeptCalendar[] {
  return (revision?.data as { readonly calendars?: readonly KeptCalendar[] } | undefined)?.calendars ?? [];
}

function revisionOf(job: ElasticJob, calendars: readonly KeptCalendar[]): ControllerRevision {
  const hash = shortHash(`${job.metadata.uid} ${canonicalJson(calendars)}`, 16);
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name: `${job.metadata.name}-calendars-${hash}`,
      namespace: job.metadata.namespace as string,
      labels: { [labels.job]: job.metadata.name, [labels.jobUid]: job.metadata.uid as string },
      ownerReferences: ownedBy(job),
    },
    data: { calendars },
    revision: job.metadata.generation ?? 1,
  };
}
