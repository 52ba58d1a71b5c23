import { type Fields, isFields, type StoredObject, sameJson, timestamp, withField } from "../json.ts";
import { ApiFailure, badRequest, failureStatus, unknownError } from "../status.ts";
import {
  difference,
  emptySet,
  type FieldSet,
  intersection,
  isEmptySet,
  pathsOf,
  pooled,
  printPath,
  recursiveDifference,
  union,
} from "./field-set.ts";
import { annotatingManager, lastAppliedFields, withLastApplied } from "./last-applied.ts";
import type { MergeType } from "./merge-type.ts";
import {
  type Comparison,
  compareValues,
  fieldSetOf,
  mergeValues,
  TypedValueError,
  typeErrors,
  withNamedFields,
  withoutFields,
} from "./typed-value.ts";

/**
 * Who owns which field. After apimachinery's managedfields: a write other than apply gives what it changed to (manager, Update,
 * subresource) and takes it from everyone else; an apply owns exactly what it names, refuses to change what others own unless forced,
 * and removes what its manager named last time and no one owns now.
 */
export interface ManagedFieldsEntry {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly time?: string;
  readonly fieldsType: "FieldsV1";
  readonly fieldsV1: FieldSet;
  readonly subresource?: string;
}

/** What a write says of itself. */
export interface ManagedWrite {
  readonly type: MergeType;
  readonly apiVersion: string;
  readonly manager: string;
  /** "" for the object itself. */
  readonly subresource: string;
  /** What this way of writing cannot change, so that nobody owns it through it. */
  readonly resetFields: FieldSet;
  /** Wall time in milliseconds. */
  readonly now: number;
}

const metadataStrip: FieldSet = Object.fromEntries(
  ["name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion"].map(
    (name) => [`f:${name}`, emptySet],
  ),
);

/** Never owned by anybody. */
const stripped: FieldSet = { "f:apiVersion": emptySet, "f:kind": emptySet, "f:metadata": { ".": emptySet, ...metadataStrip } };

const sameManager = (
  entry: ManagedFieldsEntry,
  manager: string,
  operation: "Apply" | "Update",
  apiVersion: string,
  subresource: string,
): boolean =>
  entry.manager === manager &&
  entry.operation === operation &&
  (entry.subresource ?? "") === subresource &&
  (operation === "Apply" || entry.apiVersion === apiVersion);

/** The entries of an object; entries that are none are dropped, as the server does with what it cannot decode. */
export function entriesOf(
  object: { readonly metadata?: { readonly managedFields?: readonly unknown[] } } | undefined,
): readonly ManagedFieldsEntry[] {
  const entries = object?.metadata?.managedFields;
  if (entries === undefined) return [];
  const valid = entries.every(
    (entry) =>
      isFields(entry) &&
      (entry.operation === "Apply" || entry.operation === "Update") &&
      entry.fieldsType === "FieldsV1" &&
      isFields(entry.fieldsV1),
  );
  return valid ? (entries as readonly ManagedFieldsEntry[]) : [];
}

/**
 * The entries that a write starts from: those of the request when it replaces them, else those of the live object. `[{}]` and `[]`
 * clear all.
 */
export function entriesForUpdate(live: StoredObject | undefined, requested: unknown, subresource: string): readonly ManagedFieldsEntry[] {
  if (subresource !== "" || requested === undefined) return entriesOf(live);
  if (Array.isArray(requested)) {
    if (requested.length === 0) return [];
    if (requested.length === 1 && isFields(requested[0]) && Object.keys(requested[0]).length === 0) return [];
    const entries = entriesOf({ metadata: { managedFields: requested } });
    if (entries.length > 0) return entries;
  }
  return entriesOf(live);
}

const filtered = (comparison: Comparison, reset: FieldSet): Comparison =>
  isEmptySet(reset)
    ? comparison
    : {
        added: recursiveDifference(comparison.added, reset),
        modified: recursiveDifference(comparison.modified, reset),
        removed: recursiveDifference(comparison.removed, reset),
      };

/** The entries after a write that is no apply. `live` and `next` carry no managedFields. */
export function entriesAfterUpdate(
  write: ManagedWrite,
  live: Fields,
  next: Fields,
  entries: readonly ManagedFieldsEntry[],
): readonly ManagedFieldsEntry[] {
  const comparison = filtered(compareValues(write.type, live, next), write.resetFields);
  const changed = union(comparison.modified, comparison.added);
  if (isEmptySet(changed) && isEmptySet(comparison.removed)) return entries;
  const lost = union(changed, comparison.removed);
  const kept: ManagedFieldsEntry[] = [];
  for (const entry of entries) {
    const left = difference(entry.fieldsV1, lost);
    if (isEmptySet(left)) continue;
    kept.push(sameJson(left, entry.fieldsV1) ? entry : { ...entry, fieldsV1: pooled(left) });
  }
  const own = difference(changed, stripped);
  if (!isEmptySet(own)) {
    const at = kept.findIndex((entry) => sameManager(entry, write.manager, "Update", write.apiVersion, write.subresource));
    const previous = kept[at];
    if (previous === undefined) kept.push(entryFor(write, "Update", own, timestamp(write.now)));
    else kept[at] = { ...previous, fieldsV1: pooled(union(own, previous.fieldsV1)), time: timestamp(write.now) };
  }
  return kept.sort(compareEntries);
}

function entryFor(write: ManagedWrite, operation: "Apply" | "Update", fieldsV1: FieldSet, time: string | undefined): ManagedFieldsEntry {
  return {
    manager: write.manager,
    operation,
    apiVersion: write.apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: "FieldsV1",
    fieldsV1: pooled(fieldsV1),
    ...(write.subresource === "" ? {} : { subresource: write.subresource }),
  };
}

function compareEntries(left: ManagedFieldsEntry, right: ManagedFieldsEntry): number {
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return (
    order(left.operation, right.operation) ||
    order(left.time ?? "", right.time ?? "") ||
    order(left.manager, right.manager) ||
    order(left.apiVersion, right.apiVersion) ||
    order(left.subresource ?? "", right.subresource ?? "")
  );
}

export interface Applied {
  /** The object to store, not yet defaulted. */
  readonly object: Fields;
  readonly entries: readonly ManagedFieldsEntry[];
}

/**
 * Lays a configuration over the live object. Neither carries managedFields.
 * Throws ApiFailure: 409 with one FieldManagerConflict a field, 500 when the configuration does not fit the type.
 */
export function applyConfiguration(
  write: ManagedWrite,
  live: Fields,
  config: Fields,
  entries: readonly ManagedFieldsEntry[],
  force: boolean,
  describe: string,
): Applied {
  const metadata = config.metadata;
  if (isFields(metadata) && metadata.managedFields !== undefined && metadata.managedFields !== null)
    throw badRequest("metadata.managedFields must be nil");
  const errors = typeErrors(write.type, config);
  if (errors.length > 0) {
    const text = errors.length === 1 ? errors[0] : `errors:\n${errors.map((error) => `  ${error}`).join("\n")}`;
    throw unknownError(`failed to create typed patch object (${describe}): ${text}`);
  }
  let merged: Fields;
  try {
    merged = mergeValues(write.type, live, config) as Fields;
  } catch (error) {
    if (error instanceof TypedValueError) throw unknownError(`failed to merge config: ${error.message}`);
    throw error;
  }
  const isOwn = (entry: ManagedFieldsEntry): boolean => sameManager(entry, write.manager, "Apply", write.apiVersion, write.subresource);
  const previous = entries.find(isOwn);
  const others = entries.filter((entry) => !isOwn(entry));
  const own = recursiveDifference(fieldSetOf(write.type, config), write.resetFields);
  const object =
    previous === undefined
      ? merged
      : withoutAbandoned(write.type, merged, previous.fieldsV1, [own, ...others.map((entry) => entry.fieldsV1)]);

  const comparison = filtered(compareValues(write.type, live, object), write.resetFields);
  const changed = union(comparison.modified, comparison.added);
  const conflicts = others
    .map((entry) => ({ entry, set: intersection(entry.fieldsV1, changed) }))
    .filter((found) => !isEmptySet(found.set));
  if (!force && conflicts.length > 0) {
    const allowed = write.manager === annotatingManager ? lastAppliedFields(write.type, write.apiVersion, live) : emptySet;
    const refused = conflicts.map(({ entry, set }) => ({ entry, set: difference(set, allowed) })).filter((found) => !isEmptySet(found.set));
    if (refused.length > 0) throw applyConflict(refused);
  }
  const lost = union(changed, comparison.removed);
  const kept: ManagedFieldsEntry[] = [];
  for (const entry of others) {
    const left = difference(entry.fieldsV1, lost);
    if (!isEmptySet(left)) kept.push(sameJson(left, entry.fieldsV1) ? entry : { ...entry, fieldsV1: pooled(left) });
  }
  const ownStripped = difference(own, stripped);
  const same = sameJson(live, object);
  // an apply that changes no value leaves no time: a new owner of what is there already has an entry without one
  if (!isEmptySet(ownStripped)) {
    const unchanged =
      same && previous !== undefined && sameJson(previous.fieldsV1, ownStripped) && previous.apiVersion === write.apiVersion;
    kept.push(unchanged ? previous : entryFor(write, "Apply", ownStripped, same ? previous?.time : timestamp(write.now)));
  }
  const result = same ? live : object;
  return {
    object: write.manager === annotatingManager ? withLastApplied(result, config) : result,
    entries: kept.sort(compareEntries),
  };
}

/** Takes away what was applied last time, is not applied now, and is owned by nobody. */
function withoutAbandoned(type: MergeType, merged: Fields, last: FieldSet, owned: readonly FieldSet[]): Fields {
  const named = (set: FieldSet): FieldSet => withNamedFields(type, set);
  const lastNamed = named(last);
  const mergedSet = named(fieldSetOf(type, merged));
  let pruned = (withoutFields(type, merged, lastNamed) ?? {}) as Fields;
  const managed = named(owned.reduce(union, emptySet));
  // what others own, or this configuration, comes back
  pruned = (withoutFields(type, merged, difference(mergedSet, union(named(fieldSetOf(type, pruned)), managed))) ?? {}) as Fields;
  // what this manager never owned comes back
  return (withoutFields(type, merged, intersection(difference(mergedSet, named(fieldSetOf(type, pruned))), lastNamed)) ?? {}) as Fields;
}

function applyConflict(conflicts: readonly { readonly entry: ManagedFieldsEntry; readonly set: FieldSet }[]): ApiFailure {
  const found = conflicts
    .flatMap(({ entry, set }) => pathsOf(set).map((path) => ({ manager: printManager(entry), path: printPath(path) })))
    .sort((a, b) => (a.manager < b.manager ? -1 : a.manager > b.manager ? 1 : 0));
  let message: string;
  if (found.length === 1) message = `Apply failed with 1 conflict: conflict with ${found[0]?.manager}: ${found[0]?.path}`;
  else {
    const lines: string[] = [];
    for (const manager of new Set(found.map((one) => one.manager))) {
      lines.push(`conflicts with ${manager}:`, ...found.filter((one) => one.manager === manager).map((one) => `- ${one.path}`));
    }
    message = `Apply failed with ${found.length} conflicts: ${lines.join("\n")}`;
  }
  const causes = found.map((one) => ({ reason: "FieldManagerConflict", message: `conflict with ${one.manager}`, field: one.path }));
  return new ApiFailure(failureStatus(409, "Conflict", message, { causes }));
}

function printManager(entry: ManagedFieldsEntry): string {
  const name =
    JSON.stringify(entry.manager) + (entry.subresource === undefined ? "" : ` with subresource ${JSON.stringify(entry.subresource)}`);
  return entry.operation === "Update" ? `${name} using ${entry.apiVersion}` : name;
}

/** The object with these entries in its metadata (none at all when there are none). */
export function withEntries<T extends { readonly metadata: object }>(object: T, entries: readonly ManagedFieldsEntry[]): T {
  return withField(object, "metadata", withField(object.metadata, "managedFields", entries.length === 0 ? undefined : entries));
}

/** The object without entries, for comparing and merging. */
export function withoutEntries<T extends Fields>(object: T): T {
  const metadata = object.metadata;
  return isFields(metadata) && metadata.managedFields !== undefined
    ? withField(object, "metadata", withField(metadata, "managedFields", undefined))
    : object;
}
