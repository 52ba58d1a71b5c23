import type { ElasticJob } from "../api/elastic-job.gen.ts";
import type { ObjectRef } from "../api/meta.ts";
import { type ReferencedConfigMaps, textUnder } from "./referenced-config-maps.ts";
import { calendarKey } from "./rules/calendars.ts";
import type { ConfigMapText } from "./rules/config-map-text.ts";

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
): ReadonlyMap<string, ConfigMapText> {
  const sources = new Map<string, ConfigMapText>();
  for (const { name = "" } of job.spec.schedule?.calendars ?? []) {
    const own = configMaps.get({ namespace: job.metadata.namespace as string, name });
    sources.set(name, textUnder(own.kind === "missing" ? configMaps.get({ namespace: operatorNamespace, name }) : own, calendarKey));
  }
  return sources;
}
