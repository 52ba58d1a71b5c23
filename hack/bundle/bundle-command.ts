import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { build, type Plugin } from "esbuild";

/** A program of the package. */
export interface BundledCommand {
  /** Its entry, from the project's root. */
  readonly source: string;
  /** It becomes `<name>.js`. */
  readonly name: string;
  /** What is imported while it runs becomes files of its own, in the folder `<name>`. */
  readonly inParts?: boolean;
  /** Sources that are imported while it runs and are left out: whoever calls for them is told so. */
  readonly leftOut?: RegExp;
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

/**
 * The client of Kubernetes does not say that importing it does nothing else, so all of its 700 models would be in the bundle for the sake of one class.
 * It is so: its modules hold classes and tables of them.
 */
const leanClient: Plugin = {
  name: "lean client",
  setup(build) {
    const asked = Symbol("asked");
    const ofClient = /[\\/]@kubernetes[\\/]client-node[\\/]/;
    build.onResolve({ filter: /./ }, async ({ path, pluginData, importer, kind, resolveDir, with: attributes }) => {
      if (pluginData === asked || !(path === "@kubernetes/client-node" || ofClient.test(importer))) return undefined;
      const resolved = await build.resolve(path, { importer, kind, resolveDir, with: attributes, pluginData: asked });
      return ofClient.test(resolved.path) ? { ...resolved, sideEffects: false } : resolved;
    });
  },
};

function leavingOut(sources: RegExp): Plugin {
  const reason = "this is not in the image; it is in the npm package nuptse, and needs no cluster";
  return {
    name: "leaving out",
    setup(build) {
      build.onLoad({ filter: sources }, () => ({ contents: `throw new Error(${JSON.stringify(reason)});` }));
    },
  };
}

/** The programs of the image: what needs no cluster is left to the package. */
const imageCommands: readonly BundledCommand[] = commands.flatMap((command) => {
  if (command.name === "kubectl-nuptse") return [];
  return [{ ...command, leftOut: /src[\\/](simulator[\\/]harness[\\/]playground(-user)?|cli[\\/]simulate[\\/][a-z-]+)\.ts$/ }];
});

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
    plugins: [leanClient, ...(command.leftOut === undefined ? [] : [leavingOut(command.leftOut)])],
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

/** Bundles all programs, or those of the image, into a folder; returns their paths and the bytes that are read when each starts. */
export async function bundleCommands(
  root: string,
  folder: string,
  of: "package" | "image" = "package",
): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const command of of === "image" ? imageCommands : commands)
    sizes.set(join(folder, `${command.name}.js`), await bundleCommand(root, command, folder));
  return sizes;
}
