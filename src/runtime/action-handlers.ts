import type {
  Action,
  ActionOutcome,
  CreateAction,
  DeleteAction,
  DeleteCollectionAction,
  DryRunAction,
  EventAction,
  MergeAction,
  PatchAction,
  Premise,
  ProbeAction,
  ReplaceAction,
} from "../api/action.ts";
import type { Pod } from "../api/core.ts";
import type { KubeObject, ObjectRef } from "../api/meta.ts";
import { hasEnded } from "../api/pod-end.ts";
import { type Resource, resourceName } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import type { KubeClient } from "../kube/client.ts";
import { AlreadyExists, Conflict, Invalid, NotFound } from "../kube/errors.ts";
import type { RequestLane } from "../kube/transport.ts";
import type { Metrics } from "./metrics.ts";
import { wasSent } from "./outcome.ts";
import { keepWrite, type OwnWriteStores } from "./own-writes.ts";
import { RecentDeletions } from "./recent-deletions.ts";

/** See {@link RequestLane}. */
export type PlanLane = Exclude<RequestLane, "lease">;

/** What a handler is given besides its action. Its fields are those of the client's options for writes. */
export interface ActionContext {
  /** Asked in the moment of sending; to be passed on with every write. */
  readonly fence: () => boolean;
  readonly lane: PlanLane;
}

/** Carries out one action. What it throws is mapped like an error of the client. */
export type ActionHandler<A extends Action> = (action: A, context: ActionContext) => Promise<ActionOutcome>;

/** One handler for each tag. */
export type ActionHandlers = { readonly [Tag in Action["tag"]]: ActionHandler<Extract<Action, { readonly tag: Tag }>> };

/** Takes what people should be told; never throws, never waits. */
export interface EventSink {
  record(event: EventAction): void;
}

export interface ActionHandlerOptions {
  readonly client: KubeClient;
  readonly stores: OwnWriteStores;
  readonly recorder: EventSink;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** A page of deletions is at most a few seconds of the server; this many are a large run, and more can wait for the next plan. */
const mostPages = 100;

/** The handlers of Kubernetes' own writes; that of status writes is the applier's, and those of tasks are whoever's speaks with executors. */
export function createActionHandlers(options: ActionHandlerOptions): Omit<ActionHandlers, "status" | "dispatch" | "recall"> {
  const { client, stores, recorder, metrics, clock } = options;
  const deletions = new RecentDeletions(clock);

  async function create(action: CreateAction, context: ActionContext): Promise<ActionOutcome> {
    const { resource, object } = action;
    const sentAt = clock.monotonic();
    try {
      const created = await counted(metrics, "create", resource, client.create(resource, object, context));
      keepWrite(stores, resource, created, sentAt);
      return { kind: "done" };
    } catch (error) {
      // A 404 of a POST is a namespace or a kind that is missing, never the object.
      if (error instanceof NotFound) return { kind: "failed", error };
      if (!(error instanceof AlreadyExists)) throw error;
    }
    return ownedOrTaken(resource, object);
  }

  /** The answer "already exists" does not say whose it is, and a cache may be late: a consistent read decides. */
  async function ownedOrTaken(resource: Resource, wanted: KubeObject): Promise<ActionOutcome> {
    const existing = await readPastCaches(client, resource, refOfObject(wanted));
    if (existing === undefined) return { kind: "failed", error: new Error(`${resourceName(resource)} ${wanted.metadata.name} vanished`) };
    const owner = controllerUid(wanted);
    if (owner === undefined || owner !== controllerUid(existing)) return { kind: "nameTaken" };
    keepWrite(stores, resource, existing);
    return { kind: "exists" };
  }

  async function replace(action: ReplaceAction, context: ActionContext): Promise<ActionOutcome> {
    const { resource, object } = action;
    if (object.metadata.resourceVersion === undefined)
      throw new Error(`${resourceName(resource)} ${object.metadata.name} was to be replaced without a version`);
    try {
      keepWrite(stores, resource, await counted(metrics, "update", resource, client.replace(resource, object, context)));
      return { kind: "done" };
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
    // The watch may be late, and planning again from the same version would only meet the same conflict.
    const current = await readPastCaches(client, resource, refOfObject(object));
    if (current !== undefined) keepWrite(stores, resource, current);
    return { kind: current === undefined ? "gone" : "conflict" };
  }

  async function dryRun(action: DryRunAction, context: ActionContext): Promise<ActionOutcome> {
    try {
      await client.create(action.resource, action.object, { ...context, dryRun: true, fieldValidation: "Strict" });
    } catch (error) {
      if (error instanceof NotFound) return { kind: "failed", error };
      // Names are looked at last: what is refused for its name alone was found right.
      if (!(error instanceof AlreadyExists)) throw error;
    }
    return { kind: "done" };
  }

  async function probe(action: ProbeAction): Promise<ActionOutcome> {
    const found = await readPastCaches(client, action.resource, action.ref);
    if (found === undefined) return { kind: "gone" };
    keepWrite(stores, action.resource, found);
    const isMeant = action.uid === undefined || found.metadata.uid === action.uid;
    return { kind: isMeant && !(action.endedIsGone === true && hasEnded(found as Pod)) ? "done" : "gone" };
  }

  async function remove(action: DeleteAction, context: ActionContext): Promise<ActionOutcome> {
    const { resource, ref, uid, resourceVersion, gracePeriodSeconds } = action;
    if (deletions.has(uid)) return { kind: "done" };
    if (!(await allHold(client, stores, action.provided))) return { kind: "conflict" };
    const sentAt = clock.monotonic();
    const deletion = client.delete(resource, ref, {
      uid,
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...context,
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    });
    try {
      const answer = await counted(metrics, "delete", resource, deletion);
      if (answer.kind !== "Status") keepDeleted(resource, answer as KubeObject, resourceVersion, sentAt);
    } catch (error) {
      // Absent, or a namesake with another UID: in both cases the one that was meant is gone.
      if (!(error instanceof Conflict) && !(error instanceof NotFound && !error.isUnknownKind)) throw error;
      if (error instanceof Conflict && resourceVersion !== undefined) {
        const existing = await readPastCaches(client, resource, ref);
        if (existing?.metadata.uid === uid) {
          keepWrite(stores, resource, existing);
          return { kind: "conflict" };
        }
      }
    }
    // A shorter grace is a deletion of its own.
    if (gracePeriodSeconds === undefined) deletions.note(uid);
    return { kind: "done" };
  }

  /** One that was being deleted already keeps the version that somebody's earlier write gave it. */
  function keepDeleted(resource: Resource, object: KubeObject, before: string | undefined, sentAt: number): void {
    const isOurs = before !== undefined && object.metadata.resourceVersion !== before;
    keepWrite(stores, resource, object, isOurs ? sentAt : undefined);
  }

  async function deleteCollection(action: DeleteCollectionAction, context: ActionContext): Promise<ActionOutcome> {
    const { resource, namespace, labelSelector, limit } = action;
    for (let page = 0; page < mostPages; page++) {
      const deletion = client.deleteCollection(resource, { namespace, labelSelector, limit, ...context });
      const deleted = await counted(metrics, "deletecollection", resource, deletion);
      if (deleted < limit) break;
    }
    return { kind: "done" };
  }

  async function patch(action: PatchAction, context: ActionContext): Promise<ActionOutcome> {
    const { resource, ref, uid, operations, unless } = action;
    if (unless !== undefined) {
      const { resource: looked, ...selectors } = unless;
      const { items } = await client.list(looked, { ...selectors, limit: 1 });
      if (items.length > 0) return { kind: "conflict" };
    }
    const body = [{ op: "test" as const, path: "/metadata/uid", value: uid }, ...operations];
    try {
      const answer = client.patch<KubeObject>(resource, ref, { type: "json", body }, context);
      keepWrite(stores, resource, await counted(metrics, "patch", resource, answer));
      return { kind: "done" };
    } catch (error) {
      // A test that fails and an object that is refused are answered alike.
      if (!(error instanceof Invalid)) throw error;
      const current = await readPastCaches(client, resource, ref);
      if (current === undefined || current.metadata.uid !== uid) return { kind: "gone" };
      keepWrite(stores, resource, current);
      return current.metadata.resourceVersion === action.resourceVersion
        ? { kind: "invalid", message: error.message }
        : { kind: "conflict" };
    }
  }

  async function merge(action: MergeAction, context: ActionContext): Promise<ActionOutcome> {
    const { resource, ref, uid, resourceVersion, subresource } = action;
    const metadata = { ...(action.body["metadata"] as object | undefined), uid, resourceVersion };
    const to = { ...context, ...(subresource !== undefined && { subresource }) };
    try {
      const answer = client.patch<KubeObject>(resource, ref, { type: "strategic", body: { ...action.body, metadata } }, to);
      keepWrite(stores, resource, await counted(metrics, "patch", resource, answer, subresource));
      return { kind: "done" };
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
    const current = await readPastCaches(client, resource, ref);
    if (current === undefined || current.metadata.uid !== uid) return { kind: "gone" };
    keepWrite(stores, resource, current);
    return { kind: "conflict" };
  }

  return {
    create,
    replace,
    patch,
    merge,
    dryRun,
    probe,
    delete: remove,
    deleteCollection,
    event: async (action) => {
      recorder.record(action);
      return { kind: "done" };
    },
  };
}

/** A consistent read; undefined when the object does not exist. */
export async function readPastCaches(client: KubeClient, resource: Resource, ref: ObjectRef): Promise<KubeObject | undefined> {
  try {
    return await client.get<KubeObject>(resource, ref);
  } catch (error) {
    if (error instanceof NotFound && !error.isUnknownKind) return undefined;
    throw error;
  }
}

/** Whether all are as they were; caches then have what was read. */
export async function allHold(client: KubeClient, stores: OwnWriteStores, premises: readonly Premise[] = []): Promise<boolean> {
  const held = await Promise.all(
    premises.map(async ({ resource, ref, uid, resourceVersion }) => {
      const current = await readPastCaches(client, resource, ref);
      if (current !== undefined) keepWrite(stores, resource, current);
      return current?.metadata.uid === uid && current.metadata.resourceVersion === resourceVersion;
    }),
  );
  return held.every((one) => one);
}

/** Counts a write unless it surely never left this process. */
export async function counted<T>(metrics: Metrics, verb: string, resource: Resource, write: Promise<T>, subresource?: string): Promise<T> {
  const count = () =>
    metrics.count("nuptse_api_writes_total", {
      verb,
      resource: subresource === undefined ? resourceName(resource) : `${resourceName(resource)}/${subresource}`,
    });
  try {
    const answer = await write;
    count();
    return answer;
  } catch (error) {
    if (wasSent(error)) count();
    throw error;
  }
}

/** The name of an object within its kind, without undefined fields. */
export function refOfObject(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}

function controllerUid(object: KubeObject): string | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid;
}
