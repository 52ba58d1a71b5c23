import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { build } from "esbuild";

/** A program of the package. */
export interface BundledCommand {
  /** Its entry, from the project's root. */
  readonly source: string;
  /** It becomes `<name>.js`. */
  readonly name: string;
  /** What is imported while it runs becomes files of its own, in the folder `<name>`. */
  readonly inParts?: boolean;
}

/** The programs of the package. */
const commands: readonly BundledCommand[] = [
  // What only one command needs stays in files of its own, which are read when that runs: a short command starts in a fifth of the time, and the
  // playground holds 110 MB in place of 146.
  { source: "src/main.ts", name: "nuptse", inParts: true },
  { source: "src/cli/kubectl-plugin.ts", name: "kubectl-nuptse", inParts: true },
  // a thread of nuptse, found beside it
  { source: "src/trace/sqlite-worker.ts", name: "nuptse-trace-worker" },
];

const shebang = "#!/usr/bin/env node\n";

/** Bundles a program into a folder, so that it needs only Node, and returns the bytes that are read when it starts. */
export async function bundleCommand(root: string, command: BundledCommand, folder: string): Promise<number> {
  const target = join(folder, `${command.name}.js`);
  const result = await build({
    absWorkingDir: root,
    entryPoints: { [command.name]: command.source },
    bundle: true,
    write: false,
    outdir: folder,
    ...(command.inParts === true && { splitting: true, chunkNames: `${command.name}/[name]-[hash]` }),
    format: "esm",
    platform: "node",
    target: "node24",
    // Names stay, so that stack traces of a release can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "eof",
    // Packages in CommonJS call require, which an ES module does not have.
    banner: {
      js: 'import { createRequire as nuptseCreateRequire } from "node:module"; const require = nuptseCreateRequire(import.meta.url);',
    },
    logLevel: "warning",
  });
  // Parts are named by their contents: those of earlier versions would stay.
  rmSync(join(folder, command.name), { recursive: true, force: true });
  let bytes = 0;
  for (const { path, text } of result.outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    const isProgram = basename(path) === basename(target) && dirname(path) === folder;
    writeFileSync(path, isProgram && !text.startsWith("#!") ? shebang + text : text);
    if (!isProgram) continue;
    chmodSync(path, 0o755);
    bytes = text.length;
  }
  return bytes;
}

/** Bundles all programs into a folder; returns their paths and the bytes that are read when each starts. */
export async function bundleCommands(root: string, folder: string): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const command of commands) sizes.set(join(folder, `${command.name}.js`), await bundleCommand(root, command, folder));
  return sizes;
}
