import type { ElasticJob } from "../../../src/api/elastic-job.gen.ts";
import { elasticJob, template } from "../../../src/simulator/harness/job-mix.ts";
import { openLabel, queueOf } from "../../../src/simulator/harness/queues/mix.ts";
import type { QueueSimulationOptions } from "../../../src/simulator/harness/queues/queue-simulation.ts";

const opened = (name: string) => ({ namespaceSelector: { matchLabels: { [openLabel(name)]: "yes" } } });

/**
 * A few minutes without chance faults in which the operator writes everything that it writes for queues: runs that borrow and are asked to give
 * back, one by stopping and one by finishing, a gang that waits, pods of others that are released one by one and as a group, statuses of queues.
 */
export function queueCrashScenario(): QueueSimulationOptions {
  const half = { parent: "corp", guaranteed: { cpu: "50%" }, reclaim: { graceSeconds: 60 } };
  return {
    seed: 1,
    faultyMs: 5 * 60_000,
    rounds: 0,
    mix: {
      queues: [
        queueOf("corp", {}),
        queueOf("red", { ...half, ...opened("red") }),
        queueOf("blue", { ...half, max: { cpu: "9" }, ...opened("blue") }),
      ],
      leaves: ["red", "blue"],
      pools: [undefined],
      namespaces: [{ name: "team", labels: { [openLabel("red")]: "yes", [openLabel("blue")]: "yes" } }],
      jobs: [
        job("stops", "10 0 12 * * ?", 5, 40_000, { name: "red", onReclaim: "Stop" }),
        job("finishes", "12 0 12 * * ?", 12, 20_000, { name: "red", onReclaim: "Finish", priority: 5 }),
        job("gang", "30 0 12 * * ?", 4, 10_000, { name: "blue", minCount: 4, onReclaim: "Refuse" }),
      ],
      bursts: [
        { ...pods, name: "web", atMs: 20_000, kind: "StatefulSet", queue: "blue", count: 1 },
        { ...pods, name: "many", atMs: 45_000, kind: "Job", queue: "blue", count: 4 },
        { ...pods, name: "mpi", atMs: 50_000, kind: "Group", queue: "red", count: 3 },
      ],
      edits: [{ atMs: 90_000, forMs: 30_000, kind: "spec", queue: "red", spec: { stopPolicy: "Hold" } }],
    },
  };
}

const pods = { namespace: "team", cpu: "1", runMs: 10_000, priority: 0 };

function job(name: string, cron: string, total: number, runMs: number, queue: object): ElasticJob {
  const manifest = elasticJob(name, {
    schedule: { crons: [cron] },
    sharding: { total },
    retry: { otherNodes: 2, backoff: { initialSeconds: 1, maxSeconds: 5 } },
    runTimeoutSeconds: 600,
    queue,
    template: template({ runMs: [runMs, runMs], onTerm: "dies" }),
  });
  const containers = [{ name: "work", image: "work", resources: { requests: { cpu: "1" } } }];
  const { template: made } = manifest.spec;
  return {
    ...manifest,
    metadata: { name, namespace: "team" },
    spec: { ...manifest.spec, template: { ...made, spec: { ...made?.spec, containers } } },
  };
}
