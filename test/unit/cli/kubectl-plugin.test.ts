import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../../..");
const entry = join(root, "src/cli/kubectl-plugin.ts");

function plugin(...args: readonly string[]) {
  return spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", entry, ...args], { encoding: "utf8" });
}

/** Everything that starting a file loads: the files of the project and the names of packages. Imports of types are left out. */
function loadedBy(file: string, seen = new Set<string>(), packages = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return packages;
  seen.add(file);
  for (const [, what = "", from = ""] of readFileSync(file, "utf8").matchAll(/^(?:import|export)\s+(.*?)\s*from\s+"([^"]+)"/gms)) {
    if (what.startsWith("type ")) continue;
    if (from.startsWith("node:")) continue;
    if (!from.startsWith(".")) packages.add(from);
    else if (from.endsWith(".ts")) loadedBy(resolve(dirname(file), from), seen, packages);
  }
  return packages;
}

describe("cli/kubectl-plugin", () => {
  it("prints the version of the package", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };
    const { status, stdout, stderr } = plugin("version");
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("a bad expression is exit code 2 and one line on stderr", () => {
    const { status, stdout, stderr } = plugin("cron", "next", "0 0 30 2 *");
    assert.deepEqual({ status, stdout, lines: stderr.split("\n").length }, { status: 2, stdout: "", lines: 2 });
  });

  it("loads nothing but commander, so that it starts fast", () => {
    assert.deepEqual([...loadedBy(entry)], ["commander"]);
  });
});
