import type { CustomResourceDefinition, CustomResourceVersion, JsonSchema } from "../../../api/core.ts";
import { customResourceDefinitions } from "../../../api/resource.ts";
import { emptySet } from "../apply/field-set.ts";
import { untyped, type MergeType } from "../apply/merge-type.ts";
import type { Collection } from "../collection.ts";
import { type Fields, isFields, type StoredObject, sameJson, timestamp, withField, withMetadata } from "../json.ts";
import { decodeMetadata, metadataMergeType } from "../kinds/builtin-schema.ts";
import { labelNameErrors, subdomainErrors } from "../object-meta.ts";
import type { ResourceType } from "../resource-type.ts";
import { type FieldError, forbiddenField, invalidValue, requiredValue } from "../status.ts";
import { compileRules } from "./cel.ts";
import { unknownInDefault } from "./shaping.ts";
import { readStructural, SchemaError, type Structural } from "./structural.ts";

/** CustomResourceDefinitions themselves: validated so that what is accepted can be served. */

const mergeType: MergeType = {
  map: { atomic: false, fields: new Map([["metadata", metadataMergeType()]]), element: untyped },
};

export function definitionType(collection: Collection, now: () => number): ResourceType {
  const resource = customResourceDefinitions;
  return {
    resource,
    singular: "customresourcedefinition",
    listKind: "CustomResourceDefinitionList",
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
    subresources: new Set(["status"]),
    collection,
    mergeType,
    emptyObject: {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: resource.kind,
      metadata: {},
      spec: { group: "", names: { kind: "", plural: "" }, scope: "", versions: null },
      status: { acceptedNames: { kind: "", plural: "" }, conditions: null, storedVersions: null },
    },
    fieldReaders: new Map([["metadata.name", (object: StoredObject) => object.metadata.name]]),
    itemsWithKind: false,
    custom: false,
    decode(value) {
      const { metadata, unknownFields } = decodeMetadata(isFields(value.metadata) ? value.metadata : {}, resource.kind, resource.version);
      return { object: withNames({ ...value, metadata }), unknownFields };
    },
    strategy: {
      unconditionalUpdate: false,
      createOnUpdate: false,
      returnsDeleted: false,
      prepareCreate: (object) =>
        withMetadata({ ...object, status: acceptedStatus(object as unknown as CustomResourceDefinition, now()) }, { generation: 1 }),
      prepareUpdate(next, live, subresource) {
        if (subresource === "status") return { ...live, metadata: next.metadata, status: next.status };
        const changed = !sameJson(next.spec, live.spec);
        const kept = withField(next, "status", live.status);
        return changed ? withMetadata(kept, { generation: (live.metadata.generation ?? 0) + 1 }) : kept;
      },
      validateCreate: (object) => definitionErrors(object as unknown as CustomResourceDefinition),
      validateUpdate(next, live, subresource) {
        if (subresource !== "") return [];
        const errors = [...definitionErrors(next as unknown as CustomResourceDefinition)];
        for (const field of ["group", "scope"]) {
          const now = (next.spec as Fields)[field];
          if (now !== (live.spec as Fields)[field]) errors.push(invalidValue(`spec.${field}`, now, "field is immutable"));
        }
        return errors;
      },
      nameErrors: (name, generated) => subdomainErrors(name, generated),
      resetFields: (subresource) => (subresource === "status" ? { "f:spec": emptySet } : { "f:status": emptySet }),
    },
  };
}

/** Fills in the names that follow from the others. */
function withNames(object: Fields): Fields {
  const spec = object.spec;
  if (!isFields(spec) || !isFields(spec.names)) return object;
  const { names } = spec;
  const kind = typeof names.kind === "string" ? names.kind : "";
  return {
    ...object,
    spec: { conversion: { strategy: "None" }, ...spec, names: { singular: kind.toLowerCase(), listKind: `${kind}List`, ...names } },
  };
}

/** What the controllers of the real server write moments later: names accepted, served. */
function acceptedStatus(definition: CustomResourceDefinition, now: number): Fields {
  const condition = (type: string, reason: string, message: string): Fields => ({
    type,
    status: "True",
    lastTransitionTime: timestamp(now),
    reason,
    message,
  });
  return {
    acceptedNames: definition.spec.names,
    conditions: [
      condition("NamesAccepted", "NoConflicts", "no conflicts found"),
      condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ],
    storedVersions: definition.spec.versions.filter((version) => version.storage).map((version) => version.name),
  };
}

function definitionErrors(definition: CustomResourceDefinition): readonly FieldError[] {
  const { spec } = definition;
  const errors: FieldError[] = [];
  if (!isFields(spec)) return [requiredValue("spec")];
  if ((spec.group ?? "") === "") errors.push(requiredValue("spec.group"));
  if (spec.scope !== "Namespaced" && spec.scope !== "Cluster") errors.push(requiredValue("spec.scope"));
  if ((spec.names?.plural ?? "") === "") errors.push(requiredValue("spec.names.plural"));
  else errors.push(...labelNameErrors(spec.names.plural).map((error) => invalidValue("spec.names.plural", spec.names.plural, error)));
  if ((spec.names?.kind ?? "") === "") errors.push(requiredValue("spec.names.kind"));
  const wanted = `${spec.names?.plural}.${spec.group}`;
  if (definition.metadata.name !== wanted)
    errors.push(invalidValue("metadata.name", definition.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  const versions = Array.isArray(spec.versions) ? spec.versions : [];
  if (versions.filter((version) => version.storage).length !== 1)
    errors.push(
      invalidValue(
        "spec.versions",
        versions.map((version) => version.name),
        "must have exactly one version marked as storage version",
      ),
    );
  versions.forEach((version, at) => {
    errors.push(...versionErrors(version, `spec.versions[${at}]`, versions.length === 1));
  });
  return errors;
}

function versionErrors(version: CustomResourceVersion, path: string, only: boolean): readonly FieldError[] {
  const schema: JsonSchema | undefined = version.schema?.openAPIV3Schema;
  if (schema === undefined) return [requiredValue(`${path}.schema.openAPIV3Schema`, "schemas are required")];
  // with one version the real server speaks of it as spec.validation
  const root = only ? "spec.validation.openAPIV3Schema" : `${path}.schema.openAPIV3Schema`;
  if (schema.type !== "object") return [invalidValue(`${root}.type`, schema.type ?? "", "must be object at the root")];
  try {
    const structural = readStructural(schema, root);
    compileRules(structural, root);
    return [...defaultErrors(structural, root), ...selectableErrors(version, path)];
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return [{ field: error.path, reason: "FieldValueInvalid", detail: error.message }];
  }
}

function defaultErrors(structural: Structural, path: string): readonly FieldError[] {
  const errors: FieldError[] = unknownInDefault(structural).map((field) =>
    invalidValue(`${path}.default`, structural.default, `must not have unknown field ${field}`),
  );
  for (const [name, child] of structural.properties) errors.push(...defaultErrors(child, `${path}.properties[${name}]`));
  if (structural.additional !== undefined) errors.push(...defaultErrors(structural.additional, `${path}.additionalProperties`));
  if (structural.items !== undefined) errors.push(...defaultErrors(structural.items, `${path}.items`));
  return errors;
}

function selectableErrors(version: CustomResourceVersion, path: string): readonly FieldError[] {
  const fields = version.selectableFields ?? [];
  if (fields.length > 8)
    return [
      { field: `${path}.selectableFields`, reason: "FieldValueTooMany", detail: `Too many: ${fields.length}: must have at most 8 items` },
    ];
  return fields
    .filter((field) => field.jsonPath.startsWith(".metadata"))
    .map((field) => forbiddenField(`${path}.selectableFields`, `${field.jsonPath} must not point to fields in metadata`));
}
