/**
 * Where tests get HAProxy from: a program on the PATH that is of the wanted branch, or a cache that is filled once with the packages of the
 * Debian suite that has it, through apt-get and with signatures checked. Nothing is installed: the packages are unpacked into a folder of
 * their own and run with the C library that came with them, which takes no rights and works beside any older one.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { glob, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../../src/base/cache-folder.ts";
import { cachedHaproxy } from "../../src/gateway/local-haproxy.ts";
import { withBuildLock } from "../control-plane/build-lock.ts";
import { MissingComponent } from "../control-plane/missing-component.ts";
import { aptOfSuite, hasDebianArchive, lastLine } from "../debian/apt.ts";
import { isThere } from "../files.ts";

/** 3.0 is the floor, 3.2 the next one with long support, 2.6 the one that must be refused. */
export type HaproxyBranch = "2.6" | "3.0" | "3.2";

const suites: Readonly<Record<HaproxyBranch, string>> = { "2.6": "bookworm", "3.0": "trixie", "3.2": "forky" };

const run = promisify(execFile);

/** The path of a program `haproxy` of this branch, fetched once (seconds). Throws MissingComponent where it cannot be had. */
export async function ensureHaproxy(branch: HaproxyBranch): Promise<string> {
  if ((await branchOf("haproxy")) === branch) return "haproxy";
  const program = cachedHaproxy(branch);
  const folder = dirname(program);
  if (await isThere(program)) return program;
  await withBuildLock(join(cacheFolder(), "haproxy"), async () => {
    // another process may have fetched it while this one waited
    if (!(await isThere(program))) await fetchTree(branch, folder);
  });
  return program;
}

async function fetchTree(branch: HaproxyBranch, folder: string): Promise<void> {
  const missing = (reason: string, cause?: unknown) =>
    new MissingComponent(`haproxy ${branch}`, `${reason}; put a haproxy ${branch} on the PATH`, { cause });
  if (!(await hasDebianArchive())) throw missing("this is no Debian, whose packages hold it");
  const staged = `${folder}.${randomBytes(4).toString("hex")}`;
  console.error(`fetching HAProxy ${branch} from Debian's packages (once) ...`);
  try {
    const apt = join(staged, "apt");
    await (await aptOfSuite(apt, suites[branch])).unpack(["haproxy"], join(staged, "tree"));
    await rm(apt, { recursive: true });
    await writeFile(join(staged, "haproxy"), await startScript(staged, folder), { mode: 0o755 });
    await rename(staged, folder);
    const found = await branchOf(join(folder, "haproxy"));
    if (found === branch) return;
    await rm(folder, { recursive: true });
    throw new Error(`the suite ${suites[branch]} now holds ${found ?? "none that runs here"}`);
  } catch (error) {
    await rm(staged, { recursive: true, force: true });
    throw missing(`fetching it failed: ${lastLine(error)}`, error);
  }
}

/**
 * HAProxy's master starts itself anew by its argv[0] when it reloads, which therefore has to be this script. It does nothing but to become
 * HAProxy: a shell that waited for a child of its own would also take notice of workers that end meanwhile, in the master's place.
 */
async function startScript(staged: string, folder: string): Promise<string> {
  const found = async (pattern: string) => (await Array.fromAsync(glob(`tree/${pattern}`, { cwd: staged }))).sort();
  const [loader] = [...(await found("usr/lib*/ld-linux*.so.*")), ...(await found("lib*/ld-linux*.so.*"))];
  const libraries = [...(await found("usr/lib/*-linux-gnu")), ...(await found("lib/*-linux-gnu"))];
  if (loader === undefined) throw new Error("the packages hold no loader of programs");
  const path = libraries.map((library) => join(folder, library)).join(":");
  return `#!/bin/sh\nexec '${join(folder, loader)}' --argv0 "$0" --library-path '${path}' '${join(folder, "tree/usr/sbin/haproxy")}' "$@"\n`;
}

/** "3.0" of a program that answers to -v; undefined for one that does not. */
async function branchOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, ["-v"]);
    return /^HAProxy version (\d+\.\d+)\./m.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}
