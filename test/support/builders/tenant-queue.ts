import type { Node } from "../../../src/api/core.ts";
import type { TenantQueue, TenantQueueSpec, TenantQueueStatus } from "../../../src/api/tenant-queue.gen.ts";
import { iso } from "./elastic-job.ts";

/** Most tests' root. */
export const rootName = "corp";

let sequence = 0;

/**
 * A queue as the API server stores it. Each is a second younger than the one made before it, unless `createdAt` says otherwise, so that
 * "older" is the order in which a test makes them.
 */
export function makeQueue(
  name: string,
  spec: TenantQueueSpec = {},
  more: { readonly createdAt?: string; readonly status?: TenantQueueStatus; readonly generation?: number } = {},
): TenantQueue {
  const second = sequence++ % 3600;
  const age = `08:${String(Math.floor(second / 60)).padStart(2, "0")}:${String(second % 60).padStart(2, "0")}`;
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "TenantQueue",
    metadata: {
      name,
      uid: `queue-${name}`,
      resourceVersion: "100",
      generation: more.generation ?? 1,
      creationTimestamp: more.createdAt ?? iso(age),
    },
    spec,
    ...(more.status !== undefined && { status: more.status }),
  };
}

/** Queues by name, as caches hold them. */
export const queuesByName = (...queues: readonly TenantQueue[]): ReadonlyMap<string, TenantQueue> =>
  new Map(queues.map((queue) => [queue.metadata.name, queue]));

/** A ready node with 10 cores, 64 GiB and room for 110 pods, and whatever differs. */
export function makeNode(
  name: string,
  differs: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly taints?: NonNullable<Node["spec"]>["taints"];
    readonly unschedulable?: boolean;
    readonly ready?: "True" | "False" | "Unknown";
    readonly allocatable?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  } = {},
): Node {
  const { labels = {}, taints, unschedulable, ready = "True", allocatable, deletionTimestamp } = differs;
  return {
    metadata: { name, labels, ...(deletionTimestamp !== undefined && { deletionTimestamp }) },
    spec: { ...(taints !== undefined && { taints }), ...(unschedulable !== undefined && { unschedulable }) },
    status: {
      conditions: [{ type: "Ready", status: ready }],
      allocatable: allocatable ?? { cpu: "10", memory: "64Gi", pods: "110" },
    },
  };
}
