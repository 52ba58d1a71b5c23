import type { PoolFields } from "./admission.ts";
import type { PodSpec } from "./core.ts";
import { labelPrefix } from "./names.ts";

/** Labels or annotations of a template without those that are the operator's. */
export function withoutOurs(texts: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([key]) => !key.startsWith(labelPrefix)));
}

/** What the pod needs besides to run on the nodes of its queue's tree; what its template says itself stays. */
export function inPool(spec: PodSpec, pool: PoolFields | undefined): Pick<PodSpec, "nodeSelector" | "tolerations"> {
  if (pool === undefined) return {};
  const tolerations = pool.tolerations.map(({ value, ...toleration }) => ({ ...toleration, ...(value !== "" && { value }) }));
  return {
    nodeSelector: { ...pool.nodeSelector, ...spec.nodeSelector },
    tolerations: [...(spec.tolerations ?? []), ...tolerations],
  };
}
