import { optionsAsObject, userOf } from "./admission/attributes.ts";
import { keyOf } from "./collection.ts";
import { type Fields, isFields, type StoredObject, valueAt, withValueAt } from "./json.ts";
import type { ApiRequest } from "./request-path.ts";
import type { ResourceType } from "./resource-type.ts";
import { badRequest, conflict, invalid, invalidValue, modifiedMessage, notFound } from "./status.ts";
import { managerOf, patchedBody, replaceObject, type WriteEnvironment } from "./writes.ts";

/** The scale subresource: autoscaling/v1 Scale over the paths that the kind names. */
export interface ScaleAddress {
  readonly type: ResourceType;
  readonly namespace?: string;
  readonly name: string;
}

function stored({ type, namespace, name }: ScaleAddress): StoredObject {
  const object = type.collection.get(keyOf(namespace, name));
  if (object === undefined) throw notFound(type.resource, name);
  return object;
}

/** GET of the scale of an object. Throws ApiFailure 404. */
export function readScale(address: ScaleAddress): Fields {
  return scaleOf(address.type, stored(address));
}

function scaleOf(type: ResourceType, object: StoredObject): Fields {
  const paths = type.scale;
  if (paths === undefined) throw notFound(type.resource, object.metadata.name);
  const replicas = valueAt(object, paths.specReplicas);
  const current = valueAt(object, paths.statusReplicas);
  const selector =
    paths.labelSelector === undefined
      ? selectorText(valueAt(object, ["spec", "selector"]), type.custom)
      : valueAt(object, paths.labelSelector);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: typeof replicas === "number" && replicas !== 0 ? { replicas } : {},
    status: {
      replicas: typeof current === "number" ? current : 0,
      ...(typeof selector === "string" && selector !== "" ? { selector } : {}),
    },
  };
}

/** A label selector as text, for the workload kinds, which have one under spec. */
function selectorText(selector: unknown, custom: boolean): string {
  if (custom || !isFields(selector) || !isFields(selector.matchLabels)) return "";
  return Object.entries(selector.matchLabels)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(",");
}

/** PUT of a scale. Throws ApiFailure 400, 404, 409, 422. */
export function replaceScale(env: WriteEnvironment, address: ScaleAddress, request: ApiRequest): Fields {
  if (!isFields(request.body)) throw badRequest("the request body is no Scale");
  return write(env, address, request.body, request);
}

/** PATCH of a scale by merge or JSON patch. Throws ApiFailure 400, 404, 409, 415, 422. */
export function patchScale(env: WriteEnvironment, address: ScaleAddress, request: ApiRequest): Fields {
  const mediaType = (request.contentType ?? "").split(";")[0] ?? "";
  const patched = patchedBody(mediaType, readScale(address), request.body);
  if (!isFields(patched)) throw badRequest("the patch makes no Scale");
  return write(env, address, patched, request);
}

function write(env: WriteEnvironment, address: ScaleAddress, scale: Fields, request: ApiRequest): Fields {
  const { type, name } = address;
  const live = stored(address);
  const paths = type.scale;
  if (paths === undefined) throw notFound(type.resource, name);
  const version = valueAt(scale, ["metadata", "resourceVersion"]);
  if (typeof version === "string" && version !== "" && version !== live.metadata.resourceVersion)
    throw conflict(type.resource, name, modifiedMessage);
  const replicas = valueAt(scale, ["spec", "replicas"]) ?? 0;
  if (typeof replicas !== "number") throw badRequest("spec.replicas is no number");
  if (replicas < 0 && !type.custom)
    throw invalid("Scale", "autoscaling", name, [invalidValue("spec.replicas", replicas, "should be a non-negative integer")]);
  const body = withValueAt(live, paths.specReplicas, replicas);
  if (env.admission.active) {
    const { namespace } = address;
    env.admission.validate({
      operation: "UPDATE",
      type,
      subresource: "scale",
      written: { group: "autoscaling", version: "v1", kind: "Scale" },
      ...(namespace === undefined ? {} : { namespace }),
      name,
      object: scale,
      oldObject: scaleOf(type, live),
      dryRun: request.query?.dryRun === "All",
      user: userOf(request),
      options: optionsAsObject("UpdateOptions", request),
    });
  }
  const target = { type, name, subresource: "scale", ...(address.namespace === undefined ? {} : { namespace: address.namespace }) };
  const query = { ...request.query, fieldManager: managerOf(request) };
  const written = replaceObject(env, { ...target, subresource: "", admitted: true }, { ...request, method: "PUT", query, body });
  return scaleOf(type, written.object);
}
