import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadAll } from "js-yaml";
import type { CustomResourceDefinition } from "../../api/core.ts";
import type { KubeObject } from "../../api/meta.ts";

/**
 * The definitions of our kinds, as they stand in the package's folder crds: beside src in a checkout, beside dist in an installed package.
 * @throws Error when the package is incomplete.
 */
export function readCrds(): readonly CustomResourceDefinition[] {
  return definitionsIn(findUpwards(import.meta.dirname, "crds"));
}

/** The definitions of kinds that only `nuptse simulate` reads, and no cluster knows. @throws Error when the package is incomplete. */
export function readSimulationCrds(): readonly CustomResourceDefinition[] {
  return definitionsIn(join(findUpwards(import.meta.dirname, "crds"), "simulate"));
}

/**
 * The roles and the policies that stand beside the definitions.
 * @throws Error when the package is incomplete.
 */
export function readRules(): readonly KubeObject[] {
  return manifestsIn(findUpwards(import.meta.dirname, "crds")).filter((object) => object.kind !== "CustomResourceDefinition");
}

const definitionsIn = (folder: string): readonly CustomResourceDefinition[] =>
  manifestsIn(folder).filter((object): object is CustomResourceDefinition => object.kind === "CustomResourceDefinition");

function manifestsIn(folder: string): readonly KubeObject[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  return files.sort().flatMap((name) => loadAll(readFileSync(join(folder, name), "utf8")) as KubeObject[]);
}

function findUpwards(from: string, name: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, name, "elasticjob.yaml"))) return join(folder, name);
    if (folder === dirname(folder)) throw new Error(`the folder ${name} of this package was not found above ${from}`);
  }
}
