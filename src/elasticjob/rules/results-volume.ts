import type { PodTemplateSpec } from "../../api/core.ts";

/** The key in the ConfigMap, and the name of the file. */
export const resultsKey = "results.jsonl";

/** The name of the ConfigMap of a run: a function of the run, so that it is created once. */
export function resultsFileName(job: { readonly name: string; readonly uid: string }, run: string): string {
  return `${job.name}-${job.uid.slice(0, 8)}-${run}-results`;
}

const volume = "nuptse-results";
const mountPath = "/var/run/nuptse";

/** Where every container of a reduce finds the results of all items. */
export const resultsFilePath = `${mountPath}/${resultsKey}`;

/** The template of a reduce with the results of a run mounted into all of its containers. */
export function mountResults(
  template: PodTemplateSpec,
  job: { readonly name: string; readonly uid: string },
  run: string,
): PodTemplateSpec {
  const { spec } = template;
  const mounted = <T extends { readonly name: string }>(containers: readonly T[]) =>
    containers.map((container) => {
      const mounts = (container as { readonly volumeMounts?: readonly object[] }).volumeMounts ?? [];
      return { ...container, volumeMounts: [...mounts, { name: volume, mountPath, readOnly: true }] };
    });
  const volumes = (spec["volumes"] as readonly object[] | undefined) ?? [];
  const file = { name: volume, configMap: { name: resultsFileName(job, run), items: [{ key: resultsKey, path: resultsKey }] } };
  return {
    ...template,
    spec: {
      ...spec,
      containers: mounted(spec.containers),
      ...(spec.initContainers !== undefined && { initContainers: mounted(spec.initContainers) }),
      volumes: [...volumes, file],
    },
  };
}
