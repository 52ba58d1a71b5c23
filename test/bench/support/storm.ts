import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { AuditEvent } from "../../../hack/control-plane/audit.ts";
import type { ElasticJob } from "../../../src/api/elastic-job.gen.ts";
import { type RevisionData, renderPod } from "../../../src/elasticjob/rules/pod.ts";
import { type ApiObject, type BenchCluster, operatorAgent } from "./cluster.ts";
import { largest } from "./figures.ts";
import { loaderAgent, sendLoad } from "./loader.ts";
import { cronJob, elasticJob, fullMinuteAfter, fullSecondAfter, podTemplate, yearlyAt, yearlyAtSecond } from "./manifests.ts";
import { OperatorProcess } from "./operator-process.ts";
import { tell } from "./progress.ts";

/** What the operator watches while it runs jobs. */
const watched = [
  "/api/v1/pods?labelSelector=nuptse.dev%2Fjob-uid",
  "/apis/apps/v1/controllerrevisions?labelSelector=nuptse.dev%2Fjob-uid",
  "/api/v1/resourcequotas?",
  "/api/v1/nodes?",
  "/apis/nuptse.dev/v1alpha1/elasticjobs?",
];
const jobsPath = (namespace: string) => `/apis/nuptse.dev/v1alpha1/namespaces/${namespace}/elasticjobs`;
const revisionsPath = (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/controllerrevisions`;
const podsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;
/** How long after the last create status patches are waited for: a little longer than they may take. */
const statusPatienceMs = 12_000;
const longestStormMs = 600_000;

/** What one storm was like, from the audit log; seconds. */
export interface Storm {
  /** From the fire time until the last create was answered. */
  readonly seconds: number;
  /** Creates that the API server got before the fire time. */
  readonly early: number;
  readonly etcdWrites: number;
}

export interface OperatorStorm extends Storm {
  /** From the last create's answer until every job's status had been patched; NaN when one was not. */
  readonly statusSeconds: number;
  /** How long it took until the jobs were armed. */
  readonly armSeconds: number;
  /** For the loader: where to post, and what. */
  readonly path: string;
  readonly bodies: readonly string[];
}

/**
 * As many ElasticJobs as told, of one item each, that fire in the same second, and an operator of their own. Undefined when they were armed
 * too late for a fire time `leadSeconds` after the first was asked for.
 */
export async function stormOfElasticJobs(
  cluster: BenchCluster,
  namespace: string,
  count: number,
  leadSeconds: number,
  profileFolder: string,
): Promise<OperatorStorm | undefined> {
  const { plane } = cluster;
  await cluster.createNamespaces([namespace]);
  const operator = await OperatorProcess.start({
    kubeconfig: cluster.operatorKubeconfig,
    logsFolder: plane.logsFolder,
    profileFolder,
  });
  try {
    await operator.leading();
    const begun = performance.now();
    const fireTime = fullSecondAfter(leadSeconds * 1000);
    const spec = { schedule: { crons: [yearlyAtSecond(fireTime)] }, template: podTemplate({}) };
    await cluster.createAll(
      jobsPath(namespace),
      Array.from({ length: count }, (_, index) => elasticJob(namespace, `job-${String(index).padStart(5, "0")}`, spec)),
    );
    await cluster.armed(namespace, count);
    const armSeconds = (performance.now() - begun) / 1000;
    const spare = fireTime - Date.now();
    if (spare < 3000) return undefined;
    await sleep(spare - 1000);
    const fromByte = await plane.auditPosition();
    const etcdBefore = await cluster.etcdWrites();
    const seconds = await untilCreated(cluster, namespace, count, fireTime);
    const etcdWrites = (await cluster.etcdWrites()) - etcdBefore;
    await sleep(Math.max(0, fireTime + seconds * 1000 + statusPatienceMs - Date.now()));
    const events = await cluster.audit({ fromByte, userAgentPrefix: operatorAgent, namespace });
    const creates = events.filter((event) => isCreateOfPod(event) && event.responseStatus.code === 201);
    if (creates.length !== count) throw new Error(`the operator created ${creates.length} pods for ${count} jobs`);
    const lastCreate = largest(creates.map((event) => event.stageTimestamp));
    const firstPatches = new Map<string, number>();
    for (const event of events) {
      const { resource, subresource, name = "" } = event.objectRef ?? {};
      if (resource !== "elasticjobs" || subresource !== "status" || event.responseStatus.code !== 200) continue;
      if (!firstPatches.has(name)) firstPatches.set(name, event.stageTimestamp);
    }
    await operator.stop();
    const bodies = await renderedBodies(cluster, namespace);
    return {
      seconds: (lastCreate - fireTime) / 1000,
      early: creates.filter((event) => event.requestReceivedTimestamp < fireTime).length,
      statusSeconds: firstPatches.size === count ? (largest(firstPatches.values()) - lastCreate) / 1000 : Number.NaN,
      etcdWrites,
      armSeconds,
      path: creates[0]?.requestUri ?? "",
      bodies,
    };
  } finally {
    await operator.stop();
    // jobs before pods, or their pods would be lost to them
    for (const path of [jobsPath, revisionsPath, podsPath]) await cluster.deleteAll(path(namespace));
  }
}

/** The plain loader with the bodies of a storm, in a namespace whose name is as long. */
export async function stormOfLoader(cluster: BenchCluster, namespace: string, from: string, storm: OperatorStorm): Promise<Storm> {
  const { plane } = cluster;
  await cluster.createNamespaces([namespace]);
  const path = storm.path.replace(`/${from}/`, `/${namespace}/`);
  const requests = storm.bodies.map((body) => ({ path, body: body.replaceAll(`"${from}"`, `"${namespace}"`) }));
  try {
    let fromByte = 0;
    let etcdBefore = 0;
    const beginAt = await sendLoad(cluster, namespace, { method: "POST", contentType: "application/json", watched, requests }, async () => {
      fromByte = await plane.auditPosition();
      etcdBefore = await cluster.etcdWrites();
    });
    const etcdWrites = (await cluster.etcdWrites()) - etcdBefore;
    const events = await cluster.audit({ fromByte, userAgentPrefix: loaderAgent, namespace });
    const creates = events.filter((event) => isCreateOfPod(event) && event.responseStatus.code === 201);
    if (creates.length !== requests.length) throw new Error(`the loader created ${creates.length} pods`);
    const last = largest(creates.map((event) => event.stageTimestamp));
    return {
      seconds: (last - beginAt) / 1000,
      early: creates.filter((event) => event.requestReceivedTimestamp < beginAt).length,
      etcdWrites,
    };
  } finally {
    await cluster.deleteAll(podsPath(namespace));
  }
}

/** As many CronJobs as told, which fire in the same minute, with whatever kube-controller-manager runs there. */
export async function stormOfCronJobs(cluster: BenchCluster, namespace: string, count: number, leadSeconds: number): Promise<Storm> {
  const { plane } = cluster;
  await cluster.createNamespaces([namespace]);
  const fireTime = fullMinuteAfter(leadSeconds * 1000);
  const objects = Array.from({ length: count }, (_, index) =>
    cronJob(namespace, `job-${String(index).padStart(5, "0")}`, yearlyAt(fireTime), { template: podTemplate({}) }),
  );
  const path = `/apis/batch/v1/namespaces/${namespace}/cronjobs`;
  await cluster.createAll(path, objects);
  if (fireTime - Date.now() < 5000) throw new Error(`the CronJobs were created too late: give more than --lead=${leadSeconds}`);
  await sleep(fireTime - Date.now() - 1000);
  const fromByte = await plane.auditPosition();
  const etcdBefore = await cluster.etcdWrites();
  await untilCreated(cluster, namespace, count, fireTime);
  const etcdWrites = (await cluster.etcdWrites()) - etcdBefore;
  const events = await cluster.audit({ fromByte, userAgentPrefix: "kube-controller-manager", namespace });
  const creates = events.filter((event) => isCreateOfPod(event) && event.responseStatus.code === 201);
  if (creates.length !== count) throw new Error(`kube-controller-manager created ${creates.length} pods for ${count} CronJobs`);
  return {
    seconds: (largest(creates.map((event) => event.stageTimestamp)) - fireTime) / 1000,
    early: creates.filter((event) => event.requestReceivedTimestamp < fireTime).length,
    etcdWrites,
  };
}

/** Asks rarely, so as not to be in the way, and only from the fire time on; resolves with the seconds since then. */
async function untilCreated(cluster: BenchCluster, namespace: string, count: number, fireTime: number): Promise<number> {
  await sleep(Math.max(0, fireTime - Date.now()));
  for (;;) {
    await sleep(500);
    const pods = await cluster.count(podsPath(namespace));
    const elapsed = Date.now() - fireTime;
    if (pods >= count) return elapsed / 1000;
    if (elapsed > longestStormMs) throw new Error(`${pods} of ${count} pods are there ${elapsed} ms after the fire time`);
  }
}

/**
 * What the operator posted, rendered once more by its own rule, and held against what the API server stored: the labels, annotations,
 * owners and containers must be the same.
 */
async function renderedBodies(cluster: BenchCluster, namespace: string): Promise<readonly string[]> {
  const [jobs, revisions, pods] = await Promise.all([jobsPath, revisionsPath, podsPath].map((path) => cluster.list(path(namespace))));
  const byName = (objects: readonly ApiObject[] = []) => new Map(objects.map((object) => [object.metadata["name"], object]));
  const jobOf = byName(jobs);
  const revisionOf = byName(revisions);
  return (pods ?? []).map((stored) => {
    const meta = stored.metadata as unknown as {
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
      readonly ownerReferences: unknown;
    };
    const history = JSON.parse(meta.annotations["nuptse.dev/run"] ?? "{}");
    const job = { apiVersion: "nuptse.dev/v1alpha1", kind: "ElasticJob", ...jobOf.get(meta.labels["nuptse.dev/job"]) };
    const pod = renderPod({
      job: job as unknown as ElasticJob,
      revision: revisionOf.get(history.revision)?.["data"] as RevisionData,
      run: meta.labels["nuptse.dev/run"] ?? "",
      fireTime: Date.parse(history.fireTime),
      localDate: history.fireTime.slice(0, 10),
      item: 0,
      attempt: 1,
      history,
    });
    const { labels, annotations, ownerReferences } = pod.metadata;
    const same = isDeepStrictEqual(
      [labels, annotations, ownerReferences, variables(pod)],
      [meta.labels, meta.annotations, meta.ownerReferences, variables(stored)],
    );
    if (!same) throw new Error(`pod ${pod.metadata.name} is rendered otherwise than it was posted`);
    return JSON.stringify(pod);
  });
}

/** The environment of the first container as the API server stores it: without empty values. */
function variables(pod: unknown): unknown {
  const { spec } = pod as {
    readonly spec: { readonly containers: readonly { readonly env: readonly { name: string; value?: string }[] }[] };
  };
  return spec.containers[0]?.env.map(({ name, value }) => [name, value ?? ""]);
}

function isCreateOfPod(event: AuditEvent): boolean {
  const { resource, subresource } = event.objectRef ?? {};
  return event.verb === "create" && resource === "pods" && subresource === "" && event.stage === "ResponseComplete";
}

/** A line of progress for a storm. */
export function tellStorm(name: string, storm: Storm): void {
  tell(`${name}: ${storm.seconds.toFixed(2)} s, ${storm.early} early, ${storm.etcdWrites} etcd writes`);
}
