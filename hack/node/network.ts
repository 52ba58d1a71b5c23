import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { MissingComponent } from "../control-plane/missing-component.ts";
import { mostNodes, type NodeAddresses, nodeAddresses } from "./addresses.ts";

const run = promisify(execFile);

/**
 * Links this machine with the network namespace of a process, with the first addresses that are free, and gives this machine routes to the pods and
 * Services behind it. All of it goes with the namespace.
 */
export async function linkNamespace(pid: number): Promise<NodeAddresses> {
  for (let number = 0; number < mostNodes; number++) {
    const addresses = nodeAddresses(number);
    if (await addLink(addresses.link, pid)) {
      await configure(addresses, pid);
      return addresses;
    }
  }
  throw new MissingComponent("a node", `${mostNodes} nodes are on this machine already: end one of them`);
}

/** false = another node has it. */
async function addLink(link: string, pid: number): Promise<boolean> {
  try {
    await run("ip", ["link", "add", link, "type", "veth", "peer", "name", "machine", "netns", String(pid)]);
    return true;
  } catch (error) {
    if (String((error as { readonly stderr?: string }).stderr).includes("File exists")) return false;
    throw error;
  }
}

async function configure(addresses: NodeAddresses, pid: number): Promise<void> {
  const { link, machine, node, pods, services } = addresses;
  const here = (...args: readonly string[]) => run("ip", args);
  const there = (...args: readonly string[]) => run("nsenter", [`--net=/proc/${pid}/ns/net`, "ip", ...args]);
  await here("address", "add", `${machine}/30`, "dev", link);
  await here("link", "set", link, "up");
  await there("link", "set", "lo", "up");
  await there("address", "add", `${node}/30`, "dev", "machine");
  await there("link", "set", "machine", "up");
  await there("route", "add", "default", "via", machine);
  for (const range of [pods, services]) await here("route", "add", range, "via", node);
}
