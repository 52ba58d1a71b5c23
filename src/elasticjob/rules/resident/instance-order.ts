import type { FleetInstance } from "../../../api/fleet.ts";

/** The number behind the last dash of a name, as StatefulSets and RunnerApps give it. */
const ordinalOf = (name: string): number => Number(/-(\d{1,9})$/.exec(name)?.[1] ?? Number.POSITIVE_INFINITY);

/** The order in which items are dealt: by ordinal where names have one, then by name, then by id. */
export function compareInstances(left: FleetInstance, right: FleetInstance): number {
  const [first, second] = [ordinalOf(left.name), ordinalOf(right.name)];
  if (first !== second) return first < second ? -1 : 1;
  if (left.name !== right.name) return left.name < right.name ? -1 : 1;
  return left.id < right.id ? -1 : left.id === right.id ? 0 : 1;
}
