import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import type { CustomResourceDefinition } from "../../../src/api/core.ts";
import type { KubeObject } from "../../../src/api/meta.ts";

/** What the recorded chart and examples are of; see test/chart/baseline/README.md. */
const folder = join(import.meta.dirname, "../baseline");
export const baselineCommit = "85e6e3d140cee03f5906724bb5fca566d698cf6e";
export const baselineChart = join(folder, "nuptse");

/** The definitions of kinds that it installs. */
export const baselineDefinitions = (): readonly CustomResourceDefinition[] =>
  manifests(join(baselineChart, "files/crds")) as readonly CustomResourceDefinition[];

/** Objects of our kinds that people stored then. */
export const baselineObjects = (): readonly KubeObject[] =>
  manifests(join(folder, "examples")).filter(({ apiVersion }) => apiVersion?.startsWith("nuptse.dev/"));

function manifests(below: string): readonly KubeObject[] {
  const files = readdirSync(below, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".yaml"));
  return files
    .sort()
    .flatMap((name) => loadAll(readFileSync(join(below, name), "utf8")) as readonly (KubeObject | null)[])
    .filter((object) => object !== null);
}
