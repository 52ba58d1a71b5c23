import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadAll } from "js-yaml";

/** A node of a CRD's structural schema, as far as the generators read it. */
export interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly nullable?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-validations"?: readonly { readonly rule: string; readonly message?: string }[];
}

/** One version of one CustomResourceDefinition. */
export interface CrdVersion {
  /** Path of the manifest within the project, with `/`. */
  readonly source: string;
  readonly group: string;
  readonly kind: string;
  readonly version: string;
  /** The version that the API server stores, whose files carry the kind's plain name. */
  readonly storage: boolean;
  readonly schema: Schema;
}

interface CrdManifest {
  readonly kind: string;
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly storage: boolean;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

/**
 * Reads every CustomResourceDefinition of `<root>/crds`, file by file in the order of their names; those in folders are of kinds that no cluster
 * knows. Other objects are passed over.
 */
export function readCrds(root: string): readonly CrdVersion[] {
  return readdirSync(join(root, "crds"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .flatMap((name) => parseCrds(readFileSync(join(root, "crds", name), "utf8"), `crds/${name}`));
}

/** The versions of all CustomResourceDefinitions in one YAML stream. Throws with the name `source` when it is not YAML. */
export function parseCrds(yaml: string, source: string): readonly CrdVersion[] {
  const manifests = loadAll(yaml, { filename: source }) as readonly (CrdManifest | null)[];
  return manifests
    .filter((manifest) => manifest?.kind === "CustomResourceDefinition")
    .flatMap((manifest) =>
      (manifest as CrdManifest).spec.versions.map((version) => ({
        source,
        group: (manifest as CrdManifest).spec.group,
        kind: (manifest as CrdManifest).spec.names.kind,
        version: version.name,
        storage: version.storage,
        schema: version.schema.openAPIV3Schema,
      })),
    );
}

/** The file name of a kind: `ElasticJob` becomes `elastic-job`, and a version that is not stored is appended. */
export function fileNameOf(crd: CrdVersion): string {
  const kebab = crd.kind.replaceAll(/(?<=[a-z0-9])([A-Z])/g, "-$1").toLowerCase();
  return crd.storage ? kebab : `${kebab}.${crd.version}`;
}

/** Fields whose type is written by hand in `src/api`: their schema is left aside. Paths as {@link fieldPath} writes them. */
export const handWrittenTypes: Readonly<Record<string, { readonly type: string; readonly module: string }>> = {
  metadata: { type: "ObjectMeta", module: "./meta.ts" },
  "spec.template": { type: "PodTemplateSpec", module: "./core.ts" },
  "spec.reduce.template": { type: "PodTemplateSpec", module: "./core.ts" },
  "status.conditions[]": { type: "Condition", module: "./meta.ts" },
};

/** Path of a property below `parent`, which is empty at the root. */
export function fieldPath(parent: string, property: string): string {
  return parent === "" ? property : `${parent}.${property}`;
}
