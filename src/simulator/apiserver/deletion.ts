import type { KubeObject, Status } from "../../api/meta.ts";
import { type Admission, optionsAsObject, userOf } from "./admission/attributes.ts";
import { keyOf } from "./collection.ts";
import { isFields, type StoredObject, sameJson, timestamp, withMetadata } from "./json.ts";
import type { ApiRequest } from "./request-path.ts";
import { type ResourceType, shown } from "./resource-type.ts";
import { ApiFailure, badRequest, conflict, type FieldError, invalid, invalidValue, notFound, unsupportedValue } from "./status.ts";

/** DELETE, after rest.BeforeDelete and the registry store: preconditions, grace, finalizers, what the garbage collector is to do. */

export interface DeleteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly dryRun: boolean;
}

/** What deletion needs of the server around it. */
export interface DeleteEnvironment {
  /** Policies, which refuse deletions. */
  readonly admission: Admission;
  now(): number;
  commit(
    type: ResourceType,
    change: "ADDED" | "MODIFIED" | "DELETED",
    object: StoredObject,
    previous: StoredObject | undefined,
    request: ApiRequest,
  ): StoredObject;
}

/** Reads the options from body and query. Throws ApiFailure 400, 422. */
export function deleteOptionsOf(request: ApiRequest): DeleteOptions {
  const { body, query = {} } = request;
  if (body !== undefined && body !== null && body !== "" && !isFields(body)) throw badRequest("the body of a deletion is no DeleteOptions");
  const options = isFields(body) ? body : {};
  if (options.kind !== undefined && options.kind !== "DeleteOptions")
    throw badRequest(`decoded object cannot be converted to DeleteOptions`);
  const preconditions = isFields(options.preconditions) ? options.preconditions : {};
  const policy = (options.propagationPolicy ?? query.propagationPolicy) as string | undefined;
  const errors: FieldError[] = [];
  if (policy !== undefined && policy !== "Background" && policy !== "Foreground" && policy !== "Orphan") {
    errors.push(unsupportedValue("propagationPolicy", policy, ["Foreground", "Background", "Orphan", "nil"]));
  }
  if (policy !== undefined && options.orphanDependents !== undefined) {
    errors.push(invalidValue("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set"));
  }
  const dryRun = Array.isArray(options.dryRun) ? String(options.dryRun[0] ?? "") : (query.dryRun ?? "");
  if (dryRun !== "" && dryRun !== "All") errors.push(unsupportedValue("dryRun", [dryRun], ["All"]));
  if (errors.length > 0) throw invalid("DeleteOptions", "meta.k8s.io", "", errors);
  const grace = options.gracePeriodSeconds ?? (query.gracePeriodSeconds === undefined ? undefined : Number(query.gracePeriodSeconds));
  const orphan = options.orphanDependents === true ? "Orphan" : options.orphanDependents === false ? "Background" : undefined;
  const propagation = (policy ?? orphan) as DeleteOptions["propagationPolicy"];
  return {
    ...(typeof preconditions.uid === "string" ? { uid: preconditions.uid } : {}),
    ...(typeof preconditions.resourceVersion === "string" ? { resourceVersion: preconditions.resourceVersion } : {}),
    ...(typeof grace === "number" ? { gracePeriodSeconds: grace < 0 ? 1 : grace } : {}),
    ...(propagation === undefined ? {} : { propagationPolicy: propagation }),
    dryRun: dryRun === "All",
  };
}

export interface Deleted {
  /** Gone; else it lives on for its grace or its finalizers. */
  readonly gone: boolean;
  /** In the form of the address. */
  readonly object: StoredObject;
}

/** Deletes one object, or begins to. Throws ApiFailure 404, 409. */
export function deleteObject(
  env: DeleteEnvironment,
  type: ResourceType,
  namespace: string | undefined,
  name: string,
  options: DeleteOptions,
  request: ApiRequest,
): Deleted {
  const stored = type.collection.get(keyOf(namespace, name));
  if (stored === undefined) throw notFound(type.resource, name);
  const named = { ...type.resource, plural: type.resource.kind };
  if (options.uid !== undefined && options.uid !== stored.metadata.uid) {
    throw conflict(
      named,
      name,
      `the UID in the precondition (${options.uid}) does not match the UID in record (${stored.metadata.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== stored.metadata.resourceVersion) {
    throw conflict(
      named,
      name,
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${stored.metadata.resourceVersion}). The object might have been modified`,
    );
  }
  admit(env, type, stored, options, request);
  const step = beginDeletion(env, type, stored, options);
  if (step.kind === "pending") return { gone: false, object: shown(type, stored) };
  let current = stored;
  if (!sameJson(step.object, stored)) {
    if (options.dryRun) return { gone: step.kind === "now", object: shown(type, step.object) };
    current = env.commit(type, "MODIFIED", step.object, stored, request);
  }
  if (step.kind === "later") return { gone: false, object: shown(type, current) };
  if (options.dryRun) return { gone: true, object: shown(type, current) };
  return { gone: true, object: shown(type, env.commit(type, "DELETED", current, current, request)) };
}

function admit(env: DeleteEnvironment, type: ResourceType, stored: StoredObject, options: DeleteOptions, request: ApiRequest): void {
  if (!env.admission.active) return;
  const { namespace, name } = stored.metadata;
  env.admission.validate({
    operation: "DELETE",
    type,
    subresource: "",
    ...(namespace === undefined ? {} : { namespace }),
    name,
    oldObject: shown(type, stored),
    dryRun: options.dryRun,
    user: userOf(request),
    options: { ...optionsAsObject("DeleteOptions", request), ...(isFields(request.body) ? request.body : {}) },
  });
}

interface Step {
  /** pending: it is being deleted already, and not faster by this. */
  readonly kind: "now" | "later" | "pending";
  readonly object: StoredObject;
}

function beginDeletion(env: DeleteEnvironment, type: ResourceType, object: StoredObject, options: DeleteOptions): Step {
  const { metadata } = object;
  const finalizers = finalizersFor(metadata.finalizers ?? [], options.propagationPolicy);
  const marked = sameJson(finalizers, metadata.finalizers ?? [])
    ? object
    : withMetadata(object, { finalizers: finalizers.length === 0 ? undefined : finalizers });
  const { strategy } = type;
  if (strategy.gracePeriod !== undefined && metadata.deletionTimestamp !== undefined) {
    const left = metadata.deletionGracePeriodSeconds ?? 0;
    if (left > 0) {
      const wanted = options.gracePeriodSeconds;
      if (wanted === undefined || wanted >= left) return { kind: "pending", object };
      const moved = Date.parse(metadata.deletionTimestamp) - (left - wanted) * 1_000;
      const late = moved < env.now();
      const grace = late && wanted !== 0 ? 1 : wanted;
      const shortened = withMetadata(marked, { deletionTimestamp: timestamp(late ? env.now() : moved), deletionGracePeriodSeconds: grace });
      return { kind: finalizers.length > 0 || grace > 0 ? "later" : "now", object: shortened };
    }
    return finalizers.length > 0 ? { kind: "later", object: marked } : { kind: "now", object };
  }
  if (strategy.gracePeriod !== undefined) {
    const grace = strategy.gracePeriod(object, options.gracePeriodSeconds);
    const graceful = withMetadata(marked, {
      deletionTimestamp: timestamp(env.now() + grace * 1_000),
      deletionGracePeriodSeconds: grace,
      ...bumped(metadata.generation),
    });
    return { kind: finalizers.length > 0 || grace > 0 ? "later" : "now", object: graceful };
  }
  const held = strategy.markDeleted?.(marked, timestamp(env.now()));
  if (held !== undefined) return { kind: "later", object: held };
  if (finalizers.length === 0) return { kind: "now", object };
  if (metadata.deletionTimestamp !== undefined) return { kind: "later", object: withMetadata(marked, { deletionGracePeriodSeconds: 0 }) };
  return {
    kind: "later",
    object: withMetadata(marked, {
      deletionTimestamp: timestamp(env.now()),
      deletionGracePeriodSeconds: 0,
      ...bumped(metadata.generation),
    }),
  };
}

const bumped = (generation: number | undefined): { readonly generation?: number } =>
  generation !== undefined && generation > 0 ? { generation: generation + 1 } : {};

const collectorFinalizers: Readonly<Record<string, string>> = { Foreground: "foregroundDeletion", Orphan: "orphan" };

/** The finalizers by which the garbage collector is told what becomes of the dependents. */
function finalizersFor(finalizers: readonly string[], policy: DeleteOptions["propagationPolicy"]): readonly string[] {
  if (policy === undefined) return finalizers;
  const others = finalizers.filter((finalizer) => finalizer !== "foregroundDeletion" && finalizer !== "orphan");
  const wanted = collectorFinalizers[policy];
  if (wanted === undefined) return others;
  return finalizers.includes(wanted) && finalizers.length === others.length + 1 ? finalizers : [...others, wanted];
}

/** The answer to the deletion of one object. */
export function deletedBody(type: ResourceType, deleted: Deleted): KubeObject | Status {
  if (!deleted.gone || type.strategy.returnsDeleted) return deleted.object;
  const { resource } = type;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name: deleted.object.metadata.name,
      ...(resource.group === "" ? {} : { group: resource.group }),
      kind: resource.plural,
      ...(deleted.object.metadata.uid === undefined ? {} : { uid: deleted.object.metadata.uid }),
    },
  };
}

/** Whether a failure says that the object is gone, which a collection's deletion passes over. */
export const isGone = (error: unknown): boolean => error instanceof ApiFailure && error.status.reason === "NotFound";
