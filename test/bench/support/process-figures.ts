import { readFile } from "node:fs/promises";

/** Clock ticks a second in /proc: fixed at 100 for programs, whatever the kernel's own. */
const ticksPerSecond = 100;

/** Seconds of processor time since the start of a process, of user and system. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory of a process in MB, now and at its highest. */
export async function memoryOf(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  const megabytes = (name: string) => Number(text.match(new RegExp(`^${name}:\\s+(\\d+) kB`, "m"))?.[1]) / 1024;
  return { now: megabytes("VmRSS"), peak: megabytes("VmHWM") };
}
