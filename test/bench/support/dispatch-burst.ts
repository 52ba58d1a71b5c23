import { setTimeout as sleep } from "node:timers/promises";
import { parseTime } from "../../../src/base/time.ts";
import { runBody } from "../../../src/executor/http-messages.ts";
import { type ApiObject, type BenchCluster, operatorAgent } from "./cluster.ts";
import { type DispatchedJob, dispatchNamespace } from "./dispatch-load.ts";
import type { Arrival, ExecutorsProcess, LoggedInstance } from "./executors-process.ts";
import { largest } from "./figures.ts";
import { loaderAgent, sendLoad } from "./loader.ts";
import { fullSecondAfter, yearlyAtSecond } from "./manifests.ts";
import { jobsPath } from "./population.ts";
import { tell } from "./progress.ts";
import { sideBySide } from "./side-by-side.ts";

/** Each so many a job is of a higher priority. */
const priorityEvery = 10;
const longestMs = 180_000;
/** What the operator watches while it dispatches. */
const watched = ["/apis/nuptse.dev/v1alpha1/elasticjobs?", "/apis/nuptse.dev/v1alpha1/runnerapps?"];

/** Runs of one tick, as executors and the API server saw them; seconds since the tick. */
export interface Burst {
  readonly tick: number;
  /** Until the last run had come to its executor. */
  readonly seconds: number;
  /** Until the end of the last run was stored. */
  readonly recordedSeconds: number;
  /** Status patches of these jobs since the tick. */
  readonly patches: number;
  /** Milliseconds of each run, in the order in which they came. */
  readonly lags: readonly { readonly lag: number; readonly isPreferred: boolean }[];
  readonly missing: number;
}

/** The first `count` jobs fire together, once, and the others rest. */
export async function burst(
  cluster: BenchCluster,
  executors: ExecutorsProcess,
  jobs: readonly DispatchedJob[],
  count: number,
): Promise<Burst> {
  const path = jobsPath(dispatchNamespace);
  const tick = fullSecondAfter(20_000 + jobs.length * 15);
  const preferred = new Set(jobs.slice(0, count).flatMap(({ name }, index) => (index % priorityEvery === 0 ? [name] : [])));
  await sideBySide(jobs, 32, ({ name }, index) => {
    const schedule = { crons: [yearlyAtSecond(tick)], startAt: null };
    const spec = index < count ? { schedule, ...(preferred.has(name) && { queue: { priority: 10 } }) } : { suspend: true };
    return cluster.send("PATCH", `${path}/${name}`, { spec });
  });
  await rested(cluster, count, tick);
  const before = (await executors.arrivals()).length;
  tell(`${count} jobs fire together in ${((tick - Date.now()) / 1000).toFixed(0)} s`);
  await sleep(tick - Date.now() - 1000);
  const fromByte = await cluster.plane.auditPosition();
  let came: readonly Arrival[] = [];
  const deadline = tick + longestMs;
  do {
    await sleep(2000);
    came = (await executors.arrivals()).slice(before).filter(({ what }) => what === "begin");
  } while (came.length < count && Date.now() < deadline);
  await ended(cluster, count, tick, deadline);
  const names = new Set(jobs.slice(0, count).map(({ name }) => name));
  const events = await cluster.audit({ fromByte, userAgentPrefix: operatorAgent, resource: "elasticjobs", namespace: dispatchNamespace });
  const patches = events.filter(
    ({ objectRef, responseStatus, stage }) =>
      stage === "ResponseComplete" && responseStatus.code === 200 && objectRef?.subresource === "status" && names.has(objectRef.name),
  );
  return {
    tick,
    seconds: (largest(came.map(({ at }) => at)) - tick) / 1000,
    recordedSeconds: (largest(patches.map(({ stageTimestamp }) => stageTimestamp)) - tick) / 1000,
    patches: patches.length,
    lags: came.map(({ at, job }) => ({ lag: at - tick, isPreferred: preferred.has(job) })),
    missing: count - new Set(came.map(({ job }) => job)).size,
  };
}

/**
 * The same executors and the same jobs with nothing between: a plain loader hands each run over, waits for its end, and writes one status patch as
 * large as the operator's last one. Seconds from its begin to the answer of the last patch.
 */
export async function burstOfLoader(
  cluster: BenchCluster,
  instances: readonly LoggedInstance[],
  port: number,
  count: number,
): Promise<number> {
  const addressOf = new Map(instances.map(({ id, address }) => [id, address]));
  const jobs = (await cluster.list(jobsPath(dispatchNamespace))).slice(0, count);
  const requests = jobs.map((job) => {
    const { namespace = "", name = "", uid = "", resourceVersion } = job.metadata;
    const { assignments, history, conditions, summary } = job.status as unknown as StoredStatus;
    const [instance] = assignments.instances;
    const fireTime = Date.now();
    const task = runBody({
      id: `${uid}/loader/0/1`,
      job: { namespace, name, uid },
      run: "loader",
      fireTime,
      item: 0,
      total: 1,
      handler: "work",
      parameter: "",
      itemParameter: "",
      attempt: 1,
      deadline: fireTime + 60_000,
      traceparent: undefined,
    });
    const instant = new Date(fireTime).toISOString().replace(/\.\d+Z$/, "Z");
    const times = { lastFireTime: instant, lastHandledFireTime: instant, lastSuccessTime: instant };
    const status = { ...times, history: history.map((run) => ({ ...run, revision: `${run["revision"]}-` })), conditions, summary };
    return {
      path: `${jobsPath(dispatchNamespace)}/${name}/status`,
      body: JSON.stringify({ metadata: { resourceVersion }, status }),
      before: { url: `http://${addressOf.get(instance?.id ?? "")}:${port}/run`, body: task },
    };
  });
  let fromByte = 0;
  const load = { method: "PATCH", contentType: "application/merge-patch+json", watched, requests } as const;
  const beginAt = await sendLoad(cluster, "dispatch", load, async () => {
    fromByte = await cluster.plane.auditPosition();
  });
  const events = await cluster.audit({ fromByte, userAgentPrefix: loaderAgent, resource: "elasticjobs", verbs: ["patch"] });
  const patched = events.filter(({ stage, responseStatus }) => stage === "ResponseComplete" && responseStatus.code === 200);
  if (patched.length !== count) throw new Error(`the loader patched ${patched.length} of ${count} jobs`);
  return (largest(patched.map(({ stageTimestamp }) => stageTimestamp)) - beginAt) / 1000;
}

interface StoredStatus {
  readonly assignments: { readonly instances: readonly { readonly id: string }[] };
  readonly history: readonly Readonly<Record<string, unknown>>[];
  readonly conditions: unknown;
  readonly summary: unknown;
}

/** All jobs; none when the API server is too busy to list them, as after thousands of edits. */
function listed(cluster: BenchCluster): Promise<readonly ApiObject[]> {
  return cluster.list(jobsPath(dispatchNamespace)).catch(() => []);
}

/** All jobs know of their new schedule. */
async function rested(cluster: BenchCluster, count: number, tick: number): Promise<void> {
  const next = new Date(tick).toISOString().replace(/\.\d+Z$/, "Z");
  for (;;) {
    const jobs = await listed(cluster);
    const ready = jobs.filter(({ status }) => status?.["nextFireTime"] === next && status["active"] === undefined).length;
    if (ready >= count) return;
    if (Date.now() > tick - 10_000) throw new Error(`${ready} of ${count} jobs knew of the burst in time`);
    await sleep(5000);
  }
}

/** The run of that fire time has ended in so many jobs, or it is too late. */
async function ended(cluster: BenchCluster, count: number, tick: number, deadline: number): Promise<void> {
  const isRecorded = ({ status }: ApiObject) =>
    parseTime(status?.["lastHandledFireTime"] as string | undefined) === tick && status?.["active"] === undefined;
  // thousands are listed only when it may be true: that is work for an API server that is being measured
  await sleep(Math.max(0, tick + 20_000 - Date.now()));
  while (Date.now() < deadline) {
    if ((await listed(cluster)).filter(isRecorded).length >= count) return;
    await sleep(5000);
  }
  tell("some runs of the burst were not recorded in time");
}
