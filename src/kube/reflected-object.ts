import type { KubeObject } from "../api/meta.ts";
import { apiVersionOf, type Resource } from "../api/resource.ts";

/** What a store keeps of an object. It must keep name, namespace, uid and resourceVersion. */
export type Projection<T> = (object: T) => T;

/** The default projection: without managedFields, which are some 40 % of a pod and nobody's business but the API server's. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Adds kind and version, which lists of built-in kinds leave out of their items while watches do not. */
export function withKind<T extends KubeObject>(resource: Resource, object: T): T {
  if (object.kind !== undefined && object.apiVersion !== undefined) return object;
  return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
}
