import type { ConfigMap, ControllerRevision, Namespace, Node, Pod, ResourceQuota } from "../api/core.ts";
import type { ElasticJob } from "../api/elastic-job.gen.ts";
import type { Fleets } from "../api/fleet.ts";
import type { JobRequest } from "../api/job-request.gen.ts";
import { identityOf, type KubeObject, type ObjectRef } from "../api/meta.ts";
import { annotations, labels } from "../api/names.ts";
import {
  configMaps as configMapResource,
  controllerRevisions,
  elasticJobs,
  jobRequests,
  namespaces,
  nodes,
  pods,
  resourceQuotas,
} from "../api/resource.ts";
import { IntervalSet } from "../base/interval-set.ts";
import type { Random } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import { createInformer, type Informer } from "../kube/informer.ts";
import { withoutManagedFields } from "../kube/reflected-object.ts";
import type { Change } from "../kube/store.ts";
import type { ControllerLoop } from "../runtime/controller-loop.ts";
import type { ManagedInformer } from "../runtime/manager.ts";
import { createElasticJobController, type ElasticJobController, type ElasticJobControllerOptions } from "./controller.ts";
import { Dispatcher, type DispatcherOptions } from "./dispatch/dispatcher.ts";
import { createItemLogs, type ReadItemLog } from "./dispatch/item-logs.ts";
import { FleetPlaces } from "./dispatch/places.ts";
import { createTokenSource, type ReadToken } from "./dispatch/token-source.ts";
import { createReferencedConfigMaps } from "./referenced-config-maps.ts";
import { jobsToTrim } from "./retained-pods.ts";
import { type AttemptPod, attemptPod } from "./rules/attempt.ts";
import { type ResultsFile, resultsFile } from "./rules/results-file.ts";
import { upstreamKeys } from "./upstream-graph.ts";

export interface ElasticJobKindOptions extends Omit<ElasticJobControllerOptions, "caches" | "configMaps" | "resident"> {
  readonly client: KubeClient;
  readonly random: Random;
  readonly onError: (error: unknown) => void;
  /** Finished pods that are kept for their logs in the whole cluster. */
  readonly retainedPods: number;
  /** Fleets that items may be dispatched to. */
  readonly fleets: Fleets;
  /** Who speaks with their executors, by protocol. */
  readonly executors: DispatcherOptions["clients"];
  /** Whether this process leads at this moment: nothing is said to executors otherwise. */
  readonly fence: () => boolean;
}

/** The kind ElasticJob with its caches: what a manager runs. */
export interface ElasticJobKind {
  readonly controller: ElasticJobController;
  readonly informers: readonly Informer<KubeObject>[];
  /** The same by stages, children before roots: a stage is filled when the one before it is (decision 2). */
  readonly fillOrder: readonly (readonly ManagedInformer[])[];
  readonly roots: () => Iterable<ObjectRef>;
  /** The handlers of what plans ask for at executors. */
  readonly handlers: Dispatcher["handlers"];
  /** This process begins to lead; all caches are filled, and no job has been looked at. */
  beginTerm(wasTaken: boolean): void;
  /** Every job has been looked at once: every task that status tells of is followed. */
  begin(): void;
  /** Whether this process leads, and follows every task that status tells of. */
  knowsTasks(): boolean;
  /** Reads tokens of executors. */
  readonly readToken: ReadToken;
  /** Asks executors for what items have written. */
  readonly readItemLog: ReadItemLog;
  /** An instance of a fleet came, went, or is ready or not any more; or the fleet itself has changed. */
  fleetChanged(fleet: ObjectRef): void;
  /** Lets go of all tasks at executors; they go on. */
  stop(): void;
  /** What the cache has under this name. */
  job(ref: ObjectRef): ElasticJob | undefined;
  /** Of which queue the jobs of these namespaces are may have changed. */
  queuesChanged(namespaces: ReadonlySet<string>): void;
  /** Whom changes are told to, before anything starts. */
  connect(loop: Pick<ControllerLoop, "enqueue">): void;
}

/** A run of so many pods is looked at at most once in so many tenths of a millisecond each: 10,000 pods once a second. */
const millisecondsPerPod = 0.1;
const fewPods = 50;
const longestGatheringMs = 1000;
const trimIntervalMs = 30_000;

/** Builds the caches and the controller; nothing happens before the informers are started. */
export function createElasticJobKind(options: ElasticJobKindOptions): ElasticJobKind {
  const { client, clock, random, onError } = options;
  const common = { client, clock, random, onError };
  let loop: Pick<ControllerLoop, "enqueue"> = { enqueue() {} };
  let finishedPods = 0;
  let trimming = false;
  let followsAll = false;
  const readToken = createTokenSource(client, clock);
  const places = new FleetPlaces((job) => loop.enqueue(job));
  const dispatcher = new Dispatcher({
    clients: options.executors,
    readToken,
    clock,
    random,
    fence: options.fence,
    onChange: (job, afterMs) => loop.enqueue(job, afterMs === 0 ? {} : { afterMs }),
  });
  const controller = createElasticJobController({
    ...options,
    resident: { fleets: options.fleets, places, dispatcher },
    caches: () => ({
      jobs: jobs.store,
      pods: attempts.store,
      revisions: revisions.store,
      resultsFiles: results.store,
      nodes: nodeCache.store,
      requests: requests.store,
      namespaces: namespaceCache.store,
    }),
    configMaps: () => configMaps,
  });
  const configMaps = createReferencedConfigMaps({ ...common, onChange: (root) => loop.enqueue(root) });

  const attempts = createInformer<AttemptPod, "job" | "node" | "foreign">({
    ...common,
    resource: pods,
    labelSelector: labels.jobUid,
    selects: ({ metadata }) => metadata.labels?.[labels.jobUid] !== undefined,
    project: (pod) => attemptPod(pod as unknown as Pod) ?? foreignPod(pod as unknown as Pod),
    indexes: {
      foreign: (pod) => (pod.foreign === undefined ? [] : [pod.foreign.jobUid]),
      job: (pod) => (pod.jobUid === "" ? [] : [pod.jobUid]),
      node: (pod) => (pod.node === undefined || pod.end !== undefined ? [] : [pod.node]),
    },
    onChange(change) {
      const { object, previous } = change;
      finishedPods +=
        (change.type !== "deleted" && object.end !== undefined ? 1 : 0) -
        (previous?.end !== undefined || (change.type === "deleted" && object.end !== undefined) ? 1 : 0);
      if (object.jobUid === "") return;
      controller.seePod(change.type, object);
      const siblings = attempts.store.byIndex("job", object.jobUid).length;
      const gatheringMs = siblings <= fewPods ? 0 : Math.min(longestGatheringMs, siblings * millisecondsPerPod);
      const afterMs = allowsNothing(change) ? longestGatheringMs : gatheringMs;
      loop.enqueue(jobOf(object), afterMs === 0 ? {} : { afterMs });
      if (finishedPods > options.retainedPods) trimSoon();
    },
  });
  const revisions = createInformer<ControllerRevision, "job">({
    ...common,
    resource: controllerRevisions,
    labelSelector: labels.jobUid,
    indexes: { job: (revision) => [revision.metadata.labels?.[labels.jobUid] ?? ""] },
    onChange({ object }) {
      const name = object.metadata.labels?.[labels.job];
      if (name !== undefined) loop.enqueue({ namespace: object.metadata.namespace as string, name });
    },
  });
  const results = createInformer<ResultsFile, "job">({
    ...common,
    resource: configMapResource,
    labelSelector: labels.jobUid,
    project: (map) => resultsFile(map as unknown as ConfigMap) ?? foreignFile(map as unknown as ConfigMap),
    indexes: { job: (file) => (file.jobUid === "" ? [] : [file.jobUid]) },
    onChange({ object }) {
      if (object.jobUid !== "") loop.enqueue(jobOf(object));
    },
  });
  const quotas = createInformer<ResourceQuota>({
    ...common,
    resource: resourceQuotas,
    onChange({ object }) {
      for (const job of jobs.store.all()) {
        if (job.metadata.namespace === object.metadata.namespace && controller.seeQuota(job.metadata.uid as string))
          loop.enqueue(refOf(job));
      }
    },
  });
  const nodeCache = createInformer<Node>({
    ...common,
    resource: nodes,
    project: (node) => ({ ...withoutManagedFields(node), status: { conditions: node.status?.conditions ?? [] } }),
    onChange(change) {
      const { name } = change.object.metadata;
      if (change.type === "added") controller.seeNode(name);
      if (!matters(change)) return;
      for (const pod of attempts.store.byIndex("node", name)) loop.enqueue(jobOf(pod));
    },
  });
  const requests = createInformer<JobRequest, "job" | "cascade">({
    ...common,
    resource: jobRequests,
    indexes: {
      job: (request) => [`${request.metadata.namespace}/${request.spec.jobName}`],
      cascade: (request) => belowOf(request).map(({ namespace, name }) => `${namespace}/${name}`),
    },
    onChange({ object }) {
      loop.enqueue(namedBy(object));
      for (const ref of belowOf(object)) loop.enqueue(ref);
    },
  });
  const namespaceCache = createInformer<Namespace>({
    ...common,
    resource: namespaces,
    project: onlyObserve,
    onChange({ object, previous }) {
      if (object.metadata.annotations?.[annotations.observe] === previous?.metadata.annotations?.[annotations.observe]) return;
      for (const job of jobs.store.all()) if (job.metadata.namespace === object.metadata.name) loop.enqueue(refOf(job));
    },
  });
  const jobs = createInformer<ElasticJob, "after">({
    ...common,
    resource: elasticJobs,
    // some 40 MB; the whole of most clusters is one page
    pageSize: 10_000,
    indexes: { after: upstreamKeys },
    onChange(change) {
      loop.enqueue(refOf(change.object));
      for (const dependent of controller.seeJob(change)) loop.enqueue(dependent);
    },
  });

  function trimSoon(): void {
    if (trimming) return;
    trimming = true;
    clock.after(trimIntervalMs, () => {
      trimming = false;
      const trimmed = jobsToTrim(attempts.store.all(), options.retainedPods);
      controller.trim(trimmed);
      for (const uid of trimmed) {
        const pod = attempts.store.byIndex("job", uid)[0];
        if (pod !== undefined) loop.enqueue(jobOf(pod), { priority: "low" });
      }
    });
  }

  const children = [attempts, revisions, results, quotas, nodeCache, namespaceCache] as unknown as readonly Informer<KubeObject>[];
  // After pods and before jobs: what they say of a run is newer than its pods, and older than the job's status (decision 2).
  const asked = [requests] as unknown as readonly Informer<KubeObject>[];
  const roots = [jobs] as unknown as readonly Informer<KubeObject>[];
  return {
    controller,
    informers: [...children, ...asked, ...roots],
    fillOrder: [[...children, configMaps], asked, roots],
    roots: () => rootsOf(jobs.store.all(), requests.store.all()),
    handlers: dispatcher.handlers,
    beginTerm(wasTaken) {
      followsAll = false;
      controller.beginTerm(wasTaken);
    },
    begin() {
      followsAll = true;
    },
    knowsTasks: () => followsAll && options.fence(),
    readToken,
    readItemLog: createItemLogs({
      job: ({ namespace, name }) => jobs.store.get(namespace, name),
      fleets: options.fleets,
      clients: options.executors,
      readToken,
    }),
    fleetChanged: (fleet) => places.fleetChanged(fleet),
    stop: () => dispatcher.stop(),
    job: ({ namespace, name }) => jobs.store.get(namespace, name),
    queuesChanged(namespaces) {
      for (const job of jobs.store.all())
        if (namespaces.has(job.metadata.namespace as string)) loop.enqueue(refOf(job), { priority: "low" });
    },
    connect(target) {
      loop = target;
    },
  };
}

const refOf = (object: KubeObject): ObjectRef => ({ namespace: object.metadata.namespace as string, name: object.metadata.name });
const namedBy = (request: JobRequest): ObjectRef => ({ namespace: request.metadata.namespace as string, name: request.spec.jobName });
const jobOf = (child: AttemptPod | ResultsFile): ObjectRef => ({ namespace: child.metadata.namespace as string, name: child.job });

/** A ConfigMap that carries our label and is no results file of ours: kept by its name alone. */
function foreignFile(map: ConfigMap): ResultsFile {
  const metadata = identityOf(map.metadata);
  return { metadata, job: "", jobUid: "", run: "", succeeded: noItems, failed: noItems, complete: false, lines: "" };
}

const noItems = new IntervalSet();

/** All jobs, and what requests name and does not exist: they are told so. */
function rootsOf(jobs: Iterable<ElasticJob>, requests: Iterable<JobRequest>): Iterable<ObjectRef> {
  const refs = new Map<string, ObjectRef>();
  for (const ref of [
    ...Iterator.from(jobs).map(refOf),
    ...Iterator.from(requests).flatMap((request) => [namedBy(request), ...belowOf(request)]),
  ])
    refs.set(`${ref.namespace}/${ref.name}`, ref);
  return refs.values();
}

/** The jobs below to which the cascade of a request comes. */
const belowOf = ({ metadata, spec, status }: JobRequest): readonly ObjectRef[] =>
  (status?.cascade ?? [])
    .filter(({ job }) => job !== spec.jobName)
    .map(({ job }) => ({ namespace: metadata.namespace as string, name: job }));

/**
 * A pod was placed or began, which arms time limits of whole seconds; or one is gone whose end was seen. Nothing follows from that which could
 * not wait for a second, and in that time a short pod ends.
 */
function allowsNothing({ type, object, previous }: Change<AttemptPod>): boolean {
  if (type === "deleted") return previous?.end !== undefined;
  return type === "modified" && object.end === undefined && object.deletion === undefined && previous?.deletion === undefined;
}

/** A pod that carries our label and is not ours: kept by name and labels alone, so that nothing is ever planned for it. */
function foreignPod(pod: Pod): AttemptPod {
  const claims = pod.metadata.labels ?? {};
  return {
    metadata: identityOf(pod.metadata),
    job: "",
    jobUid: "",
    run: "",
    item: -1,
    attempt: 0,
    history: { kind: "Schedule", fireTime: "", revision: "", items: "", counted: 0, lost: 0, nodes: [], since: "" },
    createdAt: 0,
    disrupted: false,
    foreign: { jobUid: claims[labels.jobUid] ?? "", run: claims[labels.run] ?? "" },
  };
}

/** Of a namespace only the name and whether it is observed concern us. */
function onlyObserve({ apiVersion, kind, metadata: { name, uid, resourceVersion, annotations: notes } }: Namespace): Namespace {
  const observe = notes?.[annotations.observe];
  const metadata = {
    name,
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(observe !== undefined && { annotations: { [annotations.observe]: observe } }),
  };
  return { ...(apiVersion !== undefined && { apiVersion }), ...(kind !== undefined && { kind }), metadata };
}

/** Heartbeats change a node every few seconds; only its coming, going, cordoning and silence concern a run. */
function matters({ type, object, previous }: Change<Node>): boolean {
  if (type !== "modified" || object.spec?.unschedulable !== previous?.spec?.unschedulable) return true;
  return readiness(object) !== readiness(previous);
}

const readiness = (node: Node | undefined): string | undefined =>
  node?.status?.conditions?.find((condition) => condition.type === "Ready")?.status;
