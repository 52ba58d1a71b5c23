// Bundles the commands into dist, each one executable file that needs only Node. npm pack runs it.
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");
const commands = [
  { source: "src/main.ts", target: "dist/nuptse.js" },
  { source: "src/cli/kubectl-plugin.ts", target: "dist/kubectl-nuptse.js" },
];
const shebang = "#!/usr/bin/env node\n";

for (const { source, target } of commands) {
  if (!existsSync(join(root, source))) {
    console.log(`${target}: left out, there is no ${source}`);
    continue;
  }
  const result = await build({
    absWorkingDir: root,
    entryPoints: [source],
    bundle: true,
    write: false,
    outfile: target,
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
  const text = result.outputFiles[0]?.text ?? "";
  mkdirSync(dirname(join(root, target)), { recursive: true });
  writeFileSync(join(root, target), text.startsWith("#!") ? text : shebang + text);
  chmodSync(join(root, target), 0o755);
  console.log(`${target}: ${(text.length / 1e6).toFixed(2)} MB`);
}
