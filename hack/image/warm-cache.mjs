// Fills the image's compile cache, so that a container with a read-only root file system starts as fast as one that was started before:
// node warm-cache.mjs <program> <cache>. Each command is started and ends at once, since there is no cluster; what it has loaded until then is kept.
// The cache's folder has the user's id in its name; it becomes that of the image's user.
import { spawnSync } from "node:child_process";
import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";

const imageUser = 65532;
const [program, cache] = process.argv.slice(2);
const commands = [
  ["operator", "--kubeconfig", "/nonexistent"],
  ["gateway", "--kubeconfig", "/nonexistent", "--folder", "/tmp"],
];
for (const args of commands) {
  const { error, stderr } = spawnSync(process.execPath, ["--max-semi-space-size=16", program, ...args], {
    env: { NODE_COMPILE_CACHE: cache, NODE_COMPILE_CACHE_PORTABLE: "1", PATH: "/usr/sbin:/usr/bin" },
    encoding: "utf8",
    timeout: 60_000,
  });
  if (error !== undefined) throw error;
  if (!stderr.includes("nonexistent")) throw new Error(`${args[0]} did not end for want of a kubeconfig, but said: ${stderr}`);
}
const [folder, ...others] = readdirSync(cache);
if (folder === undefined || others.length > 0)
  throw new Error(`${cache} should hold the cache of one version, and holds ${[folder, ...others]}`);
renameSync(join(cache, folder), join(cache, folder.replace(/-\d+$/, `-${imageUser}`)));
