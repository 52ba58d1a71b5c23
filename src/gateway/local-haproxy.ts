import { join } from "node:path";
import { cacheFolder } from "../base/cache-folder.ts";
import { createHaproxyProgram, versionProblem } from "../haproxy/program.ts";
import { filesOf } from "../haproxy/rules/settings.ts";

/** Where the HAProxy of a branch, such as 3.0, lies that this project has fetched for its tests. */
export const cachedHaproxy = (branch: string): string => join(cacheFolder(), "haproxy", `${branch}-${process.arch}`, "haproxy");

/** An HAProxy of this machine that can be used, or why there is none. */
export type LocalHaproxy = { readonly program: string } | { readonly problem: string };

/** Branches that may lie in the cache, the newest first. */
const cachedBranches = ["3.2", "3.0"];

/** @param wanted a program; absent = that of PATH, else one of the cache */
export async function findHaproxy(wanted?: string): Promise<LocalHaproxy> {
  const tooOld: string[] = [];
  for (const program of wanted === undefined ? ["haproxy", ...cachedBranches.map(cachedHaproxy)] : [wanted]) {
    const version = await createHaproxyProgram(program)
      .version()
      .catch(() => undefined);
    if (version === undefined) continue;
    const problem = versionProblem(version);
    if (problem === undefined) return { program };
    tooOld.push(problem);
  }
  return {
    problem: tooOld[0] ?? `this machine has no HAProxy (${wanted ?? "haproxy in PATH"}): install the package haproxy, 3.0 or newer`,
  };
}

/** How an HAProxy is started in the folder of an agent, as master and worker. */
export function haproxyArguments(folder: string): readonly string[] {
  const { configuration, masterSocket } = filesOf({ folder });
  return ["-W", "-S", `${masterSocket},mode,600`, "-f", configuration];
}
