import type { ActionOutcome } from "../api/action.ts";
import {
  BadRequest,
  Conflict,
  FencedError,
  Forbidden,
  Invalid,
  NotFound,
  ServerTimeout,
  TransportError,
  Unavailable,
  UnreachableError,
} from "../kube/errors.ts";

/** What an error of the client means for the action that met it. `AlreadyExists` is not decided here: it needs a look at the object. */
export function outcomeOfError(error: unknown): ActionOutcome {
  if (error instanceof Conflict) return { kind: "conflict" };
  // A kind that is unknown is a missing CRD, and its objects may come back with it.
  if (error instanceof NotFound) return error.isUnknownKind ? { kind: "failed", error } : { kind: "gone" };
  if (error instanceof Forbidden) {
    return { kind: "forbidden", message: error.message, quota: error.isQuota, namespaceTerminating: error.isNamespaceTerminating };
  }
  if (error instanceof Invalid || error instanceof BadRequest) return { kind: "invalid", message: error.message };
  return { kind: "failed", error };
}

/** Whether a write that ended so may have been executed all the same, or may yet be. */
export function mayHaveHappened(error: unknown): boolean {
  return wasSent(error) && (error instanceof TransportError || error instanceof ServerTimeout || error instanceof Unavailable);
}

/** Whether a request that ended so had left this process. */
export function wasSent(error: unknown): boolean {
  return !(error instanceof FencedError || error instanceof UnreachableError);
}
