// Renders the plain manifests in deploy/ from the chart, after the chart's own copies are up to date. npm run manifests
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ensureBinaries } from "./control-plane/binaries.ts";
import { chartFiles } from "./generate/chart-files.ts";
import { renderManifests } from "./manifests/plain-manifests.ts";

const root = join(import.meta.dirname, "..");

try {
  write(chartFiles(root));
  const { helm } = await ensureBinaries(["helm"]);
  const manifests = await renderManifests(root, helm);
  write(manifests);
  console.log([...manifests.keys()].join("\n"));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function write(files: ReadonlyMap<string, string>): void {
  for (const [path, text] of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}
