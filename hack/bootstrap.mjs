// Starts one of the project's scripts on the pinned Node, installing the locked packages first when they are absent or older than the lock.
// Plain JavaScript for Node 18 and newer, since it runs on whatever Node the machine has: node hack/bootstrap.mjs <script.ts> [arguments]
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [script, ...args] = process.argv.slice(2);
const modules = join(root, "node_modules");
const stamp = join(modules, ".nuptse-lock-sha256");
const pinnedNode = join(modules, `node-${process.platform}-${process.arch}`, "bin", "node");

if (script === undefined) {
  console.error("usage: node hack/bootstrap.mjs <script.ts> [arguments]");
  process.exit(2);
}
installPackages();
const node = existsSync(pinnedNode) ? pinnedNode : process.execPath;
if (node === process.execPath && Number(process.versions.node.split(".")[0]) < 24) {
  console.error(
    `nuptse needs Node 24; this machine has ${process.version} and the package node-${process.platform}-${process.arch} is not installed`,
  );
  process.exit(1);
}
const child = spawn(node, ["--disable-warning=ExperimentalWarning", join(root, script), ...args], {
  stdio: "inherit",
  env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH ?? ""}` },
});
// A terminal sends its signals to the whole group; what comes from elsewhere is handed on, and the child decides when to end.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (!process.stdin.isTTY || signal !== "SIGINT") child.kill(signal);
  });
}
child.on("exit", (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});

function installPackages() {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  // stderr, so that the output of a command stays what the command says
  console.error("installing packages (npm ci) ...");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (npm.status !== 0) {
    console.error("npm ci failed; the lines above say why");
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}
