import { Heap } from "../../base/heap.ts";
import { formatSeconds } from "../../base/time.ts";
import type { Schedule } from "../../cron/schedule.ts";
import type { Zone } from "../../cron/zone.ts";
import { alignColumns, distance, localTime } from "../cron-output.ts";

/** A job that fires by itself. */
export interface FiringJob {
  readonly namespace: string;
  readonly name: string;
  readonly zone: Zone;
  readonly schedule: Schedule;
  /** It is suspended until then. */
  readonly notBefore?: number;
}

/** One fire time of one job. */
export interface CalendarEntry {
  readonly fireTime: string;
  readonly namespace: string;
  readonly job: string;
}

/** The fire times of all jobs in (from, to], in their order, at most `limit`; those of one instant by namespace and name. */
export function fireCalendar(
  jobs: readonly FiringJob[],
  from: number,
  to: number,
  limit: number,
): { readonly entries: readonly CalendarEntry[]; readonly truncated: boolean } {
  interface Coming {
    readonly job: FiringJob;
    readonly time: number;
  }
  const key = ({ job }: Coming) => `${job.namespace}/${job.name}`;
  const heap = new Heap<Coming>((a, b) => a.time - b.time || (key(a) < key(b) ? -1 : 1));
  const push = (job: FiringJob, after: number) => {
    const time = job.schedule.next(Math.max(after, (job.notBefore ?? 0) - 1));
    if (time !== undefined && time <= to) heap.push({ job, time });
  };
  for (const job of jobs) push(job, from);
  const entries: CalendarEntry[] = [];
  for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
    if (entries.length === limit) return { entries, truncated: true };
    entries.push({ fireTime: formatSeconds(next.time), namespace: next.job.namespace, job: next.job.name });
    push(next.job, next.time);
  }
  return { entries, truncated: false };
}

/** A calendar as a table; `wide` adds the local time of each job. */
export function calendarTable(
  entries: readonly CalendarEntry[],
  {
    jobs,
    now,
    namespaces,
    wide,
  }: { readonly jobs: readonly FiringJob[]; readonly now: number; readonly namespaces: boolean; readonly wide: boolean },
): readonly string[] {
  const zones = new Map(jobs.map((job) => [`${job.namespace}/${job.name}`, job.zone]));
  const rows = entries.map(({ fireTime, namespace, job }) => {
    const instant = Date.parse(fireTime);
    const zone = zones.get(`${namespace}/${job}`);
    const local = zone === undefined ? "-" : `${localTime(instant, zone)} ${zone.name}`;
    return [fireTime, distance(instant - now), ...(namespaces ? [namespace] : []), job, ...(wide ? [local] : [])];
  });
  const heads = ["FIRE-TIME", "FROM-NOW", ...(namespaces ? ["NAMESPACE"] : []), "JOB", ...(wide ? ["LOCAL"] : [])];
  return alignColumns([heads, ...rows]);
}
