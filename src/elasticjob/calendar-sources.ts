import type { ElasticJob } from "../api/elastic-job.gen.ts";
import type { ObjectRef } from "../api/meta.ts";
import type { ReferencedConfigMap, ReferencedConfigMaps } from "./referenced-config-maps.ts";
import { type CalendarSource, calendarKey } from "./rules/calendars.ts";

/**
 * The ConfigMaps in which a job's calendars may be: each in the job's own namespace, and in the operator's, where calendars for the whole
 * cluster are.
 */
export function calendarRefs(job: ElasticJob, operatorNamespace: string): readonly ObjectRef[] {
  const calendars = job.spec.schedule?.calendars;
  if (calendars === undefined || calendars.length === 0) return [];
  const namespaces = new Set([job.metadata.namespace as string, operatorNamespace]);
  return calendars.flatMap(({ name }) => [...namespaces].map((namespace) => ({ namespace, name: name as string })));
}

/** A job's calendars by name, as the caches show them; the job's own namespace comes first. */
export function calendarSources(
  job: ElasticJob,
  operatorNamespace: string,
  configMaps: Pick<ReferencedConfigMaps, "get">,
): ReadonlyMap<string, CalendarSource> {
  const sources = new Map<string, CalendarSource>();
  for (const { name = "" } of job.spec.schedule?.calendars ?? []) {
    const own = configMaps.get({ namespace: job.metadata.namespace as string, name });
    sources.set(name, sourceOf(own.kind === "missing" ? configMaps.get({ namespace: operatorNamespace, name }) : own));
  }
  return sources;
}

function sourceOf(known: ReferencedConfigMap): CalendarSource {
  return known.kind === "present" ? { kind: "present", text: known.configMap.data?.[calendarKey] } : known;
}
