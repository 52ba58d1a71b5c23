import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import type { Workload } from "../../api/workload.gen.ts";
import { parseResources, type Quantities } from "../../quota/resource-vector.ts";
import type { RunRecord } from "./recording.ts";

/** The job of one arrival, and the request that it runs now, as a person would submit both. */
export interface ArrivalObjects {
  readonly job: ElasticJob;
  readonly request: JobRequest;
}

/** What is submitted for the arrival of a number. */
export function arrivalObjects({ metadata, spec }: Workload, number: number): ArrivalObjects {
  const name = `${metadata.name}-${number}`;
  const namespace = metadata.namespace ?? "default";
  // Kubernetes wants limits of all but cpu, memory and ephemeral-storage.
  const limits = Object.entries(spec.requests).filter(([resource]) => resource.includes("/") || resource.startsWith("hugepages-"));
  const resources = { requests: texts(spec.requests), ...(limits.length > 0 && { limits: texts(Object.fromEntries(limits)) }) };
  return {
    job: {
      apiVersion: "nuptse.dev/v1alpha1",
      kind: "ElasticJob",
      metadata: { name, namespace },
      spec: {
        sharding: { total: spec.items ?? 1, ...(spec.parallelism !== undefined && { parallelism: spec.parallelism }) },
        queue: {
          ...(spec.queue !== undefined && { name: spec.queue }),
          priority: spec.priority ?? 0,
          onReclaim: spec.onReclaim ?? "Finish",
          minCount: spec.minCount ?? 1,
        },
        ...(spec.runTimeoutSeconds !== undefined && { runTimeoutSeconds: spec.runTimeoutSeconds }),
        template: {
          spec: {
            terminationGracePeriodSeconds: spec.graceSeconds ?? 30,
            containers: [{ name: "main", image: "simulated", resources }],
          },
        },
      },
    } as ElasticJob,
    request: {
      apiVersion: "nuptse.dev/v1alpha1",
      kind: "JobRequest",
      metadata: { name, namespace },
      spec: { jobName: name, run: {}, ttlSecondsAfterFinished: 0 },
    },
  };
}

/** What is known of an arrival when it comes. */
export function arrivalRecord({ metadata, spec }: Workload, arrivedAt: number): RunRecord {
  const items = spec.items ?? 1;
  return {
    source: `${metadata.namespace ?? "default"}/${metadata.name}`,
    ...(spec.queue !== undefined && { queue: spec.queue }),
    arrivedAt,
    items,
    parallelism: Math.min(items, spec.parallelism ?? items),
    minCount: spec.minCount ?? 1,
    request: { ...parseResources(spec.requests as Quantities, "Up"), pods: 1 },
    pods: [],
  };
}

const texts = (quantities: Readonly<Record<string, string | number>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(quantities).map(([resource, quantity]) => [resource, String(quantity)]));
