import type { ElasticJob } from "../api/elastic-job.gen.ts";
import type { ObjectRef } from "../api/meta.ts";
import { type ReferencedConfigMap, type ReferencedConfigMaps, textUnder } from "./referenced-config-maps.ts";
import { type ParametersStep, readParameters } from "./rules/parameters.ts";

/** The ConfigMap that sharding.parametersFrom names; none for most jobs. */
export function parametersRefs(job: ElasticJob): readonly ObjectRef[] {
  const from = job.spec.sharding?.parametersFrom;
  return from === undefined ? [] : [{ namespace: job.metadata.namespace as string, name: from.configMap }];
}

/** What is known of that ConfigMap: the same object as long as nothing new is. Undefined for a job that names none. */
export function parametersKnown(job: ElasticJob, configMaps: Pick<ReferencedConfigMaps, "get">): ReferencedConfigMap | undefined {
  const [ref] = parametersRefs(job);
  return ref === undefined ? undefined : configMaps.get(ref);
}

/** What that makes of the parameters of the job's items. */
export function parametersStep(job: ElasticJob, known: ReferencedConfigMap | undefined): ParametersStep | undefined {
  const key = job.spec.sharding?.parametersFrom?.key;
  if (known === undefined || key === undefined) return undefined;
  return readParameters(job, textUnder(known, key));
}
