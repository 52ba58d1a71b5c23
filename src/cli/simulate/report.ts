import { formatSeconds } from "../../base/time.ts";
import { addResources, type ResourceVector } from "../../quota/resource-vector.ts";
import { type QueueView, queueViews } from "../plugin/queue-tree-text.ts";
import type { ReclaimFact, Recording, RunRecord } from "./recording.ts";
import { type Starvation, starvationOf, wayUp } from "./starvation.ts";
import { bucketMeans, largestValue, type Step } from "./step-function.ts";
import { seconds, waitMsOf, type WaitSeconds, waitSecondsOf } from "./waiting.ts";

// The result of a simulation, as `nuptse simulate -o json` prints it. The fields are documented in docs/simulate.md.

/** What became of runs. arrived = begun + waiting + refused. */
export interface RunCounts {
  readonly arrived: number;
  /** Got their first items. */
  readonly begun: number;
  readonly succeeded: number;
  /** Ended in any other way, those that were refused among them. */
  readonly failed: number;
  /** Wait for their first items at the end. */
  readonly waiting: number;
  /** Ended without ever having begun. */
  readonly refused: number;
}

export interface ReclaimCounts {
  /** Requests to give back that runs of the queue were sent. */
  readonly asked: number;
  readonly released: number;
  readonly declined: number;
  readonly withdrawn: number;
  /** Not given back by their deadline, whatever came of them later. */
  readonly overdue: number;
  /** Not answered at the end. */
  readonly open: number;
  /** Requests that were sent to others on behalf of this queue. */
  readonly claimed: number;
}

/** Of one resource, as parts of the capacity of the tree: 0.25 = a quarter. */
export interface ShareReport {
  readonly mean: number;
  /** At any instant. */
  readonly peak: number;
  /** The guarantee, as it was at the end. */
  readonly guaranteed: number;
  /** The mean of each bucket. */
  readonly series: readonly number[];
}

/** All that is told of a queue and of all below it. */
export interface QueueReport {
  readonly name: string;
  readonly parent?: string;
  readonly depth: number;
  /** Of the tree, at the end. Quantities. */
  readonly capacity: Readonly<Record<string, string>>;
  readonly guaranteed: Readonly<Record<string, string>>;
  readonly runs: RunCounts;
  /** Absent = nothing came. */
  readonly waitSeconds?: WaitSeconds;
  /** For how long work waited that the guarantee had room for. */
  readonly starvedSeconds: { readonly longest: number; readonly total: number };
  readonly reclaims: ReclaimCounts;
  readonly share: Readonly<Record<string, ShareReport>>;
  /** Runs that wait for their first items: the mean of each bucket. */
  readonly waiting: readonly number[];
  /** The most of them at any instant. */
  readonly mostWaiting: number;
  /** What is wrong with it at the end. */
  readonly trouble?: string;
}

/** Of one workload, or of one job that was given. */
export interface WorkloadReport {
  /** "namespace/name". */
  readonly name: string;
  readonly queue?: string;
  readonly runs: RunCounts;
  readonly waitSeconds?: WaitSeconds;
  /** Why runs failed, or wait at the end. */
  readonly reasons: readonly { readonly reason: string; readonly runs: number; readonly message: string }[];
}

export interface SimulationReport {
  readonly from: string;
  readonly to: string;
  readonly seed: number;
  readonly nodes: number;
  readonly bucketSeconds: number;
  /** In the order of their trees: each before those below it. */
  readonly queues: readonly QueueReport[];
  readonly workloads: readonly WorkloadReport[];
}

export interface ReportTerms {
  readonly seed: number;
  readonly nodes: number;
  readonly bucketMs: number;
}

/** Makes figures of what was recorded. Only runs that arrived within the span count; pods count while they are within it. */
export function reportOf(recording: Recording, { seed, nodes, bucketMs }: ReportTerms): SimulationReport {
  const { span, queues } = recording;
  const views = queueViews(queues);
  const parents = new Map(
    queues.flatMap(({ metadata, spec }) => (spec.parent === undefined ? [] : [[metadata.name, spec.parent] as const])),
  );
  const runs = recording.runs.filter(({ arrivedAt }) => arrivedAt >= span.from && arrivedAt < span.to);
  const starvation = starvationOf(recording, parents);
  return {
    from: formatSeconds(span.from),
    to: formatSeconds(span.to),
    seed,
    nodes,
    bucketSeconds: bucketMs / 1000,
    queues: views.map((view) => queueReport(view, { recording, parents, runs, bucketMs, starved: starvation.get(view.name) })),
    workloads: [...Map.groupBy(runs, ({ source }) => source)]
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, own]) => workloadReport(name, own, span.to)),
  };
}

interface QueueParts {
  readonly recording: Recording;
  readonly parents: ReadonlyMap<string, string>;
  /** Those that arrived within the span. */
  readonly runs: readonly RunRecord[];
  readonly bucketMs: number;
  readonly starved: Starvation | undefined;
}

function queueReport(view: QueueView, { recording, parents, runs, bucketMs, starved }: QueueParts): QueueReport {
  const { span } = recording;
  const { name, parent, depth, trouble } = view;
  const isBelow = (queue: string | undefined) => queue !== undefined && wayUp(queue, parents).includes(name);
  const own = runs.filter(({ queue }) => isBelow(queue));
  const root = wayUp(name, parents).at(-1) as string;
  const waits = waitSecondsOf(own, span.to);
  const waiting = waitingSteps(own, span.to);
  return {
    name,
    ...(parent !== undefined && { parent }),
    depth,
    capacity: view.capacity,
    guaranteed: view.guaranteed,
    runs: runCounts(own),
    ...(waits !== undefined && { waitSeconds: waits }),
    starvedSeconds: { longest: seconds(starved?.longestMs ?? 0), total: seconds(starved?.totalMs ?? 0) },
    reclaims: reclaimCounts(recording.reclaims, isBelow),
    share: sharesOf(
      recording,
      recording.runs.filter(({ queue }) => isBelow(queue)),
      { root, name, bucketMs },
    ),
    waiting: bucketMeans(waiting, span, bucketMs).map((mean) => rounded(mean, 2)),
    mostWaiting: largestValue(waiting, span),
    ...(trouble !== undefined && { trouble }),
  };
}

function runCounts(runs: readonly RunRecord[]): RunCounts {
  const count = (test: (run: RunRecord) => boolean) => runs.filter(test).length;
  return {
    arrived: runs.length,
    begun: count(({ pods }) => pods.length > 0),
    succeeded: count(({ phase }) => phase === "Succeeded"),
    failed: count(({ phase }) => phase !== undefined && phase !== "Succeeded"),
    waiting: count(({ pods, endedAt }) => pods.length === 0 && endedAt === undefined),
    refused: count(({ pods, endedAt }) => pods.length === 0 && endedAt !== undefined),
  };
}

function reclaimCounts(all: readonly ReclaimFact[], isBelow: (queue: string) => boolean): ReclaimCounts {
  const asked = all.filter(({ queue }) => isBelow(queue));
  const ended = (wanted: string) => asked.filter(({ state }) => state === wanted).length;
  const [released, declined, withdrawn] = [ended("Released"), ended("Declined"), ended("Withdrawn")];
  return {
    asked: asked.length,
    released,
    declined,
    withdrawn,
    overdue: asked.filter(({ isOverdue }) => isOverdue).length,
    open: asked.length - released - declined - withdrawn,
    claimed: all.filter(({ claimantQueue }) => isBelow(claimantQueue)).length,
  };
}

function sharesOf(
  { span, facts }: Recording,
  runs: readonly RunRecord[],
  { root, name, bucketMs }: { readonly root: string; readonly name: string; readonly bucketMs: number },
): Readonly<Record<string, ShareReport>> {
  const capacities = facts.get(root) ?? [];
  const guaranteed = facts.get(name)?.at(-1)?.guaranteed ?? {};
  const resources = Object.keys(addResources(...capacities.map(({ capacity }) => capacity))).sort();
  return Object.fromEntries(
    resources.map((resource) => {
      const used = usageSteps(runs, resource);
      const capacity = capacitySteps(capacities, resource);
      const shares = (bucket: number) => {
        const room = bucketMeans(capacity, span, bucket);
        return bucketMeans(used, span, bucket).map((mean, at) => ratio(mean, room[at] as number));
      };
      const report: ShareReport = {
        mean: shares(span.to - span.from)[0] as number,
        peak: ratio(largestValue(used, span), largestValue(capacity, span)),
        guaranteed: ratio(guaranteed[resource] ?? 0, capacities.at(-1)?.capacity[resource] ?? 0),
        series: shares(bucketMs),
      };
      return [resource, report];
    }),
  );
}

function usageSteps(runs: readonly RunRecord[], resource: string): readonly Step[] {
  return runs.flatMap(({ pods }) =>
    pods.flatMap(({ from, to, request }) => {
      const change = request[resource] ?? 0;
      const begin = { at: from, change };
      return to === undefined ? [begin] : [begin, { at: to, change: -change }];
    }),
  );
}

function capacitySteps(facts: readonly { readonly at: number; readonly capacity: ResourceVector }[], resource: string): readonly Step[] {
  return facts.map(({ at, capacity }, index) => ({
    at,
    change: (capacity[resource] ?? 0) - (facts[index - 1]?.capacity[resource] ?? 0),
  }));
}

function waitingSteps(runs: readonly RunRecord[], end: number): readonly Step[] {
  return runs.flatMap((run) => {
    const waitMs = waitMsOf(run, end);
    const until = waitMs === undefined ? (run.endedAt as number) : run.arrivedAt + waitMs;
    return [
      { at: run.arrivedAt, change: 1 },
      { at: until, change: -1 },
    ];
  });
}

function workloadReport(name: string, runs: readonly RunRecord[], end: number): WorkloadReport {
  const queue = runs.find((run) => run.queue !== undefined)?.queue;
  const waits = waitSecondsOf(runs, end);
  const troubled = runs.filter(({ phase, pods, endedAt }) => (endedAt === undefined ? pods.length === 0 : phase !== "Succeeded"));
  const reasons = Map.groupBy(troubled, ({ reason, phase }) => reason ?? phase ?? "NotYetSeen");
  return {
    name,
    ...(queue !== undefined && { queue }),
    runs: runCounts(runs),
    ...(waits !== undefined && { waitSeconds: waits }),
    reasons: [...reasons]
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([reason, own]) => ({ reason, runs: own.length, message: own[0]?.message ?? "" })),
  };
}

/** Four decimals are more than any screen shows. */
const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : rounded(part / whole, 4));

function rounded(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale;
}
