import type { Pod } from "./core.ts";
import { annotations } from "./names.ts";

/** The name of the container that gives exit code and result (decision 44). */
export function defaultContainer(
  pod: Pick<Pod, "spec"> & { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } },
): string {
  const named = pod.metadata?.annotations?.[annotations.defaultContainer];
  const first = pod.spec.containers[0]?.name ?? "";
  return pod.spec.containers.some((container) => container.name === named) ? (named as string) : first;
}
