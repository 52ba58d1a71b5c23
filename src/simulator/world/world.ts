import type { Node, Pod } from "../../api/core.ts";
import { nodes as nodeResource, pods as podResource } from "../../api/resource.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { LogSource } from "../apiserver/http/log-source.ts";
import type { StreamSource } from "../apiserver/http/stream-source.ts";
import type { ContainerRuntime } from "./container-runtime.ts";
import { statusOf } from "./failure.ts";
import { Kubelet } from "./kubelet.ts";
import { createProcessRuntime } from "./kubelet-process.ts";
import { createStagesRuntime } from "./kubelet-stages.ts";
import { Ledger } from "./ledger.ts";
import { Mirror } from "./mirror.ts";
import { changeTaints, NodeLife, type NodeLifeOptions, type NodeSpec, registerNode, renewNodeLease } from "./node-life.ts";
import { PodGc } from "./pod-gc.ts";
import type { PodScript } from "./pod-script.ts";
import type { KubeletTiming, WorkObserver } from "./pod-worker.ts";
import { evictPod } from "./pod-write.ts";
import type { ApiServerAddress } from "./process-environment.ts";
import type { Range } from "./range.ts";
import { Scheduler } from "./scheduler.ts";
import { TaintEviction } from "./taint-eviction.ts";

export interface WorldOptions {
  /**
   * How the world acts on the API server. With a real one the user needs the rights of kubelets and controllers. No faults belong in
   * here: those are for the operator's client.
   */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly nodes: readonly NodeSpec[];
  readonly kubelet:
    | { readonly kind: "stages"; readonly behaviour?: (pod: Pod) => PodScript }
    | {
        readonly kind: "process";
        readonly dataDir: string;
        readonly path?: string;
        readonly maxLogBytes?: number;
        readonly apiServer?: ApiServerAddress;
      };
  /** Told what really runs, besides the ledger; absent = nobody. */
  readonly observer?: WorkObserver;
  readonly timing?: Partial<KubeletTiming>;
  /** Off where a real kube-scheduler runs. */
  readonly scheduler?: boolean;
  readonly schedulerDelayMs?: Range;
  /** Node controller, taint manager and PodGC; off where a real kube-controller-manager runs. */
  readonly nodeControllers?: boolean;
  /** Renew a Lease for each node every 10 s: needed where a real kube-controller-manager runs. Absent = no. */
  readonly nodeLeases?: boolean;
  readonly nodeLife?: Pick<NodeLifeOptions, "graceMs" | "heartbeatMs" | "tickMs">;
  readonly podGc?: { readonly threshold?: number; readonly tickMs?: number; readonly quarantineMs?: number };
  readonly defaultTolerationSeconds?: number;
  /** The first number of pods' addresses; absent = 10. With 127 programs of this machine can stand at them in the pods' place. */
  readonly podNetwork?: number;
}

/** All that lives around an API server. */
export interface World {
  readonly ledger: Ledger;
  /** The logs of containers, for the API server's front. */
  readonly logs: LogSource;
  /** What `kubectl exec` and `attach` reach; absent where containers are no programs. */
  readonly streams: StreamSource | undefined;
  readonly pods: Mirror<Pod>;
  readonly nodes: Mirror<Node>;
  addNode(spec: NodeSpec): Promise<void>;
  /** The machine dies: its containers are gone at once, and nobody says so. */
  loseNode(name: string): void;
  /** The node is cut off from the API server; its containers go on. */
  partitionNode(name: string): void;
  /** A lost or cut-off node is back. */
  returnNode(name: string): Promise<void>;
  /** The machine dies and its Node object is taken away, as an autoscaler or a cloud controller does. */
  deleteNode(name: string): Promise<void>;
  /** A person says that the machine is surely off: PodGC may then end its pods. */
  markOutOfService(name: string): Promise<void>;
  cordonNode(name: string, unschedulable: boolean): Promise<void>;
  /** As `kubectl drain` does to one pod. */
  evict(pod: Pod): Promise<void>;
  /** Names of the nodes whose kubelet works and is heard. */
  healthyNodes(): readonly string[];
  /** Ends all that runs and writes nothing any more. */
  close(): Promise<void>;
}

const stagesTiming: KubeletTiming = { admitMs: [5, 15], sandboxMs: [300, 500], observeExitMs: [0, 1_000], teardownMs: [1_000, 1_200] };
/** Real processes are waited for by people. */
const processTiming: KubeletTiming = { admitMs: 0, sandboxMs: 0, observeExitMs: 0, teardownMs: 300 };
const leaseMs = 10_000;

/** Registers the nodes and starts everything; resolves when the world has seen what there is. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const { client, clock, random } = options;
  const pods = new Mirror<Pod>({ client, resource: podResource, clock });
  const nodes = new Mirror<Node>({ client, resource: nodeResource, clock });
  const ledger = new Ledger();
  const runtime: ContainerRuntime =
    options.kubelet.kind === "stages"
      ? createStagesRuntime({ clock, random, ...(options.kubelet.behaviour === undefined ? {} : { behaviour: options.kubelet.behaviour }) })
      : createProcessRuntime({ ...options.kubelet, client, clock });
  const timing = { ...(options.kubelet.kind === "stages" ? stagesTiming : processTiming), ...options.timing };
  const kubelets = new Map<string, Kubelet>();
  const leaseTimers = new Map<string, Timer>();
  const controllers = options.nodeControllers !== false;
  let closed = false;

  const renew = (name: string): void => {
    if (closed) return;
    if (kubelets.get(name)?.connected) void renewNodeLease(client, clock, name).catch(() => undefined);
    leaseTimers.set(
      name,
      clock.after(leaseMs, () => renew(name)),
    );
  };

  const addNode = async (spec: NodeSpec): Promise<void> => {
    const index = kubelets.size;
    let address = 0;
    const kubelet = new Kubelet({
      node: spec.name,
      hostIP: spec.address ?? "127.0.0.1",
      client,
      clock,
      random,
      pods,
      nodes,
      runtime,
      timing,
      observer: options.observer === undefined ? ledger : besides(ledger, options.observer),
      nextPodIP: () => `${options.podNetwork ?? 10}.${64 + (index >> 8)}.${index & 255}.${1 + (address++ % 250)}`,
    });
    kubelets.set(spec.name, kubelet);
    await registerNode(client, clock, spec);
    // A machine that comes in the place of another under its name finds pods that are bound to it.
    kubelet.restore();
    if (options.nodeLeases) renew(spec.name);
  };

  for (const spec of options.nodes) await addNode(spec);
  // Subscribed before the first list: whoever is created first hears an event first, so the order here is part of what a seed gives.
  pods.subscribe((event) => {
    const pod = event.object;
    if (event.type === "gone") ledger.gone(pod, clock.now());
    else if (event.previous === undefined) ledger.created(pod, clock.now());
    const kubelet = kubelets.get(pod.spec.nodeName ?? "");
    if (kubelet === undefined) return;
    if (event.type === "gone") kubelet.podGone(pod);
    else kubelet.podSet(pod);
  });
  const scheduler =
    options.scheduler === false
      ? undefined
      : new Scheduler({
          client,
          clock,
          random,
          pods,
          nodes,
          ...(options.schedulerDelayMs === undefined ? {} : { delayMs: options.schedulerDelayMs }),
        });
  const nodeLife = controllers ? new NodeLife({ client, clock, pods, nodes, ...options.nodeLife }) : undefined;
  const { defaultTolerationSeconds } = options;
  const tolerations = defaultTolerationSeconds === undefined ? {} : { defaultTolerationSeconds };
  const taintEviction = controllers ? new TaintEviction({ client, clock, pods, nodes, ...tolerations }) : undefined;
  const podGc = controllers ? new PodGc({ client, clock, pods, nodes, ...options.podGc }) : undefined;
  await nodes.start();
  await pods.start();

  const kubeletOf = (name: string): Kubelet => {
    const kubelet = kubelets.get(name);
    if (kubelet === undefined) throw new RangeError(`no node "${name}" in this world`);
    return kubelet;
  };
  return {
    ledger,
    logs: runtime.logs,
    streams: runtime.streams,
    pods,
    nodes,
    addNode,
    loseNode(name) {
      kubeletOf(name).crash();
      nodeLife?.nodeSilent(name);
    },
    partitionNode(name) {
      kubeletOf(name).partition();
      nodeLife?.nodeSilent(name);
    },
    async returnNode(name) {
      kubeletOf(name).restore();
      await nodeLife?.nodeBack(name);
    },
    async deleteNode(name) {
      kubeletOf(name).crash();
      await client.delete(nodeResource, { name }).catch((error) => {
        if (statusOf(error) !== 404) throw error;
      });
      nodeLife?.nodeGone(name);
      kubelets.delete(name);
      leaseTimers.get(name)?.cancel();
    },
    markOutOfService: (name) =>
      changeTaints(client, name, (taints) => [
        ...taints.filter((taint) => taint.key !== "node.kubernetes.io/out-of-service"),
        { key: "node.kubernetes.io/out-of-service", value: "nodeshutdown", effect: "NoExecute" },
      ]),
    async cordonNode(name, unschedulable) {
      await client.patch(nodeResource, { name }, { type: "merge", body: { spec: { unschedulable: unschedulable ? true : null } } });
    },
    evict: (pod) => evictPod(client, clock, pod),
    healthyNodes: () => [...kubelets.values()].filter((kubelet) => kubelet.connected).map((kubelet) => kubelet.node),
    async close() {
      closed = true;
      scheduler?.stop();
      nodeLife?.stop();
      taintEviction?.stop();
      podGc?.stop();
      for (const timer of leaseTimers.values()) timer.cancel();
      for (const kubelet of kubelets.values()) kubelet.close();
      pods.stop();
      nodes.stop();
      await runtime.close();
    },
  };
}

/** Both are told, the first one first. */
const besides = (first: WorkObserver, second: WorkObserver): WorkObserver => ({
  started(pod, node, at) {
    first.started(pod, node, at);
    second.started(pod, node, at);
  },
  ended(pod, node, at, exits) {
    first.ended(pod, node, at, exits);
    second.ended(pod, node, at, exits);
  },
});
