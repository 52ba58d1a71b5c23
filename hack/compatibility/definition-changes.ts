import type { CustomResourceDefinition, CustomResourceVersion } from "../../src/api/core.ts";
import { type SchemaChange, schemaChanges } from "./schema-changes.ts";

/**
 * Whatever of a newer definition of a kind is not as good as the older one for objects that are stored, and for those who read and write them; see
 * {@link schemaChanges}. The paths are those of the objects, or begin with `definition`.
 */
export function definitionChanges(older: CustomResourceDefinition, newer: CustomResourceDefinition): readonly SchemaChange[] {
  const changes: SchemaChange[] = [];
  const lost = (path: string, what: string) => changes.push({ path: `definition.${path}`, effect: "Lost", what });
  for (const field of ["group", "scope"] as const)
    if (older.spec[field] !== newer.spec[field]) lost(field, `was ${older.spec[field]} and is ${newer.spec[field]}`);
  for (const name of ["kind", "plural"] as const)
    if (older.spec.names[name] !== newer.spec.names[name])
      lost(`names.${name}`, `was ${older.spec.names[name]} and is ${newer.spec.names[name]}`);
  for (const was of older.spec.versions) {
    const is = newer.spec.versions.find(({ name }) => name === was.name);
    if (is === undefined) lost(`versions.${was.name}`, "the version is gone");
    else {
      if (was.served && !is.served) lost(`versions.${was.name}`, "the version is not served any more");
      for (const what of servedChanges(was, is)) lost(`versions.${was.name}`, what);
      changes.push(...schemaChanges(schemaOf(was), schemaOf(is)));
    }
  }
  const [wasStored, isStored] = [stored(older), stored(newer)];
  // Without a conversion another version is another reading of the same bytes.
  if (wasStored.name !== isStored.name) changes.push(...schemaChanges(schemaOf(wasStored), schemaOf(isStored)));
  return changes;
}

function servedChanges(was: CustomResourceVersion, is: CustomResourceVersion): readonly string[] {
  const what: string[] = [];
  if (was.subresources?.status !== undefined && is.subresources?.status === undefined) what.push("the subresource status is gone");
  const [wasScale, isScale] = [was.subresources?.scale, is.subresources?.scale];
  if (wasScale !== undefined && JSON.stringify(wasScale) !== JSON.stringify(isScale))
    what.push("the subresource scale is gone, or another");
  for (const { jsonPath } of was.selectableFields ?? [])
    if (!is.selectableFields?.some((field) => field.jsonPath === jsonPath)) what.push(`nobody can select by ${jsonPath} any more`);
  return what;
}

const schemaOf = (version: CustomResourceVersion) => version.schema?.openAPIV3Schema ?? {};

function stored({ spec }: CustomResourceDefinition): CustomResourceVersion {
  const found = spec.versions.find(({ storage }) => storage);
  if (found === undefined) throw new Error(`the definition of ${spec.names.kind} stores no version`);
  return found;
}
