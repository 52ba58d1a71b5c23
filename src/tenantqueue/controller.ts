import type { TenantQueue } from "../api/tenant-queue.gen.ts";
import { tenantQueues } from "../api/resource.ts";
import type { Controller } from "../runtime/controller.ts";
import type { StatusBoard } from "./status-board.ts";

/** A queue whose status is to be written. */
export interface ObservedQueueStatus {
  readonly queue: TenantQueue;
  /** Absent = nothing is to be written now. */
  readonly patch?: Readonly<Record<string, unknown>>;
}

/** The controller of TenantQueues writes what the board says, when it says so; all deciding is in the admission cycle. */
export function createTenantQueueController(
  board: () => StatusBoard,
  stored: (name: string) => TenantQueue | undefined,
): Controller<ObservedQueueStatus> {
  return {
    name: "tenantqueue",
    observe({ name }) {
      const queue = stored(name);
      if (queue === undefined) return undefined;
      const next = board().takeGrant(name) ? board().patchOf(name) : undefined;
      return next === undefined ? { queue } : { queue: next.queue, patch: next.patch };
    },
    plan({ queue, patch }) {
      if (patch === undefined) return { actions: [], reasons: [] };
      return { actions: [], status: { resource: tenantQueues, object: queue, status: patch }, reasons: ["the stored status is old"] };
    },
    settle({ name }, _observed, _results, status) {
      if (status?.kind === "done") board().written(name);
      // Else it is stale still, and its turn comes again.
    },
  };
}
