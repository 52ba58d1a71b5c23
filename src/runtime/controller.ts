import type { ActionOutcome, ActionResult, Plan } from "../api/action.ts";
import type { ObjectRef } from "../api/meta.ts";

/**
 * One controller for one root kind. It is given names, never events, and must be right after a restart, after a missed event, and when
 * run twice. Everything with an effect outside of its own memory is in the plan.
 */
export interface Controller<Observed> {
  /** Lower case, for logs and as a metric's label. */
  readonly name: string;
  /** Reads caches only. undefined = the object is gone, and there is nothing left to do for it. */
  observe(key: ObjectRef): Observed | undefined;
  /** The whole of the thinking: a function of what `observe` put in. */
  plan(observed: Observed): Plan;
  /**
   * Learns how the plan's actions and status write ended, in the order of the plan's actions, for what the caches will not show
   * (a quota's refusal, a taken name). Called once for each plan that was carried out, before the next `observe` of the key.
   */
  settle?(key: ObjectRef, observed: Observed, results: readonly ActionResult[], status: ActionOutcome | undefined): void;
  /** The object is gone: drops what `settle` learnt. */
  forget?(key: ObjectRef): void;
}

/** Thrown by `observe` or `plan`: nothing can be done until the object changes. */
export class TerminalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TerminalError";
  }
}

/** The key of an object in queues and maps: "namespace/name", or "name" where there is no namespace. Neither may hold a slash. */
export function keyOf(ref: ObjectRef): string {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** The inverse of {@link keyOf}. */
export function refOf(key: string): ObjectRef {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
