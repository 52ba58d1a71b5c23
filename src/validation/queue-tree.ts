import { demandsOf, type LabelSelector, type Labels, selects, surelyWithin } from "../api/label-selector.ts";
import type { SpecProblem } from "../api/problem.ts";
import { comesBefore, type UsableQueue } from "../api/queue-access.ts";
import {
  capacityOverlap,
  missingParent,
  parentCycle,
  parentTakesWork,
  secondDefault,
  takesWorkAboveOthers,
} from "../api/queue-problems.ts";
import type { TenantQueue, TenantQueueSpec } from "../api/tenant-queue.gen.ts";
import { type Ancestry, ancestryOf } from "../base/ancestry.ts";
import { getOrMake } from "../base/map.ts";
import { parseTime } from "../base/time.ts";

/** What is known beside one queue. */
export interface QueueWorld {
  /** Queues by name; the one that is judged may be among them, in whatever version. */
  readonly queues: ReadonlyMap<string, TenantQueue>;
  /** Whether these are all that there are; else a parent that is not among them is not missed. */
  readonly complete: boolean;
  /** Labels of the namespaces by name; absent = not known, and selectors are compared instead. */
  readonly namespaces?: ReadonlyMap<string, Labels>;
}

/** The way up from the queue, with the queue itself as it is judged. */
export function wayUp(queue: TenantQueue, world: QueueWorld): Ancestry {
  return ancestryOf(queue.metadata.name, (name) => {
    const found = name === queue.metadata.name ? queue : world.queues.get(name);
    return found === undefined ? undefined : (found.spec.parent ?? null);
  });
}

/** The other queues with the same parent, and those below this one. */
export const siblingsOf = ({ metadata, spec }: TenantQueue, { queues }: QueueWorld): readonly TenantQueue[] =>
  [...queues.values()].filter((other) => other.metadata.name !== metadata.name && other.spec.parent === spec.parent);
export const childrenOf = ({ metadata }: TenantQueue, { queues }: QueueWorld): readonly TenantQueue[] =>
  [...queues.values()].filter((other) => other.metadata.name !== metadata.name && other.spec.parent === metadata.name);

/** Why the queue would have no place, or must not have the one that it names. */
export function placeProblems(queue: TenantQueue, world: QueueWorld): readonly SpecProblem[] {
  const { name } = queue.metadata;
  if (queue.spec.parent === undefined) return poolProblems(queue, world);
  const ancestry = wayUp(queue, world);
  if (ancestry.kind === "cycle") return [parentCycle(name, ancestry.cycle)];
  if (ancestry.kind === "missing" && world.complete) return [missingParent(name, ancestry.missing, ancestry.path.at(-1) ?? name)];
  const parent = world.queues.get(queue.spec.parent);
  return parent?.spec.namespaceSelector === undefined ? [] : [parentTakesWork(queue.spec.parent)];
}

/** What the queue cannot be to namespaces; it works on with the rest of its spec. */
export function roleProblems(queue: TenantQueue, world: QueueWorld): readonly SpecProblem[] {
  const { metadata, spec } = queue;
  if (spec.namespaceSelector === undefined) return [];
  const children = childrenOf(queue, world).map((child) => child.metadata.name);
  if (children.length > 0) return [takesWorkAboveOthers(children.sort())];
  if (spec.defaultQueue !== true) return [];
  const own = usable(queue);
  const older = defaultsOf(world).filter((other) => other.metadata.name !== metadata.name && comesBefore(usable(other), own));
  const open = world.namespaces && [...world.namespaces].filter(([, labels]) => selects(selectorOf(queue), labels)).sort(byKey);
  for (const other of older) {
    const both = bothOpenTo(selectorOf(queue), selectorOf(other), open);
    if (both !== undefined) return [secondDefault(other.metadata.name, both.namespace)];
  }
  return [];
}

/** The same of all queues at once, for whoever has to tell it of each; queues without a problem are left out. */
export function roleProblemsOfAll(world: QueueWorld): ReadonlyMap<string, readonly SpecProblem[]> {
  const found = new Map<string, readonly SpecProblem[]>();
  const children = new Map<string, string[]>();
  for (const { metadata, spec } of world.queues.values()) {
    if (spec.parent !== undefined) getOrMake(children, spec.parent, () => []).push(metadata.name);
  }
  for (const [name, { spec }] of world.queues) {
    const below = children.get(name);
    if (spec.namespaceSelector !== undefined && below !== undefined) found.set(name, [takesWorkAboveOthers(below.sort())]);
  }
  const defaults = defaultsOf(world);
  if (world.namespaces === undefined) {
    for (const queue of defaults) {
      const problems = roleProblems(queue, world);
      if (problems.length > 0) found.set(queue.metadata.name, problems);
    }
    return found;
  }
  // Each under one label that it demands, so that a namespace is compared with few of thousands.
  const byLabel = new Map<string, number[]>();
  for (const [rank, queue] of defaults.entries()) {
    const [label] = Object.entries(selectorOf(queue).matchLabels ?? {});
    getOrMake(byLabel, label === undefined ? "" : label.join("="), () => []).push(rank);
  }
  for (const [namespace, labels] of [...world.namespaces].sort(byKey)) {
    const ranks = ["", ...Object.entries(labels).map((label) => label.join("="))].flatMap((label) => byLabel.get(label) ?? []);
    const open = ranks.sort((left, right) => left - right).map((rank) => defaults[rank] as TenantQueue);
    const [holder, ...others] = open.filter((queue) => selects(selectorOf(queue), labels));
    for (const { metadata } of others) {
      if (holder !== undefined && !found.has(metadata.name)) found.set(metadata.name, [secondDefault(holder.metadata.name, namespace)]);
    }
  }
  return found;
}

/** Leaves that want to be the default of somebody, the older first. */
function defaultsOf({ queues }: QueueWorld): readonly TenantQueue[] {
  const parents = new Set([...queues.values()].map(({ spec }) => spec.parent));
  return [...queues.values()]
    .filter(({ metadata, spec }) => spec.defaultQueue === true && spec.namespaceSelector !== undefined && !parents.has(metadata.name))
    .sort((left, right) => (comesBefore(usable(left), usable(right)) ? -1 : 1));
}

const selectorOf = ({ spec }: TenantQueue): LabelSelector => spec.namespaceSelector ?? {};
const byKey = ([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number => (left < right ? -1 : 1);
const byName = (left: TenantQueue, right: TenantQueue): number => (left.metadata.name < right.metadata.name ? -1 : 1);

/** What was not created yet comes after everything that was. */
const usable = ({ metadata }: TenantQueue): UsableQueue => ({
  name: metadata.name,
  createdAt: parseTime(metadata.creationTimestamp) ?? Number.POSITIVE_INFINITY,
  leaf: true,
  defaultQueue: true,
});

/** A namespace that both select; without a name where only the selectors are known, and one of them is surely within the other. */
function bothOpenTo(
  own: LabelSelector,
  other: LabelSelector,
  open: readonly (readonly [string, Labels])[] | undefined,
): { readonly namespace?: string } | undefined {
  if (open === undefined) return surelyWithin(own, other) || surelyWithin(other, own) ? {} : undefined;
  const first = open.find(([, labels]) => selects(other, labels));
  return first === undefined ? undefined : { namespace: first[0] };
}

/** An older root that surely has nodes of this one, whatever nodes there are. Others show only when there are nodes. */
function poolProblems(queue: TenantQueue, { queues }: QueueWorld): readonly SpecProblem[] {
  const { capacity } = queue.spec;
  if (capacity?.resources !== undefined) return [];
  const own = usable(queue);
  const holder = [...queues.values()]
    .filter(({ metadata, spec }) => metadata.name !== own.name && spec.parent === undefined && spec.capacity?.resources === undefined)
    .filter((other) => comesBefore(usable(other), own))
    .sort(byName)
    .find(({ spec }) => poolWithin(capacity, spec.capacity) || poolWithin(spec.capacity, capacity));
  return holder === undefined ? [] : [capacityOverlap(holder.metadata.name)];
}

type Capacity = TenantQueueSpec["capacity"];

/** Whether every node of the narrow pool is of the wide one: that demands no label more, and tolerates every taint that the narrow one does. */
function poolWithin(narrow: Capacity, wide: Capacity): boolean {
  const wanted = new Set(demandsOf({ matchLabels: narrow?.nodeSelector ?? {} }));
  if (!demandsOf({ matchLabels: wide?.nodeSelector ?? {} }).every((demand) => wanted.has(demand))) return false;
  const tolerated = new Set((wide?.tolerations ?? []).map(tolerationText));
  return (narrow?.tolerations ?? []).every((toleration) => tolerated.has(tolerationText(toleration)));
}

function tolerationText({ key, operator, value, effect }: NonNullable<NonNullable<Capacity>["tolerations"]>[number]): string {
  return JSON.stringify([key ?? "", operator ?? "Equal", value ?? "", effect ?? ""]);
}
