/**
 * A real node on this machine: kubelet, containerd and kube-proxy in namespaces of their own (namespaces.sh). To end it is to kill the first process of
 * these, with which everything in them goes; what stays are control groups, which are removed.
 */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../../src/base/cache-folder.ts";
import { ensureBinaries } from "../control-plane/binaries.ts";
import { Component } from "../control-plane/component.ts";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { MissingComponent } from "../control-plane/missing-component.ts";
import { Watchdog } from "../control-plane/watchdog.ts";
import { isThere } from "../files.ts";
import type { NodeAddresses } from "./addresses.ts";
import { makeCgroup, removeCgroup } from "./cgroups.ts";
import {
  cniConfiguration,
  containerdConfiguration,
  kubeletConfiguration,
  kubeProxyConfiguration,
  type NodeFolders,
  kubeProxyHealthPort,
  nodeFolders,
  nodeName,
} from "./configuration.ts";
import { linkNamespace } from "./network.ts";
import { packBusybox } from "./node-images.ts";
import { requireSuitableMachine } from "./suitability.ts";
import { ensureNodeTools, type NodeTools } from "./tools.ts";

const run = promisify(execFile);
/** What is built of Go for a node. */
export const nodeBinaries = ["containerd", "containerd-shim-runc-v2", "ctr", "kubelet", "kube-proxy"] as const;
type Binaries = Readonly<Record<(typeof nodeBinaries)[number], string>>;
/** As in namespaces.sh. */
const hiddenFolders = ["/run", "/var/lib", "/var/log"];
const importWithinMs = 120_000;

/** One node, from its namespaces on. */
export class MachineNode {
  readonly addresses: NodeAddresses;
  readonly #folders: NodeFolders;
  readonly #binaries: Binaries;
  readonly #tools: NodeTools;
  readonly #watchdog: Watchdog;
  readonly #namespaces: Component;
  readonly #components: Component[] = [];

  private constructor(
    addresses: NodeAddresses,
    folders: NodeFolders,
    binaries: Binaries,
    tools: NodeTools,
    watchdog: Watchdog,
    namespaces: Component,
  ) {
    this.addresses = addresses;
    this.#folders = folders;
    this.#binaries = binaries;
    this.#tools = tools;
    this.#watchdog = watchdog;
    this.#namespaces = namespaces;
  }

  /**
   * Makes the namespaces of a node with its addresses; nothing runs in them yet. What it needs is built and fetched before.
   * Throws UnsuitableMachine or MissingComponent where it cannot be.
   * @param folder an existing folder with a short path
   * @param disposable a folder that is removed when the node ends, also by the death of this process
   */
  static async prepare(folder: string, disposable?: string): Promise<MachineNode> {
    await requireSuitableMachine();
    requireVisible(folder, cacheFolder());
    const tools = await ensureNodeTools();
    const binaries = await ensureBinaries(nodeBinaries);
    const watchdog = new Watchdog();
    if (disposable !== undefined) watchdog.removeAtEnd(disposable);
    const namespaces = new Component({
      name: "namespaces",
      binary: "unshare",
      args: [
        ...["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"],
        ...["sh", join(import.meta.dirname, "namespaces.sh"), folder],
      ],
      logPath: join(folder, "namespaces.log"),
      watchdog,
      isReady: () => isThere(join(folder, "namespaces")),
    });
    try {
      namespaces.launch();
      await namespaces.ready();
      const addresses = await linkNamespace(namespaces.pid ?? 0);
      return new MachineNode(addresses, nodeFolders(folder), binaries, tools, watchdog, namespaces);
    } catch (error) {
      await namespaces.kill("SIGKILL");
      await watchdog.close();
      throw error;
    }
  }

  /** Starts what runs on a node; resolves when the API server calls it Ready. */
  async start(plane: ControlPlane): Promise<void> {
    const { folder, cniFolder } = this.#folders;
    const kubeletKubeconfig = join(folder, "kubelet.kubeconfig");
    const kubeProxyKubeconfig = join(folder, "kube-proxy.kubeconfig");
    const authority = join(folder, "authority.crt");
    const programs = { runc: this.#tools.runc, shim: this.#binaries["containerd-shim-runc-v2"], cni: this.#tools.cni };
    await mkdir(cniFolder, { recursive: true });
    const files: Readonly<Record<string, string>> = {
      [authority]: plane.authorityPem,
      [kubeletKubeconfig]: plane.kubeconfigTextFor(`system:node:${nodeName}`, ["system:nodes"]),
      [kubeProxyKubeconfig]: plane.kubeconfigTextFor("system:kube-proxy"),
      [join(folder, "containerd.toml")]: containerdConfiguration(this.#folders, programs),
      [join(folder, "kubelet.json")]: kubeletConfiguration(this.#folders, this.addresses, authority),
      [join(folder, "kube-proxy.json")]: kubeProxyConfiguration(this.addresses, kubeProxyKubeconfig),
      [join(cniFolder, "10-nuptse.conflist")]: cniConfiguration(this.addresses),
      [join(folder, "resolv.conf")]: `nameserver ${this.addresses.machine}\n`,
    };
    for (const [path, text] of Object.entries(files)) await writeFile(path, text, { mode: 0o600 });
    this.#watchdog.removeCgroupAtEnd(this.addresses.link);
    await makeCgroup(this.addresses.link);
    const containerd = this.#component("containerd", ["--config", join(folder, "containerd.toml")], async () => {
      await run(this.#binaries.ctr, [`--address=${this.#folders.containerdSocket}`, "version"]);
      return true;
    });
    containerd.launch();
    await containerd.ready();
    // the sandbox of a pod needs it
    await this.importImage(await packBusybox(this.#tools.busybox, join(folder, "busybox")));
    const kubelet = this.#component(
      "kubelet",
      [
        `--config=${join(folder, "kubelet.json")}`,
        `--kubeconfig=${kubeletKubeconfig}`,
        `--hostname-override=${nodeName}`,
        `--node-ip=${this.addresses.node}`,
      ],
      async () => isReady(await plane.client.text({ path: `/api/v1/nodes/${nodeName}` })),
    );
    const kubeProxyHealth = `http://${this.addresses.node}:${kubeProxyHealthPort}/healthz`;
    const kubeProxy = this.#component("kube-proxy", [`--config=${join(folder, "kube-proxy.json")}`], async () => {
      return (await plane.client.get(kubeProxyHealth)).status === 200;
    });
    kubelet.launch();
    kubeProxy.launch();
    await Promise.all([kubelet.ready(), kubeProxy.ready()]);
  }

  /** The command that imports an archive of an image, without the archive. */
  get importCommand(): readonly string[] {
    return [this.#binaries.ctr, `--address=${this.#folders.containerdSocket}`, "--namespace=k8s.io", "images", "import"];
  }

  /** Imports an archive of an image, for pods with imagePullPolicy Never or IfNotPresent. */
  async importImage(archive: string): Promise<void> {
    const [ctr = "", ...args] = this.importCommand;
    await run(ctr, [...args, archive], { timeout: importWithinMs });
  }

  /** Ends everything at once, as a machine does that loses power, and removes what would stay. May be called twice. */
  async stop(): Promise<void> {
    await this.#namespaces.kill("SIGKILL");
    for (const component of this.#components) await component.kill("SIGKILL");
    await removeCgroup(this.addresses.link);
    await this.#watchdog.close();
  }

  #component(name: (typeof nodeBinaries)[number], args: readonly string[], ready: () => Promise<boolean>): Component {
    // unshare itself is in all of them but the one of processes, which only its children are in
    const of = `/proc/${this.#namespaces.pid}/ns`;
    const component = new Component({
      name,
      binary: "nsenter",
      args: [`--mount=${of}/mnt`, `--net=${of}/net`, `--pid=${of}/pid_for_children`, "--", this.#binaries[name], ...args],
      environment: this.#tools.environment,
      logPath: join(this.#folders.folder, `${name}.log`),
      watchdog: this.#watchdog,
      isReady: ready,
    });
    this.#components.push(component);
    return component;
  }
}

/** Throws for a folder that processes of the node would not find. */
function requireVisible(...folders: readonly string[]): void {
  for (const folder of folders) {
    const hidden = hiddenFolders.find((candidate) => `${folder}/`.startsWith(`${candidate}/`));
    if (hidden === undefined) continue;
    throw new MissingComponent("a node", `${folder} lies in ${hidden}, of which a node has one of its own: set TMPDIR and XDG_CACHE_HOME`);
  }
}

function isReady(node: string): boolean {
  const { status } = JSON.parse(node) as { readonly status?: { readonly conditions?: readonly { type: string; status: string }[] } };
  return status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
}
