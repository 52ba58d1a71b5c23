import type { Node, Pod } from "../../api/core.ts";
import { nodes as nodeResource } from "../../api/resource.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { KubeClient } from "../../kube/client.ts";
import { statusOf } from "./failure.ts";
import type { Mirror } from "./mirror.ts";
import { takesRoom } from "./pod-demand.ts";
import { disruptPod } from "./pod-write.ts";

export interface PodGcOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly pods: Mirror<Pod>;
  readonly nodes: Mirror<Node>;
  /** Finished pods kept in the whole cluster; absent = 12,500. */
  readonly threshold?: number;
  /** How often it looks; absent = 20 s. */
  readonly tickMs?: number;
  /** How long a node must be gone before its pods are orphans; absent = 40 s. */
  readonly quarantineMs?: number;
}

const outOfServiceTaint = "node.kubernetes.io/out-of-service";

/**
 * PodGC of the controller manager: the oldest finished pods beyond the threshold, recorded or not; pods of nodes that are gone; pods that
 * are being deleted and were never bound; pods that are being deleted on nodes that are out of service. It looks every 20 s, and only
 * while there is something to look at.
 */
export class PodGc {
  readonly #options: PodGcOptions;
  readonly #startedAt: number;
  readonly #goneSince = new Map<string, number>();
  readonly #finished = new Set<string>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: PodGcOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    options.pods.subscribe((event) => {
      const key = event.object.metadata.uid ?? "";
      if (event.type === "gone" || takesRoom(event.object)) this.#finished.delete(key);
      else this.#finished.add(key);
      if (event.type === "set" && this.#concerns(event.object)) this.#arm();
    });
    options.nodes.subscribe((event) => {
      const name = event.object.metadata.name;
      if (event.type === "gone") this.#goneSince.set(name, options.clock.now());
      else this.#goneSince.delete(name);
      this.#arm();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #concerns(pod: Pod): boolean {
    if (this.#finished.size > (this.#options.threshold ?? 12_500)) return true;
    const node = pod.spec.nodeName ?? "";
    if (pod.metadata.deletionTimestamp !== undefined) return node === "" || this.#isOutOfService(node);
    return node !== "" && this.#options.nodes.get(undefined, node) === undefined;
  }

  #isOutOfService(name: string): boolean {
    const node = this.#options.nodes.get(undefined, name);
    const ready = node?.status?.conditions?.find((condition) => condition.type === "Ready")?.status === "True";
    return node !== undefined && !ready && (node.spec?.taints ?? []).some((taint) => taint.key === outOfServiceTaint);
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    const { clock, tickMs = 20_000 } = this.#options;
    const elapsed = clock.now() - this.#startedAt;
    this.#timer = clock.after(tickMs - (elapsed % tickMs), () => void this.#look());
  }

  async #look(): Promise<void> {
    try {
      await this.#collectFinished();
      await this.#collectOrphans();
      await this.#collectUnscheduledAndOutOfService();
    } catch {
      // An API error: the next look repeats what was left.
    }
    this.#timer = undefined;
    for (const pod of this.#options.pods.values()) {
      if (!this.#concerns(pod)) continue;
      this.#arm();
      return;
    }
  }

  async #collectFinished(): Promise<void> {
    const excess = this.#finished.size - (this.#options.threshold ?? 12_500);
    if (excess <= 0) return;
    const finished = [...this.#options.pods.values()].filter((pod) => !takesRoom(pod) && pod.metadata.deletionTimestamp === undefined);
    finished.sort((a, b) => compare(a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "") || compare(keyOf(a), keyOf(b)));
    for (const pod of finished.slice(0, excess)) await this.#remove(pod, "PodGC: too many finished pods");
  }

  async #collectOrphans(): Promise<void> {
    const { client, clock, nodes, pods, quarantineMs = 40_000 } = this.#options;
    for (const pod of [...pods.values()]) {
      const name = pod.spec.nodeName ?? "";
      if (name === "" || nodes.get(undefined, name) !== undefined) continue;
      const since = this.#goneSince.get(name);
      if (since === undefined) this.#goneSince.set(name, clock.now());
      if (since === undefined || clock.now() - since < quarantineMs) continue;
      const exists = await client.get(nodeResource, { name }).then(
        () => true,
        (error) => {
          if (statusOf(error) === 404) return false;
          throw error;
        },
      );
      if (!exists) await this.#remove(pod, "PodGC: node no longer exists");
    }
  }

  async #collectUnscheduledAndOutOfService(): Promise<void> {
    for (const pod of [...this.#options.pods.values()]) {
      if (pod.metadata.deletionTimestamp === undefined) continue;
      const node = pod.spec.nodeName ?? "";
      if (node === "") await this.#remove(pod, "PodGC: pod was never scheduled");
      else if (this.#isOutOfService(node)) await this.#remove(pod, "PodGC: node is out of service");
    }
  }

  async #remove(pod: Pod, message: string): Promise<void> {
    const { client, clock } = this.#options;
    await disruptPod(client, clock, pod, { reason: "DeletionByPodGC", message, gracePeriodSeconds: 0, fail: true });
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function keyOf(pod: Pod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}
