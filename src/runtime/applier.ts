import type { Action, ActionOutcome, ActionResult, Plan, StatusAction, StatusWrite } from "../api/action.ts";
import type { KubeObject } from "../api/meta.ts";
import { resourceName } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import type { KubeClient } from "../kube/client.ts";
import {
  type ActionContext,
  type ActionHandlers,
  type PlanLane,
  allHold,
  counted,
  createActionHandlers,
  type EventSink,
  readPastCaches,
  refOfObject,
} from "./action-handlers.ts";
import { carryOut } from "./lanes.ts";
import type { Metrics } from "./metrics.ts";
import { outcomeOfError } from "./outcome.ts";
import { keepWrite, type OwnWriteStores } from "./own-writes.ts";

/** How a plan ended: `results` in the order of its actions, `status` undefined when it had no status write. */
export interface Applied {
  readonly results: readonly ActionResult[];
  readonly status: ActionOutcome | undefined;
}

/** The only place that writes to the API server for controllers. */
export interface Applier {
  /**
   * Carries out all actions and the status write of a plan side by side. Never rejects.
   * @param lane `prompt` where somebody waits for it: its requests go before those of other plans
   */
  apply(plan: Plan, lane?: PlanLane): Promise<Applied>;
}

export interface ApplierOptions {
  readonly client: KubeClient;
  readonly stores: OwnWriteStores;
  readonly recorder: EventSink;
  /** Whether this process may write in this very moment; asked again when the bytes are sent (decision 10). */
  readonly fence: () => boolean;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Handlers besides, or instead of, those of {@link createActionHandlers}. */
  readonly handlers?: Partial<ActionHandlers>;
  /** How many actions of one plan may be under way at once; 32 when absent. */
  readonly concurrency?: number;
}

/** A larger patch is a mistake of ours that would grow until etcd refuses the object for ever (decision 46). */
const largestStatusPatchBytes = 200 * 1024;

/** Builds an applier on the standard handlers. */
export function createApplier(options: ApplierOptions): Applier {
  const { client, stores, metrics, fence, concurrency = 32 } = options;
  const handlers: Partial<ActionHandlers> = { ...createActionHandlers(options), status: writeOtherStatus, ...options.handlers };

  async function writeStatus(write: StatusWrite, { fence, lane }: ActionContext): Promise<ActionOutcome> {
    const { resource, object, status } = write;
    const { resourceVersion } = object.metadata;
    // Without a version the patch would be blind, and could turn back what a newer leader wrote (decision 5).
    if (resourceVersion === undefined)
      throw new Error(`status of ${resourceName(resource)} ${object.metadata.name} was planned without a version`);
    const body = { metadata: { resourceVersion }, status };
    const bytes = Buffer.byteLength(JSON.stringify(body));
    if (bytes > largestStatusPatchBytes) {
      metrics.count("nuptse_status_patch_refused_total", { resource: resourceName(resource) });
      return { kind: "invalid", message: `a status patch of ${bytes} bytes is over our own limit of ${largestStatusPatchBytes}` };
    }
    const ref = refOfObject(object);
    try {
      const patch = client.patch<KubeObject>(resource, ref, { type: "merge", body }, { subresource: "status", fence, lane });
      keepWrite(stores, resource, await counted(metrics, "patch", resource, patch, "status"));
      return { kind: "done" };
    } catch (error) {
      const outcome = outcomeOfError(error);
      if (outcome.kind !== "conflict") return outcome;
    }
    // The watch may be late or stalled, and planning again from the same version would only meet the same conflict.
    const current = await readPastCaches(client, resource, ref);
    if (current !== undefined) keepWrite(stores, resource, current);
    return { kind: current === undefined || current.metadata.uid !== object.metadata.uid ? "gone" : "conflict" };
  }

  /** Caches will show that it is gone in a moment; until then the same would be planned again and again. */
  async function writeOtherStatus(write: StatusAction, context: ActionContext): Promise<ActionOutcome> {
    if (!(await allHold(client, stores, write.provided))) return { kind: "conflict" };
    const outcome = await writeStatus(write, context);
    return outcome.kind === "gone" ? { kind: "conflict" } : outcome;
  }

  return {
    async apply(plan, lane = "normal") {
      const [results, status] = await Promise.all([
        carryOut(plan.actions, concurrency, fence, (action, wanted) => carry(handlers, action, { fence: wanted, lane })),
        plan.status === undefined ? undefined : writeStatus(plan.status, { fence, lane }).catch(outcomeOfError),
      ]);
      return { results, status };
    },
  };
}

function carry(handlers: Partial<ActionHandlers>, action: Action, context: ActionContext): Promise<ActionOutcome> {
  const handler = handlers[action.tag] as ((action: Action, context: ActionContext) => Promise<ActionOutcome>) | undefined;
  if (handler === undefined) throw new Error(`no handler for the action "${action.tag}"`);
  return handler(action, context);
}
