import type { JsonSchema } from "../../../api/core.ts";
import { type MergeType, untyped, untypedScalar } from "../apply/merge-type.ts";
import { type Fields, isFields } from "../json.ts";
import { metadataMergeType } from "../kinds/builtin-schema.ts";

/** A rule of `x-kubernetes-validations`. */
export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly fieldPath?: string;
  readonly reason?: string;
  readonly optionalOldSelf?: boolean;
}

/** A structural schema, read once: what a CRD says of one value. */
export interface Structural {
  readonly type: string;
  readonly nullable: boolean;
  readonly properties: ReadonlyMap<string, Structural>;
  /** Of fields that are not named; absent = there are none, unless unknown ones are preserved. */
  readonly additional: Structural | undefined;
  readonly items: Structural | undefined;
  readonly preserveUnknown: boolean;
  readonly intOrString: boolean;
  readonly embedded: boolean;
  readonly default: unknown;
  readonly listType: "atomic" | "set" | "map";
  readonly listKeys: readonly string[];
  readonly atomicMap: boolean;
  readonly required: readonly string[];
  readonly rules: readonly ValidationRule[];
  /** The whole schema, for the keywords that only judge values. */
  readonly keywords: JsonSchema;
  /** Whether a rule stands here or below: where there is none nothing needs to be looked at. */
  readonly hasRules: boolean;
}

/** A schema that this server cannot serve; the message says which part and why. */
export class SchemaError extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.name = "SchemaError";
    this.path = path;
  }
}

const known = new Set([
  "additionalProperties",
  "allOf",
  "anyOf",
  "default",
  "description",
  "enum",
  "example",
  "exclusiveMaximum",
  "exclusiveMinimum",
  "externalDocs",
  "format",
  "items",
  "maxItems",
  "maxLength",
  "maxProperties",
  "maximum",
  "minItems",
  "minLength",
  "minProperties",
  "minimum",
  "multipleOf",
  "not",
  "nullable",
  "oneOf",
  "pattern",
  "properties",
  "required",
  "title",
  "type",
  "uniqueItems",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-list-type",
  "x-kubernetes-map-type",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-validations",
]);

/** Reads a schema. Throws SchemaError where it is not structural, or uses what is not understood here. */
export function readStructural(schema: JsonSchema, path = "spec.validation.openAPIV3Schema"): Structural {
  for (const keyword of Object.keys(schema)) {
    if (!known.has(keyword)) throw new SchemaError(`${path}.${keyword}`, "Forbidden: this server does not understand the keyword");
  }
  const intOrString = schema["x-kubernetes-int-or-string"] === true;
  const preserveUnknown = schema["x-kubernetes-preserve-unknown-fields"] === true;
  const type = schema.type ?? "";
  if (type === "" && !intOrString && !preserveUnknown)
    throw new SchemaError(`${path}.type`, "Required value: must not be empty for specified object fields");
  if (schema.uniqueItems === true)
    throw new SchemaError(
      `${path}.uniqueItems`,
      "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    );
  const listType = (schema["x-kubernetes-list-type"] ?? "atomic") as Structural["listType"];
  const listKeys = (schema["x-kubernetes-list-map-keys"] ?? []) as readonly string[];
  const properties = new Map(
    Object.entries(schema.properties ?? {}).map(([name, child]) => [name, readStructural(child, `${path}.properties[${name}]`)]),
  );
  const additionalSchema = schema.additionalProperties;
  const additional = isFields(additionalSchema)
    ? readStructural(additionalSchema as JsonSchema, `${path}.additionalProperties`)
    : undefined;
  if (additional !== undefined && properties.size > 0)
    throw new SchemaError(`${path}.additionalProperties`, "Forbidden: additionalProperties and properties are mutual exclusive");
  const items = schema.items === undefined ? undefined : readStructural(schema.items, `${path}.items`);
  if (type === "array" && items === undefined) throw new SchemaError(`${path}.items`, "Required value: must be specified");
  if (listType === "map") checkKeys(items, listKeys, path);
  const rules = (schema["x-kubernetes-validations"] ?? []) as readonly ValidationRule[];
  const below = [...properties.values(), additional, items].some((child) => child?.hasRules === true);
  return {
    type,
    nullable: (schema as Fields).nullable === true,
    properties,
    additional,
    items,
    preserveUnknown,
    intOrString,
    embedded: schema["x-kubernetes-embedded-resource"] === true,
    default: schema.default,
    listType,
    listKeys,
    atomicMap: schema["x-kubernetes-map-type"] === "atomic",
    required: schema.required ?? [],
    rules,
    keywords: schema,
    hasRules: rules.length > 0 || below,
  };
}

function checkKeys(items: Structural | undefined, keys: readonly string[], path: string): void {
  if (keys.length === 0)
    throw new SchemaError(`${path}.x-kubernetes-list-map-keys`, "Required value: must not be empty if x-kubernetes-list-type is map");
  for (const key of keys) {
    const property = items?.properties.get(key);
    if (property === undefined)
      throw new SchemaError(`${path}.x-kubernetes-list-map-keys`, "Invalid value: entries must all be names of item properties");
    if (items?.required.includes(key) !== true && property.default === undefined) {
      throw new SchemaError(
        `${path}.items.properties[${key}].default`,
        "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
      );
    }
  }
}

/** How values of a schema merge and are owned. */
export function mergeTypeOf(schema: Structural): MergeType {
  if (schema.intOrString) return untypedScalar;
  switch (schema.type) {
    case "object":
      return objectMergeType(schema);
    case "array": {
      const keyDefaults: Record<string, unknown> = {};
      for (const key of schema.listKeys) {
        const value = schema.items?.properties.get(key)?.default;
        if (value !== undefined) keyDefaults[key] = value;
      }
      const element = schema.items === undefined ? untyped : mergeTypeOf(schema.items);
      return {
        list: { atomic: schema.listType === "atomic", keys: schema.listType === "map" ? schema.listKeys : [], keyDefaults, element },
      };
    }
    case "string":
      return { scalar: "string" };
    case "integer":
    case "number":
      return { scalar: "numeric" };
    case "boolean":
      return { scalar: "boolean" };
    default:
      return untyped;
  }
}

function objectMergeType(schema: Structural): MergeType {
  if (schema.preserveUnknown && schema.properties.size === 0 && schema.additional === undefined && !schema.embedded) return untyped;
  const fields = new Map([...schema.properties].map(([name, child]) => [name, mergeTypeOf(child)]));
  if (schema.embedded) addObjectFields(fields);
  const element = schema.additional !== undefined ? mergeTypeOf(schema.additional) : schema.preserveUnknown ? untyped : undefined;
  return { map: { atomic: schema.atomicMap, fields, ...(element === undefined ? {} : { element }) } };
}

function addObjectFields(fields: Map<string, MergeType>): void {
  fields.set("apiVersion", { scalar: "string" });
  fields.set("kind", { scalar: "string" });
  fields.set("metadata", metadataMergeType());
}

/** The merge type of a whole custom object. */
export function customMergeType(schema: Structural): MergeType {
  const type = objectMergeType(schema);
  const fields = new Map(type.map?.fields);
  addObjectFields(fields);
  const element = type.map?.element;
  return { map: { atomic: false, fields, ...(element === undefined ? {} : { element }) } };
}
