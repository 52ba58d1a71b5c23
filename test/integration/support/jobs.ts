import type { Pod } from "../../../src/api/core.ts";
import type { ElasticJob, ElasticJobSpec } from "../../../src/api/elastic-job.gen.ts";
import { formatSeconds } from "../../../src/base/time.ts";
import type { PodScript } from "../../../src/simulator/world/pod-script.ts";
import { patience } from "../../support/patience.ts";

/** The annotation by which a test says how pods are played; those under nuptse.dev/ are the operator's and do not reach pods. */
const scriptAnnotation = "test/script";

/** What a test says of a job; the rest is filled in. */
export type JobSpec = Partial<ElasticJobSpec> & {
  /** How its pods are played. */
  readonly script?: PodScript;
  /** Fields of the pod's spec besides its one container. */
  readonly podSpec?: Readonly<Record<string, unknown>>;
  /** Fields of the container besides name and image. */
  readonly container?: Readonly<Record<string, unknown>>;
};

/** An ElasticJob of one container that nothing pulls. */
export function elasticJob(namespace: string, name: string, { script, podSpec, container, ...spec }: JobSpec): ElasticJob {
  const template = {
    metadata: { annotations: { [scriptAnnotation]: JSON.stringify(script ?? {}) } },
    spec: { terminationGracePeriodSeconds: 2, ...podSpec, containers: [{ name: "work", image: "busybox:1.37", ...container }] },
  };
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name, namespace },
    spec: { template, ...spec } as ElasticJobSpec,
  };
}

/** How the kubelets of the tests play a pod: as its job's test said, quickly where it said nothing. */
export function playedAs(pod: Pod): PodScript {
  const text = pod.metadata.annotations?.[scriptAnnotation];
  return { sandboxMs: 20, startMs: 20, runMs: 200, ...(text === undefined ? {} : (JSON.parse(text) as PodScript)) };
}

/** A whole second that is at least so far away. */
export function secondFromNow(aheadMs: number): number {
  return Math.ceil((Date.now() + aheadMs) / 1000) * 1000;
}

/** A whole second far enough away for the checks of a template and a calendar and for the revision, so that it finds its job armed. */
export const armedSecond = (): number => secondFromNow(6000 * patience);

/** Fires once, at that whole second. */
export function onceAt(instant: number): NonNullable<ElasticJobSpec["schedule"]> {
  return { crons: ["@every 1h"], startAt: formatSeconds(instant), endAt: formatSeconds(instant + 60_000) };
}

/** Fires at `from` and every so many seconds after it, `times` times at most. */
export function every(seconds: number, from: number, times?: number): NonNullable<ElasticJobSpec["schedule"]> {
  return {
    crons: [`@every ${seconds}s`],
    startAt: formatSeconds(from),
    ...(times !== undefined && { endAt: formatSeconds(from + times * seconds * 1000) }),
  };
}

/** "2026-11-21T16:00:05Z" as a run's id, "20261121t160005z". */
export function runId(fireTime: number): string {
  return formatSeconds(fireTime).replaceAll(/[-:]/g, "").toLowerCase();
}
