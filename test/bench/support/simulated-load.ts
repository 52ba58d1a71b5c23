import { customResourceDefinitions, elasticJobs, namespaces } from "../../../src/api/resource.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { formatSeconds } from "../../../src/base/time.ts";
import { settle, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { createServerTime } from "../../../src/kube/server-time.ts";
import { createOperator } from "../../../src/operator/operator.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import { silentLogger } from "../../../src/api/logger.ts";
import { createApiServer } from "../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../src/simulator/apiserver/in-process-transport.ts";
import { readCrds } from "../../../src/simulator/harness/crds.ts";
import { withServerDate } from "../../../src/simulator/harness/server-date.ts";
import type { Ledger } from "../../../src/simulator/world/ledger.ts";
import { annotatedScript } from "../../../src/simulator/world/pod-script.ts";
import { createWorld } from "../../../src/simulator/world/world.ts";
import { dueTimes, type LoadedJob, manifestOf, manyJobs } from "./many-jobs.ts";

export interface SimulatedLoad {
  readonly jobs: number;
  /** Runs of a job in an hour; a divisor of 60. */
  readonly perHour: number;
  /** In all. */
  readonly runs: number;
}

/** What a simulated load did. */
export interface SimulatedLoadResult {
  readonly runs: number;
  /** Fire times that did not run exactly once to a good end, or were begun early, as sentences; the first 20 of them. */
  readonly problems: readonly string[];
  readonly problemCount: number;
  /** Real seconds from the first fire time to the end of the last run; arming the jobs is before it. */
  readonly seconds: number;
  /** Of all threads of this process in that time: what is left of `seconds` on a machine that does other things too. */
  readonly cpuSeconds: number;
  readonly armingSeconds: number;
  readonly virtualHours: number;
  /** Largest resident set of the process, in bytes. */
  readonly peakRss: number;
  /** From a fire time until the pod's creation, in virtual milliseconds: the largest. */
  readonly largestDelayMs: number;
}

const hourMs = 3_600_000;
const start = Date.UTC(2026, 10, 21, 11, 30, 0);
const firstFire = Date.UTC(2026, 10, 21, 12, 0, 0);

/**
 * Plays jobs on virtual time: the operator as it is, the embedded API server with its validation (schemas, CEL, templates) in every write, nodes,
 * a scheduler and kubelets that play their pods. Judged is what the world's ledger saw run, against fire times that were computed apart.
 * @param tell is told how far it has come
 */
export async function playLoad(load: SimulatedLoad, tell: (text: string) => void = () => undefined): Promise<SimulatedLoadResult> {
  const clock = new VirtualClock(start);
  const random = createSeededRandom(load.jobs);
  const server = createApiServer({ clock, random, managedFields: false });
  const client = createKubeClient(inProcessTransport(server, { userAgent: "people" }));
  const endAt = firstFire + Math.ceil((load.runs / load.jobs / load.perHour) * hourMs);
  const jobs = manyJobs(load.jobs, load.perHour);
  let peakRss = 0;
  const begun = performance.now();

  const setUp = (async () => {
    for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
    await client.create(namespaces, { metadata: { name: "load" } });
    const world = await createWorld({
      client: createKubeClient(inProcessTransport(server, { userAgent: "world" })),
      clock,
      random,
      nodes: Array.from({ length: 20 }, (_, index) => ({ name: `n${index + 1}` })),
      kubelet: { kind: "stages", behaviour: annotatedScript },
    });
    const serverTime = createServerTime(clock);
    const operator = createOperator({
      transport: withServerDate(inProcessTransport(server, { userAgent: "operator" }), serverTime, clock, clock),
      clock,
      random,
      logger: silentLogger,
      metrics: noMetrics,
      serverTime,
      namespace: "kube-system",
      leaseName: "nuptse-operator",
      identity: "load",
      maxClockSkewMs: 30_000,
      retainedPods: 4000,
      concurrency: 64,
    });
    const operatorEnd = operator.run();
    for (const job of jobs) await client.create(elasticJobs, manifestOf(job, firstFire, endAt));
    return { world, operator, operatorEnd };
  })();
  let running: Awaited<typeof setUp> | undefined;
  setUp.then(
    (found) => (running = found),
    () => undefined,
  );
  const advance = async (instant: number) => {
    await settle();
    while (clock.step(instant)) await settle();
  };
  await advance(firstFire - 1);
  if (running === undefined) await Promise.race([setUp, Promise.reject(new Error("the jobs were not set up in time"))]);
  const { world, operator, operatorEnd } = await setUp;
  const armingSeconds = (performance.now() - begun) / 1000;
  tell(`${load.jobs} jobs armed in ${armingSeconds.toFixed(1)} s`);

  const fired = performance.now();
  const cpu = process.cpuUsage();
  for (let until = firstFire; until < endAt + 300_000; until += 600_000) {
    await advance(Math.min(until + 600_000, endAt + 300_000) - 1);
    peakRss = Math.max(peakRss, process.memoryUsage.rss());
    const virtual = (clock.now() - firstFire) / hourMs;
    if (until % hourMs === 0) tell(`${virtual.toFixed(1)} h of virtual time, ${((performance.now() - fired) / 1000).toFixed(0)} s`);
  }
  const seconds = (performance.now() - fired) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const judged = judgeRuns(jobs, world.ledger, firstFire, endAt);
  operator.stop();
  const stopped = operatorEnd.then(() => world.close());
  await advance(clock.now() + 60_000);
  await stopped;
  return { ...judged, seconds, cpuSeconds: (user + system) / 1e6, armingSeconds, virtualHours: (endAt - firstFire) / hourMs, peakRss };
}

/** Compares what the ledger saw with what was due in [from, to). */
export function judgeRuns(jobs: readonly LoadedJob[], ledger: Ledger, from: number, to: number) {
  const problems: string[] = [];
  let problemCount = 0;
  const say = (text: string) => {
    problemCount++;
    if (problems.length < 20) problems.push(text);
  };
  const left = new Map<string, ReadonlySet<number>>();
  for (const job of jobs) left.set(job.name, new Set(dueTimes(job, from, to)));
  const seen = new Set<string>();
  let runs = 0;
  let largestDelayMs = 0;
  for (const record of ledger.records()) {
    const at = `${record.job} at ${record.fireTime === undefined ? record.run : formatSeconds(record.fireTime)}`;
    const key = `${record.job} ${record.fireTime}`;
    if (record.fireTime === undefined || left.get(record.job)?.has(record.fireTime) !== true) say(`${at} was not due`);
    else if (seen.has(key)) say(`${at} had a second pod`);
    else if (record.outcome !== "Succeeded") say(`${at} ended ${record.outcome ?? "not at all"}`);
    else if ((record.createdAt ?? 0) < record.fireTime) say(`${at} came early`);
    else {
      runs++;
      largestDelayMs = Math.max(largestDelayMs, (record.createdAt ?? 0) - record.fireTime);
    }
    seen.add(key);
  }
  for (const [job, times] of left)
    for (const time of times) if (!seen.has(`${job} ${time}`)) say(`${job} at ${formatSeconds(time)} did not run`);
  return { runs, problems, problemCount, largestDelayMs };
}
