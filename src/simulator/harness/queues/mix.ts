import type { ElasticJob } from "../../../api/elastic-job.gen.ts";
import type { TenantQueue, TenantQueueSpec } from "../../../api/tenant-queue.gen.ts";
import { type Random, randomInteger } from "../../../base/random.ts";
import { formatSeconds } from "../../../base/time.ts";
import { elasticJob, template } from "../job-mix.ts";

/** Queues, and what their owners do to them meanwhile. */
export interface QueueMix {
  /** Every queue after its parent. */
  readonly queues: readonly TenantQueue[];
  /** Names of the queues that take work. */
  readonly leaves: readonly string[];
  /** By pool of nodes; one unnamed pool where the tree has all. */
  readonly pools: readonly (string | undefined)[];
  readonly namespaces: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>> }[];
  readonly jobs: readonly ElasticJob[];
  readonly bursts: readonly PodBurst[];
  readonly edits: readonly QueueEdit[];
}

/** Pods that somebody else makes. `atMs` counts from the start of the simulation. */
export interface PodBurst {
  readonly name: string;
  readonly atMs: number;
  /**
   * Single: pods without an owner; Job: one makes them all, and none anew; StatefulSet: one makes them anew until it is deleted; Group: they begin
   * together; Stranger: they are of no queue.
   */
  readonly kind: "Single" | "Job" | "StatefulSet" | "Group" | "Stranger";
  readonly namespace: string;
  readonly queue: string;
  readonly count: number;
  readonly cpu: string;
  readonly runMs: number;
  readonly priority: number;
  /** They last at most so long; absent = for ever, as far as the queue knows. */
  readonly deadlineSeconds?: number;
}

/** What somebody does to a queue, or to who may use it; and what is made good again so much later. */
export type QueueEdit = { readonly atMs: number; readonly forMs: number } & (
  | { readonly kind: "spec"; readonly queue: string; readonly spec: Readonly<Record<string, unknown>> }
  | { readonly kind: "close"; readonly queue: string; readonly namespace: string }
);

export interface QueueMixOptions {
  readonly startAt: number;
  /** Nothing fires, bursts or is edited after so many milliseconds. */
  readonly busyMs: number;
}

const pick = <T>(random: Random, values: readonly T[]): T => values[randomInteger(random, values.length)] as T;

/** The label of namespaces that may use a queue. */
export const openLabel = (queue: string): string => `open-${queue}`;

/** A random tree or two, with work of all sorts in their leaves. */
export function makeQueues(random: Random, options: QueueMixOptions): QueueMix {
  const trees = random.next() < 0.25 ? [treeOf(random, "a"), treeOf(random, "b")] : [treeOf(random, undefined)];
  const queues = trees.flat();
  const parents = new Set(queues.map(({ spec }) => spec.parent));
  const leaves = queues.map(({ metadata }) => metadata.name).filter((name) => !parents.has(name));
  const namespaces = [0, 1, 2].map((at) => {
    const own = leaves.filter((_, index) => index % 3 === at || random.next() < 0.3);
    return { name: `team-${at}`, labels: Object.fromEntries(own.map((leaf) => [openLabel(leaf), "yes"])) };
  });
  const userOf = (leaf: string): string =>
    pick(
      random,
      namespaces.filter(({ labels }) => openLabel(leaf) in labels),
    ).name;
  const jobs = leaves.flatMap((leaf) =>
    Array.from({ length: 1 + randomInteger(random, 2) }, (_, index) => jobOf(random, `${leaf}-${index}`, userOf(leaf), leaf, options)),
  );
  const bursts = leaves.flatMap((leaf) =>
    Array.from({ length: 1 + randomInteger(random, 2) }, (_, index) => burstOf(random, `${leaf}-p${index}`, userOf(leaf), leaf, options)),
  );
  return {
    queues,
    leaves,
    pools: trees.map((_, index) => (trees.length === 1 ? undefined : (["a", "b"] as const)[index])),
    namespaces,
    jobs,
    bursts,
    edits: editsOf(random, queues, leaves, namespaces, options),
  };
}

function treeOf(random: Random, pool: string | undefined): readonly TenantQueue[] {
  const root = pool === undefined ? "corp" : `corp-${pool}`;
  const capacity = pool === undefined ? {} : { capacity: { nodeSelector: { pool } } };
  const queues: TenantQueue[] = [queueOf(root, capacity)];
  const inner = pool === undefined ? randomInteger(random, 3) : randomInteger(random, 2);
  const tops = inner + (pool === undefined ? 2 : 1);
  const guarantees = sharesOf(random, tops);
  for (let at = 0; at < tops; at++) {
    const name = `${root}-${at < inner ? "t" : "q"}${at}`;
    queues.push(queueOf(name, { parent: root, ...specOf(random, guarantees[at] as number), ...(at >= inner && opened(name)) }));
    if (at >= inner) continue;
    const below = 1 + randomInteger(random, 3);
    const parts = sharesOf(random, below);
    for (let child = 0; child < below; child++) {
      const leaf = `${name}-q${child}`;
      // Percentages of what the parent has: one without a guarantee has nothing to give.
      const percent = guarantees[at] === 0 ? 0 : (parts[child] as number);
      queues.push(queueOf(leaf, { parent: name, ...specOf(random, percent), ...opened(leaf) }));
    }
  }
  return queues;
}

const opened = (leaf: string): Partial<TenantQueueSpec> => ({ namespaceSelector: { matchLabels: { [openLabel(leaf)]: "yes" } } });

/** Percentages that are together at most 100. */
function sharesOf(random: Random, count: number): readonly number[] {
  let left = 100;
  return Array.from({ length: count }, () => {
    const share = random.next() < 0.3 ? 0 : Math.min(left, 10 * (1 + randomInteger(random, 5)));
    left -= share;
    return share;
  });
}

function specOf(random: Random, percent: number): TenantQueueSpec {
  return {
    weight: pick(random, [1, 1, 1, 2, 3, 0]),
    ...(percent > 0 && { guaranteed: { cpu: `${percent}%` } }),
    ...(random.next() < 0.3 && { max: { cpu: String(pick(random, [3, 5, 8])) } }),
    ...(random.next() < 0.15 && { max: { pods: String(pick(random, [6, 12])) } }),
    ...(random.next() < 0.1 && { limits: { running: pick(random, [2, 5]) } }),
    lend: { maxSeconds: pick(random, [0, 60, 600, 3600, 86_400]) },
    ordering: pick(random, ["PriorityFIFO", "PriorityFIFO", "FIFO"]),
    reclaim: { graceSeconds: pick(random, [30, 60, 300]) },
  };
}

export function queueOf(name: string, spec: TenantQueueSpec): TenantQueue {
  return { apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name }, spec };
}

function jobOf(random: Random, name: string, namespace: string, queue: string, options: QueueMixOptions): ElasticJob {
  const total = pick(random, [2, 4, 8, 12]);
  const longestMs = pick(random, [5_000, 30_000, 90_000, 180_000]);
  const parallelism = random.next() < 0.3 ? Math.max(1, total >> 1) : total;
  const onReclaim = pick(random, ["Stop", "Stop", "Finish", "Refuse"]);
  const manifest = elasticJob(name, {
    schedule: {
      crons: [`${randomInteger(random, 60)} */${pick(random, [1, 2, 3, 4])} * * * ?`],
      endAt: formatSeconds(options.startAt + options.busyMs),
    },
    concurrencyPolicy: pick(random, ["Forbid", "Forbid", "Forbid", "Allow"]),
    sharding: { total, ...(parallelism < total && { parallelism }) },
    retry: { sameNode: 1, otherNodes: 2, backoff: { initialSeconds: 1, maxSeconds: 10 } },
    failover: { limit: 5 },
    ...(onReclaim === "Finish" && random.next() < 0.7 && { runTimeoutSeconds: pick(random, [600, 3_000]) }),
    queue: {
      name: queue,
      onReclaim,
      priority: pick(random, [0, 0, 0, 10, -10]),
      ...(random.next() < 0.4 && { minCount: 1 + randomInteger(random, Math.min(parallelism, 6)) }),
    },
    template: template({ runMs: [1_000, longestMs], onTerm: "dies" }),
  });
  const cpu = pick(random, ["1", "1", "500m", total > 4 ? "1" : "2"]);
  const containers = [{ name: "work", image: "work", resources: { requests: { cpu } } }];
  const { template: made } = manifest.spec;
  return {
    ...manifest,
    metadata: { name, namespace },
    spec: { ...manifest.spec, template: { ...made, spec: { ...made?.spec, containers } } },
  };
}

function burstOf(random: Random, name: string, namespace: string, queue: string, { busyMs }: QueueMixOptions): PodBurst {
  const kind = pick(random, ["Single", "Job", "Job", "StatefulSet", "Group", "Group", "Stranger"] as const);
  // At times hundreds wait.
  const many = random.next() < 0.05 ? 250 : 30;
  const most = { Single: many, Job: many, StatefulSet: 4, Group: 6, Stranger: 3 }[kind];
  return {
    name,
    atMs: Math.floor(random.next() * 0.9 * busyMs),
    kind,
    namespace,
    queue,
    count: 2 + randomInteger(random, most - 1),
    cpu: pick(random, ["1", "1", "500m", "250m"]),
    runMs: kind === "Stranger" ? 350_000 : pick(random, [2_000, 10_000, 30_000]),
    priority: pick(random, [0, 0, 5, -5]),
    ...(random.next() < 0.4 && { deadlineSeconds: pick(random, [30, 300]) }),
  };
}

function editsOf(
  random: Random,
  queues: readonly TenantQueue[],
  leaves: readonly string[],
  namespaces: QueueMix["namespaces"],
  { busyMs }: QueueMixOptions,
): readonly QueueEdit[] {
  const inner = queues.filter(({ spec, metadata }) => spec.parent === undefined || !leaves.includes(metadata.name));
  const below = queues.filter(({ spec }) => spec.parent !== undefined);
  return Array.from({ length: randomInteger(random, 9) }, (): QueueEdit => {
    const when = { atMs: Math.floor(random.next() * 0.9 * busyMs), forMs: 10_000 + randomInteger(random, 300_000) };
    const queue = pick(random, below).metadata.name;
    const spec = (change: Readonly<Record<string, unknown>>): QueueEdit => ({ ...when, kind: "spec", queue, spec: change });
    switch (randomInteger(random, 9)) {
      case 0:
        return spec({ weight: pick(random, [0, 1, 5]) });
      case 1:
        return spec({ max: { cpu: String(pick(random, [2, 4, 8])) } });
      case 2:
        return spec({ guaranteed: { cpu: pick(random, ["10%", "60%", "3"]) } });
      case 3:
        return spec({ stopPolicy: pick(random, ["Hold", "HoldAndDrain"]) });
      case 4:
        return spec({ limits: { running: 1 + randomInteger(random, 3), waiting: pick(random, [2, 20]) } });
      case 5: {
        const leaf = pick(random, leaves);
        const parent = pick(random, inner).metadata.name;
        // Into a tree of its own it goes, too, and back.
        return { ...when, kind: "spec", queue: leaf, spec: { parent: leaf === parent ? null : parent } };
      }
      case 6: {
        // An unknown parent, or a circle.
        const child = queues.find(({ spec: of }) => of.parent === queue)?.metadata.name;
        return spec({ parent: pick(random, ["nobody", child ?? "nobody"]) });
      }
      case 7:
        return spec({ lend: { maxSeconds: pick(random, [0, 300, 86_400]) } });
      default: {
        const { name, labels } = pick(random, namespaces);
        const open = Object.keys(labels);
        const leaf = leaves.find((each) => openLabel(each) === pick(random, open));
        return leaf === undefined ? spec({ weight: 2 }) : { ...when, kind: "close", queue: leaf, namespace: name };
      }
    }
  });
}
