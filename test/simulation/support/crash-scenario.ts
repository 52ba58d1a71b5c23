import { elasticJob, type SimulatedJob, template } from "../../../src/simulator/harness/job-mix.ts";
import type { SimulationOptions } from "../../../src/simulator/harness/simulation.ts";
import type { World } from "../../../src/simulator/world/world.ts";

const endAt = "2026-11-21T12:02:30Z";

/**
 * A few minutes without chance faults in which the operator writes everything that it ever writes: a sharded job with an item that fails
 * once, a node that dies under an item, an edited template, runs that replace others, a fire time kept by the misfire rules, a time limit,
 * a reduce, the clean-up of finished pods, and requests: a run, a backfill, a cancellation.
 */
export function crashScenario(): SimulationOptions {
  return {
    seed: 1,
    faultyMs: 3 * 60_000,
    firingMs: 0,
    calmMs: 15 * 60_000,
    rounds: 0,
    nodes: 3,
    jobs: [sharded(), replacing(), overlapping()],
    requests: [
      { atMs: 75_000, job: "sharded", kind: "run", ttlSeconds: 30 },
      { atMs: 100_000, job: "replacing", kind: "cancel" },
      { atMs: 20_000, job: "sharded", kind: "backfill", minutes: 2 },
    ],
    events: [{ atMs: 66_000, act: loseOneNode }],
  };
}

function sharded(): SimulatedJob {
  const script = { runMs: [5_000, 9_000], cases: [{ item: 1, attempt: 1, exitCode: 3, runMs: 1_000 }] };
  return {
    manifest: elasticJob("sharded", {
      schedule: { crons: ["0 */1 * * * ?"], endAt },
      sharding: { total: 3 },
      retry: { sameNode: 0, otherNodes: 1, backoff: { initialSeconds: 1, maxSeconds: 5 } },
      podRetention: { succeeded: 0, failed: 0, minSeconds: 90 },
      template: template(script),
      reduce: { when: "Succeeded", template: template({ runMs: [1_000, 3_000], message: "sum" }) },
    }),
    edits: [{ kind: "patch", atMs: 90_000, spec: { template: template({ ...script, message: "edited" }) } }],
  };
}

function replacing(): SimulatedJob {
  return {
    manifest: elasticJob("replacing", {
      schedule: { crons: ["0 */1 * * * ?"], endAt },
      concurrencyPolicy: "Replace",
      podRetention: { succeeded: 0, failed: 0, minSeconds: 90 },
      template: template({ runMs: 80_000, onTerm: "exitsZero" }),
    }),
    edits: [],
  };
}

function overlapping(): SimulatedJob {
  return {
    manifest: elasticJob("overlapping", {
      schedule: { crons: ["0 */1 * * * ?"], endAt },
      misfire: { onOverlap: "FireOnce" },
      itemTimeoutSeconds: 70,
      podRetention: { succeeded: 0, failed: 0, minSeconds: 90 },
      template: template({ runMs: 80_000, onTerm: "dies" }),
    }),
    edits: [],
  };
}

/** The node of an item of the sharded job at work dies and is taken away. */
function loseOneNode(world: World): void {
  const pod = [...world.pods.values()].find(
    (each) =>
      each.metadata.labels?.["nuptse.dev/job"] === "sharded" && each.status?.phase === "Running" && each.spec.nodeName !== undefined,
  );
  if (pod?.spec.nodeName !== undefined) void world.deleteNode(pod.spec.nodeName);
}
