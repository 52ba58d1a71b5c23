import { type Resource, apiVersionOf } from "../../../api/resource.ts";
import { emptySet, type FieldSet } from "../apply/field-set.ts";
import type { Collection } from "../collection.ts";
import { type Fields, isFields, type StoredObject, sameJson, withField, withMetadata } from "../json.ts";
import { subdomainErrors } from "../object-meta.ts";
import type { ResourceType, ScalePaths, Strategy } from "../resource-type.ts";
import type { FieldError } from "../status.ts";
import { applyStrategicMerge } from "../patch/strategic-merge.ts";
import { builtinFieldType, builtinMergeType, decodeBuiltin } from "./builtin-schema.ts";

/** What distinguishes one built-in kind from the others; all else is common. */
export interface BuiltinKind {
  readonly resource: Resource;
  /** Its type in the generated table, as "core.v1.Pod". */
  readonly typeName: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly subresources?: readonly string[];
  readonly scale?: ScalePaths;
  /** Whether metadata.generation counts changes of the spec. */
  readonly counted?: boolean;
  readonly conditionalUpdate?: boolean;
  /** A creation may bring its status. */
  readonly createsStatus?: boolean;
  readonly errorKind?: ResourceType["errorKind"];
  readonly createOnUpdate?: boolean;
  readonly returnsDeleted?: boolean;
  readonly nameErrors?: Strategy["nameErrors"];
  /** Structures that Go writes even when empty, so that a creation does not own them. */
  readonly emptyObject?: Fields;
  readonly fieldReaders?: Readonly<Record<string, (object: StoredObject) => string>>;
  readonly defaults?: (object: Fields) => Fields;
  /** `collection` is all objects of the kind: what one of them has, another may not get. */
  readonly prepareCreate?: (object: StoredObject, collection: Collection) => StoredObject;
  readonly prepareUpdate?: (next: StoredObject, live: StoredObject, subresource: string, collection: Collection) => StoredObject;
  readonly validate?: (object: StoredObject, collection: Collection) => readonly FieldError[];
  readonly validateUpdate?: (next: StoredObject, live: StoredObject, subresource: string, collection: Collection) => readonly FieldError[];
  readonly strategy?: Pick<Strategy, "gracePeriod" | "markDeleted" | "holds" | "warnings">;
  readonly convert?: ResourceType["convert"];
}

const statusReset: FieldSet = { "f:status": emptySet };
const specReset: FieldSet = { "f:spec": emptySet };

/** Everything but metadata and status. */
function specOf(object: StoredObject): Fields {
  const { metadata: _metadata, status: _status, ...rest } = object;
  return rest;
}

/** The served type of a built-in kind. */
export function builtinType(kind: BuiltinKind, collection: Collection): ResourceType {
  const { resource } = kind;
  const hasStatus = kind.subresources?.includes("status") === true;
  const strategy: Strategy = {
    unconditionalUpdate: kind.conditionalUpdate !== true,
    createOnUpdate: kind.createOnUpdate === true,
    returnsDeleted: kind.returnsDeleted === true,
    prepareCreate(object) {
      const counted = kind.counted === true ? withMetadata(object, { generation: 1 }) : object;
      const bare = hasStatus && kind.createsStatus !== true ? withField(counted, "status", undefined) : counted;
      return kind.prepareCreate?.(bare, collection) ?? bare;
    },
    prepareUpdate(next, live, subresource) {
      let result = next;
      if (hasStatus && subresource === "") result = withField(next, "status", live.status);
      else if (subresource === "status") {
        result = { ...live, status: next.status, metadata: { ...next.metadata, ...own(live.metadata.ownerReferences) } };
        if (next.status === undefined) result = withField(result, "status", undefined);
        if (live.metadata.ownerReferences === undefined) result = withMetadata(result, { ownerReferences: undefined });
      }
      result = kind.prepareUpdate?.(result, live, subresource, collection) ?? result;
      const changed = kind.counted === true && subresource !== "status" && !sameJson(specOf(result), specOf(live));
      return changed ? withMetadata(result, { generation: (live.metadata.generation ?? 0) + 1 }) : result;
    },
    validateCreate: (object) => kind.validate?.(object, collection) ?? [],
    validateUpdate: (next, live, subresource) => [
      ...(subresource === "" && kind.validateUpdate === undefined ? (kind.validate?.(next, collection) ?? []) : []),
      ...(kind.validateUpdate?.(next, live, subresource, collection) ?? []),
    ],
    nameErrors: kind.nameErrors ?? ((name, generated) => subdomainErrors(name, generated)),
    resetFields: (subresource) => (subresource === "status" ? specReset : hasStatus && subresource === "" ? statusReset : emptySet),
    ...kind.strategy,
  };
  const fieldReaders = new Map<string, (object: StoredObject) => string>([
    ["metadata.name", (object) => object.metadata.name],
    ...(resource.namespaced ? ([["metadata.namespace", (object: StoredObject) => object.metadata.namespace ?? ""]] as const) : []),
    ...Object.entries(kind.fieldReaders ?? {}),
  ]);
  return {
    resource,
    singular: resource.kind.toLowerCase(),
    listKind: `${resource.kind}List`,
    shortNames: kind.shortNames ?? [],
    categories: kind.categories ?? [],
    subresources: new Set(kind.subresources ?? []),
    ...(kind.scale === undefined ? {} : { scale: kind.scale }),
    collection,
    mergeType: builtinMergeType(kind.typeName),
    strategicMerge: (object, patch) => applyStrategicMerge(builtinFieldType, kind.typeName, object, patch),
    emptyObject: { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata: {}, ...kind.emptyObject },
    fieldReaders,
    strategy,
    ...(kind.errorKind === undefined ? {} : { errorKind: kind.errorKind }),
    itemsWithKind: false,
    custom: false,
    decode(value) {
      const read = decodeBuiltin(kind.typeName, value, resource.kind, resource.version);
      const object = isFields(read.object.metadata) ? read.object : { ...read.object, metadata: {} };
      return { object: kind.defaults?.(object) ?? object, unknownFields: read.unknownFields };
    },
    ...(kind.convert === undefined ? {} : { convert: kind.convert }),
  };
}

const own = (ownerReferences: StoredObject["metadata"]["ownerReferences"]): Pick<StoredObject["metadata"], "ownerReferences"> =>
  ownerReferences === undefined ? {} : { ownerReferences };

/** A reader of a field that is a string, by its path; "" where it is absent. */
export function textAt(...path: readonly string[]): (object: StoredObject) => string {
  return (object) => {
    let current: unknown = object;
    for (const name of path) current = isFields(current) ? current[name] : undefined;
    return current === undefined || current === null ? "" : String(current);
  };
}

/** A kind by its parts, as the table of kinds writes them. */
export const resourceOf = (group: string, version: string, plural: string, kind: string, namespaced = true): Resource => ({
  group,
  version,
  plural,
  kind,
  namespaced,
});

/** A part of an object that is a structure itself; empty where it is absent. */
export const section = (object: Fields, name: string): Fields => {
  const found = object[name];
  return isFields(found) ? found : {};
};
