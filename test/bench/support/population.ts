import { setTimeout as sleep } from "node:timers/promises";
import type { ApiObject, BenchCluster } from "./cluster.ts";
import { elasticJob, farAway, fullSecondAfter, podTemplate, yearlyAtSecond } from "./manifests.ts";
import { tell } from "./progress.ts";
import { sideBySide } from "./side-by-side.ts";

/** A node that only exists: nobody starts anything on it, nobody schedules to it. */
const staticNode = "static-0";
const itemsPerRun = 100;
/** Requests in flight. */
const width = 32;
const longestMs = 1_200_000;

/** What a cluster is to be filled with. */
export interface Population {
  readonly namespace: string;
  /** Jobs that will not fire for half a year. */
  readonly idle: number;
  /** Pods at work, in runs of 100 items; a multiple of 100. */
  readonly running: number;
  /** Pods of runs that have succeeded, one a job, kept for their logs. */
  readonly finished: number;
}

export const jobsPath = (namespace: string) => `/apis/nuptse.dev/v1alpha1/namespaces/${namespace}/elasticjobs`;

/** How many ElasticJobs a population has. */
export function jobsIn({ idle, running, finished }: Population): number {
  return idle + running / itemsPerRun + finished;
}

/**
 * Fills the cluster the way time would: an operator, which must be leading, makes the runs, and their pods are said to be running or ended
 * here, in the name of a kubelet. Resolves when everything is recorded and at rest.
 */
export async function populate(cluster: BenchCluster, population: Population): Promise<void> {
  const { namespace, idle, running, finished } = population;
  await cluster.createNamespaces([namespace]);
  await cluster.send("POST", "/api/v1/nodes", { metadata: { name: staticNode }, spec: { unschedulable: true } });
  await cluster.send("PATCH", `/api/v1/nodes/${staticNode}/status`, { status: { conditions: [{ type: "Ready", status: "True" }] } });
  const resting = { schedule: { crons: [yearlyAtSecond(farAway(Date.now()))] }, template: podTemplate({}) };
  await cluster.createAll(
    jobsPath(namespace),
    Array.from({ length: idle }, (_, index) => elasticJob(namespace, `idle-${String(index).padStart(5, "0")}`, resting)),
  );
  await cluster.armed(namespace, idle, longestMs);
  tell(`${idle} idle jobs are armed`);
  // all must exist before their fire time; whether they are armed by then does not matter
  const leadMs = 10_000 + (running / itemsPerRun + finished) * 20;
  const soon = { schedule: { crons: [yearlyAtSecond(fullSecondAfter(leadMs))] }, template: podTemplate({}, { nodeName: staticNode }) };
  const many = { ...soon, sharding: { total: itemsPerRun } };
  await cluster.createAll(jobsPath(namespace), [
    ...Array.from({ length: running / itemsPerRun }, (_, index) => elasticJob(namespace, `running-${index}`, many)),
    ...Array.from({ length: finished }, (_, index) => elasticJob(namespace, `finished-${index}`, soon)),
  ]);
  await eventually(`${running + finished} pods`, async () => {
    return await fewerThan(running + finished, await cluster.count(`/api/v1/namespaces/${namespace}/pods`));
  });
  const pods = await cluster.list(`/api/v1/namespaces/${namespace}/pods`);
  await sideBySide(pods, width, (pod) =>
    cluster.send("PATCH", `/api/v1/namespaces/${namespace}/pods/${pod.metadata["name"]}/status`, { status: statusFor(pod) }),
  );
  tell(`${running} pods run and ${finished} have ended`);
  await eventually("every end to be recorded", async () => {
    const jobs = await cluster.list(jobsPath(namespace));
    const recorded = jobs.filter((job) => ((job.status?.["history"] ?? []) as readonly unknown[]).length > 0).length;
    return await fewerThan(finished, recorded);
  });
  // progress of the runs at work: 5, 15, 45 s
  await sleep(46_000);
}

/** What a kubelet would say of the pod: at work, or done, by the name of its job. */
function statusFor(pod: ApiObject): unknown {
  const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const container = { name: "work", image: "registry.example/work:1.0", imageID: "", restartCount: 0, ready: true };
  const done = pod.metadata["name"]?.startsWith("finished-");
  const state = done
    ? { terminated: { exitCode: 0, reason: "Completed", startedAt: now, finishedAt: now } }
    : { running: { startedAt: now } };
  return { phase: done ? "Succeeded" : "Running", startTime: now, containerStatuses: [{ ...container, state }] };
}

async function fewerThan(wanted: number, count: number): Promise<string | undefined> {
  return count >= wanted ? undefined : `${count} of ${wanted}`;
}

/** Asks now and then until there is nothing left to say. */
async function eventually(what: string, missing: () => Promise<string | undefined>): Promise<void> {
  const deadline = performance.now() + longestMs;
  for (let left = await missing(); left !== undefined; left = await missing()) {
    if (performance.now() > deadline) throw new Error(`waited ${longestMs} ms in vain for ${what}: ${left}`);
    await sleep(2000);
  }
}
