import type { CustomResourceDefinition, CustomResourceVersion, JsonSchema } from "../../../api/core.ts";
import { type Resource, apiVersionOf } from "../../../api/resource.ts";
import { emptySet } from "../apply/field-set.ts";
import type { Collection } from "../collection.ts";
import { type Fields, isFields, type StoredObject, sameJson, valueAt, withField, withMetadata } from "../json.ts";
import { decodeMetadata } from "../kinds/builtin-schema.ts";
import { finalizerWarnings, subdomainErrors } from "../object-meta.ts";
import type { ResourceType, ScalePaths, Strategy } from "../resource-type.ts";
import { badRequest, type FieldError, invalidValue } from "../status.ts";
import { compileRules, type RuleSet } from "./cel.ts";
import { listErrors, schemaErrors } from "./schema-validation.ts";
import { shapeValue } from "./shaping.ts";
import { customMergeType, readStructural, type Structural } from "./structural.ts";

/** The served type of a version of a CRD. Throws SchemaError for what this server cannot serve. */
export function customType(definition: CustomResourceDefinition, version: CustomResourceVersion, collection: Collection): ResourceType {
  const { names, group, scope } = definition.spec;
  const resource: Resource = { group, version: version.name, plural: names.plural, kind: names.kind, namespaced: scope === "Namespaced" };
  const schema: JsonSchema = version.schema?.openAPIV3Schema ?? { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const structural = readStructural(schema);
  const rules = compileRules(structural);
  const scale = version.subresources?.scale;
  const subresources = new Set<string>();
  if (version.subresources?.status !== undefined) subresources.add("status");
  if (scale !== undefined) subresources.add("scale");
  const apiVersion = apiVersionOf(resource);
  const fieldReaders = new Map<string, (object: StoredObject) => string>([
    ["metadata.name", (object) => object.metadata.name],
    ...(resource.namespaced ? ([["metadata.namespace", (object: StoredObject) => object.metadata.namespace ?? ""]] as const) : []),
  ]);
  for (const selectable of version.selectableFields ?? []) {
    const path = pathOf(selectable.jsonPath);
    fieldReaders.set(path.join("."), (object) => {
      const value = valueAt(object, path);
      return value === undefined || value === null ? "" : String(value);
    });
  }
  const paths: ScalePaths | undefined =
    scale === undefined
      ? undefined
      : {
          specReplicas: pathOf(scale.specReplicasPath),
          statusReplicas: pathOf(scale.statusReplicasPath),
          ...(scale.labelSelectorPath === undefined ? {} : { labelSelector: pathOf(scale.labelSelectorPath) }),
        };
  return {
    resource,
    singular: names.singular ?? names.kind.toLowerCase(),
    listKind: names.listKind ?? `${names.kind}List`,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    subresources,
    ...(paths === undefined ? {} : { scale: paths }),
    collection,
    mergeType: customMergeType(structural),
    emptyObject: { apiVersion, kind: names.kind },
    fieldReaders,
    strategy: customStrategy(structural, rules, subresources.has("status"), paths),
    itemsWithKind: true,
    custom: true,
    definition: definition as unknown as StoredObject,
    schema: schema as unknown as Fields,
    decode: (value) => decodeCustom(structural, value, resource),
  };
}

/** `.spec.replicas` as names. */
function pathOf(jsonPath: string): readonly string[] {
  return jsonPath.replace(/^\./, "").split(".");
}

function decodeCustom(
  structural: Structural,
  value: Fields,
  resource: Resource,
): { readonly object: Fields; readonly unknownFields: readonly string[] } {
  if (!isFields(value.metadata))
    throw badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: json: cannot unmarshal into ObjectMeta`,
    );
  const { metadata, unknownFields } = decodeMetadata(value.metadata, resource.kind, resource.version);
  const unknown = [...unknownFields];
  const shaped = shapeValue(structural, metadata === value.metadata ? value : { ...value, metadata }, unknown, "", true);
  return { object: shaped as Fields, unknownFields: unknown.sort() };
}

/** Everything but metadata. */
function contentOf(object: StoredObject): Fields {
  const { metadata: _metadata, ...rest } = object;
  return rest;
}

function customStrategy(structural: Structural, rules: RuleSet, hasStatus: boolean, scale: ScalePaths | undefined): Strategy {
  const statusSchema = structural.properties.get("status");
  // a write to /status is judged by the schema of the status alone, whose words do not know where it stands
  const valueErrors = (object: StoredObject, old: StoredObject | undefined, subresource: string): readonly FieldError[] => {
    if (subresource !== "status") return schemaErrors(structural, object, old, "");
    if (statusSchema === undefined || object.status === undefined) return [];
    return schemaErrors(statusSchema, object.status, old?.status, "").map((error) => ({
      ...error,
      field: error.field === "" ? "status" : error.field === "<nil>" ? error.field : `status.${error.field}`,
    }));
  };
  const validate = (
    object: StoredObject,
    old: StoredObject | undefined,
    found: readonly FieldError[],
    subresource = "",
  ): readonly FieldError[] => {
    const errors = [...valueErrors(object, old, subresource), ...(scale === undefined ? [] : scaleErrors(scale, object))];
    if (old === undefined || listErrors(structural, old).length === 0) errors.push(...listErrors(structural, object));
    if ([...found, ...errors].some((error) => blocking.has(error.reason))) return [...errors, rulesNotChecked];
    return [...errors, ...rules.validate(object, old).errors];
  };
  return {
    unconditionalUpdate: false,
    createOnUpdate: false,
    returnsDeleted: false,
    prepareCreate: (object) => withMetadata(hasStatus ? withField(object, "status", undefined) : object, { generation: 1 }),
    prepareUpdate(next, live, subresource) {
      if (subresource === "status") {
        // only the status and who owns it: all else is the live object's
        return withField({ ...live, metadata: { ...live.metadata, ...entriesOf(next) } }, "status", next.status);
      }
      const kept = hasStatus ? withField(next, "status", live.status) : next;
      const changed = !sameJson(contentOf(kept), contentOf(live));
      return changed ? withMetadata(kept, { generation: (live.metadata.generation ?? 0) + 1 }) : kept;
    },
    validateCreate: (object, found) => validate(object, undefined, found),
    validateUpdate: (next, live, subresource, found) => validate(next, live, found, subresource),
    nameErrors: (name, generated) => subdomainErrors(name, generated),
    resetFields: (subresource) =>
      !hasStatus || subresource === "scale"
        ? emptySet
        : subresource === "status"
          ? { "f:metadata": { ".": emptySet, ...metadataReset }, "f:spec": emptySet }
          : { "f:status": emptySet },
    warnings: (next, live) => [...finalizerWarnings(next, live), ...(live === undefined ? [] : rules.validate(next, live).warnings)],
  };
}

/** What the scale subresource could not show. */
function scaleErrors(scale: ScalePaths, object: StoredObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const path of [scale.specReplicas, scale.statusReplicas]) {
    const value = valueAt(object, path);
    const field = `.${path.join(".")}`;
    if (value === undefined || value === null) continue;
    if (typeof value !== "number")
      errors.push(invalidValue(field, 0, `${field} accessor error: ${String(value)} is of the type ${typeof value}, expected int64`));
    else if (value < 0) errors.push(invalidValue(field, value, "should be a non-negative integer"));
  }
  return errors;
}

/** A write to /status changes no metadata but ownership of fields. */
const metadataReset = Object.fromEntries(
  ["deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "labels", "annotations", "ownerReferences"].map((name) => [
    `f:${name}`,
    emptySet,
  ]),
);

const entriesOf = (object: StoredObject): Pick<StoredObject["metadata"], "managedFields"> =>
  object.metadata.managedFields === undefined ? {} : { managedFields: object.metadata.managedFields };

/** While these stand, rules would speak of what is not there. */
const blocking = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);

const rulesNotChecked: FieldError = {
  field: "<nil>",
  reason: "FieldValueInvalid",
  detail:
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
};
