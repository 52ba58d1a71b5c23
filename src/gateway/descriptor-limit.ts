import { readFile } from "node:fs/promises";

/** CAP_SYS_RESOURCE: whoever has it raises limits. */
const raisesLimits = 1n << 24n;

/** How many file descriptors a process may have; undefined where that cannot be told: not on Linux, not in its namespace, or it may raise the limit. */
export async function descriptorLimit(pid: number): Promise<number | undefined> {
  const [limits, status] = await Promise.all(["limits", "status"].map((name) => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "")));
  const hard = /^Max open files +\S+ +(\d+)/m.exec(limits ?? "")?.[1];
  const capabilities = /^CapEff:\s+([0-9a-f]+)$/m.exec(status ?? "")?.[1];
  if (hard === undefined || capabilities === undefined) return undefined;
  return (BigInt(`0x${capabilities}`) & raisesLimits) === 0n ? Number(hard) : undefined;
}
