import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ControlPlane, startControlPlane } from "../control-plane/control-plane.ts";
import { startNameServer } from "./name-server.ts";
import { MachineNode } from "./node.ts";

/** A whole cluster of one real node. */
export interface NodeCluster {
  readonly plane: ControlPlane;
  readonly node: MachineNode;
  /** Ends it and removes all of it, unless its folder was given. May be called twice. */
  stop(): Promise<void>;
}

/** What to start. */
export interface NodeClusterOptions {
  /** "batch" if absent; see ControlPlaneOptions. */
  readonly audit?: boolean | "blocking" | "batch";
  /** An existing folder for data and logs, which is left there. */
  readonly dir?: string;
}

/**
 * Starts a control plane and a real node of it on this machine, as root; resolves when the node is Ready. Throws UnsuitableMachine where this machine
 * cannot have one, and MissingComponent where something for it cannot be had.
 */
export async function startNodeCluster(options: NodeClusterOptions = {}): Promise<NodeCluster> {
  const { dir } = options;
  const folder = dir === undefined ? await mkdtemp(join(tmpdir(), "nuptse-node-")) : join(dir, "node");
  await mkdir(folder, { recursive: true });
  const ends: (() => Promise<void>)[] = dir === undefined ? [() => rm(folder, { recursive: true, force: true })] : [];
  const stop = async () => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  };
  try {
    const node = await MachineNode.prepare(folder, dir === undefined ? folder : undefined);
    ends.push(() => node.stop());
    const { machine, services, firstService } = node.addresses;
    const plane = await startControlPlane({
      components: { controllerManager: true, scheduler: true },
      audit: options.audit ?? "batch",
      podAccess: { address: machine, serviceRange: services, serviceAddress: firstService },
      ...(dir !== undefined && { dir }),
    });
    ends.unshift(async () => {
      // the ends of its connections are gone without a word: asked to end, it would wait for them for long
      await plane.kill("kube-apiserver");
      await plane.stop();
    });
    ends.push(await startNameServer(machine, plane.client));
    await node.start(plane);
    return { plane, node, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
