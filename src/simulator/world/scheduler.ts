import type { Node, Pod, PodCondition } from "../../api/core.ts";
import type { Resource } from "../../api/resource.ts";
import { pods as podResource } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { KubeClient } from "../../kube/client.ts";
import { statusOf } from "./failure.ts";
import { formatSeconds } from "../../base/time.ts";
import type { Mirror } from "./mirror.ts";
import { matchesNode, preferenceOf, untoleratedTaint } from "../apiserver/controllers/node-fit.ts";
import { capacityOf, type Demand, demandOf, takesRoom } from "./pod-demand.ts";
import { patchPodStatus } from "./pod-write.ts";
import { draw, type Range } from "./range.ts";

export interface SchedulerOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly pods: Mirror<Pod>;
  readonly nodes: Mirror<Node>;
  /** From the pod's appearance to its binding. */
  readonly delayMs?: Range;
}

/** Wait after something changed before pods that fitted nowhere are tried again, so that many changes cost one round. */
const retryMs = 100;
/** Wait after a binding that failed for a reason of the API server's. */
const errorRetryMs = 1_000;

/**
 * Binds pods to nodes: the least loaded of the nodes that fit. It waits for changes of pods and nodes, never polls, and says why a pod
 * fits nowhere in the words of kube-scheduler. Pods with scheduling gates are left alone until the gates are gone.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  /** What is taken of each node, by node name. */
  readonly #used = new Map<string, Demand>();
  /** Where each pod takes room, and how much: by pod UID. */
  readonly #places = new Map<string, { readonly node: string; readonly demand: Demand }>();
  /** Pods that wait for a node, by UID, oldest first. */
  readonly #waiting = new Map<string, { readonly namespace: string | undefined; readonly name: string; unschedulable: boolean }>();
  #retryArmed = false;
  #stopped = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    options.pods.subscribe((event) => {
      if (event.type === "gone") this.#forget(event.object);
      else this.#notice(event.object);
    });
    options.nodes.subscribe((event) => {
      const affects = event.type === "set" && (event.previous === undefined || placementChanged(event.previous, event.object));
      if (affects) this.#retrySoon();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  #notice(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== "") {
      this.#waiting.delete(uid);
      if (takesRoom(pod)) this.#take(uid, pod.spec.nodeName, demandOf(pod));
      else this.#release(uid);
      return;
    }
    const gated = (pod.spec.schedulingGates?.length ?? 0) > 0;
    if (gated || pod.metadata.deletionTimestamp !== undefined || !takesRoom(pod)) {
      this.#waiting.delete(uid);
      return;
    }
    if (this.#waiting.has(uid)) return;
    this.#waiting.set(uid, { namespace: pod.metadata.namespace, name: pod.metadata.name, unschedulable: false });
    this.#tryAfter(uid, draw(this.#options.delayMs ?? [5, 15], this.#options.random));
  }

  #forget(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    this.#waiting.delete(uid);
    this.#release(uid);
  }

  #take(uid: string, node: string, demand: Demand): void {
    if (this.#places.has(uid)) return;
    this.#places.set(uid, { node, demand });
    this.#used.set(node, plus(this.#used.get(node), demand, 1));
  }

  #release(uid: string): void {
    const place = this.#places.get(uid);
    if (place === undefined) return;
    this.#places.delete(uid);
    this.#used.set(place.node, plus(this.#used.get(place.node), place.demand, -1));
    this.#retrySoon();
  }

  #retrySoon(): void {
    if (this.#retryArmed) return;
    if (![...this.#waiting.values()].some((entry) => entry.unschedulable)) return;
    this.#retryArmed = true;
    this.#options.clock.after(retryMs, () => {
      this.#retryArmed = false;
      for (const [uid, entry] of [...this.#waiting]) if (entry.unschedulable) void this.#schedule(uid);
    });
  }

  #tryAfter(uid: string, delayMs: number): void {
    this.#options.clock.after(delayMs, () => void this.#schedule(uid));
  }

  async #schedule(uid: string): Promise<void> {
    const entry = this.#waiting.get(uid);
    if (entry === undefined || this.#stopped) return;
    const pod = this.#options.pods.get(entry.namespace, entry.name);
    if (pod === undefined || pod.metadata.uid !== uid) return;
    entry.unschedulable = false;
    const demand = demandOf(pod);
    const choice = this.#choose(pod, demand);
    if (typeof choice !== "string") {
      entry.unschedulable = true;
      await this.#reportUnschedulable(pod, choice.message);
      return;
    }
    // Room is taken before the binding is sent: the next pod is placed while this one is under way.
    this.#take(uid, choice, demand);
    try {
      await this.#options.client.create(bindingOf(pod.metadata.name), {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name: pod.metadata.name, ...(entry.namespace === undefined ? {} : { namespace: entry.namespace }), uid },
        target: { apiVersion: "v1", kind: "Node", name: choice },
      } as never);
    } catch (error) {
      const known = this.#options.pods.get(entry.namespace, entry.name);
      if (known?.spec.nodeName === undefined || known.spec.nodeName === "") this.#release(uid);
      if (statusOf(error) !== 404 && this.#waiting.has(uid)) this.#tryAfter(uid, errorRetryMs);
    }
  }

  /** The node with the most room, or the sentence that says why there is none. */
  #choose(pod: Pod, demand: Demand): string | { readonly message: string } {
    const reasons = new Map<string, number>();
    const refuse = (reason: string) => reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    let best: { readonly name: string; readonly score: number } | undefined;
    let total = 0;
    for (const node of this.#options.nodes.values()) {
      total++;
      const reason = this.#refusal(pod, demand, node);
      if (reason !== undefined) {
        refuse(reason);
        continue;
      }
      const used = this.#used.get(node.metadata.name) ?? noDemand;
      const capacity = capacityOf(node.status?.allocatable);
      const avoided = untoleratedTaint(pod, node.spec?.taints ?? [], ["PreferNoSchedule"]) === undefined ? 0 : 1_000;
      const score = 1_000 * preferenceOf(pod, node) - avoided - loadOf(used, demand, capacity);
      const wins = best === undefined || score > best.score || (score === best.score && node.metadata.name < best.name);
      if (wins) best = { name: node.metadata.name, score };
    }
    if (best !== undefined) return best.name;
    if (total === 0) return { message: "no nodes available to schedule pods" };
    const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
    const preemption = `preemption: 0/${total} nodes are available: ${total} Preemption is not helpful for scheduling.`;
    return { message: `0/${total} nodes are available: ${parts.join(", ")}. ${preemption}` };
  }

  #refusal(pod: Pod, demand: Demand, node: Node): string | undefined {
    const taints = node.spec?.taints ?? [];
    if (node.spec?.unschedulable) {
      const cordon = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" } as const;
      if (untoleratedTaint(pod, [cordon], ["NoSchedule"]) !== undefined) return "node(s) were unschedulable";
    }
    const taint = untoleratedTaint(pod, taints, ["NoSchedule", "NoExecute"]);
    if (taint !== undefined) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`;
    if (!matchesNode(pod, node)) return "node(s) didn't match Pod's node affinity/selector";
    const used = this.#used.get(node.metadata.name) ?? noDemand;
    const capacity = capacityOf(node.status?.allocatable);
    if (used.pods + 1 > capacity.pods) return "Too many pods";
    if (demand.cpu > 0 && used.cpu + demand.cpu > capacity.cpu + 1e-9) return "Insufficient cpu";
    if (demand.memory > 0 && used.memory + demand.memory > capacity.memory) return "Insufficient memory";
    return undefined;
  }

  async #reportUnschedulable(pod: Pod, message: string): Promise<void> {
    const { client, clock, pods } = this.#options;
    const held = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
    if (held?.reason === "Unschedulable" && held.message === message) return;
    const condition: PodCondition = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      lastProbeTime: null,
      lastTransitionTime: held?.status === "False" ? (held.lastTransitionTime ?? formatSeconds(clock.now())) : formatSeconds(clock.now()),
    };
    try {
      const written = await patchPodStatus(client, pod, (latest) =>
        latest.spec.nodeName === undefined || latest.spec.nodeName === ""
          ? { conditions: [...(latest.status?.conditions ?? []).filter((each) => each.type !== "PodScheduled"), condition] }
          : undefined,
      );
      if (written !== undefined) pods.observe(written);
    } catch {
      // The reason is for people; the pod is tried again at the next change anyway.
    }
  }
}

const noDemand: Demand = { cpu: 0, memory: 0, pods: 0 };

function plus(left: Demand | undefined, right: Demand, sign: 1 | -1): Demand {
  const base = left ?? noDemand;
  return { cpu: base.cpu + sign * right.cpu, memory: base.memory + sign * right.memory, pods: base.pods + sign * right.pods };
}

/** How full the node would be, 0 to 1 a dimension; pods alone count little, so that nodes without requests are still used evenly. */
function loadOf(used: Demand, demand: Demand, capacity: Demand): number {
  const share = (taken: number, all: number) => (all === Number.POSITIVE_INFINITY || all === 0 ? 0 : taken / all);
  const cpu = share(used.cpu + demand.cpu, capacity.cpu);
  const memory = share(used.memory + demand.memory, capacity.memory);
  return cpu + memory + 0.01 * (used.pods + 1);
}

function placementChanged(before: Node, after: Node): boolean {
  const facts = (node: Node) =>
    JSON.stringify([node.spec?.unschedulable, node.spec?.taints, node.metadata.labels, node.status?.allocatable]);
  return facts(before) !== facts(after);
}

/** The `binding` subresource of one pod, addressed as a collection: that is where a Binding is posted. */
function bindingOf(pod: string): Resource {
  return { ...podResource, plural: `${podResource.plural}/${encodeURIComponent(pod)}/binding`, kind: "Binding" };
}
