import type { Node } from "../../api/core.ts";
import { addResources, parseResources, type Quantities, type ResourceVector, subtractResources } from "../../quota/resource-vector.ts";
import type { CapacitySource, PoolToleration } from "./effective-spec.ts";
import { byAge } from "./tree.ts";

/** What of a node decides whose capacity it is, and how much. */
export interface PoolNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Those that keep pods off it: NoSchedule and NoExecute. */
  readonly taints: readonly { readonly key: string; readonly value: string; readonly effect: string }[];
  readonly ready: boolean;
  readonly allocatable: ResourceVector;
}

/** A root as this file needs it. */
export interface PoolRoot {
  readonly name: string;
  readonly createdAt: number;
  readonly capacity: CapacitySource;
}

/**
 * Reads a node. Not ready are those whose Ready condition is not True and those that are being deleted; a cordoned one has the taint
 * node.kubernetes.io/unschedulable even before its controller has written that.
 */
export function poolNode({ metadata, spec, status }: Node): PoolNode {
  const taints = (spec?.taints ?? [])
    .filter(({ effect }) => effect === "NoSchedule" || effect === "NoExecute")
    .map(({ key, value, effect }) => ({ key, value: value ?? "", effect: effect as string }));
  const cordoned = spec?.unschedulable === true && !taints.some(({ key }) => key === cordonTaint.key);
  const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    taints: cordoned ? [...taints, cordonTaint] : taints,
    ready: ready && metadata.deletionTimestamp === undefined,
    allocatable: parseResources(nonNegative(status?.allocatable ?? {}), "Down"),
  };
}

const cordonTaint = { key: "node.kubernetes.io/unschedulable", value: "", effect: "NoSchedule" };

/** A kubelet that has set aside more than there is reports less than nothing. */
function nonNegative(quantities: Quantities): Quantities {
  return Object.fromEntries(Object.entries(quantities).filter(([, value]) => !String(value).startsWith("-")));
}

/** Whether the node is of the root's pool: it has the labels, and no taint that the root does not tolerate. Ready or not. */
export function belongsTo(node: PoolNode, source: CapacitySource): boolean {
  if (source.kind === "fixed") return false;
  for (const [key, value] of Object.entries(source.nodeSelector)) if (node.labels[key] !== value) return false;
  return node.taints.every((taint) => source.tolerations.some((toleration) => tolerates(toleration, taint)));
}

/** As core/v1 Toleration.ToleratesTaint: no key = every key, no effect = every effect. */
function tolerates({ key, operator, value, effect }: PoolToleration, taint: PoolNode["taints"][number]): boolean {
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== undefined && key !== taint.key) return false;
  return operator === "Exists" || (key !== undefined && value === taint.value);
}

/** That a root claims nodes which an older root has. */
export interface PoolOverlap {
  /** The older root; it keeps the nodes. */
  readonly holder: string;
  /** One of the nodes, the first by name, and how many there are. */
  readonly node: string;
  readonly count: number;
}

/** Whose capacity each node is. */
export interface Pools {
  /** Ready nodes of each root that has a pool of nodes and no overlap. */
  readonly nodes: ReadonlyMap<string, readonly PoolNode[]>;
  /** The root of each node that some pool claims, ready or not. */
  readonly holders: ReadonlyMap<string, string>;
  /** Roots that are stalled for it. */
  readonly overlaps: ReadonlyMap<string, PoolOverlap>;
}

/**
 * Deals nodes to roots. No node is counted twice: of roots that claim the same node the oldest has it, and the others are stalled as a
 * whole. A stalled root holds nothing against a third. Nodes that are not ready count for the overlap, so that a node that comes and goes
 * does not move roots, and for no capacity.
 */
export function dealNodes(roots: Iterable<PoolRoot>, nodes: readonly PoolNode[]): Pools {
  const holders = new Map<string, string>();
  const dealt = new Map<string, readonly PoolNode[]>();
  const overlaps = new Map<string, PoolOverlap>();
  for (const { name, capacity } of [...roots].sort(byAge)) {
    if (capacity.kind === "fixed") continue;
    const own = nodes.filter((node) => belongsTo(node, capacity));
    const contested = own.filter((node) => holders.has(node.name)).sort((left, right) => (left.name < right.name ? -1 : 1));
    const [first] = contested;
    if (first !== undefined) {
      const holder = holders.get(first.name) as string;
      overlaps.set(name, { holder, node: first.name, count: contested.filter((node) => holders.get(node.name) === holder).length });
      continue;
    }
    for (const node of own) holders.set(node.name, name);
    dealt.set(
      name,
      own.filter(({ ready }) => ready),
    );
  }
  return { nodes: dealt, holders, overlaps };
}

/** Pods of a fixed capacity that does not name them: every pod requests one, and more than this nobody has. */
export const uncountedPods = 2 ** 31;

/**
 * What a root has to share: fixed resources as they are, pods without a limit where they are not named; else what its nodes have, each less what pods from outside of the tree request
 * there (never below 0: what one node lacks another does not make up for), plus what an autoscaler may still add.
 * @param foreign requests of bound pods that have not ended and are not of this tree: DaemonSets, foreign pods, pods of other trees
 */
export function capacityOf(
  source: CapacitySource,
  nodes: readonly PoolNode[],
  foreign: (node: string) => ResourceVector | undefined,
): ResourceVector {
  if (source.kind === "fixed") return addResources({ pods: uncountedPods, ...source.resources });
  const total: Record<string, number> = {};
  for (const { name, allocatable } of nodes) {
    const others = foreign(name);
    const left = others === undefined ? allocatable : subtractResources(allocatable, others);
    for (const resource in left) total[resource] = (total[resource] ?? 0) + (left[resource] as number);
  }
  return addResources(total, source.provisionable);
}

/** What an admitted pod of this tree gets, so that it runs on the tree's nodes; undefined where it needs nothing. */
export function poolFields(source: CapacitySource):
  | {
      readonly nodeSelector: Readonly<Record<string, string>>;
      readonly tolerations: readonly PoolToleration[];
    }
  | undefined {
  if (source.kind === "fixed") return undefined;
  const { nodeSelector, tolerations } = source;
  return Object.keys(nodeSelector).length === 0 && tolerations.length === 0 ? undefined : { nodeSelector, tolerations };
}
