import type { Node, Pod, PodCondition, Taint } from "../../api/core.ts";
import type { KubeObject } from "../../api/meta.ts";
import { leases, nodes as nodeResource } from "../../api/resource.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { formatMicros, formatSeconds } from "../../base/time.ts";
import type { KubeClient } from "../../kube/client.ts";
import { statusOf } from "./failure.ts";
import type { Mirror } from "./mirror.ts";
import { patchPodStatus, withConditions } from "./pod-write.ts";

/** A node to be registered. */
export interface NodeSpec {
  readonly name: string;
  /** Absent = 8 cores, 32Gi, 110 pods. */
  readonly capacity?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly address?: string;
}

export interface NodeLifeOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly pods: Mirror<Pod>;
  readonly nodes: Mirror<Node>;
  /** Silence after which a node is given up, counted from its last heartbeat; absent = 40 s. */
  readonly graceMs?: number;
  /** How often kubelets report; absent = 10 s. Heartbeats are known, not written. */
  readonly heartbeatMs?: number;
  /** How often the node controller looks; absent = 5 s. */
  readonly tickMs?: number;
}

/** By what nodes with a kubelet of this world are told from others. */
export const containerRuntimeVersion = "nuptse://1";
export const unreachableTaint = "node.kubernetes.io/unreachable";
const defaultCapacity = { cpu: "8", memory: "32Gi", pods: "110", "ephemeral-storage": "100Gi" };
const conditionTypes = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"] as const;
/** From the NoSchedule taint to the NoExecute one. */
const noExecuteDelayMs = 200;
/** Wait after an error of the API server's. */
const retryMs = 1_000;

/** Registers the node, ready from the start; what exists under its name is made ready and keeps its labels and taints. */
export async function registerNode(client: KubeClient, clock: Clock, spec: NodeSpec): Promise<void> {
  const capacity = { ...defaultCapacity, ...spec.capacity };
  const labels = { "kubernetes.io/hostname": spec.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", ...spec.labels };
  const node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: spec.name, labels },
    spec: spec.taints === undefined ? {} : { taints: spec.taints },
  };
  try {
    await client.create(nodeResource, node as KubeObject);
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
  }
  const status = {
    capacity,
    allocatable: capacity,
    addresses: [
      { type: "InternalIP", address: spec.address ?? "127.0.0.1" },
      { type: "Hostname", address: spec.name },
    ],
    conditions: healthyConditions(clock.now(), undefined),
    nodeInfo: {
      architecture: "amd64",
      bootID: "",
      containerRuntimeVersion,
      kernelVersion: "",
      kubeProxyVersion: "",
      kubeletVersion: "v1.36.3",
      machineID: "",
      operatingSystem: "linux",
      osImage: "nuptse playground",
      systemUUID: "",
    },
  };
  await client.patch(nodeResource, { name: spec.name }, { type: "merge", body: { status } }, { subresource: "status" });
  // A real API server taints a new node until its controllers saw it ready; where they run they would do this themselves. A node that was saved
  // while it was silent is heard again.
  const stale = ["node.kubernetes.io/not-ready", unreachableTaint];
  await changeTaints(client, spec.name, (taints) => taints.filter(({ key }) => !stale.includes(key)));
}

/** Renews the node's Lease, as a kubelet does every 10 s where a real node controller is watching. */
export async function renewNodeLease(client: KubeClient, clock: Clock, node: string): Promise<void> {
  const metadata = { name: node, namespace: "kube-node-lease" };
  const spec = { holderIdentity: node, leaseDurationSeconds: 40, renewTime: formatMicros(clock.now()) };
  try {
    await client.patch(leases, metadata, { type: "merge", body: { spec } });
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    await client.create(leases, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec } as KubeObject);
  }
}

interface Silence {
  /** The last heartbeat that the node controller had from the node, on the clock's wall time. */
  readonly since: number;
  timer: Timer | undefined;
  /** Conditions, pods and taints were written, or are being written. */
  declared: boolean;
}

/**
 * The node controller: a node that is silent for 40 s becomes Unknown at the next look, all of its pods unready, and it is tainted; what
 * becomes of the pods is the taint manager's business. The taint NoExecute is only set while some other node is healthy: where all are
 * silent the fault is rather the controller's own. Nothing is done while all nodes are healthy, not even a timer.
 */
export class NodeLife {
  readonly #options: NodeLifeOptions;
  readonly #silent = new Map<string, Silence>();
  readonly #startedAt: number;
  #stopped = false;

  constructor(options: NodeLifeOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  /** The kubelet of the node stopped reporting just now. */
  nodeSilent(name: string): void {
    if (this.#silent.has(name)) return;
    const { clock, heartbeatMs = 10_000, graceMs = 40_000, tickMs = 5_000 } = this.#options;
    const now = clock.now();
    const since = now - ((now - this.#startedAt) % heartbeatMs);
    const silence: Silence = { since, timer: undefined, declared: false };
    this.#silent.set(name, silence);
    const elapsed = since + graceMs - this.#startedAt;
    const look = this.#startedAt + (Math.floor(elapsed / tickMs) + 1) * tickMs;
    silence.timer = clock.after(look - now, () => void this.#persist(() => this.#declare(name, silence)));
  }

  /** The kubelet of the node reports again. */
  async nodeBack(name: string): Promise<void> {
    const silence = this.#silent.get(name);
    if (silence === undefined) return;
    this.#silent.delete(name);
    silence.timer?.cancel();
    if (silence.declared) await this.#persist(() => this.#revive(name));
  }

  async #revive(name: string): Promise<void> {
    const { client, clock, nodes } = this.#options;
    const node = nodes.get(undefined, name);
    if (node === undefined || this.#silent.has(name)) return;
    const status = { conditions: healthyConditions(clock.now(), node) };
    await ignoreGone(client.patch(nodeResource, { name }, { type: "merge", body: { status } }, { subresource: "status" }));
    await ignoreGone(changeTaints(client, name, (taints) => taints.filter((taint) => taint.key !== unreachableTaint)));
    // What was held back because no node was healthy is decided anew.
    for (const [other, entry] of this.#silent) if (entry.declared) void this.#persist(() => this.#taintNoExecute(other, entry));
  }

  /** The Node object was taken away: nobody waits for its kubelet any more. */
  nodeGone(name: string): void {
    this.#silent.get(name)?.timer?.cancel();
    this.#silent.delete(name);
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#silent.values()) timer?.cancel();
    this.#silent.clear();
  }

  /** Repeats the step, which must bear that, until the API server took it all. */
  async #persist(step: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      try {
        return await step();
      } catch {
        await this.#options.clock.sleep(retryMs);
      }
    }
  }

  async #declare(name: string, silence: Silence): Promise<void> {
    const { client, clock, nodes, pods } = this.#options;
    const node = nodes.get(undefined, name);
    if (node === undefined || this.#silent.get(name) !== silence) return;
    silence.declared = true;
    const now = clock.now();
    const conditions = conditionTypes.map((type) => ({
      type,
      status: "Unknown",
      reason: "NodeStatusUnknown",
      message: "Kubelet stopped posting node status.",
      lastHeartbeatTime: formatSeconds(silence.since),
      lastTransitionTime: formatSeconds(now),
    }));
    await ignoreGone(client.patch(nodeResource, { name }, { type: "merge", body: { status: { conditions } } }, { subresource: "status" }));
    const timeAdded = formatSeconds(now);
    await ignoreGone(changeTaints(client, name, (taints) => withTaint(taints, { key: unreachableTaint, effect: "NoSchedule", timeAdded })));
    for (const pod of [...pods.values()]) {
      if (pod.spec.nodeName !== name) continue;
      if (this.#silent.get(name) !== silence) break;
      const written = await patchPodStatus(client, pod, (latest) => {
        const ready = latest.status?.conditions?.find((condition) => condition.type === "Ready");
        if (ready?.status !== "True") return undefined;
        const unready: PodCondition = { type: "Ready", status: "False" };
        return { conditions: withConditions(latest, [unready], clock.now()) };
      }).catch(() => undefined);
      if (written !== undefined) pods.observe(written);
    }
    // The node may have come back while all this was written.
    if (this.#silent.get(name) !== silence) return this.#revive(name);
    silence.timer = clock.after(noExecuteDelayMs, () => void this.#persist(() => this.#taintNoExecute(name, silence)));
  }

  async #taintNoExecute(name: string, silence: Silence): Promise<void> {
    const { client, clock, nodes } = this.#options;
    const healthy = [...nodes.values()].some((node) => node.metadata.name !== name && !this.#silent.has(node.metadata.name));
    if (!healthy || this.#silent.get(name) !== silence) return;
    const timeAdded = formatSeconds(clock.now());
    await ignoreGone(changeTaints(client, name, (taints) => withTaint(taints, { key: unreachableTaint, effect: "NoExecute", timeAdded })));
    // The node may have come back while the write was under way.
    if (this.#silent.get(name) !== silence) {
      await ignoreGone(changeTaints(client, name, (taints) => taints.filter((taint) => taint.key !== unreachableTaint)));
    }
  }
}

/** Replaces the taints of a node by a function of its present ones; nothing is written when they stay the same. */
export async function changeTaints(
  client: KubeClient,
  name: string,
  change: (taints: readonly Taint[]) => readonly Taint[],
): Promise<void> {
  for (;;) {
    const node = await client.get<Node>(nodeResource, { name });
    const before = node.spec?.taints ?? [];
    const after = change(before);
    if (JSON.stringify(after) === JSON.stringify(before)) return;
    const body = { metadata: { resourceVersion: node.metadata.resourceVersion }, spec: { taints: after.length === 0 ? null : after } };
    try {
      await client.patch(nodeResource, { name }, { type: "merge", body });
      return;
    } catch (error) {
      if (statusOf(error) !== 409) throw error;
    }
  }
}

function withTaint(taints: readonly Taint[], taint: Taint): readonly Taint[] {
  return taints.some((each) => each.key === taint.key && each.effect === taint.effect) ? taints : [...taints, taint];
}

function healthyConditions(now: number, node: Node | undefined): readonly unknown[] {
  return conditionTypes.map((type) => {
    const status = type === "Ready" ? "True" : "False";
    const held = node?.status?.conditions?.find((condition) => condition.type === type);
    return {
      type,
      status,
      reason:
        type === "Ready"
          ? "KubeletReady"
          : `KubeletHas${type === "MemoryPressure" ? "SufficientMemory" : type === "DiskPressure" ? "NoDiskPressure" : "SufficientPID"}`,
      message: type === "Ready" ? "kubelet is posting ready status" : "",
      lastHeartbeatTime: formatSeconds(now),
      lastTransitionTime: held?.status === status ? (held.lastTransitionTime ?? formatSeconds(now)) : formatSeconds(now),
    };
  });
}

async function ignoreGone(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}
