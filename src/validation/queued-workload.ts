import type { SpecProblem } from "../api/problem.ts";
import { chooseQueue, type QueueRefusal, type UsableQueue, type UsingNamespace } from "../api/queue-access.ts";
import type { TenantQueue } from "../api/tenant-queue.gen.ts";
import { parseTime } from "../base/time.ts";
import { QuantityError } from "../quota/quantity.ts";
import { formatAmount, parseAmount, type ResourceVector } from "../quota/resource-vector.ts";
import { type QueueWorld, wayUp } from "./queue-tree.ts";

/** What a workload asks of a queue. */
export interface QueuedWorkload {
  readonly namespace: UsingNamespace;
  /** The queue that it names; absent = it asks for admission and names none. */
  readonly queue?: string;
  /** Absent = 0. */
  readonly priority?: number;
  /** What must fit at once: of a gang all of it. */
  readonly request: ResourceVector;
}

/** The fields of the workload that problems are told at: `spec.queue.name`, or `metadata.labels[nuptse.dev/queue]`. */
export interface WorkloadPaths {
  readonly queue: string;
  readonly priority: string;
  readonly request: string;
}

/** The queue of a workload, and what is wrong with it there; without a queue the only problem is why there is none. */
export interface WorkloadVerdict {
  readonly queue?: string;
  /** Why it has no queue. */
  readonly refusal?: QueueRefusal;
  readonly problems: readonly SpecProblem[];
}

/** What will never be admitted as it is, said at once so that it does not wait for ever. */
export function judgeWorkload(workload: QueuedWorkload, world: QueueWorld, paths: WorkloadPaths): WorkloadVerdict {
  const choice = chooseQueue(usableQueues(world), workload.namespace, workload.queue);
  if (choice.kind === "refused") return { refusal: choice.reason, problems: [{ path: paths.queue, message: choice.message }] };
  return { queue: choice.queue, problems: workloadProblems(workload, world.queues.get(choice.queue) as TenantQueue, world, paths) };
}

/** The same where its queue is known. O(depth x resources). */
export function workloadProblems(
  { priority = 0, request }: Pick<QueuedWorkload, "priority" | "request">,
  queue: TenantQueue,
  world: QueueWorld,
  paths: Pick<WorkloadPaths, "priority" | "request">,
): readonly SpecProblem[] {
  const path = wayUp(queue, world).path.map((name) => world.queues.get(name) as TenantQueue);
  return [...priorityProblems(priority, path, paths.priority), ...sizeProblems(request, path, paths.request)];
}

/** Queues as they are to namespaces. */
export function usableQueues({ queues }: Pick<QueueWorld, "queues">): ReadonlyMap<string, UsableQueue> {
  const parents = new Set([...queues.values()].map(({ spec }) => spec.parent));
  return new Map(
    [...queues].map(([name, { metadata, spec }]) => [
      name,
      {
        name,
        createdAt: parseTime(metadata.creationTimestamp) ?? Number.POSITIVE_INFINITY,
        leaf: !parents.has(name),
        ...(spec.namespaceSelector !== undefined && { namespaceSelector: spec.namespaceSelector }),
        defaultQueue: spec.defaultQueue ?? false,
      },
    ]),
  );
}

/** The lowest maxPriority of the queue and all above it holds, so that whoever divides a queue cannot pass its bound. */
function priorityProblems(priority: number, path: readonly TenantQueue[], field: string): readonly SpecProblem[] {
  let strictest: TenantQueue | undefined;
  const bound = (queue: TenantQueue | undefined) => queue?.spec.maxPriority ?? 1000;
  for (const queue of path) if (bound(queue) < bound(strictest)) strictest = queue;
  if (priority <= bound(strictest)) return [];
  const whose = strictest === undefined ? "any queue" : `the TenantQueue ${strictest.metadata.name} (its spec.maxPriority)`;
  return [{ path: field, message: `is ${priority}; must be at most ${bound(strictest)}, the bound of ${whose}` }];
}

/** A limit of the queue or of one above it, or the fixed capacity of the tree, that is less than the whole workload. The first by name of each resource. */
function sizeProblems(request: ResourceVector, path: readonly TenantQueue[], field: string): readonly SpecProblem[] {
  return Object.keys(request)
    .sort()
    .flatMap((resource) => {
      const asked = request[resource] ?? 0;
      const tightest = path
        .map((queue) => ({ queue, limit: limitOf(queue, resource) }))
        .reduce((found, each) => (each.limit.units < found.limit.units ? each : found), noLimit);
      if (asked <= tightest.limit.units) return [];
      const { queue, limit } = tightest;
      const amount = (units: number) => formatAmount(resource, units);
      const message = `asks for ${amount(asked)} of ${resource} at once, and the TenantQueue ${queue?.metadata.name} never has more than ${amount(limit.units)} (its ${limit.field}), so it would wait for ever; make it smaller, or raise that`;
      return [{ path: field, message }];
    });
}

interface Limit {
  readonly units: number;
  readonly field: string;
}

const noLimit: { readonly queue?: TenantQueue; readonly limit: Limit } = { limit: { units: Number.POSITIVE_INFINITY, field: "" } };

function limitOf({ spec }: TenantQueue, resource: string): Limit {
  const own = spec.max?.[resource];
  const fixed = spec.parent === undefined ? spec.capacity?.resources : undefined;
  const max = own === undefined ? Number.POSITIVE_INFINITY : unitsOf(resource, own);
  // A fixed capacity that does not name pods does not count them.
  const isCounted = fixed !== undefined && (resource !== "pods" || fixed[resource] !== undefined);
  const whole = isCounted ? unitsOf(resource, fixed[resource] ?? 0) : Number.POSITIVE_INFINITY;
  return max <= whole ? { units: max, field: "spec.max" } : { units: whole, field: "spec.capacity.resources" };
}

/** A limit that cannot be read is none; the queue says that it is wrong. */
function unitsOf(resource: string, value: string | number): number {
  try {
    return parseAmount(resource, value, "Up");
  } catch (error) {
    if (error instanceof QuantityError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}
