import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import type { JsonSchema } from "../../src/api/core.ts";

/** The schema of `spec` in the CustomResourceDefinition of a file of crds/. */
export function specSchemaOf(file: string): JsonSchema {
  const crd = load(readFileSync(new URL(`../../crds/${file}`, import.meta.url), "utf8")) as {
    readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: JsonSchema } }[] };
  };
  return crd.spec.versions[0]?.schema.openAPIV3Schema.properties?.["spec"] as JsonSchema;
}

/** Fills in defaults as the API server does for a structural schema. */
export function withDefaults(schema: JsonSchema, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const filled: Record<string, unknown> = { ...value };
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (filled[name] === undefined && field.default !== undefined) filled[name] = structuredClone(field.default);
    if (filled[name] !== undefined) filled[name] = withDefaults(field, filled[name]);
  }
  return filled;
}
