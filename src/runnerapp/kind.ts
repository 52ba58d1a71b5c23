import type { NodeHealth } from "../api/node-health.ts";
import type { ControllerRevision, Node, Pod, ResourceQuota } from "../api/core.ts";
import { type EndpointSlice, sliceServiceLabel } from "../api/endpoint-slice.ts";
import type { Fleets } from "../api/fleet.ts";
import { controllerOf, type KubeObject, type ObjectRef } from "../api/meta.ts";
import { labels } from "../api/names.ts";
import { controllerRevisions, endpointSlices, nodes, podDisruptionBudgets, pods, resourceQuotas, runnerApps } from "../api/resource.ts";
import type { RunnerApp } from "../api/runner-app.gen.ts";
import { equalJson } from "../base/diff.ts";
import type { Random } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import { createInformer, type Informer } from "../kube/informer.ts";
import type { Change } from "../kube/store.ts";
import type { Controller } from "../runtime/controller.ts";
import type { ControllerLoop } from "../runtime/controller-loop.ts";
import type { ManagedInformer } from "../runtime/manager.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { whenNeeded } from "../runtime/when-needed.ts";
import { createRunnerAppController, type RunnerAppController, type RunnerAppControllerOptions } from "./controller.ts";
import { createNodeController, type NodeCareOptions } from "./node-controller.ts";
import { FleetDirectory } from "./fleets.ts";
import { NodeReports } from "./node-reports.ts";
import { type CachedNode, cachedNode } from "./node-state.ts";
import type { StoredBudget } from "./rules/disruption-budget-step.ts";
import { type FleetSlice, fleetSlice } from "./rules/fleet-slice.ts";
import { type InstancePod, instancePod } from "./rules/instance.ts";
import type { ObservedNode } from "./rules/node-care.ts";
import { type PrefetchPod, prefetchPod } from "./rules/prefetch.ts";
import { type AppIndex, appIndexes, type AppStore } from "./services/app-index.ts";

export interface RunnerAppKindOptions extends Omit<RunnerAppControllerOptions, "caches" | "nodeHealth">, NodeCareOptions {
  readonly client: KubeClient;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly onError: (error: unknown) => void;
  /** Keys of taints that say that a node is being taken, besides a cordon and the annotation. */
  readonly evacuationTaints: readonly string[];
  /** An app has changed. */
  readonly onAppChange?: (change: Change<RunnerApp>) => void;
  /** Something of a fleet has changed that tasks depend on. */
  readonly onFleetChange?: (fleet: ObjectRef) => void;
}

/** The kind RunnerApp with its caches: what a manager runs. */
export interface RunnerAppKind {
  readonly controller: RunnerAppController;
  readonly informers: readonly Informer<KubeObject>[];
  /** The same by stages, children before roots: a stage is filled when the one before it is (decision 2). */
  readonly fillOrder: readonly (readonly ManagedInformer[])[];
  readonly roots: () => Iterable<ObjectRef>;
  readonly apps: AppStore;
  /** Those of them that take tasks. */
  readonly fleets: Fleets;
  /** Of which queue the fleets of these namespaces are may have changed. */
  queuesChanged(namespaces: ReadonlySet<string>): void;
  /** Whom changes are told to, before anything starts. */
  connect(loop: Pick<ControllerLoop, "enqueue">): void;
  /** The same for nodes: the mark that no instance is left, and the report that one is bad. */
  readonly nodes: {
    readonly controller: Controller<ObservedNode>;
    readonly informers: readonly Informer<KubeObject>[];
    readonly roots: () => Iterable<ObjectRef>;
    /** Where other kinds say which nodes fail them. */
    readonly health: NodeHealth;
    connect(loop: Pick<ControllerLoop, "enqueue">): void;
  };
}

/** Builds the caches and the controller; nothing happens before the informers are started. */
export function createRunnerAppKind(options: RunnerAppKindOptions): RunnerAppKind {
  const { client, clock, random, onError } = options;
  const common = { client, clock, random, onError };
  let loop: Pick<ControllerLoop, "enqueue"> = { enqueue() {} };
  let nodeLoop: Pick<ControllerLoop, "enqueue"> = { enqueue() {} };
  const reports = new NodeReports((name) => nodeLoop.enqueue({ name }));
  const controller = createRunnerAppController({
    ...options,
    nodeHealth: reports,
    caches: () => ({
      apps: apps.store,
      pods: instances.store,
      prefetches: prefetches.store,
      revisions: revisions.store,
      budgets: budgets.store,
      nodes: nodeCache.store,
    }),
  });

  const fleets = new FleetDirectory({
    apps: () => apps.store,
    pods: () => instances.store,
    slices: () => slices.store,
    onChange: (fleet) => options.onFleetChange?.(fleet),
  });
  const instances = createInformer<InstancePod, "app" | "node">({
    ...common,
    resource: pods,
    labelSelector: labels.app,
    project: (pod) => instancePod(pod as unknown as Pod),
    indexes: {
      app: (pod) => (pod.appUid === "" ? [] : [pod.appUid]),
      node: (pod) => (pod.appUid === "" || pod.node === undefined ? [] : [pod.node]),
    },
    onChange(change) {
      const { object, previous } = change;
      if (object.appUid === "") return;
      fleets.seePod(change);
      loop.enqueue(appOf(object), { afterMs: gatheringMs(instances.store.byIndex("app", object.appUid).length) });
      for (const name of new Set([object.node, previous?.node])) {
        const node = name === undefined ? undefined : nodeCache.store.get(undefined, name);
        if (node !== undefined && (node.marked || node.state.taken !== undefined)) nodeLoop.enqueue({ name: node.metadata.name });
      }
    },
  });
  const slices = createInformer<FleetSlice, "service">({
    ...common,
    resource: endpointSlices,
    labelSelector: sliceServiceLabel,
    project: (slice) => fleetSlice(slice as unknown as EndpointSlice),
    indexes: { service: ({ service }) => [service] },
    onChange: (change) => fleets.seeSlice(change),
  });
  const lateSlices = whenNeeded(slices);
  const prefetches = createInformer<PrefetchPod, "app">({
    ...common,
    resource: pods,
    labelSelector: labels.prefetch,
    project: (pod) => prefetchPod(pod as unknown as Pod),
    indexes: { app: ({ appUid }) => (appUid === "" ? [] : [appUid]) },
    onChange({ object: { metadata, app, appUid } }) {
      if (appUid !== "") loop.enqueue({ namespace: metadata.namespace as string, name: app });
    },
  });
  const revisions = createInformer<ControllerRevision, "app">({
    ...common,
    resource: controllerRevisions,
    labelSelector: labels.app,
    indexes: { app: ({ metadata }) => [controllerOf(metadata)?.uid ?? ""] },
    onChange({ object }) {
      loop.enqueue({ namespace: object.metadata.namespace as string, name: object.metadata.labels?.[labels.app] as string });
    },
  });
  const quotas = createInformer<ResourceQuota>({
    ...common,
    resource: resourceQuotas,
    onChange({ object }) {
      for (const app of apps.store.all())
        if (app.metadata.namespace === object.metadata.namespace && controller.seeQuota(app.metadata.uid as string))
          loop.enqueue(refOf(app));
    },
  });
  const budgets = createInformer<StoredBudget>({
    ...common,
    resource: podDisruptionBudgets,
    labelSelector: labels.app,
    onChange({ type, object, previous }) {
      // Its status changes with each pod that becomes ready.
      if (type === "modified" && equalJson(object.spec, previous?.spec) && equalJson(ownersOf(object), ownersOf(previous))) return;
      loop.enqueue({ namespace: object.metadata.namespace as string, name: object.metadata.labels?.[labels.app] as string });
    },
  });
  const taintKeys = new Set(options.evacuationTaints);
  const nodeCache = createInformer<CachedNode>({
    ...common,
    resource: nodes,
    project: (node) => cachedNode(node as unknown as Node, taintKeys),
    onChange({ type, object, previous }) {
      if (type !== "modified" || object.marked !== previous?.marked || object.state.taken !== previous?.state.taken)
        nodeLoop.enqueue({ name: object.metadata.name });
      // Heartbeats change a node every few seconds.
      if (type === "modified" && equalJson(object.state, previous?.state)) return;
      for (const pod of instances.store.byIndex("node", object.metadata.name)) loop.enqueue(appOf(pod));
    },
  });
  const apps = createInformer<RunnerApp, AppIndex>({
    ...common,
    resource: runnerApps,
    indexes: appIndexes,
    onChange(change) {
      const { object, previous } = change;
      // People wait for what becomes of an edit, be it of an annotation. Status is our own.
      const { generation, annotations } = object.metadata;
      const isEdit = generation !== previous?.metadata.generation || !equalJson(annotations, previous?.metadata.annotations);
      loop.enqueue(refOf(object), { priority: isEdit ? "high" : "normal" });
      if (object.spec.endpoints !== undefined && object.spec.executor !== undefined) needSlices();
      fleets.seeApp(change);
      options.onAppChange?.(change);
    },
  });

  /** Those of the whole cluster would cost memory for nothing before. */
  function needSlices(): void {
    if (lateSlices.isNeeded) return;
    lateSlices.need();
    void lateSlices.synced.then(
      () => fleets.slicesRead(),
      () => undefined,
    );
  }

  const children = [instances, prefetches, revisions, budgets, quotas, nodeCache] as unknown as readonly Informer<KubeObject>[];
  const roots = [apps] as unknown as readonly Informer<KubeObject>[];
  return {
    controller,
    informers: [...children, ...roots],
    fillOrder: [[...children, lateSlices], roots],
    roots: () => [...apps.store.all()].map(refOf),
    apps: apps.store,
    fleets,
    queuesChanged(namespaces) {
      for (const app of apps.store.all())
        if (namespaces.has(app.metadata.namespace as string)) loop.enqueue(refOf(app), { priority: "low" });
    },
    connect(target) {
      loop = target;
    },
    nodes: {
      controller: createNodeController({ ...options, nodes: () => nodeCache.store, instances: () => instances.store, reports }),
      informers: [instances, nodeCache] as unknown as readonly Informer<KubeObject>[],
      roots: () => [...nodeCache.store.all()].map(({ metadata }) => ({ name: metadata.name })),
      health: reports,
      connect(target) {
        nodeLoop = target;
      },
    },
  };
}

/**
 * A look at a fleet costs in proportion to its size, and while it rolls each of its pods changes six times: of a large one what comes within so many
 * milliseconds is looked at together. An edit of the app waits for nothing.
 */
const gatheringMs = (pods: number): number => Math.min(50, Math.floor(pods / 20));

const appOf = (pod: InstancePod): ObjectRef => ({ namespace: pod.metadata.namespace as string, name: pod.app });

const ownersOf = (object: KubeObject | undefined) => object?.metadata.ownerReferences;

const refOf = ({ metadata }: KubeObject): ObjectRef => ({ namespace: metadata.namespace as string, name: metadata.name });
