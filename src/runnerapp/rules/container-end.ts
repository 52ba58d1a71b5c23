import type { ContainerState, ContainerStatus, Pod } from "../../api/core.ts";
import { parseTime } from "../../base/time.ts";

/** How a container ended. */
export type ContainerEnd = NonNullable<ContainerState["terminated"]>;

/** A container's status, and what it is there for: Init is to end with 0, Main and Sidecar are to go on for ever. */
export interface RoleStatus extends ContainerStatus {
  readonly role: "Init" | "Sidecar" | "Main";
}

/** Init containers first: one that fails is the reason why no ordinary one begins. */
export function roleStatuses({ spec, status }: Pod): readonly RoleStatus[] {
  const sidecars = new Set(spec.initContainers?.flatMap(({ name, restartPolicy }) => (restartPolicy === "Always" ? name : [])));
  return [
    ...(status?.initContainerStatuses ?? []).map((of) => ({
      ...of,
      role: sidecars.has(of.name) ? ("Sidecar" as const) : ("Init" as const),
    })),
    ...(status?.containerStatuses ?? []).map((of) => ({ ...of, role: "Main" as const })),
  ];
}

/** The container's newest end, whether or not it runs again. */
export const endOf = ({ state, lastState }: ContainerStatus): ContainerEnd | undefined => state?.terminated ?? lastState?.terminated;

/** Whether it stands still after an end that it should not have come to: the kubelet is to restart it, mostly after a back-off. */
export function stopped(status: RoleStatus): boolean {
  if (status.state?.running !== undefined) return false;
  const end = endOf(status);
  return end !== undefined && (status.role !== "Init" || end.exitCode !== 0);
}

/** The newest of their ends; of two in one second, the one for want of memory. */
export function newestEnd(statuses: readonly RoleStatus[]): ContainerEnd | undefined {
  const ends = statuses.flatMap((status) => {
    const end = endOf(status);
    return end === undefined || (status.role === "Init" && end.exitCode === 0) ? [] : end;
  });
  const rank = (end: ContainerEnd) => (parseTime(end.finishedAt) ?? 0) + (end.reason === "OOMKilled" ? 1 : 0);
  return ends.reduce<ContainerEnd | undefined>(
    (newest, end) => (newest === undefined || rank(end) > rank(newest) ? end : newest),
    undefined,
  );
}
