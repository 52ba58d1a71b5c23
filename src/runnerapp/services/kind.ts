import type { Pod } from "../../api/core.ts";
import type { EndpointSlice } from "../../api/endpoint-slice.ts";
import type { KubeObject, ObjectRef } from "../../api/meta.ts";
import { labels } from "../../api/names.ts";
import { endpoints, endpointSlices, networkPolicies, pods, services } from "../../api/resource.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import type { Clock } from "../../base/clock.ts";
import { equalJson } from "../../base/diff.ts";
import type { Random } from "../../base/random.ts";
import type { KubeClient } from "../../kube/client.ts";
import { createInformer, type Informer } from "../../kube/informer.ts";
import type { Change } from "../../kube/store.ts";
import type { Controller } from "../../runtime/controller.ts";
import type { ControllerLoop } from "../../runtime/controller-loop.ts";
import type { ManagedInformer } from "../../runtime/manager.ts";
import { type GatewayPod, gatewayPod } from "../rules/services/gateway-pod.ts";
import type { LeavingGateway } from "../rules/services/leaving-gateway.ts";
import type { ObservedServices } from "../rules/services/observed.ts";
import { isOurSlice, type NetworkPolicy, type StoredService, storedService } from "../rules/services/stored-objects.ts";
import type { AppStore } from "./app-index.ts";
import { createPublishingController, type PublishingSettings } from "./controller.ts";
import { createLeavingController } from "./leaving.ts";
import { claimOf, PortLedger } from "./port-ledger.ts";

export interface PublishingKindOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly onError: (error: unknown) => void;
  readonly settings: PublishingSettings;
  /** RunnerApps, which the kind RunnerApp keeps. */
  readonly apps: () => AppStore;
  /** A gateway came, went, or is ready or not any more. */
  readonly onGateways: () => void;
}

/** What RunnerApps publish, and the gateways: two controllers with their caches. */
export interface PublishingKind {
  readonly controller: Controller<ObservedServices>;
  readonly leaving: Controller<LeavingGateway>;
  readonly informers: readonly Informer<KubeObject>[];
  readonly fillOrder: readonly (readonly ManagedInformer[])[];
  /** Apps that publish something, and apps that are gone and have left something. */
  readonly roots: () => Iterable<ObjectRef>;
  readonly leavingRoots: () => Iterable<ObjectRef>;
  readonly gateways: () => Iterable<GatewayPod>;
  /** An app has changed. */
  seeApp(change: Change<RunnerApp>): void;
  /** This process leads from now on. */
  beginTerm(): void;
  connect(loop: Pick<ControllerLoop, "enqueue">, leaving: Pick<ControllerLoop, "enqueue">): void;
}

/** Builds the caches and the controllers; nothing happens before the informers are started. */
export function createPublishingKind(options: PublishingKindOptions): PublishingKind {
  const { client, clock, random, onError, settings } = options;
  const common = { client, clock, random, onError };
  const { gatewayNamespace } = settings;
  const ledger = new PortLedger(clock);
  let loop: Pick<ControllerLoop, "enqueue"> = { enqueue() {} };
  let leavingLoop: Pick<ControllerLoop, "enqueue"> = { enqueue() {} };

  const serviceCache = createInformer<StoredService, "app">({
    ...common,
    resource: services,
    project: (service) => storedService(service),
    indexes: { app: byLabel },
    onChange({ object, previous }) {
      const { namespace, name } = object.metadata;
      for (const each of [object, previous]) if (each !== undefined) enqueueOwner(each);
      for (const app of options.apps().byIndex("service", `${namespace}/${name}`)) loop.enqueue(refOf(app));
    },
  });
  const slices = createInformer<EndpointSlice, "app" | "address">({
    ...common,
    resource: endpointSlices,
    labelSelector: labels.service,
    indexes: {
      app: byLabel,
      address: (slice) => (isOurSlice(slice) ? (slice.endpoints ?? []).flatMap(({ addresses }) => addresses) : []),
    },
    onChange({ object }) {
      enqueueOwner(object);
      for (const pod of gateways.store.all()) if (pod.isDeleting) leavingLoop.enqueue(refOf(pod));
    },
  });
  const endpointsCache = createInformer<KubeObject, "app">({
    ...common,
    resource: endpoints,
    labelSelector: labels.service,
    indexes: { app: byLabel },
    onChange: ({ object }) => enqueueOwner(object),
  });
  const policies = createInformer<NetworkPolicy, "app">({
    ...common,
    resource: networkPolicies,
    namespace: gatewayNamespace,
    labelSelector: labels.gateway,
    indexes: { app: (policy) => (isOfApp(policy) ? [`${ownerOfPolicy(policy).namespace}/${ownerOfPolicy(policy).name}`] : []) },
    onChange({ object }) {
      if (isOfApp(object)) loop.enqueue(ownerOfPolicy(object));
      else for (const ref of roots()) loop.enqueue(ref);
    },
  });
  const gateways = createInformer<GatewayPod>({
    ...common,
    resource: pods,
    namespace: gatewayNamespace,
    labelSelector: labels.gateway,
    project: (pod) => gatewayPod(pod as unknown as Pod),
    onChange({ object, previous, type }) {
      if (object.isDeleting) leavingLoop.enqueue(refOf(object));
      if (type === "modified" && equalJson(trafficOf(object), trafficOf(previous))) return;
      for (const ref of roots()) loop.enqueue(ref);
      options.onGateways();
    },
  });

  function enqueueOwner({ metadata }: KubeObject): void {
    const app = metadata.labels?.[labels.app];
    if (app !== undefined) loop.enqueue({ namespace: metadata.namespace as string, name: app });
  }

  function* roots(): Iterable<ObjectRef> {
    for (const app of options.apps().all()) if (isPublishing(app)) yield refOf(app);
    for (const { metadata } of serviceCache.store.all()) {
      const name = metadata.labels?.[labels.app];
      const namespace = metadata.namespace as string;
      if (name !== undefined && options.apps().get(namespace, name) === undefined) yield { namespace, name };
    }
    for (const policy of policies.store.all()) {
      if (!isOfApp(policy)) continue;
      const owner = ownerOfPolicy(policy);
      if (options.apps().get(owner.namespace, owner.name) === undefined) yield owner;
    }
  }

  const informers = [serviceCache, slices, endpointsCache, policies, gateways] as unknown as readonly Informer<KubeObject>[];
  return {
    controller: createPublishingController({
      caches: () => ({
        apps: options.apps(),
        services: serviceCache.store,
        slices: slices.store,
        endpoints: endpointsCache.store,
        policies: policies.store,
        gateways: gateways.store,
      }),
      ledger,
      clock,
      settings,
    }),
    leaving: createLeavingController({ caches: () => ({ gateways: gateways.store, slices: slices.store }), clock }),
    informers,
    // Before the apps: a status that tells of a port is newer than the objects that were made for it (decision 2).
    fillOrder: [informers, []],
    roots,
    *leavingRoots() {
      for (const pod of gateways.store.all()) if (pod.isDeleting) yield refOf(pod);
    },
    gateways: () => gateways.store.all(),
    seeApp({ type, object, previous }) {
      const kept = new Set(type === "deleted" ? [] : portsOf(object).map(({ port }) => port));
      for (const { service, port } of portsOf(previous ?? object))
        if (!kept.has(port)) ledger.hold(port, claimOf(object.metadata.uid as string, service));
      if (!isPublishing(object) && (previous === undefined || !isPublishing(previous))) return;
      loop.enqueue(refOf(object));
      // Whoever wanted the same may get it now, or must give it up.
      for (const rival of rivalsBefore(options.apps(), [object, previous])) if (rival !== object) loop.enqueue(refOf(rival));
    },
    beginTerm: () => ledger.beginTerm(),
    connect(target, leavingTarget) {
      loop = target;
      leavingLoop = leavingTarget;
    },
  };
}

const byLabel = ({ metadata }: KubeObject): readonly string[] => {
  const app = metadata.labels?.[labels.app];
  return app === undefined ? [] : [`${metadata.namespace}/${app}`];
};

const isOfApp = ({ metadata }: NetworkPolicy): boolean => metadata.labels?.[labels.appNamespace] !== undefined;

const ownerOfPolicy = ({ metadata }: NetworkPolicy) => ({
  namespace: metadata.labels?.[labels.appNamespace] ?? "",
  name: metadata.labels?.[labels.app] ?? "",
});

const isPublishing = ({ spec, status }: RunnerApp): boolean => (spec.services ?? []).length > 0 || (status?.services ?? []).length > 0;

const portsOf = ({ status }: RunnerApp) =>
  (status?.services ?? []).flatMap(({ name, gatewayPort }) => (gatewayPort === undefined ? [] : [{ service: name, port: gatewayPort }]));

/** What of a gateway pod slices depend on. */
const trafficOf = (pod: GatewayPod | undefined) => pod && { ready: pod.isReady, deleting: pod.isDeleting, addresses: pod.addresses };

function rivalsBefore(apps: AppStore, versions: readonly (RunnerApp | undefined)[]): ReadonlySet<RunnerApp> {
  const found = new Set<RunnerApp>();
  for (const app of versions) {
    if (app === undefined) continue;
    for (const { name, hostnames = [] } of app.spec.services ?? []) {
      for (const rival of apps.byIndex("service", `${app.metadata.namespace}/${name}`)) found.add(rival);
      for (const host of hostnames) for (const rival of apps.byIndex("host", host)) found.add(rival);
    }
    for (const { port } of portsOf(app)) for (const rival of apps.byIndex("port", String(port))) found.add(rival);
  }
  return found;
}

const refOf = ({ metadata }: KubeObject): ObjectRef => ({ namespace: metadata.namespace as string, name: metadata.name });
