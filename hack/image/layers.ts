import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { bundleCommands } from "../bundle/bundle-command.ts";
import { cacheFolder } from "../../src/base/cache-folder.ts";
import { withBuildLock } from "../control-plane/build-lock.ts";
import { MissingComponent } from "../control-plane/missing-component.ts";
import { aptOfSuite, hasDebianArchive, lastLine } from "../debian/apt.ts";
import { isThere } from "../files.ts";
import { type ImageFile, imageCompileCache, imageFiles, imageProgram, imageSuite } from "./contents.ts";

const run = promisify(execFile);
const commandOptions = { timeout: 300_000, maxBuffer: 64 * 2 ** 20 };

/** One layer of an image, as a tar archive. */
export interface Layer {
  readonly path: string;
  /** "sha256:..." of the archive. */
  readonly digest: string;
  /** What its files take, unpacked, bytes. */
  readonly bytes: number;
}

/** The image's root file system: first what seldom changes, then the program. */
export interface ImageLayers {
  readonly layers: readonly Layer[];
  /** Of all layers. */
  readonly bytes: number;
  /** Of it, all files of the bundle. */
  readonly bundleBytes: number;
}

/**
 * Makes the layers in `folder`. That of Debian's packages and Node is kept between runs, by what it is made of; `fresh` makes it anew, with the packages'
 * newest versions. Throws MissingComponent where Debian's packages cannot be had.
 */
export async function buildLayers(root: string, folder: string, options: { readonly fresh?: boolean } = {}): Promise<ImageLayers> {
  const system = await systemLayer(root, options.fresh === true);
  const staged = join(folder, "program");
  const bundle = join(folder, "bundle");
  await bundleCommands(root, bundle, "image");
  const ofProgram = imageFiles.filter(({ origin }) => origin !== "node");
  for (const file of ofProgram) await place(root, bundle, file, staged);
  await fillCompileCache(root, staged);
  const program = await archiveLayer(staged, join(folder, "program.tar"));
  const bundled = ofProgram.filter(({ origin }) => origin === "bundle").map(({ target }) => bytesOf(join(staged, target)));
  const bundleBytes = (await Promise.all(bundled)).reduce((sum, bytes) => sum + bytes, 0);
  return { layers: [system, program], bytes: system.bytes + program.bytes, bundleBytes };
}

async function systemLayer(root: string, fresh: boolean): Promise<Layer> {
  const node = pinnedNode(root);
  const hash = createHash("sha256").update(`${imageSuite} ${process.arch} ${(await stat(node)).size}`);
  for (const name of ["packages.txt", "system.sh"]) hash.update(await readFile(join(import.meta.dirname, name)));
  const folder = join(cacheFolder(), "image", `system-${hash.digest("hex").slice(0, 16)}`);
  const facts = join(folder, "layer.json");
  await withBuildLock(join(cacheFolder(), "image"), async () => {
    if (fresh) await rm(folder, { recursive: true, force: true });
    if (!(await isThere(facts))) await makeSystemLayer(root, folder);
  });
  return { ...(JSON.parse(await readFile(facts, "utf8")) as Omit<Layer, "path">), path: join(folder, "layer.tar") };
}

async function makeSystemLayer(root: string, folder: string): Promise<void> {
  const missing = (reason: string, cause?: unknown) =>
    new MissingComponent("the image's packages", `${reason}; make the image with Docker, of the Dockerfile`, { cause });
  if (!(await hasDebianArchive())) throw missing("this is no Debian, and they are fetched by its tools");
  console.error(`fetching the image's packages of Debian ${imageSuite} (once) ...`);
  const staged = `${folder}.${randomBytes(4).toString("hex")}`;
  const tree = join(staged, "tree");
  try {
    const { environment } = await aptOfSuite(join(staged, "apt"), imageSuite);
    await run("sh", [join(import.meta.dirname, "system.sh"), tree], { ...commandOptions, env: environment });
    for (const file of imageFiles.filter(({ origin }) => origin === "node")) await place(root, "", file, tree);
    const { digest, bytes } = await archiveLayer(tree, join(staged, "layer.tar"));
    await writeFile(join(staged, "layer.json"), JSON.stringify({ digest, bytes }));
    for (const name of ["apt", "tree"]) await rm(join(staged, name), { recursive: true });
    await rename(staged, folder);
  } catch (error) {
    await rm(staged, { recursive: true, force: true });
    throw missing(`fetching them failed: ${lastLine(error)}`, error);
  }
}

async function place(root: string, bundle: string, file: ImageFile, tree: string): Promise<void> {
  const target = join(tree, file.target);
  await mkdir(dirname(target), { recursive: true });
  if (file.origin === "node") await copyFile(pinnedNode(root), target);
  else await cp(join(file.origin === "bundle" ? bundle : root, file.source), target, { recursive: true });
}

async function fillCompileCache(root: string, tree: string): Promise<void> {
  const cache = join(tree, imageCompileCache);
  await mkdir(cache, { recursive: true });
  const script = join(import.meta.dirname, "warm-cache.mjs");
  await run(pinnedNode(root), [script, join(tree, imageProgram), cache], commandOptions);
}

/** The Node that npm installed for this machine, which is the image's too. */
function pinnedNode(root: string): string {
  return join(root, "node_modules", `node-linux-${process.arch}`, "bin", "node");
}

/** Archives a folder as a layer: the same bytes for the same files, sorted, of nobody, of no time. */
export async function archiveLayer(tree: string, path: string): Promise<Layer> {
  const same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=a+rX,u+w"];
  await run("tar", ["--create", "--file", path, ...same, "--directory", tree, "."], commandOptions);
  return { path, digest: `sha256:${await sha256Of(path)}`, bytes: await bytesOf(tree) };
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/** The sizes of a file, or of all files below a folder, together. */
async function bytesOf(path: string): Promise<number> {
  const { size } = await stat(path);
  if (!(await stat(path)).isDirectory()) return size;
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)));
  return (await Promise.all(files)).reduce((sum, file) => sum + file.size, 0);
}
