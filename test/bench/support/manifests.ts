import type { Pod, PodTemplateSpec } from "../../../src/api/core.ts";

/** How the bench's kubelet plays the pods of a template: an annotation of this name holds a script as JSON. */
export const scriptAnnotation = "bench.example/script";

/** How a pod is played. */
export interface BenchScript {
  readonly runMs?: number | readonly [number, number];
  /** The first pod of each owner exits with 1. */
  readonly failFirst?: boolean;
}

/** A pod as small as real ones are. */
export function podTemplate(script: BenchScript, more: Readonly<Record<string, unknown>> = {}): PodTemplateSpec {
  return {
    metadata: { annotations: { [scriptAnnotation]: JSON.stringify(script) } },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 30,
      containers: [{ name: "work", image: "registry.example/work:1.0", command: ["/bin/work"] }],
      ...more,
    },
  } as PodTemplateSpec;
}

/**
 * At this instant (a full second, UTC) of every year, in Quartz' words: as of a job that goes on. With the year in it the schedule would end
 * with the first run, and status would say so at once.
 */
export function yearlyAtSecond(instant: number): string {
  const time = new Date(instant);
  const [second, minute, hour] = [time.getUTCSeconds(), time.getUTCMinutes(), time.getUTCHours()];
  return `${second} ${minute} ${hour} ${time.getUTCDate()} ${time.getUTCMonth() + 1} ?`;
}

/** Once a year in five fields: at this minute (UTC). CronJobs know neither seconds nor years. */
export function yearlyAt(instant: number): string {
  const time = new Date(instant);
  return `${time.getUTCMinutes()} ${time.getUTCHours()} ${time.getUTCDate()} ${time.getUTCMonth() + 1} *`;
}

/** An instant half a year away: a job with it is at rest. */
export function farAway(now: number): number {
  return now + 180 * 86_400_000;
}

/** A pod that no scheduler takes, so that creating it is all that happens. */
export function heldPod(namespace: string, name: string): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels: { app: "bench" } },
    spec: {
      schedulingGates: [{ name: "bench.example/held" }],
      restartPolicy: "Never",
      containers: [
        {
          name: "work",
          image: "registry.example/work:1.0",
          command: ["/bin/work"],
          env: [{ name: "COLOR", value: "red" }],
          resources: { requests: { cpu: "500m", memory: "64Mi" } },
        },
      ],
    },
  };
}

export function elasticJob(namespace: string, name: string, spec: Readonly<Record<string, unknown>>): unknown {
  return { apiVersion: "nuptse.dev/v1alpha1", kind: "ElasticJob", metadata: { namespace, name }, spec };
}

export function cronJob(namespace: string, name: string, schedule: string, jobSpec: Readonly<Record<string, unknown>>): unknown {
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { namespace, name },
    spec: {
      schedule,
      timeZone: "Etc/UTC",
      concurrencyPolicy: "Forbid",
      // a run is counted with its cleaning up, as ours is
      successfulJobsHistoryLimit: 0,
      failedJobsHistoryLimit: 0,
      jobTemplate: { spec: jobSpec },
    },
  };
}

/** The next full second that is at least so many ms away. */
export function fullSecondAfter(ms: number): number {
  return Math.ceil((Date.now() + ms) / 1000) * 1000;
}

/** The next full minute that is at least so many ms away. */
export function fullMinuteAfter(ms: number): number {
  return Math.ceil((Date.now() + ms) / 60_000) * 60_000;
}
