import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import type { ElasticJob, ElasticJobSpec } from "../../src/api/elastic-job.gen.ts";
import { elasticJobs } from "../../src/api/resource.ts";
import type { KubeClient } from "../../src/kube/client.ts";

/** Reads a manifest of one ElasticJob, and changes fields of its spec. */
export function readJob(file: string, namespace: string, change: Partial<ElasticJobSpec> = {}): ElasticJob {
  const manifest = load(readFileSync(file, "utf8")) as ElasticJob;
  return { ...manifest, metadata: { ...manifest.metadata, namespace }, spec: { ...manifest.spec, ...change } };
}

/** Server-side apply, as `kubectl apply --server-side` does it. */
export async function applyJob(client: KubeClient, job: ElasticJob): Promise<void> {
  await client.patch(elasticJobs, job.metadata, { type: "apply", body: job }, { fieldManager: "nuptse-demo", force: true });
}
