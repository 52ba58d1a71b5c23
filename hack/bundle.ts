// Bundles the commands into dist, each one executable file that needs only Node. npm pack runs it; a folder other than dist may be named.
import { join, resolve } from "node:path";
import { bundleCommand, type BundledCommand } from "./bundle/bundle-command.ts";

const root = join(import.meta.dirname, "..");
const commands: readonly BundledCommand[] = [
  { source: "src/main.ts", name: "nuptse" },
  // It starts on every completion: what only one command needs stays in files of its own, which are read when that runs.
  { source: "src/cli/kubectl-plugin.ts", name: "kubectl-nuptse", inParts: true },
  // a thread of nuptse, found beside it
  { source: "src/trace/sqlite-worker.ts", name: "nuptse-trace-worker" },
];
const folder = resolve(root, process.argv[2] ?? "dist");

for (const command of commands) {
  const bytes = await bundleCommand(root, command, folder);
  console.log(`${join(folder, command.name)}.js: ${(bytes / 1e6).toFixed(2)} MB`);
}
