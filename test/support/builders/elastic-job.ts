import type { PodTemplateSpec } from "../../../src/api/core.ts";
import type { ElasticJob, ElasticJobSpec, ElasticJobStatus } from "../../../src/api/elastic-job.gen.ts";
import type { ObjectMeta } from "../../../src/api/meta.ts";

/** The job of most tests: tenant/report, created at 09:30 of a Saturday, firing at every full hour. */
export const jobUid = "0a1b2c3d-1111-4222-8333-444455556666";
export const day = "2026-11-21";

/** The instant of a time of that day: "12:00:05", "12:00:05.250". */
export const at = (time: string): number => Date.parse(`${day}T${time}Z`);

/** The same as Kubernetes writes it. */
export const iso = (time: string): string => `${day}T${time}Z`;

export const plainTemplate: PodTemplateSpec = {
  spec: { containers: [{ name: "main", image: "registry.example/report:1", command: ["/report"] }] },
};

/** A spec that fires hourly, with whatever differs. */
export function makeSpec(differs: Partial<ElasticJobSpec> = {}): ElasticJobSpec {
  return { schedule: { crons: ["0 * * * *"] }, template: plainTemplate, ...differs };
}

export function makeJob(
  spec: Partial<ElasticJobSpec> = {},
  more: { readonly metadata?: Partial<ObjectMeta>; readonly status?: ElasticJobStatus } = {},
): ElasticJob {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: {
      name: "report",
      namespace: "tenant",
      uid: jobUid,
      resourceVersion: "100",
      generation: 1,
      creationTimestamp: iso("09:30:00"),
      ...more.metadata,
    },
    spec: makeSpec(spec),
    ...(more.status !== undefined && { status: more.status }),
  };
}

/** Every minute: for scenarios about fire times that come close together. */
export const minutely: Partial<ElasticJobSpec> = { schedule: { crons: ["* * * * *"] } };
