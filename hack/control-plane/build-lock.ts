import { mkdir, open, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const heartbeatMs = 2_000;
/** A lock that nobody has touched for so long belongs to a process that died. */
const abandonedAfterMs = 20_000;

/**
 * Runs `work` while no other process runs its own under the same `folder`; waits as long as that takes.
 * It saves double work and is not what correctness rests on: two that take over a dead process's lock in the same instant may both run.
 */
export async function withBuildLock<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  const path = join(folder, "build.lock");
  await mkdir(folder, { recursive: true });
  let told = false;
  while (!(await takeLock(path))) {
    if (!told) console.error("another process is building the control plane; waiting for it ...");
    told = true;
    await sleep(500);
  }
  const heartbeat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(path, { force: true });
  }
}

async function takeLock(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx")).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const touched = await stat(path).then(
    (stats) => stats.mtimeMs,
    () => Date.now(),
  );
  if (Date.now() - touched > abandonedAfterMs) await rm(path, { force: true });
  return false;
}
