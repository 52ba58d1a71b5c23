import type { Node, Pod } from "../../api/core.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { ContainerRuntime } from "./container-runtime.ts";
import type { Mirror } from "./mirror.ts";
import { matchesNode } from "../apiserver/controllers/node-fit.ts";
import { capacityOf, demandOf } from "./pod-demand.ts";
import { type ResizeRefusal, resizeRefusal } from "./pod-resize.ts";
import { PodStatusWriter } from "./pod-status-writer.ts";
import { type KubeletTiming, PodWorker, type WorkObserver } from "./pod-worker.ts";

export interface KubeletOptions {
  readonly node: string;
  readonly hostIP: string;
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly pods: Mirror<Pod>;
  readonly nodes: Mirror<Node>;
  readonly runtime: ContainerRuntime;
  readonly timing: KubeletTiming;
  readonly observer?: WorkObserver | undefined;
  /** Makes up the address of a pod on this node. */
  readonly nextPodIP: () => string;
}

interface Entry {
  readonly worker: PodWorker;
  readonly writer: PodStatusWriter;
  over: boolean;
  gone: boolean;
}

/**
 * The agent of one node: one worker for each pod that is bound to it. It can be cut off from the API server, when it hears and says
 * nothing while its containers go on, and it can die with its machine.
 */
export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #entries = new Map<string, Entry>();
  #connected = true;
  #alive = true;

  constructor(options: KubeletOptions) {
    this.#options = options;
  }

  get node(): string {
    return this.#options.node;
  }

  /** Whether it hears and is heard. */
  get connected(): boolean {
    return this.#connected && this.#alive;
  }

  /** How many pods it works on. */
  get podCount(): number {
    return [...this.#entries.values()].filter((entry) => !entry.over).length;
  }

  /** A pod of this node was added or changed. */
  podSet(pod: Pod): void {
    if (!this.connected) return;
    const uid = pod.metadata.uid ?? "";
    const entry = this.#entries.get(uid);
    if (entry !== undefined) {
      entry.writer.observe(pod);
      entry.worker.update(pod);
      return;
    }
    if (pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") return;
    this.#add(uid, pod);
  }

  /** The object of a pod of this node is gone. */
  podGone(pod: Pod): void {
    if (!this.connected) return;
    this.#drop(pod.metadata.uid ?? "");
  }

  /** Cuts the node off: its containers go on. */
  partition(): void {
    this.#connected = false;
  }

  /** The machine stops: its containers are dead at once. */
  crash(): void {
    this.#alive = false;
    for (const { worker } of this.#entries.values()) worker.machineLost();
  }

  /** Undoes `partition` and `crash`: what happened meanwhile is caught up with. */
  restore(): void {
    const rebooted = !this.#alive;
    this.#alive = true;
    this.#connected = true;
    for (const [uid, entry] of [...this.#entries]) {
      const { pod } = entry.worker;
      const now = this.#options.pods.get(pod.metadata.namespace, pod.metadata.name);
      const gone = now === undefined || now.metadata.uid !== uid;
      if (gone) {
        this.#drop(uid);
        continue;
      }
      entry.writer.observe(now);
      // After a reboot there is nothing left to end: the object's wish to go is met by the final report.
      if (rebooted) entry.worker.machineBack(now);
      else {
        entry.worker.update(now);
        entry.worker.resync();
      }
      entry.writer.reconnected();
    }
    for (const pod of this.#options.pods.values()) if (pod.spec.nodeName === this.node) this.podSet(pod);
  }

  /** Writes nothing any more. What still runs is the runtime's to end. */
  close(): void {
    for (const { worker } of this.#entries.values()) worker.close();
    this.#alive = false;
    for (const { writer } of this.#entries.values()) writer.stop();
  }

  #add(uid: string, pod: Pod): void {
    const { client, clock, random, runtime, timing, observer, hostIP, node, pods } = this.#options;
    const writer = new PodStatusWriter({
      client,
      clock,
      pod,
      connected: () => this.connected,
      written: (stored) => pods.observe(stored),
    });
    const wasStarted = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].some(
      (status) => status.containerID !== undefined && status.containerID !== "",
    );
    const worker = new PodWorker({
      pod,
      node,
      hostIP,
      podIP: runtime.podIP?.(pod) ?? this.#options.nextPodIP(),
      runtime,
      writer,
      clock,
      random,
      timing,
      observer,
      refusal: runtime.admit?.(pod) ?? this.#refusal(pod),
      adopted: wasStarted,
      resizeRefusal: (now) => this.#resizeRefusal(uid, now),
      done: () => {
        const entry = this.#entries.get(uid);
        if (entry === undefined) return;
        entry.over = true;
        // its room is free for resizes that wait
        for (const other of this.#entries.values()) if (!other.over) other.worker.retryResize();
        if (entry.gone) this.#forget(uid, entry);
      },
    });
    this.#entries.set(uid, { worker, writer, over: false, gone: false });
    worker.start();
    if (pod.metadata.deletionTimestamp !== undefined) worker.update(pod);
  }

  #drop(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.gone = true;
    if (entry.over) this.#forget(uid, entry);
    else entry.worker.objectGone();
  }

  #forget(uid: string, entry: Entry): void {
    this.#entries.delete(uid);
    entry.writer.stop();
    this.#options.runtime.forget(entry.worker.pod);
  }

  #resizeRefusal(uid: string, pod: Pod): ResizeRefusal | undefined {
    const others = [...this.#entries].filter(([other, entry]) => other !== uid && !entry.over).map(([, { worker }]) => worker.demand);
    return resizeRefusal(pod, this.#options.nodes.get(undefined, this.node), others);
  }

  /** A kubelet checks itself what the scheduler promised: pods may be bound by others. */
  #refusal(pod: Pod): { readonly reason: string; readonly message: string } | undefined {
    const node = this.#options.nodes.get(undefined, this.node);
    if (node === undefined) return undefined;
    if (!matchesNode(pod, node)) {
      return { reason: "NodeAffinity", message: "Pod was rejected: Predicate NodeAffinity failed" };
    }
    const capacity = capacityOf(node.status?.allocatable);
    const wanted = demandOf(pod);
    let cpu = 0;
    let memory = 0;
    let count = 0;
    for (const { worker, over } of this.#entries.values()) {
      if (over) continue;
      const { demand } = worker;
      cpu += demand.cpu;
      memory += demand.memory;
      count += 1;
    }
    const refuse = (resource: string, requested: number, used: number, limit: number) => ({
      reason: `OutOf${resource}`,
      message: `Pod was rejected: Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${limit}`,
    });
    if (count + 1 > capacity.pods) return refuse("pods", 1, count, capacity.pods);
    if (cpu + wanted.cpu > capacity.cpu + 1e-9)
      return refuse("cpu", Math.ceil(wanted.cpu * 1_000), Math.ceil(cpu * 1_000), capacity.cpu * 1_000);
    if (memory + wanted.memory > capacity.memory) return refuse("memory", wanted.memory, memory, capacity.memory);
    return undefined;
  }
}
