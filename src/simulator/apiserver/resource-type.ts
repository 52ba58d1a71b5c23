import type { Resource } from "../../api/resource.ts";
import type { FieldSet } from "./apply/field-set.ts";
import type { MergeType } from "./apply/merge-type.ts";
import type { Collection } from "./collection.ts";
import type { Fields, StoredObject } from "./json.ts";
import type { FieldReaders } from "./selectors.ts";
import type { FieldError } from "./status.ts";

/** What was read from a body: the object with its defaults, and the fields that the kind does not have. */
export interface Decoded {
  readonly object: Fields;
  readonly unknownFields: readonly string[];
}

/** Where the scale of a kind lies in its objects, as paths of field names. */
export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  readonly labelSelector?: readonly string[];
}

/** The rules of one kind. `subresource` is "" for the object itself, else "status", "scale" or another. */
export interface Strategy {
  /** PUT without a resourceVersion is allowed and wins. */
  readonly unconditionalUpdate: boolean;
  /** PUT of an absent object creates it. */
  readonly createOnUpdate: boolean;
  /** DELETE answers the object and not a Status. */
  readonly returnsDeleted: boolean;
  /** Sets what a creation may not choose. The object's metadata is complete. */
  prepareCreate(object: StoredObject): StoredObject;
  /** Takes from the live object what this way of writing may not change; sets the generation. */
  prepareUpdate(next: StoredObject, live: StoredObject, subresource: string): StoredObject;
  /** `found` is what is wrong with the metadata: it is reported too. */
  validateCreate(object: StoredObject, found: readonly FieldError[]): readonly FieldError[];
  validateUpdate(next: StoredObject, live: StoredObject, subresource: string, found: readonly FieldError[]): readonly FieldError[];
  /** What is wrong with a name, as sentences. */
  nameErrors(name: string, generated: boolean): readonly string[];
  /** What nobody owns through this way of writing. */
  resetFields(subresource: string): FieldSet;
  /** Warnings for the writer that are no refusal. */
  warnings?(next: StoredObject, live: StoredObject | undefined): readonly string[];
  /** The grace in seconds that a deletion gets; absent = objects of the kind are deleted at once. */
  gracePeriod?(object: StoredObject, requested: number | undefined): number;
  /** What becomes of an object that is to be deleted and has something of its kind's own to wait for; undefined = nothing. */
  markDeleted?(object: StoredObject, deletionTimestamp: string): StoredObject | undefined;
  /** Whether an object that is being deleted must stay although it has no finalizers. */
  holds?(object: StoredObject): boolean;
}

/** A kind at one of its addresses: what discovery, OpenAPI and tables are made of, and the rules by which it is served. */
export interface ResourceType {
  readonly resource: Resource;
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** "status", "scale", "binding", "log", ... */
  readonly subresources: ReadonlySet<string>;
  readonly scale?: ScalePaths;
  readonly collection: Collection;
  readonly mergeType: MergeType;
  /** What a creation is compared with to find out what its writer owns. */
  readonly emptyObject: Fields;
  /** The object after a strategic merge patch; absent for kinds that know none. Throws ApiFailure for a patch that does not fit. */
  readonly strategicMerge?: (object: unknown, patch: Fields) => unknown;
  /** Fields that lists and watches can select by. */
  readonly fieldReaders: FieldReaders;
  readonly strategy: Strategy;
  /** How failures name the kind when it is not by its own name. */
  readonly errorKind?: { readonly kind: string; readonly group: string };
  /** Lists of built-in kinds carry no kind in their items. */
  readonly itemsWithKind: boolean;
  /** Whether the kind comes from a CustomResourceDefinition. */
  readonly custom: boolean;
  /** Reads a body (or what a patch made) and fills in defaults. Throws ApiFailure 400 when it does not fit the kind. */
  decode(value: Fields): Decoded;
  /** Between the stored form and the form at this address; absent = the same. */
  readonly convert?: { toStored(object: StoredObject): StoredObject; fromStored(object: StoredObject): StoredObject };
  /** The definition that a custom kind was made from, for discovery and tables. */
  readonly definition?: StoredObject;
  /** OpenAPI schema of the kind, where there is one. */
  readonly schema?: Fields;
}

/** An object in the form of an address. */
export function shown(type: ResourceType, stored: StoredObject): StoredObject {
  return type.convert === undefined ? stored : type.convert.fromStored(stored);
}
