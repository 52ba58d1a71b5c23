import { apiVersionOf } from "../../../api/resource.ts";
import { keyOf } from "../collection.ts";
import { type Fields, isFields, type StoredObject } from "../json.ts";
import { type ResourceType, shown } from "../resource-type.ts";
import { matchesLabels, requirementsOf } from "../selectors.ts";

const text = (value: unknown): string => (typeof value === "string" ? value : "");

/**
 * The objects that a binding gives to its policy, one evaluation each; [undefined] where it gives none. Throws an Error for a binding
 * that does not fit, or that denies when there is nothing to give (generic.CollectParams).
 */
export function paramsOf(
  types: readonly ResourceType[],
  paramKind: unknown,
  paramRef: unknown,
  namespace: string | undefined,
): readonly (StoredObject | undefined)[] {
  if (!isFields(paramKind) || !isFields(paramRef)) return [undefined];
  const type = types.find(({ resource }) => resource.kind === paramKind.kind && apiVersionOf(resource) === paramKind.apiVersion);
  if (type === undefined) throw new Error(`paramKind kind \`${text(paramKind.apiVersion)}, Kind=${text(paramKind.kind)}\` not known`);
  const found = chosen(type, paramRef, namespaceOf(type, paramRef, namespace));
  if (found.length === 0 && paramRef.parameterNotFoundAction === "Deny")
    throw new Error("no params found for policy binding with `Deny` parameterNotFoundAction");
  return found;
}

function namespaceOf(type: ResourceType, paramRef: Fields, namespace: string | undefined): string | undefined {
  const stated = text(paramRef.namespace);
  if (!type.resource.namespaced) {
    if (stated !== "") throw new Error("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
    return undefined;
  }
  if (stated !== "") return stated;
  if (namespace === undefined) throw new Error("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
  return namespace;
}

function chosen(type: ResourceType, paramRef: Fields, namespace: string | undefined): readonly StoredObject[] {
  const name = text(paramRef.name);
  if (name !== "") {
    const found = type.collection.get(keyOf(namespace, name));
    return found === undefined ? [] : [shown(type, found)];
  }
  const wanted = requirementsOf(paramRef.selector) ?? [];
  const all = type.collection.list(namespace === undefined ? {} : { namespace }) ?? [];
  return all.filter((object) => matchesLabels(object.metadata.labels, wanted)).map((object) => shown(type, object));
}
