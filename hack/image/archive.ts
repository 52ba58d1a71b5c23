import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Layer } from "./layers.ts";

const run = promisify(execFile);

/** What an image does when it is run, by the names of the OCI specification. */
export interface ImageConfiguration {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
  readonly User?: string;
  readonly WorkingDir?: string;
}

/**
 * Packs layers as an archive such as `docker save` makes, for `docker load` and `ctr images import`.
 * @param reference the image's name with its tag, such as "nuptse.local/nuptse:0.1.0"
 * @param scratch an empty folder to work in
 */
export async function packImage(
  path: string,
  reference: string,
  layers: readonly Layer[],
  configuration: ImageConfiguration,
  scratch: string,
): Promise<void> {
  await mkdir(scratch, { recursive: true });
  const description = JSON.stringify({
    // of no time, so that the same contents are the same image
    created: "1970-01-01T00:00:00Z",
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: configuration,
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
  });
  const name = `${createHash("sha256").update(description).digest("hex")}.json`;
  const archives = layers.map(({ digest }) => `${digest.slice("sha256:".length)}.tar`);
  await writeFile(join(scratch, name), description);
  await writeFile(join(scratch, "manifest.json"), JSON.stringify([{ Config: name, RepoTags: [reference], Layers: archives }]));
  for (const [index, layer] of layers.entries()) await symlink(layer.path, join(scratch, archives[index] ?? ""));
  const files = ["manifest.json", name, ...archives];
  await run("tar", ["--create", "--dereference", "--file", path, "--owner=0", "--group=0", "--mtime=@0", "--directory", scratch, ...files]);
}
