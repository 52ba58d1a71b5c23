import { gatewayPools } from "../api/gateway-ports.ts";
import type { ExecutorProtocol } from "../api/executor.ts";
import type { Logger } from "../api/logger.ts";
import type { KubeObject, ObjectRef } from "../api/meta.ts";
import { elasticJobs, resourceName, runnerApps } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { createLogEndpoint, logPath } from "../elasticjob/dispatch/log-endpoint.ts";
import { createElasticJobKind, type ElasticJobKindOptions } from "../elasticjob/kind.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Informer } from "../kube/informer.ts";
import { createKubeClient } from "../kube/kube-client.ts";
import type { ServerTime } from "../kube/server-time.ts";
import type { Transport } from "../kube/transport.ts";
import { refOfObject } from "../runtime/action-handlers.ts";
import { createApplier } from "../runtime/applier.ts";
import type { Controller } from "../runtime/controller.ts";
import { createControllerLoop } from "../runtime/controller-loop.ts";
import { createEventRecorder } from "../runtime/event-recorder.ts";
import { createInstallationClaim, type InstallationClaim } from "../runtime/installation-claim.ts";
import { createLeaderLease } from "../runtime/leader-lease.ts";
import type { LeaseTimings } from "../runtime/lease-protocol.ts";
import { createManager, type ManagedInformer, type Manager } from "../runtime/manager.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { OwnWriteStore } from "../runtime/own-writes.ts";
import { createPodGateKind } from "../podgate/kind.ts";
import { createRunnerAppKind, type RunnerAppKindOptions } from "../runnerapp/kind.ts";
import type { PublishingSettings } from "../runnerapp/services/controller.ts";
import type { AskGateway } from "../runnerapp/services/gateway-request.ts";
import { createFiguresEndpoint, figuresPath } from "../runnerapp/services/figures-endpoint.ts";
import { createGatewayStates } from "../runnerapp/services/gateway-states.ts";
import { createPublishingKind } from "../runnerapp/services/kind.ts";
import type { JsonEndpoint, JsonRequest } from "../runtime/json-server.ts";
import { createTenantQueueKind, type TenantQueueKindOptions } from "../tenantqueue/kind.ts";
import type { TraceBuffer } from "../trace/buffer.ts";
import type { Surroundings } from "../webhook/judge.ts";
import { createDeploymentEvents, type TellDeployment } from "./deployment-events.ts";
import { labelLeader } from "./leader-label.ts";
import { tellTraceTrouble } from "./trace-trouble.ts";
import { createTroubleTeller } from "./trouble.ts";

export interface OperatorOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly serverTime: ServerTime;
  /** The namespace and name of the lease. */
  readonly namespace: string;
  readonly leaseName: string;
  /** Whether it claims the cluster for this lease, and never leads where another installation has: as in a process. Absent = no. */
  readonly claims?: boolean;
  /** Unique for each start of a process. */
  readonly identity: string;
  readonly leaseTimings?: LeaseTimings;
  /** How far our clock may be off the API server's while leading; 0 = any. */
  readonly maxClockSkewMs: number;
  /** Finished pods that are kept for their logs in the whole cluster. */
  readonly retainedPods: number;
  /** Objects of a kind that are worked on at once. */
  readonly concurrency: number;
  /** Where the event trace goes; absent = it is not kept. */
  readonly trace?: TraceBuffer;
  /** The operator's own Deployment, on which troubles of the trace and of the webhook are told; absent = only the log tells. */
  readonly deployment?: ObjectRef;
  /** The pod that this process is in, in the namespace of the lease; absent = not known, and nobody finds the leader by its label. */
  readonly pod?: string;
  /** Keys of taints that say that a node is being taken; see RunnerAppKindOptions. Absent = none. */
  readonly evacuationTaints?: readonly string[];
  /** See NodeCareOptions. Absent = nodes are not marked. */
  readonly markEvacuated?: boolean;
  /** See NodeCareOptions. Absent = 3. */
  readonly appsAgreeing?: number;
  /** See ElasticJobControllerOptions. */
  readonly notifications?: ElasticJobKindOptions["notifications"];
  /** See ElasticJobControllerOptions. */
  readonly planElasticJob?: ElasticJobKindOptions["planElasticJob"];
  /** See RunnerAppControllerOptions. */
  readonly planRunnerApp?: RunnerAppKindOptions["planRunnerApp"];
  /** Where the gateways are, and what they may serve. Absent = in the namespace of the lease, on the usual ports, every host. */
  readonly publishing?: Partial<PublishingSettings>;
  /** Asks a gateway for its state; absent = none is asked, and none is waited for. */
  readonly askGateway?: AskGateway;
  /** Who speaks with executors, by protocol; absent = nobody does. */
  readonly executors?: ElasticJobKindOptions["executors"];
  /** See TenantQueueKindOptions. */
  readonly onReclaim?: TenantQueueKindOptions["onReclaim"];
}

/** The operator, and what those who serve beside it need of it. */
export interface Operator extends Manager {
  readonly client: KubeClient;
  /** Whose cluster it is: to be settled before anything is served beside it, and followed from then on. */
  readonly claim: InstallationClaim;
  /** What admission webhooks judge with: caches that every replica fills, whoever leads. */
  readonly surroundings: Surroundings;
  /** Says why work waits, what passes through services, and what items wrote at executors; a 503 while this process does not lead. */
  readonly explain: JsonEndpoint;
  /** Whether this process leads, and follows every task at an executor that status tells of. */
  knowsTasks(): boolean;
  /** The tokens of all fleets whose executors speak a protocol, as they are now; those that cannot be read are left out. */
  executorTokens(protocol: ExecutorProtocol): Promise<readonly string[]>;
  /** Says something on the operator's Deployment, where that is known. */
  readonly tellDeployment: TellDeployment;
}

/** Puts the operator with all its kinds together, the same in a process, in the playground and in the simulation. Nothing happens before `run`. */
export function createOperator(options: OperatorOptions): Operator {
  const { clock, random, logger, metrics, serverTime } = options;
  const client = createKubeClient(options.transport, {
    // Nobody knows what became of it, so the caches of that kind may be old (decision 2).
    onLostWrite: (resource) => {
      for (const informer of informers()) if (informer.resource === resource) informer.markSuspect();
    },
  });
  const onError = createTroubleTeller(logger, clock);
  const serverNow = () => (serverTime.offsetMs() === undefined ? undefined : serverTime.now());
  const lease = createLeaderLease({
    client,
    clock,
    random,
    logger,
    metrics,
    onError,
    namespace: options.namespace,
    name: options.leaseName,
    identity: options.identity,
    ...(options.leaseTimings !== undefined && { timings: options.leaseTimings }),
    clockOffsetMs: () => serverTime.offsetMs(),
    maxClockSkewMs: options.maxClockSkewMs,
  });
  const claim = createInstallationClaim({
    client,
    clock,
    logger,
    onError,
    lease: { namespace: options.namespace, name: options.leaseName },
    serverNow,
  });
  const recorder = createEventRecorder({
    client,
    clock,
    random,
    logger,
    metrics,
    reportingController: "nuptse.dev/operator",
    reportingInstance: options.identity.slice(0, 128),
  });
  const { deployment } = options;
  const tellDeployment = deployment === undefined ? () => undefined : createDeploymentEvents({ recorder, client, deployment });
  if (options.trace !== undefined) tellTraceTrouble(options.trace, tellDeployment);
  const tenantQueue = createTenantQueueKind({
    client,
    clock,
    random,
    metrics,
    recorder,
    onError,
    mayDecide: () => lease.earlyFence(),
    onAnswer(owner) {
      const { kind, namespace, name } = owner;
      if (kind === elasticJobs.kind) loop.enqueue({ namespace, name });
      else if (kind === runnerApps.kind) appLoop.enqueue({ namespace, name });
      else podGate.answered(owner);
    },
    workloadOfPod: (namespace, name) => podGate.workloadOfPod(namespace, name),
    onChoice(namespaces) {
      elasticJob.queuesChanged(namespaces);
      runnerApp.queuesChanged(namespaces);
      podGate.queuesChanged(namespaces);
    },
    ...(options.onReclaim !== undefined && { onReclaim: options.onReclaim }),
  });
  const podGate = createPodGateKind({ client, clock, random, onError, admission: tenantQueue.admission });
  const runnerApp = createRunnerAppKind({
    client,
    clock,
    random,
    metrics,
    evacuationTaints: options.evacuationTaints ?? [],
    markEvacuated: options.markEvacuated ?? false,
    appsAgreeing: options.appsAgreeing ?? 3,
    serverNow,
    maxClockSkewMs: options.maxClockSkewMs,
    admission: tenantQueue.admission,
    onAppChange: (change) => publishing.seeApp(change),
    onFleetChange: (fleet) => elasticJob.fleetChanged(fleet),
    drainOf: (app) => gatewayStates?.viewOf(app),
    ...(options.notifications !== undefined && { notifications: options.notifications }),
    ...(options.planRunnerApp !== undefined && { planRunnerApp: options.planRunnerApp }),
    onError,
  });
  const elasticJob = createElasticJobKind({
    client,
    clock,
    random,
    metrics,
    serverNow,
    maxClockSkewMs: options.maxClockSkewMs,
    retainedPods: options.retainedPods,
    admission: tenantQueue.admission,
    ...(options.trace !== undefined && { trace: options.trace }),
    nodeHealth: runnerApp.nodes.health,
    fleets: runnerApp.fleets,
    executors: options.executors ?? {},
    fence: () => lease.fence(),
    namespace: options.namespace,
    ...(options.notifications !== undefined && { notifications: options.notifications }),
    ...(options.planElasticJob !== undefined && { planElasticJob: options.planElasticJob }),
    onError,
  });
  const publishing = createPublishingKind({
    client,
    clock,
    random,
    onError,
    apps: () => runnerApp.apps,
    settings: { gatewayNamespace: options.namespace, pools: gatewayPools, ...options.publishing },
    onGateways: askGateways,
  });
  const { askGateway } = options;
  const gatewayStates =
    askGateway === undefined
      ? undefined
      : createGatewayStates({
          ask: askGateway,
          clock,
          onError,
          onChange(services) {
            for (const service of services) for (const app of runnerApp.apps.byIndex("service", service)) appLoop.enqueue(refOfObject(app));
          },
        });
  const figures = createFiguresEndpoint({
    apps: () => runnerApp.apps,
    clock,
    mayAnswer: () => lease.fence(),
    ...(gatewayStates !== undefined && { states: gatewayStates }),
  });
  const itemLogs = createLogEndpoint({ readLog: elasticJob.readItemLog, clock, mayAnswer: () => lease.fence() });
  /** Only who leads asks: what gateways say is told to nobody else. */
  function askGateways(): void {
    if (lease.fence()) gatewayStates?.follow(publishing.gateways());
  }
  const informers = () => [
    ...elasticJob.informers,
    ...runnerApp.informers,
    ...publishing.informers,
    ...podGate.informers,
    ...tenantQueue.informers,
  ];
  const stores = storesOf(informers());
  const applier = createApplier({ client, stores, recorder, fence: () => lease.fence(), metrics, clock, handlers: elasticJob.handlers });
  const loopOf = <Observed>({ controller, informers: own }: LoopedKind<Observed>) =>
    createControllerLoop({
      controller,
      applier,
      // From a cache that may be old nothing is planned: what a plan does cannot be undone (decision 2).
      isLeading: () => lease.fence() && !own.some((informer) => informer.suspect),
      clock,
      random,
      logger,
      metrics,
      concurrency: options.concurrency,
    });
  const loop = loopOf(elasticJob);
  const appLoop = loopOf(runnerApp);
  const servicesLoop = loopOf({ controller: publishing.controller, informers: [...publishing.informers, ...runnerApp.informers] });
  const gatewaysLoop = loopOf({ controller: publishing.leaving, informers: publishing.informers });
  const nodeLoop = loopOf(runnerApp.nodes);
  const gateLoop = loopOf(podGate);
  const queueLoop = loopOf(tenantQueue);
  elasticJob.connect(loop);
  runnerApp.connect(appLoop);
  publishing.connect(servicesLoop, gatewaysLoop);
  runnerApp.nodes.connect(nodeLoop);
  podGate.connect(gateLoop);
  tenantQueue.connect(queueLoop);
  const { pod, namespace } = options;
  const manager = createManager({
    fillOrder: inStages(elasticJob.fillOrder, runnerApp.fillOrder, publishing.fillOrder, podGate.fillOrder, tenantQueue.fillOrder),
    controllers: [
      { loop, roots: elasticJob.roots },
      { loop: appLoop, roots: runnerApp.roots },
      { loop: servicesLoop, roots: publishing.roots },
      { loop: gatewaysLoop, roots: publishing.leavingRoots },
      { loop: nodeLoop, roots: runnerApp.nodes.roots },
      { loop: gateLoop, roots: podGate.roots },
      { loop: queueLoop, roots: tenantQueue.roots },
    ],
    lease,
    recorder,
    clock,
    random,
    logger,
    ...(options.claims === true && { mayLead: (signal) => claim.settle(signal) }),
    onLeading: () => {
      tenantQueue.beginTerm();
      elasticJob.beginTerm(lease.wasTaken);
      publishing.beginTerm();
      askGateways();
      if (pod !== undefined) void labelLeader({ client, clock, random, namespace, pod, fence: () => lease.fence(), onError });
      // What every workload has is known only when each has been looked at.
      void loop.swept.then(() => elasticJob.begin());
      void Promise.all([loop.swept, appLoop.swept, gateLoop.swept]).then(() => tenantQueue.begin());
    },
  });
  const surroundings = { queueWorld: () => tenantQueue.queueWorld(), job: (ref: ObjectRef) => elasticJob.job(ref) };
  const ownPaths = new Map<string | undefined, JsonEndpoint>([
    [figuresPath, figures],
    [logPath, itemLogs],
  ]);
  const { run } = manager;
  return Object.assign(manager, {
    run: () =>
      run().finally(() => {
        gatewayStates?.stop();
        elasticJob.stop();
      }),
    client,
    claim,
    explain: (request: JsonRequest) => (ownPaths.get(request.url.split("?", 1)[0]) ?? tenantQueue.explain)(request),
    surroundings,
    tellDeployment,
    knowsTasks: () => elasticJob.knowsTasks(),
    async executorTokens(protocol: ExecutorProtocol) {
      const apps = [...runnerApp.apps.all()].filter(({ spec }) => spec.executor?.protocol === protocol && spec.executor.tokenSecretRef);
      const read = apps.map(({ metadata, spec }) => elasticJob.readToken(metadata.namespace as string, spec.executor?.tokenSecretRef));
      return (await Promise.all(read)).flatMap((answer) => ("token" in answer && answer.token !== undefined ? [answer.token] : []));
    },
  });
}

/** What of a kind its loop needs. */
interface LoopedKind<Observed> {
  readonly controller: Controller<Observed>;
  readonly informers: readonly Informer<KubeObject>[];
}

/** The answer to a write goes to every store of its kind that is filled; what fills later lists it. */
function storesOf(informers: readonly Informer<KubeObject>[]): ReadonlyMap<string, OwnWriteStore> {
  const byName = Map.groupBy(informers, ({ resource }) => resourceName(resource));
  return new Map(
    [...byName].map(([name, ofKind]) => [
      name,
      {
        observeWrite(object, sentAt) {
          for (const informer of ofKind) if (informer.store.synced) informer.observeWrite(object, sentAt);
        },
      },
    ]),
  );
}

/** The stages of all kinds side by side. */
function inStages(...orders: readonly (readonly (readonly ManagedInformer[])[])[]): readonly (readonly ManagedInformer[])[] {
  const stages = Math.max(...orders.map((order) => order.length));
  return Array.from({ length: stages }, (_, at) => orders.flatMap((order) => order[at - stages + order.length] ?? []));
}
