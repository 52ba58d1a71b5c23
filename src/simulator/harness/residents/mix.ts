import type { ElasticJob, ElasticJobSpec } from "../../../api/elastic-job.gen.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { type Random, randomInteger } from "../../../base/random.ts";
import { simulateAnnotation } from "../../world/pod-script.ts";
import { fleetApp, fleetNamespace, fleetTemplate } from "../fleets/mix.ts";

/** A fleet of pods and one of machines without pods, jobs that are dispatched to them, and what people do to the fleets meanwhile. */
export interface ResidentMix {
  readonly app: RunnerApp;
  readonly machines: RunnerApp;
  readonly jobs: readonly ElasticJob[];
  readonly edits: readonly ResidentEdit[];
}

/** `atMs` counts from the start of the simulation. */
export type ResidentEdit = { readonly atMs: number } & (
  | { readonly kind: "spec"; readonly spec: Readonly<Record<string, unknown>> }
  | { readonly kind: "deletePod"; readonly dice: number }
  /** The EndpointSlice of the machines is written anew. */
  | { readonly kind: "list"; readonly machines: readonly ListedMachine[] }
  | { readonly kind: "reboot"; readonly address: string }
);

export interface ListedMachine {
  readonly address: string;
  readonly isReady: boolean;
}

export const runnerName = "workers";
export const machinesName = "machines";
export const machineAddresses = ["10.250.0.1", "10.250.0.2", "10.250.0.3"];
/** Places on each instance. */
export const runnerCapacity = 3;

const pick = <T>(random: Random, values: readonly T[]): T => values[randomInteger(random, values.length)] as T;

/** Its program goes on with its work for a while when it is told to end: its tasks are at work for as long. */
export function workersTemplate(image: string): ReturnType<typeof fleetTemplate> {
  const script = { startMs: [500, 4_000], runMs: "forever", onTerm: "exitsZero", termMs: [1_000, 8_000] };
  return { ...fleetTemplate(image), metadata: { annotations: { [simulateAnnotation]: JSON.stringify(script) } } };
}

/** Two to five jobs of all strategies and policies, and something that happens to the fleet every one to five minutes. */
export function makeResidents(random: Random, busyMs: number, endAt: number): ResidentMix {
  const app = fleetApp(runnerName, {
    replicas: 2 + randomInteger(random, 3),
    template: workersTemplate("workers:1"),
    executor: { port: 8080, capacity: runnerCapacity },
  });
  const jobs = Array.from({ length: 2 + randomInteger(random, 4) }, (_, index) => makeJob(random, `resident-${index}`, endAt));
  jobs[0] = oftenAndPlain(jobs[0] as ElasticJob);
  const edits: ResidentEdit[] = [];
  let image = 1;
  for (let atMs = 120_000; atMs < busyMs; atMs += 60_000 + randomInteger(random, 240_000)) {
    const dice = random.next();
    if (dice < 0.5) edits.push({ atMs, kind: "deletePod", dice: random.next() });
    else if (dice < 0.8) edits.push({ atMs, kind: "spec", spec: { replicas: 1 + randomInteger(random, 5) } });
    else edits.push({ atMs, kind: "spec", spec: { template: workersTemplate(`workers:${++image}`) } });
  }
  const { replicas: _, template: __, ...theirs } = app.spec;
  const machines = {
    ...app,
    metadata: { ...app.metadata, name: machinesName },
    spec: { ...theirs, endpoints: { serviceName: machinesName } },
  };
  return {
    app,
    machines,
    jobs: [...jobs, ...[0, 1].map((index) => makeJob(random, `at-machines-${index}`, endAt, machinesName))],
    edits: [...edits, ...machineEdits(random, busyMs)],
  };
}

/** The same with one item and one run at a time, every 20 s: its runs are handed over without a record of their own, by what status says before. */
function oftenAndPlain(job: ElasticJob): ElasticJob {
  const { schedule, ...spec } = job.spec;
  return {
    ...job,
    spec: {
      ...spec,
      schedule: { ...schedule, crons: ["*/20 * * * * ?"] },
      concurrencyPolicy: "Forbid",
      sharding: { total: 1, strategy: "Average" },
    },
  };
}

/** Machines are taken off the list and put on it again, and start anew, every one to four minutes. */
function machineEdits(random: Random, busyMs: number): readonly ResidentEdit[] {
  const edits: ResidentEdit[] = [];
  for (let atMs = 60_000; atMs < busyMs; atMs += 60_000 + randomInteger(random, 180_000)) {
    if (random.next() < 0.25) edits.push({ atMs, kind: "reboot", address: pick(random, machineAddresses) });
    else {
      const machines = machineAddresses.flatMap((address) => {
        const dice = random.next();
        return dice < 0.3 ? [] : [{ address, isReady: dice < 0.8 }];
      });
      edits.push({ atMs, kind: "list", machines });
    }
  }
  return edits;
}

function makeJob(random: Random, name: string, endAt: number, runner = runnerName): ElasticJob {
  const total = pick(random, [1, 1, 2, 5, 12]);
  const strategy = pick(random, ["Average", "OddEven", "NameHashRotation", "RoundRobin", "LeastLoaded", "Rendezvous", "First"] as const);
  const spec: ElasticJobSpec = {
    schedule: { crons: [pick(random, ["* * * * *", "*/2 * * * *", "*/20 * * * * ?"])], endAt: new Date(endAt).toISOString() },
    runnerRef: { name: runner, handler: "work" },
    concurrencyPolicy: pick(random, ["Forbid", "Forbid", "Allow", "Replace", "Enqueue"] as const),
    misfire: { onDowntime: "FireAll", onOverlap: pick(random, ["Skip", "FireOnce"] as const), limit: 20 },
    sharding: { total, strategy, ...(random.next() < 0.4 && total > 1 && { parallelism: 1 + randomInteger(random, total) }) },
    retry: { sameNode: 1, otherNodes: 1, backoff: { initialSeconds: 2, factor: 2, maxSeconds: 20 } },
    ...(random.next() < 0.5 && { itemTimeoutSeconds: pick(random, [10, 60]) }),
    ...(random.next() < 0.3 && { runTimeoutSeconds: pick(random, [60, 300]) }),
    startTimeoutSeconds: 120,
    queue: { priority: randomInteger(random, 3) },
  };
  return { apiVersion: "nuptse.dev/v1alpha1", kind: "ElasticJob", metadata: { name, namespace: fleetNamespace }, spec };
}
