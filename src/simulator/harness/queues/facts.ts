import { selects } from "../../../api/label-selector.ts";
import type { Node, Pod } from "../../../api/core.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { annotations, labels, queueGate } from "../../../api/names.ts";
import { hasEnded } from "../../../api/pod-end.ts";
import { workRef } from "../../../api/queue-explanation.ts";
import { namespaces, nodes, pods, resourceName, tenantQueues } from "../../../api/resource.ts";
import type { TenantQueue, TenantQueueSpec } from "../../../api/tenant-queue.gen.ts";
import { getOrMake } from "../../../base/map.ts";
import type { Commit } from "../../apiserver/api-server.ts";
import { capacityOf, demandOf } from "../../world/pod-demand.ts";

/** Thousandths of a core, and pods: all that queues of a simulation bound. */
export interface Amount {
  readonly cpu: number;
  readonly pods: number;
}

export const resources = ["cpu", "pods"] as const;

/** A pod that carries the label of a queue. Instants are milliseconds since the epoch; absent = it has not happened. */
export interface QueuedPodFacts extends Amount {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly queue: string;
  /** Of a run `<job uid>/<run>`, else `<namespace>/<kind>.<name>`: what ids of workloads begin with. */
  readonly workload: string;
  /** The UID of the job; absent = it is somebody else's pod. */
  readonly jobUid?: string;
  readonly createdAt: number;
  /** When it began to take its share: created without the gate, or released. */
  begunAt?: number;
  /** When nothing of it ran any more, or it was gone. */
  endedAt?: number;
  object: Pod;
}

export interface WorkloadFacts {
  readonly id: string;
  /** What `<ref>/<part>` of it begins with in the status of queues; of a run all of it. */
  readonly told: string;
  readonly queue: string;
  readonly jobUid?: string;
  readonly pods: QueuedPodFacts[];
  /** When the first of its pods began. */
  begunAt?: number;
}

/** A queue as it is stored. */
export interface QueueFacts {
  readonly name: string;
  spec: TenantQueueSpec;
  object: TenantQueue;
  readonly createdAt: number;
  /** When it, or one above it, last came to have less room or more in it than before. */
  tightenedAt: number;
  /** Since when the stop policy of it and all above it lets new work in; absent = it does not. */
  openSince?: number;
  /** Since when it does not; absent = it does. */
  heldSince?: number;
}

interface NodeRoom extends Amount {
  readonly ready: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

const noAmount: Amount = { cpu: 0, pods: 0 };

/** What the API server stored of queues, and of what takes part in them: never what the operator believes. */
export class QueueHistory {
  readonly #now: () => number;
  readonly #isOver: (uid: string) => boolean;
  readonly queues = new Map<string, QueueFacts>();
  readonly pods = new Map<string, QueuedPodFacts>();
  readonly workloads = new Map<string, WorkloadFacts>();
  /** Those that may take a share now: begun, and not ended. */
  readonly live = new Set<QueuedPodFacts>();
  readonly #namespaces = new Map<string, Readonly<Record<string, string>>>();
  readonly #namespaceUids = new Map<string, string>();
  /** Since when a namespace may not use a queue, by both. */
  readonly #closedSince = new Map<string, number>();
  readonly #nodes = new Map<string, NodeRoom>();
  readonly #foreign = new Map<string, { readonly node: string } & Amount>();
  #capacities = new Map<string, Amount>();
  /** When guarantees, parents or lending of any queue last changed, or there came to be less capacity. */
  guaranteesChangedAt = Number.NEGATIVE_INFINITY;

  /** @param isOver whether a run's pod cannot be at work any more, as far as the API tells: its node is gone */
  constructor(now: () => number, isOver: (uid: string) => boolean) {
    this.#now = now;
    this.#isOver = isOver;
  }

  /** Takes a commit in. Returns the pod that began to take a share by it. */
  observe(commit: Commit): QueuedPodFacts | undefined {
    const kind = resourceName(commit.resource);
    if (kind === resourceName(pods)) return this.#observePod(commit);
    if (kind === resourceName(tenantQueues)) this.#observeQueue(commit);
    else if (kind === resourceName(namespaces)) this.#observeNamespace(commit);
    else if (kind === resourceName(nodes)) this.#observeNode(commit);
    return undefined;
  }

  /** From a queue to its root; undefined when it has no place in a tree. */
  pathOf(name: string): readonly QueueFacts[] | undefined {
    const path: QueueFacts[] = [];
    for (let next: string | undefined = name; next !== undefined; next = path.at(-1)?.spec.parent) {
      const queue = this.queues.get(next);
      if (queue === undefined || path.includes(queue)) return undefined;
      path.push(queue);
    }
    return path;
  }

  childrenOf(name: string): readonly QueueFacts[] {
    return [...this.queues.values()].filter(({ spec }) => spec.parent === name);
  }

  isLeaf(name: string): boolean {
    return this.queues.has(name) && this.childrenOf(name).length === 0;
  }

  /** Whether a namespace may use the queue. */
  isOpen(queue: string, namespace: string): boolean {
    const selector = this.queues.get(queue)?.spec.namespaceSelector;
    const own = this.#namespaces.get(namespace);
    return selector !== undefined && own !== undefined && this.isLeaf(queue) && selects(selector, own);
  }

  /** Since when it may not; undefined = it may. */
  closedSince(queue: string, namespace: string): number | undefined {
    return this.isOpen(queue, namespace) ? undefined : this.#closedSince.get(`${queue} ${namespace}`);
  }

  /** Whether the queue counts the pod: somebody else's only while his namespace may use it. */
  isCounted(pod: QueuedPodFacts): boolean {
    return this.live.has(pod) && (pod.jobUid !== undefined ? !this.#isOver(pod.uid) : this.isOpen(pod.queue, pod.namespace));
  }

  /** What a queue uses with all beneath it: live pods. */
  usedOf(name: string, isOf: (pod: QueuedPodFacts) => boolean = () => true): Amount {
    let sum = noAmount;
    const known = new Map<string, boolean>();
    for (const pod of this.live) {
      let isBeneath = known.get(pod.queue);
      if (isBeneath === undefined) {
        isBeneath = this.pathOf(pod.queue)?.some((queue) => queue.name === name) ?? false;
        known.set(pod.queue, isBeneath);
      }
      if (isBeneath && this.isCounted(pod) && isOf(pod)) sum = plus(sum, pod);
    }
    return sum;
  }

  /** Workloads with live pods in a queue and beneath. */
  runningIn(name: string): number {
    const running = new Set<string>();
    for (const pod of this.live)
      if (this.isCounted(pod) && (this.pathOf(pod.queue)?.some((queue) => queue.name === name) ?? false)) running.add(pod.workload);
    return running.size;
  }

  /** What there is to share in a tree: what its ready nodes have, less what pods use that are not of it. */
  capacityOf(root: string): Amount {
    return this.#capacities.get(root) ?? noAmount;
  }

  /** Whether its queue counts it; else it takes from the capacity. */
  #isOwn(pod: QueuedPodFacts): boolean {
    return (pod.jobUid !== undefined || this.isOpen(pod.queue, pod.namespace)) && this.pathOf(pod.queue) !== undefined;
  }

  #reckonCapacities(): void {
    const before = this.#capacities;
    this.#capacities = new Map();
    const others = new Map<string, Amount>();
    for (const { node, ...amount } of this.#foreign.values()) others.set(node, plus(others.get(node) ?? noAmount, amount));
    for (const pod of this.live) {
      const node = pod.object.spec.nodeName;
      if (node !== undefined && !this.#isOwn(pod)) others.set(node, plus(others.get(node) ?? noAmount, pod));
    }
    for (const root of this.queues.values()) {
      if (root.spec.parent !== undefined) continue;
      const capacity = this.#capacityNow(root.spec, others);
      const known = before.get(root.name) ?? noAmount;
      this.#capacities.set(root.name, capacity);
      if (capacity.cpu >= known.cpu && capacity.pods >= known.pods) continue;
      root.tightenedAt = this.#now();
      this.guaranteesChangedAt = this.#now();
    }
  }

  #capacityNow({ capacity }: TenantQueueSpec, others: ReadonlyMap<string, Amount>): Amount {
    if (capacity?.resources !== undefined) return { ...amountOf(capacity.resources, Number.POSITIVE_INFINITY) };
    let sum = noAmount;
    for (const [name, room] of this.#nodes) {
      if (!room.ready || Object.entries(capacity?.nodeSelector ?? {}).some(([key, value]) => room.labels[key] !== value)) continue;
      const other = others.get(name) ?? noAmount;
      sum = plus(sum, { cpu: Math.max(0, room.cpu - other.cpu), pods: Math.max(0, room.pods - other.pods) });
    }
    return sum;
  }

  #observePod(commit: Commit): QueuedPodFacts | undefined {
    const pod = commit.object as unknown as Pod;
    const uid = pod.metadata.uid as string;
    const ended = commit.type === "DELETED" || hasEnded(pod);
    const queue = pod.metadata.labels?.[labels.queue];
    if (queue === undefined) {
      this.#observeStranger(uid, pod, ended);
      return undefined;
    }
    const facts = getOrMake(this.pods, uid, () => this.#newPod(pod, uid, queue));
    const wasBound = facts.object.spec.nodeName !== undefined;
    facts.object = pod;
    if (ended) {
      facts.endedAt ??= this.#now();
      if (this.live.delete(facts) && !this.#isOwn(facts)) this.#reckonCapacities();
      return undefined;
    }
    const isGated = pod.spec.schedulingGates?.some(({ name }) => name === queueGate) ?? false;
    if (facts.begunAt !== undefined || isGated) {
      if (!wasBound && pod.spec.nodeName !== undefined && !this.#isOwn(facts)) this.#reckonCapacities();
      return undefined;
    }
    facts.begunAt = this.#now();
    this.live.add(facts);
    const workload = this.workloads.get(facts.workload) as WorkloadFacts;
    workload.begunAt ??= facts.begunAt;
    return facts;
  }

  #newPod(pod: Pod, uid: string, queue: string): QueuedPodFacts {
    const own = pod.metadata.labels ?? {};
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
    const namespace = pod.metadata.namespace as string;
    const jobUid = own[labels.jobUid];
    const group = own[labels.podGroup];
    const [kind, name] =
      group !== undefined ? ["PodGroup", group] : owner !== undefined ? [owner.kind, owner.name] : ["Pod", pod.metadata.name];
    const facts: QueuedPodFacts = {
      ...amountOfPod(pod),
      uid,
      name: pod.metadata.name,
      namespace,
      queue,
      workload: jobUid === undefined ? `${namespace}/${kind}.${name}` : `${jobUid}/${own[labels.run]}`,
      ...(jobUid !== undefined && { jobUid }),
      createdAt: this.#now(),
      object: pod,
    };
    const workload = getOrMake(this.workloads, facts.workload, (): WorkloadFacts => {
      const told =
        jobUid === undefined
          ? `${workRef(`${this.#namespaceUids.get(namespace)} ${facts.workload}`)}/`
          : `${workRef(jobUid)}/${own[labels.run]}`;
      return { id: facts.workload, told, queue, ...(jobUid !== undefined && { jobUid }), pods: [] };
    });
    workload.pods.push(facts);
    return facts;
  }

  /** A pod of no queue takes from the capacity once it is bound. */
  #observeStranger(uid: string, pod: Pod, ended: boolean): void {
    const node = pod.spec.nodeName;
    const isKnown = this.#foreign.has(uid);
    if (node === undefined || ended === !isKnown) return;
    if (ended) this.#foreign.delete(uid);
    else this.#foreign.set(uid, { node, ...amountOfPod(pod) });
    this.#reckonCapacities();
  }

  #observeQueue({ type, object }: Commit): void {
    const queue = object as unknown as TenantQueue;
    const { name } = queue.metadata;
    if (type === "DELETED") {
      this.queues.delete(name);
      this.guaranteesChangedAt = this.#now();
      this.#reckonCapacities();
      return;
    }
    const known = this.queues.get(name);
    if (known !== undefined && JSON.stringify(known.spec) === JSON.stringify(queue.spec)) {
      known.object = queue;
      return;
    }
    const now = this.#now();
    const facts = getOrMake(this.queues, name, (): QueueFacts => {
      return { name, spec: queue.spec, object: queue, createdAt: now, tightenedAt: now };
    });
    const before = known === undefined ? undefined : facts.spec;
    facts.spec = queue.spec;
    facts.object = queue;
    const isMoved = before?.parent !== queue.spec.parent;
    if (isMoved) for (const each of this.pathOf(name) ?? []) each.tightenedAt = now;
    if (isTighter(before, queue.spec)) facts.tightenedAt = now;
    const text = (spec: TenantQueueSpec | undefined) => JSON.stringify([spec?.guaranteed, spec?.lend, spec?.max]);
    if (isMoved || text(before) !== text(queue.spec)) this.guaranteesChangedAt = now;
    for (const each of this.queues.values()) {
      const isHeld = this.pathOf(each.name)?.some(({ spec }) => (spec.stopPolicy ?? "None") !== "None") ?? false;
      if (isHeld) each.heldSince ??= now;
      else delete each.heldSince;
    }
    this.#noteOpenings();
    this.#reckonCapacities();
  }

  #observeNamespace({ type, object }: Commit): void {
    if (type === "DELETED") this.#namespaces.delete(object.metadata.name);
    else this.#namespaces.set(object.metadata.name, (object as unknown as KubeObject).metadata.labels ?? {});
    this.#namespaceUids.set(object.metadata.name, object.metadata.uid as string);
    this.#noteOpenings();
    this.#reckonCapacities();
  }

  /** What was closed counts again where it is opened. */
  #noteOpenings(): void {
    for (const namespace of this.#namespaces.keys()) {
      for (const queue of this.queues.values()) {
        const key = `${queue.name} ${namespace}`;
        if (!this.isOpen(queue.name, namespace)) {
          if (!this.#closedSince.has(key)) this.#closedSince.set(key, this.#now());
        } else if (this.#closedSince.delete(key)) {
          for (const each of this.pathOf(queue.name) ?? []) each.tightenedAt = this.#now();
        }
      }
    }
  }

  #observeNode({ type, object }: Commit): void {
    const { metadata, spec, status } = object as unknown as Node;
    const had = JSON.stringify(this.#nodes.get(metadata.name));
    if (type === "DELETED") this.#nodes.delete(metadata.name);
    else {
      const { cpu, pods: places } = capacityOf(status?.allocatable);
      const isReady = status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
      const isTainted = (spec?.taints ?? []).some(({ effect }) => effect === "NoSchedule" || effect === "NoExecute");
      const ready = isReady && !isTainted && spec?.unschedulable !== true && metadata.deletionTimestamp === undefined;
      this.#nodes.set(metadata.name, { cpu: Math.round(cpu * 1000), pods: places, ready, labels: metadata.labels ?? {} });
    }
    if (JSON.stringify(this.#nodes.get(metadata.name)) !== had) this.#reckonCapacities();
  }
}

/** Quantities of a spec; what it does not name is `absent`. */
export function amountOf(quantities: Readonly<Record<string, string | number>> | undefined, absent: number): Amount {
  const { cpu, pods: places } = capacityOf(quantities as Readonly<Record<string, string>> | undefined);
  return {
    cpu: quantities?.["cpu"] === undefined ? absent : Math.round(cpu * 1000),
    pods: quantities?.["pods"] === undefined ? absent : places,
  };
}

export function plus(left: Amount, right: Amount): Amount {
  return { cpu: left.cpu + right.cpu, pods: left.pods + right.pods };
}

/** Whether the pod says that its group begins together, and of how many pods it is. */
export function groupSizeOf({ object }: QueuedPodFacts): number {
  return Number(object.metadata.labels?.[labels.podGroupTotal] ?? 1);
}

/** Items with which a run stood admitted when the pod was created. */
export function admittedWith({ object }: QueuedPodFacts): number {
  const text = object.metadata.annotations?.[annotations.run];
  return text === undefined ? 0 : ((JSON.parse(text) as { readonly admitted?: number }).admitted ?? 0);
}

function amountOfPod(pod: Pod): Amount {
  return { cpu: Math.round(demandOf(pod).cpu * 1000), pods: 1 };
}

function isTighter(before: TenantQueueSpec | undefined, after: TenantQueueSpec): boolean {
  const none = Number.POSITIVE_INFINITY;
  const [had, has] = [amountOf(before?.max, none), amountOf(after.max, none)];
  const [ran, runs] = [before?.limits?.running ?? none, after.limits?.running ?? none];
  return has.cpu < had.cpu || has.pods < had.pods || runs < ran;
}
