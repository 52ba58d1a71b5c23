import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const mountPoint = "/sys/fs/cgroup";
const goneWithinMs = 10_000;

/** Whether control groups can be made on this machine, in the hierarchies of version 1 or the one of version 2. */
export async function canMakeCgroups(): Promise<boolean> {
  const roots = await hierarchies();
  try {
    for (const root of roots) await access(root, constants.W_OK);
    const probe = join(roots[0] ?? mountPoint, `nuptse-probe-${process.pid}`);
    await mkdir(probe);
    await rmdir(probe);
    return roots.length > 0;
  } catch {
    return false;
  }
}

/** Makes the control group `name` at the root of every hierarchy. */
export async function makeCgroup(name: string): Promise<void> {
  for (const root of await hierarchies()) {
    const folder = join(root, name);
    await mkdir(folder, { recursive: true });
    // of version 1: a group without processors and memory can hold no process
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      const inherited = await readFile(join(root, file), "utf8").catch(() => undefined);
      if (inherited !== undefined) await writeFile(join(folder, file), inherited);
    }
  }
}

/** Removes the control group `name` with all below it. Their processes must have been killed; it waits until they are gone. */
export async function removeCgroup(name: string): Promise<void> {
  const deadline = performance.now() + goneWithinMs;
  for (const root of await hierarchies()) {
    for (;;) {
      const left = await removeTree(join(root, name));
      if (left === undefined) break;
      if (performance.now() > deadline) throw left;
      await sleep(100);
    }
  }
}

/** Resolves to the error where something of it is left. */
async function removeTree(folder: string): Promise<unknown> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return undefined;
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  return await rmdir(folder).catch((error: unknown) => error);
}

/** The roots: one of version 2, or one for each controller of version 1, with the one of version 2 beside them where there is one. */
async function hierarchies(): Promise<readonly string[]> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").map((line) => line.split(" "));
  return mounts.flatMap(([, folder = "", type]) => (/^cgroup2?$/.test(type ?? "") && folder.startsWith(mountPoint) ? [folder] : []));
}
