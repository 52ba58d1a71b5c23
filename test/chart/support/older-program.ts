import { execFile } from "node:child_process";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { baselineCommit } from "./baseline.ts";
import { root } from "./chart.ts";

const run = promisify(execFile);

/**
 * The program of the recorded version, put into the folder, or undefined where git does not know that commit: a copy without history, or one that was
 * cloned without depth.
 */
export async function olderProgram(folder: string): Promise<string | undefined> {
  const known = await run("git", ["-C", root, "cat-file", "-e", `${baselineCommit}^{commit}`]).then(
    () => true,
    () => false,
  );
  if (!known) return undefined;
  const archive = join(folder, "older.tar");
  await run("git", ["-C", root, "archive", `--output=${archive}`, baselineCommit, "src", "crds", "package.json"]);
  await run("tar", ["-xf", archive, "-C", folder]);
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return join(folder, "src/main.ts");
}
