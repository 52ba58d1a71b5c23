import { setTimeout as sleep } from "node:timers/promises";
import { type AuditEvent, countWrites } from "../../../hack/control-plane/audit.ts";
import { type BenchCluster, operatorAgent } from "./cluster.ts";
import {
  type BenchScript,
  cronJob,
  elasticJob,
  fullMinuteAfter,
  fullSecondAfter,
  podTemplate,
  yearlyAt,
  yearlyAtSecond,
} from "./manifests.ts";
import { tell } from "./progress.ts";
import { sideBySide } from "./side-by-side.ts";

/** A run whose writes are counted; ElasticJob and CronJob are given the same. */
export interface WriteLoad {
  readonly key: string;
  readonly label: string;
  readonly items: number;
  readonly script: BenchScript;
  /** How often an item may fail. */
  readonly retries: number;
  /** Runs that begin together, and the seconds until the next ones. */
  readonly wave: { readonly runs: number; readonly seconds: number };
  /** What the median of our runs may cost. */
  readonly budget: number;
}

/** What the runs of one load cost. */
export interface WriteCost {
  /** Requests by the controllers under test, one entry a run, from the fire time until the pods are gone. */
  readonly writes: readonly number[];
  /** Events among them, in all. */
  readonly events: number;
  /** Requests to change something by kubelets and scheduler, for each run. */
  readonly worldWrites: number;
  /** Puts and deletes in etcd for each run, leases left out. */
  readonly etcdWrites: number;
  /** By verb and resource, for each run. */
  readonly byRequest: ReadonlyMap<string, number>;
}

const worldAgent = "bench-world";
const controllerAgent = "kube-controller-manager/";
/** Two minutes of the largest load, its creation, the 90 s of the lock and its deletion, on a slow machine. */
const longestMs = 1_200_000;

/** One ElasticJob a run, each in a namespace of its own, in which all that is written belongs to it. */
export async function costOfElasticJobs(cluster: BenchCluster, load: WriteLoad, runs: number): Promise<WriteCost> {
  const namespaces = namesOf(`ours-${load.key}`, runs);
  await cluster.createNamespaces(namespaces);
  const first = fullSecondAfter(15_000 + runs * 100);
  const spec = (index: number) => ({
    schedule: { crons: [yearlyAtSecond(first + waveOf(load, index) * load.wave.seconds * 1000)] },
    ...(load.items > 1 && { sharding: { total: load.items } }),
    ...(load.retries > 0 && { retry: { sameNode: load.retries } }),
    // whatever a run costs is to come within the run's own count
    podRetention: { succeeded: 0, failed: 0 },
    template: podTemplate(load.script),
  });
  const path = (namespace: string) => `/apis/nuptse.dev/v1alpha1/namespaces/${namespace}/elasticjobs`;
  await sideBySide(namespaces, 32, (name, index) => cluster.send("POST", path(name), elasticJob(name, "job", spec(index))));
  await cluster.armed("", runs);
  if (Date.now() > first - 1000) throw new Error("the jobs were armed too late; is the machine very busy?");
  const lastFire = first + waveOf(load, runs - 1) * load.wave.seconds * 1000;
  const cost = await measure(cluster, operatorAgent, namespaces, first, lastFire, async () => (await cluster.count("/api/v1/pods")) === 0);
  for (const job of await cluster.list("/apis/nuptse.dev/v1alpha1/elasticjobs")) {
    const history = (job.status?.["history"] ?? []) as readonly { readonly phase: string }[];
    if (history.length !== 1 || history[0]?.phase !== "Succeeded")
      throw new Error(`${job.metadata["namespace"]}/${job.metadata["name"]} has not one succeeded run: ${JSON.stringify(job.status)}`);
  }
  await sideBySide(namespaces, 32, (name) => cluster.deleteAll(path(name)));
  return cost;
}

/** One CronJob a run with an Indexed Job, deleted with its pods as soon as it has ended. */
export async function costOfCronJobs(cluster: BenchCluster, load: WriteLoad, runs: number): Promise<WriteCost> {
  const namespaces = namesOf(`cron-${load.key}`, runs);
  await cluster.createNamespaces(namespaces);
  // a CronJob knows minutes only: as many a minute as ours would be
  const perMinute = Math.max(1, Math.floor(load.wave.runs * (60 / load.wave.seconds)));
  const first = fullMinuteAfter(15_000 + runs * 20);
  const fireTime = (index: number) => first + Math.floor(index / perMinute) * 60_000;
  const jobSpec = {
    backoffLimit: load.retries,
    ...(load.items > 1 && { completions: load.items, parallelism: load.items, completionMode: "Indexed" }),
    template: podTemplate(load.script),
  };
  const path = (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/cronjobs`;
  await sideBySide(namespaces, 32, (name, index) =>
    cluster.send("POST", path(name), cronJob(name, "job", yearlyAt(fireTime(index)), jobSpec)),
  );
  const cost = await measure(cluster, controllerAgent, namespaces, first, fireTime(runs - 1), async () => {
    return (await cluster.count("/api/v1/pods")) === 0 && (await cluster.count("/apis/batch/v1/jobs")) === 0;
  });
  await sideBySide(namespaces, 32, (name) => cluster.deleteAll(path(name)));
  return cost;
}

/** Counts what is written from the first fire time until everything is gone. */
async function measure(
  cluster: BenchCluster,
  agent: string,
  namespaces: readonly string[],
  firstFire: number,
  lastFire: number,
  isOver: () => Promise<boolean>,
): Promise<WriteCost> {
  const { plane } = cluster;
  await sleep(Math.max(0, firstFire - 500 - Date.now()));
  const fromByte = await plane.auditPosition();
  const etcdBefore = await cluster.etcdWrites();
  await sleep(Math.max(0, lastFire + 5000 - Date.now()));
  while (!(await isOver())) {
    if (Date.now() > lastFire + longestMs)
      throw new Error(`the runs of ${namespaces[0]} have not ended and gone ${longestMs} ms after their fire time`);
    await sleep(1000);
  }
  // a CronJob's status, and the last events, come after its pods are gone
  await sleep(5000);
  const etcdWrites = (await cluster.etcdWrites()) - etcdBefore;
  const ours = new Map<string, AuditEvent[]>(namespaces.map((name) => [name, []]));
  const world: AuditEvent[] = [];
  const leases: AuditEvent[] = [];
  for await (const event of await cluster.audit({ fromByte })) {
    const { namespace = "", resource } = event.objectRef ?? {};
    if (resource === "leases") leases.push(event);
    else if (event.userAgent.startsWith(worldAgent)) world.push(event);
    else if (event.userAgent.startsWith(agent)) ours.get(namespace)?.push(event);
  }
  const counts = await Promise.all([...ours.values()].map((events) => countWrites(events, agent)));
  const byRequest = new Map<string, number>();
  for (const count of counts) {
    for (const [request, number] of count.byRequest) byRequest.set(request, (byRequest.get(request) ?? 0) + number / namespaces.length);
  }
  const eventRequests = [...byRequest].filter(([request]) => / events$/.test(request)).reduce((sum, [, number]) => sum + number, 0);
  const each = (number: number) => number / namespaces.length;
  return {
    writes: counts.map((count) => count.total),
    events: Math.round(eventRequests * namespaces.length),
    worldWrites: each((await countWrites(world, "")).total),
    etcdWrites: each(etcdWrites - (await countWrites(leases, "")).total),
    byRequest,
  };
}

/** Writes of the operator while it has nothing to do, and how many of them renewed its lease. */
export async function writesAtRest(
  cluster: BenchCluster,
  jobs: number,
  seconds: number,
): Promise<{ readonly writes: number; readonly leases: number }> {
  await cluster.createNamespaces(["rest"]);
  const spec = { schedule: { crons: ["0 0 1 1 *"] }, template: podTemplate({}) };
  const names = Array.from({ length: jobs }, (_, index) => elasticJob("rest", `idle-${index}`, spec));
  await cluster.createAll("/apis/nuptse.dev/v1alpha1/namespaces/rest/elasticjobs", names);
  await cluster.armed("rest", jobs);
  return writesWhileOthersGoOn(cluster, seconds);
}

/** The same with whatever there is: nodes are heard of, and a pod of somebody else changes. Needs a node "world-0". */
export async function writesWhileOthersGoOn(
  cluster: BenchCluster,
  seconds: number,
): Promise<{ readonly writes: number; readonly leases: number }> {
  await cluster.createNamespaces(["foreign"]);
  const foreign = {
    metadata: { name: "foreign" },
    spec: { nodeName: "nowhere", containers: [{ name: "main", image: "registry.example/foreign:1" }] },
  };
  await cluster.send("POST", "/api/v1/namespaces/foreign/pods", foreign);
  await sleep(10_000);
  tell(`at rest for ${seconds} s`);
  const fromByte = await cluster.plane.auditPosition();
  const end = Date.now() + seconds * 1000;
  for (let turn = 0; Date.now() < end; turn++) {
    const conditions = [
      { type: "Ready", status: "True", reason: "Turn", message: `turn ${turn}`, lastHeartbeatTime: new Date().toISOString() },
    ];
    await cluster.send("PATCH", "/api/v1/namespaces/foreign/pods/foreign/status", { status: { message: `turn ${turn}` } });
    await cluster.send("PATCH", "/api/v1/nodes/world-0/status", { status: { conditions } });
    await sleep(1000);
  }
  const { total, byRequest } = await countWrites(await cluster.audit({ fromByte }), operatorAgent);
  const leases = [...byRequest].filter(([request]) => request.endsWith(" leases")).reduce((sum, [, number]) => sum + number, 0);
  return { writes: total - leases, leases };
}

function waveOf(load: WriteLoad, index: number): number {
  return Math.floor(index / load.wave.runs);
}

/** What the operator writes in namespaces, from the first fire time until everything is gone. */
export function costOfNamespaces(
  cluster: BenchCluster,
  namespaces: readonly string[],
  firstFire: number,
  lastFire: number,
  isOver: () => Promise<boolean>,
): Promise<WriteCost> {
  return measure(cluster, operatorAgent, namespaces, firstFire, lastFire, isOver);
}

/** Names for so many namespaces. */
export function namesOf(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}
