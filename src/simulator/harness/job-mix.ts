import type { ElasticJob, ElasticJobSpec } from "../../api/elastic-job.gen.ts";
import { type Random, randomInteger } from "../../base/random.ts";
import { formatSeconds } from "../../base/time.ts";
import { simulateAnnotation } from "../world/pod-script.ts";
import { attemptMix } from "./attempt-mix.ts";
import { mixSchedules, type Night } from "./schedule-mix.ts";

/** A job for a simulation, and what its owner does with it meanwhile. */
export interface SimulatedJob {
  readonly manifest: ElasticJob;
  /** The text of the calendar that its schedule names. */
  readonly calendar?: string;
  /** In the order of their instants. */
  readonly edits: readonly SimulatedEdit[];
}

/** What a person does to a job. `atMs` counts from the start of the simulation. */
export type SimulatedEdit =
  | { readonly kind: "patch"; readonly atMs: number; readonly spec: Readonly<Record<string, unknown>> }
  /** Deleted, and created anew under the same name so much later. */
  | { readonly kind: "recreate"; readonly atMs: number; readonly afterMs: number }
  /** The job's calendar gets another text; undefined = it is deleted. */
  | { readonly kind: "calendar"; readonly atMs: number; readonly dates: string | undefined }
  /** Somebody else's pods get labels and a name that the job's runs use. */
  | { readonly kind: "lookalikes"; readonly atMs: number };

export interface JobMixOptions {
  readonly count: number;
  /** When the simulation begins. */
  readonly startAt: number;
  /** Clocks of a zone change meanwhile. */
  readonly night?: Night | undefined;
  /** Nothing fires from here on. */
  readonly endAt: number;
  /** Edits happen in the first so many milliseconds. */
  readonly editsMs: number;
}

const pick = <T>(random: Random, values: readonly T[]): T => values[randomInteger(random, values.length)] as T;

/** Jobs of all sorts: policies, misfire, sharding, retry, time limits, retention, edits, jobs after each other; at times one that is very large or fires by the second. */
export function makeJobs(random: Random, options: JobMixOptions): readonly SimulatedJob[] {
  const jobs = Array.from({ length: options.count }, (_, index) => makeJob(random, `job-${index}`, options));
  if (random.next() < 0.35) jobs.push(...withJobsBelow(random, makeJob(random, "dag", options)));
  const dice = random.next();
  if (dice < 0.1) jobs.push(largeJob(random, options));
  else if (dice < 0.25) jobs.push(secondlyJob(random, options));
  const { startAt: start, editsMs, night } = options;
  return mixSchedules(random, jobs, { start, editsMs, night });
}

function makeJob(random: Random, name: string, options: JobMixOptions): SimulatedJob {
  const minutes = pick(random, [1, 1, 2, 5]);
  const total = pick(random, [1, 1, 2, 3, 6]);
  const longestMs = pick(random, [2_000, 20_000, 60_000, 150_000]);
  const long = longestMs > 20_000;
  // Some attempts of an item fail, as programs do; at times all of them.
  const cases = random.next() < 0.4 ? failures(random, total, !long) : undefined;
  const forEver = cases?.some((each) => !("attempt" in each)) ?? false;
  const script = { runMs: [500, longestMs], onTerm: pick(random, ["dies", "exitsZero", "ignores"]), ...(cases !== undefined && { cases }) };
  const manifest = elasticJob(name, {
    schedule: { crons: [`0 */${minutes} * * * ?`], endAt: formatSeconds(options.endAt) },
    concurrencyPolicy: pick(random, ["Forbid", "Forbid", "Allow", "Replace"]),
    misfire: {
      onDowntime: pick(random, ["FireOnce", "FireAll", "Skip"]),
      onOverlap: pick(random, ["Skip", "FireOnce", "FireAll"]),
      limit: long ? 2 : pick(random, [2, 10]),
      ...(random.next() < 0.2 && { startingDeadlineSeconds: pick(random, [5, 45]) }),
    },
    sharding: {
      total,
      ...(random.next() < 0.3 && { parallelism: Math.max(1 + randomInteger(random, total), long ? Math.ceil(total / 2) : 1) }),
    },
    ...attemptMix(random, forEver),
    startTimeoutSeconds: 120,
    ...(random.next() < 0.2 && { runTimeoutSeconds: 300 }),
    ...(random.next() < 0.2 && { itemTimeoutSeconds: 60 }),
    ...(random.next() < 0.4 && {
      podRetention: { succeeded: pick(random, [0, 0, 5]), failed: pick(random, [0, 5]), minSeconds: pick(random, [90, 300]) },
    }),
    template: template({ ...script, message: `done by ${name}` }),
    ...(random.next() < 0.3 && { reduce: reduceOf(random) }),
  });
  return { manifest, edits: editsOf(random, manifest, minutes, script, options.editsMs) };
}

/** One more pod at the end: at times it is slow, fails at first, or has retry rules of its own. */
function reduceOf(random: Random): object {
  const script = {
    runMs: [500, pick(random, [2_000, 40_000])],
    ...(random.next() < 0.3 && { cases: [{ attempt: 1, exitCode: 4 }] }),
    message: "merged",
  };
  return {
    when: pick(random, ["Succeeded", "Completed"]),
    ...(random.next() < 0.3 && { timeoutSeconds: 30 }),
    ...(random.next() < 0.5 && { retry: { sameNode: 1, otherNodes: 1, backoff: { initialSeconds: 1, maxSeconds: 20 } } }),
    template: template(script),
  };
}

/** What does not succeed: the first attempts of an item, or all of them. */
function failures(random: Random, total: number, forEver: boolean): readonly object[] {
  const item = randomInteger(random, total);
  if (forEver && random.next() < 0.25) return [{ item, exitCode: 3 }];
  return Array.from({ length: 1 + randomInteger(random, 3) }, (_, index) => ({ item, attempt: index + 1, exitCode: 3 }));
}

function editsOf(random: Random, manifest: ElasticJob, minutes: number, script: object, withinMs: number): readonly SimulatedEdit[] {
  const edits: SimulatedEdit[] = [];
  const at = () => Math.floor((0.1 + 0.8 * random.next()) * withinMs);
  if (random.next() < 0.25) {
    const from = at();
    edits.push({ kind: "patch", atMs: from, spec: { suspend: true } });
    edits.push({ kind: "patch", atMs: from + 10_000 + Math.floor(random.next() * 400_000), spec: { suspend: false } });
  }
  if (random.next() < 0.2)
    edits.push({
      kind: "patch",
      atMs: at(),
      spec: {
        schedule: {
          crons: [
            `0 */${pick(
              random,
              [1, 2, 3, 4].filter((other) => other !== minutes),
            )} * * * ?`,
          ],
        },
      },
    });
  if (random.next() < 0.25)
    edits.push({ kind: "patch", atMs: at(), spec: { template: template({ ...script, message: "edited" }), parameter: "edited" } });
  if (random.next() < 0.15)
    edits.push({
      kind: "patch",
      atMs: at(),
      spec: { sharding: { ...manifest.spec.sharding, total: pick(random, [1, 4]), parallelism: 2 } },
    });
  if (random.next() < 0.15) edits.push({ kind: "recreate", atMs: at(), afterMs: pick(random, [0, 1_000, 30_000]) });
  if (random.next() < 0.2) edits.push({ kind: "lookalikes", atMs: at() });
  return edits.sort((a, b) => a.atMs - b.atMs);
}

/** Large enough that its ends are recorded, and its pods thinned, while it goes on. */
function largeJob(random: Random, options: JobMixOptions): SimulatedJob {
  const manifest = elasticJob("large", {
    schedule: { crons: ["0 */20 * * * ?"], endAt: formatSeconds(options.endAt) },
    concurrencyPolicy: pick(random, ["Forbid", "Replace"]),
    sharding: { total: 600, parallelism: pick(random, [100, 600]) },
    retry: { sameNode: 1, otherNodes: 1, backoff: { initialSeconds: 1, maxSeconds: 20 } },
    failover: { limit: 3 },
    startTimeoutSeconds: 600,
    template: template({ runMs: [500, 60_000], cases: failures(random, 600, true), message: "part" }),
    ...(random.next() < 0.5 && { reduce: reduceOf(random) }),
  });
  return { manifest, edits: [] };
}

/** Fires by the second for some minutes, beyond what may run at once. */
function secondlyJob(random: Random, options: JobMixOptions): SimulatedJob {
  const begin = options.endAt - Math.floor((0.3 + 0.6 * random.next()) * options.editsMs);
  const manifest = elasticJob("secondly", {
    schedule: {
      crons: [`*/${pick(random, [1, 2, 5])} * * * * ?`],
      startAt: formatSeconds(begin),
      endAt: formatSeconds(begin + pick(random, [60_000, 150_000])),
    },
    concurrencyPolicy: pick(random, ["Allow", "Allow", "Forbid", "Replace"]),
    misfire: { onDowntime: "FireAll", onOverlap: pick(random, ["Skip", "FireAll"]), limit: 3 },
    podRetention: { succeeded: 0, failed: 0, minSeconds: 90 },
    template: template({ runMs: [500, pick(random, [1_000, 60_000])] }),
  });
  return { manifest, edits: [] };
}

/**
 * Jobs that hang below another: one without a schedule, and one below both of which it is given the schedule or none. Their owners leave
 * them alone; what is done to the upstream is done to them.
 */
function withJobsBelow(random: Random, upstream: SimulatedJob): readonly SimulatedJob[] {
  const { name } = upstream.manifest.metadata;
  const { schedule } = upstream.manifest.spec;
  const script = () => ({
    runMs: [500, pick(random, [2_000, 20_000, 60_000])],
    ...(random.next() < 0.3 && { cases: [{ attempt: 1, exitCode: 3 }] }),
  });
  const common = () => ({
    concurrencyPolicy: pick(random, ["Forbid", "Forbid", "Allow", "Replace"]),
    dependencyTimeoutSeconds: 900,
    startTimeoutSeconds: 120,
    retry: { otherNodes: randomInteger(random, 2), backoff: { initialSeconds: 1, maxSeconds: 20 } },
    template: template(script()),
  });
  const middle = elasticJob(`${name}-b`, {
    ...common(),
    after: [{ job: name, outcome: pick(random, ["Succeeded", "Succeeded", "Completed", "Failed"]) }],
  });
  const last = elasticJob(`${name}-c`, {
    ...common(),
    ...(random.next() < 0.5 && { schedule }),
    after: [{ job: pick(random, [name, `${name}-b`]), outcome: pick(random, ["Succeeded", "Completed"]) }],
  });
  // At times the ones below come first: manifests may be applied in any order.
  return random.next() < 0.5
    ? [{ manifest: middle, edits: [] }, upstream, { manifest: last, edits: [] }]
    : [upstream, { manifest: last, edits: [] }, { manifest: middle, edits: [] }];
}

/** The manifest of a job in the namespace "default". */
export function elasticJob(name: string, spec: Readonly<Record<string, unknown>>): ElasticJob {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name, namespace: "default" },
    spec: spec as unknown as ElasticJobSpec,
  };
}

/** A template whose pods are played by a script (see PodScript). */
export function template(script: object): object {
  return {
    metadata: { annotations: { [simulateAnnotation]: JSON.stringify(script) } },
    spec: {
      terminationGracePeriodSeconds: 10,
      containers: [{ name: "work", image: "work", resources: { requests: { cpu: "50m" } } }],
    },
  };
}
