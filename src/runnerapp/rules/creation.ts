import type { CreateAction } from "../../api/action.ts";
import type { NodeRule } from "../../api/node-rule.ts";
import { pods as podResource } from "../../api/resource.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import type { InstancePod } from "./instance.ts";
import { type Placement, placementOf } from "./node-rules.ts";
import type { ObservedApp } from "./observed.ts";
import { podNamePrefix, renderPod } from "./pod.ts";
import type { QueueTurn } from "./queue-turn.ts";
import type { Records } from "./records.ts";
import { mayUseNode } from "./resource-options.ts";
import { creationOf, type RetrySeries } from "./retry-series.ts";
import { dataOf } from "./revision.ts";

/** What is made now. */
export interface CreationOrder {
  /** So many of each revision. */
  readonly fleet: readonly { readonly revision: string | undefined; readonly count: number }[];
  /** Pods in whose place another one comes. */
  readonly replacements: readonly { readonly old: InstancePod; readonly revision: string }[];
  /** Instances that are to be restarted and do not go yet, in the order in which they will. */
  readonly restarting: readonly InstancePod[];
}

export interface CreationContext {
  readonly observed: ObservedApp;
  readonly spec: EffectiveSpec;
  readonly turn: QueueTurn;
  readonly records: Records;
  /** All pods, those that are being deleted too. */
  readonly pods: readonly InstancePod[];
  /** Pods that this plan deletes. */
  readonly leaving: ReadonlySet<InstancePod>;
}

export interface Creations {
  readonly actions: readonly CreateAction[];
  readonly wakeAt: number;
}

/** All that one look creates: a refusal of one by quota holds for the others. */
const lane = "instances";
const never = Number.POSITIVE_INFINITY;
/** Of one plan: what comes meanwhile is not to wait for all instances of a large fleet. */
export const mostCreations = 100;

/**
 * Makes pods. Each is the next pod of the lowest instance that has none; where that one has failed, retries say whether and where
 * (retry-series.ts), so a fleet never gets around its own waits by making another instance. The name is the lowest that is free (decision 41).
 * What is made besides the replicas while instances are restarted is the successor of one of them, and rather goes to its node (decision 57).
 */
export function createsOf(context: CreationContext, order: CreationOrder): Creations {
  const { observed, spec, pods, records, leaving } = context;
  const { memory, now, revisions, app } = observed;
  const wanted = order.replacements.length + order.fleet.reduce((sum, { count }) => sum + count, 0);
  if (wanted === 0 || memory.namespaceTerminating) return { actions: [], wakeAt: never };
  const { refusal } = memory;
  if (refusal !== undefined && refusal.retryAt > now) return { actions: [], wakeAt: refusal.retryAt };
  const most = Math.min(refusal?.allowance ?? never, mostCreations);
  const namesTaken = new Set([...pods.map(({ metadata }) => metadata.name), ...memory.namesTaken]);
  const numbersTaken = new Set(pods.filter((pod) => !pod.isDeleting && !leaving.has(pod)).map(({ instance }) => instance));
  const series = new Map(records.series.map((each) => [each.instance, each]));
  const tried = new Map(records.options.map(({ instance, tries }) => [instance, tries]));
  const nextSlots = new Map<string, number>();
  // In a large fleet they are not to be looked through for each instance that is made.
  const ending = Map.groupBy(
    pods.filter((pod) => pod.isDeleting || leaving.has(pod)),
    ({ instance }) => instance,
  );
  let besides = numbersTaken.size - spec.replicas;
  const actions: CreateAction[] = [];
  let wakeAt = never;

  const make = (revision: string, instance: string, placement: Placement, replaces?: string) => {
    const data = dataOf(revisions, revision);
    if (data === undefined || actions.length >= most) {
      if (actions.length === mostCreations) wakeAt = now;
      return;
    }
    const prefix = podNamePrefix(app.metadata.name, revision);
    let slot = nextSlots.get(prefix) ?? 0;
    while (namesTaken.has(`${prefix}${slot}`)) slot++;
    nextSlots.set(prefix, slot + 1);
    const name = `${prefix}${slot}`;
    const { queue, pool } = context.turn;
    const tries = tried.get(instance);
    const object = renderPod({
      app,
      revision,
      data,
      name,
      instance,
      placement,
      ...(tries !== undefined && { tries }),
      ...(replaces !== undefined && { replaces }),
      ...(queue !== undefined && { queue: { name: queue, ...(pool !== undefined && { pool }) } }),
    });
    actions.push({ tag: "create", resource: podResource, object, lane });
  };

  for (const { old, revision } of order.replacements)
    make(revision, old.instance, placementFor(context, series.get(old.instance)), old.metadata.uid as string);
  let number = 0;
  for (const { revision, count } of order.fleet) {
    if (revision === undefined) continue;
    const origin = { revision, ...(spec.restartedAt !== undefined && { restartedAt: spec.restartedAt }) };
    for (let made = 0; made < count; made++) {
      while (numbersTaken.has(String(number))) number++;
      const instance = String(number++);
      // Those that are there besides were made for the first ones.
      const succeeds = besides >= 0 ? order.restarting[besides] : undefined;
      besides++;
      const known = series.get(instance);
      const may = creationOf(known, origin, spec.retry, now);
      if (may.kind === "Allowed") {
        make(revision, instance, placementFor(context, known, may, succeeds === undefined ? ending.get(instance) : [succeeds]));
      } else if (may.kind === "Later") wakeAt = Math.min(wakeAt, may.at);
      else if (may.kind === "Exhausted") wakeAt = Math.min(wakeAt, may.until);
    }
  }
  return { actions, wakeAt };
}

/**
 * Where the next pod of an instance goes.
 * @param before pods that it comes after: where nothing speaks against it, it stays on their node
 */
export function placementFor(
  { observed, spec, records }: Pick<CreationContext, "observed" | "spec" | "records">,
  series?: RetrySeries,
  { pinned, leave = series?.nodes ?? [] }: { readonly pinned?: string; readonly leave?: readonly string[] } = {},
  before: readonly InstancePod[] = [],
): Placement {
  const { nodes, now, pinned: of } = observed;
  const evacuating: string[] = [];
  const usable: string[] = [];
  const { template, resourceOptions } = of.data;
  const isEmpty = leave.length + records.exclusion.exclusions.length + spec.nodeRules.length === 0;
  for (const node of nodes.all()) {
    // A cordon keeps new pods away by itself.
    if (node.taken !== undefined && node.taken !== "Cordoned") evacuating.push(node.name);
    if (!isEmpty && node.taken === undefined && node.isReady && mayUseNode(template.spec, resourceOptions, node.labels))
      usable.push(node.name);
  }
  const prefer = before.flatMap(({ node }) => (node !== undefined && nodes.get(node)?.taken === undefined ? node : []));
  return placementOf(
    {
      rules: spec.nodeRules as readonly NodeRule[],
      exclusions: records.exclusion.exclusions,
      leave,
      evacuating,
      ...(pinned !== undefined && { pinned }),
      prefer,
      ...(!isEmpty && { usable }),
    },
    now,
  );
}
