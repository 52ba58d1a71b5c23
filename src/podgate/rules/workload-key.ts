import type { ObjectRef } from "../../api/meta.ts";
import type { PodWorkloadRef } from "./queued-pod.ts";

/** The name under which a workload of pods is looked at and declared, unique in its namespace: kinds have no dot. */
export function workloadName({ kind, name }: PodWorkloadRef): string {
  return `${kind}.${name}`;
}

/** The inverse of {@link workloadName}. */
export function workloadOfName(text: string): PodWorkloadRef {
  const dot = text.indexOf(".");
  return { kind: text.slice(0, dot), name: text.slice(dot + 1) };
}

/** Stands for its UID where shares are asked for: pods come and go, and their workload stays the same. */
export function workloadUid({ namespace, name }: ObjectRef): string {
  return `${namespace}/${name}`;
}
