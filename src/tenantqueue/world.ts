import type { Labels } from "../api/label-selector.ts";
import type { SpecProblem } from "../api/problem.ts";
import { maySubmit, type UsableQueue } from "../api/queue-access.ts";
import type { TenantQueue } from "../api/tenant-queue.gen.ts";
import type { ResourceVector } from "../quota/resource-vector.ts";
import type { QueueSpec } from "../quota/workload-spec.ts";
import { usableQueues } from "../validation/queued-workload.ts";
import { standingProblems } from "../validation/tenant-queue.ts";
import type { PodClaim } from "./node-usage.ts";
import { capacityOf, dealNodes, type PoolNode, type PoolOverlap, poolFields } from "./rules/capacity.ts";
import { type EffectiveQueue, effectiveQueue } from "./rules/effective-spec.ts";
import { type GrantRecord, guaranteesOf, type QueueGuarantee } from "./rules/guarantees.ts";
import { grantRecordOf } from "./rules/status.ts";
import { growForest, type QueueForest } from "./rules/tree.ts";

/** What there is besides workloads. */
export interface WorldInput {
  readonly queues: readonly TenantQueue[];
  readonly nodes: readonly PoolNode[];
  readonly namespaces: ReadonlyMap<string, Labels>;
  /** Requests of pods on a node that a tree does not count as its own. */
  readonly foreign: (node: string, isOwn: (claim: PodClaim) => boolean) => ResourceVector | undefined;
}

/** A tree in which work is admitted. */
export interface PlannedTree {
  readonly root: string;
  readonly capacity: ResourceVector;
  readonly pool: ReturnType<typeof poolFields>;
  /** Every queue after its parent, the root first. */
  readonly queues: readonly { readonly name: string; readonly parent?: string; readonly spec: QueueSpec }[];
}

/** Queues, what each of them is and has, and the trees that they make. */
export interface World {
  readonly objects: ReadonlyMap<string, TenantQueue>;
  readonly specs: ReadonlyMap<string, EffectiveQueue>;
  readonly forest: QueueForest<EffectiveQueue>;
  /** By name, for namespaces that want to use them. */
  readonly usable: ReadonlyMap<string, UsableQueue>;
  readonly problems: ReadonlyMap<string, readonly SpecProblem[]>;
  readonly overlaps: ReadonlyMap<string, PoolOverlap>;
  /** The root whose capacity a node is, by the node. */
  readonly holders: ReadonlyMap<string, string>;
  readonly guarantees: ReadonlyMap<string, QueueGuarantee>;
  /** By root. */
  readonly trees: ReadonlyMap<string, PlannedTree>;
}

/** Works out all that follows from queues, nodes and foreign pods. O(queues + nodes). The same input always gives the same world. */
export function planWorld({ queues, nodes, namespaces, foreign }: WorldInput): World {
  const objects = new Map(queues.map((queue) => [queue.metadata.name, queue]));
  const specs = new Map(queues.map((queue) => [queue.metadata.name, effectiveQueue(queue)]));
  const forest = growForest(specs.values());
  const roots = forest.roots.map((name) => specs.get(name) as EffectiveQueue);
  const pools = dealNodes(roots, nodes);
  const members = new Map(forest.roots.map((root) => [root, membersOf(forest, root)]));
  const world = { queues: objects, complete: true, namespaces };
  const usable = usableQueues(world);
  const mayUse = ({ queue, namespace }: PodClaim) => {
    const claimed = usable.get(queue);
    return (
      namespace === undefined || (claimed !== undefined && maySubmit(claimed, { name: namespace, labels: namespaces.get(namespace) ?? {} }))
    );
  };
  const capacities = new Map<string, ResourceVector>();
  for (const { name, capacity } of roots) {
    if (pools.overlaps.has(name)) continue;
    const own = new Set(members.get(name));
    capacities.set(
      name,
      capacityOf(capacity, pools.nodes.get(name) ?? [], (node) => foreign(node, (claim) => own.has(claim.queue) && mayUse(claim))),
    );
  }
  const guarantees = guaranteesOf(forest, capacities, grantRecords(queues));
  const trees = new Map<string, PlannedTree>();
  for (const [root, capacity] of capacities) {
    const planned = (members.get(root) ?? []).map((name) => {
      const spec = specs.get(name) as EffectiveQueue;
      return {
        name,
        ...(spec.parent !== undefined && { parent: spec.parent }),
        spec: queueSpec(spec, guarantees.get(name), forest.stopPolicyOf(name) !== "None"),
      };
    });
    trees.set(root, { root, capacity, pool: poolFields((specs.get(root) as EffectiveQueue).capacity), queues: planned });
  }
  return {
    objects,
    specs,
    forest,
    usable,
    problems: standingProblems(world),
    overlaps: pools.overlaps,
    holders: pools.holders,
    guarantees,
    trees,
  };
}

function grantRecords(queues: readonly TenantQueue[]): ReadonlyMap<string, GrantRecord> {
  const records = new Map<string, GrantRecord>();
  for (const queue of queues) {
    const record = grantRecordOf(queue);
    if (record !== undefined) records.set(queue.metadata.name, record);
  }
  return records;
}

/** All queues of a tree, every one after its parent. */
function membersOf(forest: QueueForest, root: string): readonly string[] {
  const names = [root];
  for (const name of names) names.push(...forest.childrenOf(name));
  return names;
}

function queueSpec(spec: EffectiveQueue, guarantee: QueueGuarantee | undefined, isHeld: boolean): QueueSpec {
  return {
    weight: spec.weight,
    ...(spec.parent !== undefined && guarantee !== undefined && { guaranteed: guarantee.effective }),
    max: spec.max,
    lendMaxSeconds: spec.lendMaxSeconds,
    ordering: spec.ordering,
    ...(spec.runningLimit !== Number.POSITIVE_INFINITY && { runningLimit: spec.runningLimit }),
    ...(spec.waitingLimit !== Number.POSITIVE_INFINITY && { waitingLimit: spec.waitingLimit }),
    isHeld,
  };
}
