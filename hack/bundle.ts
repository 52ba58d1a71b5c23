// Bundles the commands into dist, each one executable file that needs only Node. npm pack runs it; a folder other than dist may be named, and
// after it "image" for the programs of the image.
import { join, resolve } from "node:path";
import { bundleCommands } from "./bundle/bundle-command.ts";

const root = join(import.meta.dirname, "..");
const folder = resolve(root, process.argv[2] ?? "dist");

for (const [path, bytes] of await bundleCommands(root, folder, process.argv[3] === "image" ? "image" : "package"))
  console.log(`${path}: ${(bytes / 1e6).toFixed(2)} MB`);
