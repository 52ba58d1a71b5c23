// Makes the image without Docker and packs it for `docker load` and `ctr images import`: npm run image [-- [--fresh] [--name <name:tag>] [<archive>]]
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { packageVersion } from "../src/cli/package-version.ts";
import { MissingComponent } from "./control-plane/missing-component.ts";
import { packImage } from "./image/archive.ts";
import { imageConfiguration } from "./image/contents.ts";
import { buildLayers } from "./image/layers.ts";

const root = join(import.meta.dirname, "..");
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { fresh: { type: "boolean", default: false }, name: { type: "string", default: `nuptse.local/nuptse:${packageVersion}` } },
});
const archive = resolve(positionals[0] ?? join(root, "dist", "nuptse-image.tar"));
const scratch = await mkdtemp(join(tmpdir(), "nuptse-image-"));
try {
  const { layers, bytes, bundleBytes } = await buildLayers(root, scratch, { fresh: flags.fresh });
  await mkdir(dirname(archive), { recursive: true });
  await packImage(archive, flags.name, layers, imageConfiguration, join(scratch, "archive"));
  console.log(`root file system: ${megabytes(bytes)} MB, of which the bundle ${megabytes(bundleBytes)} MB`);
  console.log(`${archive}: ${flags.name}, ${megabytes((await stat(archive)).size)} MB`);
} catch (error) {
  if (!(error instanceof MissingComponent)) throw error;
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await rm(scratch, { recursive: true, force: true });
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
