import type { RetryFacts } from "../../api/retry-rule.ts";
import { type ContainerEnd, endOf, newestEnd, type RoleStatus, stopped } from "./container-end.ts";

/** What has been counted of a container: kept in status, so that nothing is counted twice. */
export interface SeenContainer {
  readonly name: string;
  /** Its ends so far: restarts, and one more while it stands still. */
  readonly ends: number;
  /** The container's ID when they were counted. */
  readonly id?: string;
  /** Of these ends, those that the operator asked for itself. */
  readonly asked?: number;
}

/** Ends of a pod's containers that had not been counted. */
export interface CountedEnds extends RetryFacts {
  readonly count: number;
  /** What to keep: containers that have never ended by themselves are left out. */
  readonly seen: readonly SeenContainer[];
  /** The newest of those that are counted now. */
  readonly end?: ContainerEnd;
}

/**
 * Ends since the last count, all containers together. Counting twice gives 0 the second time. A count that went down (the API allows it
 * after a node lost its state) with another container ID is one end.
 * @param statuses of all containers of one pod
 * @param seen what was counted of this very pod (by UID); empty for another one
 * @param asked how often the operator itself made a container of this pod end, as by a change of its image
 */
export function countRestarts(
  statuses: readonly RoleStatus[],
  seen: readonly SeenContainer[],
  asked: ReadonlyMap<string, number> = new Map(),
): CountedEnds {
  const before = new Map(seen.map((container) => [container.name, container]));
  const counted: RoleStatus[] = [];
  const now: SeenContainer[] = [];
  let count = 0;
  for (const status of statuses) {
    const known = before.get(status.name);
    const ends = (status.restartCount ?? 0) + (stopped(status) ? 1 : 0);
    const byUs = Math.min(asked.get(status.name) ?? 0, ends);
    const risen = newEnds(known, ends, status.containerID) - Math.max(0, byUs - (known?.asked ?? 0));
    if (risen > 0) {
      count += risen;
      counted.push(status);
    }
    if (ends <= byUs && known === undefined) continue;
    now.push({
      name: status.name,
      ends,
      ...(status.containerID !== undefined && { id: status.containerID }),
      ...(byUs > 0 && { asked: byUs }),
    });
  }
  // The kubelet has not told of any container yet: what was counted stays.
  const kept = seen.filter(({ name }) => !now.some((container) => container.name === name));
  const end = newestEnd(counted);
  const failedCodes = counted.flatMap((status) => endOf(status)?.exitCode || []);
  return {
    count,
    seen: [...now, ...kept],
    ...(end !== undefined && { end }),
    ...(failedCodes.length > 0 && { failedCodes }),
    ...(end?.reason === "OOMKilled" && { reason: "OOMKilled" as const }),
  };
}

function newEnds(known: SeenContainer | undefined, ends: number, id: string | undefined): number {
  const before = known?.ends ?? 0;
  if (ends >= before) return ends - before;
  return id !== undefined && id !== known?.id ? 1 : 0;
}
