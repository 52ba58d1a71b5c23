import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { UnsuitableMachine } from "../control-plane/missing-component.ts";
import { canMakeCgroups } from "./cgroups.ts";

const run = promisify(execFile);
const component = "a node";
/** As the kernel numbers them. */
const capabilities = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21 } as const;

/** Throws UnsuitableMachine with the reason where no node can be on this machine, whatever were installed. */
export async function requireSuitableMachine(): Promise<void> {
  const unsuitable = (reason: string) => new UnsuitableMachine(component, reason);
  if (process.platform !== "linux") throw unsuitable("a kubelet runs on Linux");
  if (process.getuid?.() !== 0) throw unsuitable("it needs root: mounts, namespaces, control groups");
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
  for (const [name, number] of Object.entries(capabilities)) {
    if ((held & (1n << BigInt(number))) === 0n) throw unsuitable(`it needs ${name}, which root does not have here`);
  }
  if (!(await canMakeCgroups())) throw unsuitable("control groups cannot be made here: /sys/fs/cgroup cannot be written to");
  // what no file tells: whether namespaces, a mount, a bridge and a rule are allowed
  const trial = "mount -t tmpfs tmpfs /mnt && ip link add nuptse-trial type bridge";
  try {
    await run("unshare", ["--mount", "--net", "--pid", "--fork", "--mount-proc", "sh", "-c", trial]);
  } catch (error) {
    const said = (error as { readonly stderr?: string }).stderr?.trim();
    throw unsuitable(`namespaces of its own cannot be had: ${said || String(error)}`);
  }
}
