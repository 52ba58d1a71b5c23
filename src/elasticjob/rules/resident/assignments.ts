import type { ElasticJobStatusAssignments } from "../../../api/elastic-job.gen.ts";
import type { FleetInstance } from "../../../api/fleet.ts";
import { fnv1a32 } from "../../../base/hash.ts";
import { IntervalSet } from "../../../base/interval-set.ts";
import { compareInstances } from "./instance-order.ts";
import {
  type Dealt,
  dealAverage,
  dealBroadcast,
  dealNameHashRotation,
  dealOddEven,
  dealRendezvous,
  dealRoundRobin,
  type ShardingStrategy,
} from "./strategies.ts";

/** Instances of one fleet that one job uses at most: their names stand in its status. */
export const mostInstances = 500;

/** What a run is dealt by. */
export interface Deal {
  readonly strategy: Exclude<ShardingStrategy, "LeastLoaded" | "First">;
  readonly jobName: string;
  readonly total: number;
  readonly fireTime: number;
  /** From this fire time to the next one, in milliseconds; 1000 when there is no next. */
  readonly periodMs: number;
}

/** Those that take new work, in the order of dealing. */
export function readyInstances(instances: readonly FleetInstance[]): readonly FleetInstance[] {
  return instances
    .filter(({ isReady, isOver }) => isReady && !isOver)
    .sort(compareInstances)
    .slice(0, mostInstances);
}

/**
 * Deals the items of a run to instances that are ready, in their order.
 * A job with one item has its place by its name, so that such jobs are spread over the instances and are not all on the first.
 */
export function deal(instances: readonly FleetInstance[], { strategy, jobName, total, fireTime, periodMs }: Deal): Dealt<FleetInstance> {
  if (instances.length === 0) return [];
  switch (strategy) {
    case "Average": {
      if (total > 1) return dealAverage(instances, total);
      const place = fnv1a32(jobName) % instances.length;
      return instances.map((instance, position) => ({ instance, items: position === place ? [0] : [] }));
    }
    case "OddEven":
      return dealOddEven(instances, total, jobName);
    case "NameHashRotation":
      return dealNameHashRotation(instances, total, jobName);
    case "RoundRobin":
      return dealRoundRobin(instances, total, jobName, fireTime, periodMs);
    case "Rendezvous":
      return dealRendezvous(instances, total, jobName, ({ id }) => id);
    case "Broadcast":
      return dealBroadcast(instances);
  }
}

/**
 * status.assignments for what was dealt: as it stands when it says the same, else with the next revision. Instances without items are left out.
 */
export function nextAssignments(
  stored: ElasticJobStatusAssignments | undefined,
  runner: string,
  dealt: Dealt<FleetInstance>,
): ElasticJobStatusAssignments {
  const instances = dealt.flatMap(({ instance: { id, name }, items }) =>
    items.length === 0 ? [] : [{ id, name, items: new IntervalSet(items).toString() }],
  );
  const same =
    stored?.runner === runner &&
    stored.instances?.length === instances.length &&
    instances.every(({ id, items }, index) => stored.instances?.[index]?.id === id && stored.instances[index]?.items === items);
  return same ? (stored as ElasticJobStatusAssignments) : { revision: (stored?.revision ?? 0) + 1, runner, instances };
}

/** The instance of each item as status.assignments tells; empty when they are of another fleet. */
export function assignedInstances(assignments: ElasticJobStatusAssignments | undefined, runner: string): ReadonlyMap<number, string> {
  const byItem = new Map<number, string>();
  if (assignments?.runner !== runner) return byItem;
  for (const { id, items } of assignments.instances ?? []) for (const item of IntervalSet.parse(items)) byItem.set(item, id as string);
  return byItem;
}
