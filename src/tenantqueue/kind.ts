import type { Admission, WorkloadOwner } from "../api/admission.ts";
import type { Namespace, Node, Pod } from "../api/core.ts";
import type { KubeObject, ObjectRef } from "../api/meta.ts";
import { eventReasons } from "../api/reasons.ts";
import { namespaces, nodes, pods, tenantQueues } from "../api/resource.ts";
import type { TenantQueue } from "../api/tenant-queue.gen.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import { createInformer, type Informer } from "../kube/informer.ts";
import type { Change } from "../kube/store.ts";
import type { EventSink } from "../runtime/action-handlers.ts";
import { createGetReviewer } from "../runtime/access-review.ts";
import type { Controller } from "../runtime/controller.ts";
import type { ControllerLoop } from "../runtime/controller-loop.ts";
import type { JsonEndpoint } from "../runtime/json-server.ts";
import type { ManagedInformer } from "../runtime/manager.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { createTokenReviewer } from "../runtime/token-review.ts";
import { AdmissionCycle } from "./admission-cycle.ts";
import type { QueueWorld } from "../validation/queue-tree.ts";
import { createTenantQueueController, type ObservedQueueStatus } from "./controller.ts";
import { createExplainEndpoint } from "./explain-endpoint.ts";
import { Explainer, type ExplainerOptions } from "./explainer.ts";
import { Ledger } from "./ledger.ts";
import { NodeUsage } from "./node-usage.ts";
import { type QueuePod, queuePod } from "./queue-pod.ts";
import { type ReclaimRecord, Reclaims } from "./reclaims.ts";
import { type PoolNode, poolNode } from "./rules/capacity.ts";
import { planWorld, type World } from "./world.ts";
import { StatusBoard } from "./status-board.ts";
import { whenNeeded } from "../runtime/when-needed.ts";

export interface TenantQueueKindOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly recorder: EventSink;
  readonly onError: (error: unknown) => void;
  /** Whether anything may be admitted in this very moment (decision 61). */
  readonly mayDecide: () => boolean;
  /** An answer to a workload of it has changed. */
  readonly onAnswer: (owner: WorkloadOwner) => void;
  /** See ExplainerOptions. */
  readonly workloadOfPod: ExplainerOptions["workloadOfPod"];
  /** Which queue workloads of a namespace are of may have changed. */
  readonly onChoice: (namespaces: ReadonlySet<string>) => void;
  /** Told each state of a request to give back, which goes on changing: for whoever counts them one by one. */
  readonly onReclaim?: (record: ReclaimRecord) => void;
}

/** The kind TenantQueue with its caches and its admission cycle: what a manager runs. */
export interface TenantQueueKind {
  readonly controller: Controller<ObservedQueueStatus>;
  /** Where the other kinds ask for their share. */
  readonly admission: Admission;
  readonly informers: readonly Informer<KubeObject>[];
  readonly fillOrder: readonly (readonly ManagedInformer[])[];
  readonly roots: () => Iterable<ObjectRef>;
  connect(loop: Pick<ControllerLoop, "enqueue">): void;
  /** All queues and namespaces, for whoever judges a queue; undefined while the caches are not filled. */
  queueWorld(): QueueWorld | undefined;
  /** This process leads, and its caches are filled; nothing is decided yet. */
  beginTerm(): void;
  /** Says why work waits: `GET /v1/why` and `GET /v1/queue`. */
  readonly explain: JsonEndpoint;
  /** Every owner of workloads has been looked at: from now on it is decided. */
  begin(): void;
}

/** Statuses are compared with what they ought to be at most so often. */
const boardIntervalMs = 1000;

/** A node as the store keeps it. */
interface CachedNode extends KubeObject {
  readonly pool: PoolNode;
}

/**
 * Builds the caches and the cycle. Nodes and the pods of the whole cluster are read only once there is a TenantQueue: without one they would
 * cost memory for nothing.
 */
export function createTenantQueueKind(options: TenantQueueKindOptions): TenantQueueKind {
  const { client, clock, random, onError, metrics } = options;
  const common = { client, clock, random, onError };
  let loop: Pick<ControllerLoop, "enqueue"> = { enqueue() {} };
  let leads = false;
  const usage = new NodeUsage();

  const podCache = createInformer<QueuePod>({
    ...common,
    resource: pods,
    project: (pod) => queuePod(pod as unknown as Pod),
    onChange: seePod,
  });
  const nodeCache = createInformer<CachedNode>({
    ...common,
    resource: nodes,
    project: (node) => {
      const { name, uid, resourceVersion } = node.metadata;
      const identity = { name, ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) };
      return { metadata: identity, pool: poolNode(node as unknown as Node) };
    },
    onChange({ type, object, previous }) {
      if (type !== "modified" || JSON.stringify(object.pool) !== JSON.stringify(previous?.pool)) cycle.nodesChanged();
    },
  });
  const namespaceCache = createInformer<Namespace>({
    ...common,
    resource: namespaces,
    project: onlyLabels,
    onChange({ type, object, previous }) {
      if (type !== "modified" || JSON.stringify(object.metadata.labels) !== JSON.stringify(previous?.metadata.labels))
        cycle.queuesChanged();
    },
  });
  const queues = createInformer<TenantQueue>({
    ...common,
    resource: tenantQueues,
    onChange({ type, object, previous }) {
      latePods.need();
      lateNodes.need();
      if (type !== "modified" || object.metadata.generation !== previous?.metadata.generation) cycle.queuesChanged();
      else boardLater(0);
    },
  });
  const latePods = whenNeeded(podCache);
  const lateNodes = whenNeeded(nodeCache);

  const ledger = new Ledger({
    now: () => clock.now(),
    namespaceLabels: (name) => namespaceCache.store.get(undefined, name)?.metadata.labels ?? {},
    onAnswer: options.onAnswer,
    onChoice: options.onChoice,
    onDecline: (id) => reclaims.decline(id),
    onWork: () => cycle.work(),
    onAdmitted: (queue, seconds) => metrics.observe("nuptse_admission_seconds", { queue }, seconds),
  });
  const stored = (name: string) => queues.store.get(undefined, name);
  const reclaims = new Reclaims({
    ledger,
    now: () => clock.now(),
    namespaceUid: (name) => namespaceCache.store.get(undefined, name)?.metadata.uid,
    onState: tellReclaim,
  });
  const board = new StatusBoard({
    ledger,
    reclaims,
    stored,
    now: () => clock.now(),
    metrics,
    onDue: (name) => loop.enqueue({ name }),
  });
  const cycle = new AdmissionCycle({
    ledger,
    reclaims,
    clock,
    readWorld,
    isNeeded: () => latePods.isNeeded,
    mayDecide: () => options.mayDecide() && latePods.isFilled && lateNodes.isFilled && !queues.suspect && !podCache.suspect,
    onBegin: () => reclaims.takeUp([...queues.store.all()]),
    onDecided: () => boardLater(boardIntervalMs),
  });

  const namespaceLabels = () => new Map([...namespaceCache.store.all()].map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));

  function readWorld(): World {
    return planWorld({
      queues: [...queues.store.all()],
      nodes: [...nodeCache.store.all()].map(({ pool }) => pool),
      namespaces: namespaceLabels(),
      foreign: (node, isOwn) => usage.foreign(node, isOwn),
    });
  }

  function seePod({ type, object, previous }: Change<QueuePod>): void {
    if (previous !== undefined) usage.count(previous, -1);
    if (type !== "deleted") usage.count(object, 1);
    const { workload, queue, metadata } = type === "deleted" ? (previous ?? object) : object;
    if (workload !== undefined && queue !== undefined) {
      const request = type === "deleted" ? undefined : object.request;
      ledger.countPod({ name: metadata.name, namespace: metadata.namespace as string, id: workload, queue, request });
      if (ledger.isStranger(queue, object.node)) cycle.nodesChanged();
    } else cycle.nodesChanged();
  }

  let boardTimer: Timer | undefined;
  let boardAt = Number.NEGATIVE_INFINITY;

  /** Looks at the statuses in a while; one look at a time, and never more often than `boardIntervalMs`. */
  function boardLater(afterMs: number): void {
    if (!leads || boardTimer !== undefined) return;
    const waitMs = Math.max(afterMs, boardAt + boardIntervalMs - clock.monotonic(), 0);
    boardTimer = clock.after(waitMs, () => {
      boardTimer = undefined;
      boardAt = clock.monotonic();
      const again = board.refresh();
      if (again !== undefined) boardLater(Math.max(0, again - clock.now()));
    });
  }

  function tellReclaim(record: ReclaimRecord): void {
    options.onReclaim?.(record);
    const regarding = stored(record.queue);
    if (record.isOverdue && regarding !== undefined)
      options.recorder.record({
        tag: "event",
        regarding,
        type: "Warning",
        reason: eventReasons.reclaimOverdue,
        note: `work of this queue has not given back what ${record.claimantQueue} is guaranteed; until it does the queue admits nothing new. Let it end, or scale it down; kubectl nuptse queue ${record.queue} tells which it is`,
      });
    else if (record.state === "Requested" && regarding !== undefined)
      options.recorder.record({
        tag: "event",
        regarding,
        type: "Normal",
        reason: eventReasons.reclaimRequested,
        note: `work of this queue is asked to give back what ${record.claimantQueue} is guaranteed, by ${new Date(record.deadline).toISOString()}; kubectl nuptse queue ${record.queue} tells which it is`,
      });
    if (record.state !== "Requested" && record.state !== "Acknowledged") metrics.count("nuptse_reclaims_total", { result: record.state });
    boardLater(0);
  }

  const explain = createExplainEndpoint({
    explainer: new Explainer({ ledger, reclaims, board, stored, clock, workloadOfPod: options.workloadOfPod }),
    clock,
    mayAnswer: () => leads && options.mayDecide() && (cycle.begun || !latePods.isNeeded),
    reviewToken: createTokenReviewer({ client, clock }),
    mayGet: createGetReviewer(client),
  });

  return {
    controller: createTenantQueueController(() => board, stored),
    admission: ledger,
    explain,
    informers: [podCache, nodeCache, namespaceCache, queues] as unknown as readonly Informer<KubeObject>[],
    fillOrder: [[latePods, lateNodes, namespaceCache as unknown as ManagedInformer], [queues as unknown as ManagedInformer]],
    roots: () => [...queues.store.all()].map(({ metadata }) => ({ name: metadata.name })),
    connect(target) {
      loop = target;
    },
    queueWorld() {
      if (!queues.store.synced || !namespaceCache.store.synced) return undefined;
      return {
        queues: new Map([...queues.store.all()].map((queue) => [queue.metadata.name, queue])),
        complete: true,
        namespaces: namespaceLabels(),
      };
    },
    beginTerm() {
      leads = true;
      ledger.follow(readWorld(), true);
      reclaims.beginTerm(queues.store.all());
    },
    begin: () => cycle.begin(),
  };
}

/** Of a namespace only its labels concern queues. */
function onlyLabels({ apiVersion, kind, metadata }: Namespace): Namespace {
  const { name, uid, resourceVersion, labels } = metadata;
  return {
    ...(apiVersion !== undefined && { apiVersion }),
    ...(kind !== undefined && { kind }),
    metadata: {
      name,
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(labels !== undefined && { labels }),
    },
  };
}
