import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import { type Random, randomInteger } from "../../base/random.ts";
import { formatSeconds } from "../../base/time.ts";
import { simulateAnnotation } from "../world/pod-script.ts";

/** A job for a simulation, and what the harness knows about it without asking the operator. */
export interface SimulatedJob {
  readonly manifest: ElasticJob;
  /** It fires at every multiple of this since the epoch, from its creation until `endAt`. */
  readonly periodMs: number;
  readonly endAt: number;
}

const pick = <T>(random: Random, values: readonly T[]): T => values[randomInteger(random, values.length)] as T;

/** Jobs of all sorts that a foundation has: policies, misfire, sharding, retry, time limits. They stop firing at `endAt`. */
export function makeJobs(random: Random, count: number, endAt: number): readonly SimulatedJob[] {
  return Array.from({ length: count }, (_, index) => makeJob(random, `job-${index}`, endAt));
}

function makeJob(random: Random, name: string, endAt: number): SimulatedJob {
  const minutes = pick(random, [1, 1, 2, 5]);
  const total = pick(random, [1, 1, 2, 3, 6]);
  const longestMs = pick(random, [2_000, 20_000, 90_000]);
  const script = {
    runMs: [500, longestMs],
    onTerm: pick(random, ["dies", "exitsZero", "ignores"]),
    // The first attempt of an item fails now and then, as programs do.
    ...(random.next() < 0.3 && { cases: [{ item: randomInteger(random, total), attempt: 1, exitCode: 3 }] }),
  };
  const manifest = {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name, namespace: "default" },
    spec: {
      schedule: { crons: [`0 */${minutes} * * * ?`], endAt: formatSeconds(endAt) },
      concurrencyPolicy: pick(random, ["Forbid", "Forbid", "Allow", "Replace"]),
      misfire: {
        onDowntime: pick(random, ["FireOnce", "FireAll", "Skip"]),
        onOverlap: pick(random, ["Skip", "FireOnce", "FireAll"]),
        limit: pick(random, [2, 10]),
      },
      sharding: { total, ...(random.next() < 0.3 && { parallelism: 1 + randomInteger(random, total) }) },
      retry: { sameNode: randomInteger(random, 3), otherNodes: randomInteger(random, 3), backoff: { initialSeconds: 1, maxSeconds: 20 } },
      failover: { limit: pick(random, [0, 1, 3, 3]) },
      startTimeoutSeconds: 120,
      ...(random.next() < 0.2 && { runTimeoutSeconds: 300 }),
      ...(random.next() < 0.2 && { itemTimeoutSeconds: 60 }),
      template: {
        metadata: { annotations: { [simulateAnnotation]: JSON.stringify(script) } },
        spec: {
          terminationGracePeriodSeconds: 10,
          containers: [{ name: "work", image: "work", resources: { requests: { cpu: "100m" } } }],
        },
      },
    },
  };
  return { manifest: manifest as unknown as ElasticJob, periodMs: minutes * 60_000, endAt };
}
