import type { Pod } from "./core.ts";

/** Whether nothing of the pod runs, or ever will: its phase says so, or all its ordinary containers have ended and none starts again (decision 4). */
export function hasEnded(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase === "Succeeded" || phase === "Failed" || (pod.spec.restartPolicy === "Never" && haveContainersEnded(pod));
}

/** Whether all ordinary containers are terminated: the phase says so about a second later. */
export function haveContainersEnded({ spec, status }: Pod): boolean {
  const statuses = status?.containerStatuses ?? [];
  return statuses.length > 0 && statuses.length >= spec.containers.length && statuses.every(({ state }) => state?.terminated !== undefined);
}
