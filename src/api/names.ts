/** Labels, annotations and names that are part of the API. */
export const labelPrefix = "nuptse.dev/";

export const labels = {
  /** The ElasticJob's name. */
  job: "nuptse.dev/job",
  /** The ElasticJob's UID: names may be used again, UIDs never. */
  jobUid: "nuptse.dev/job-uid",
  run: "nuptse.dev/run",
  item: "nuptse.dev/item",
  /** item div 500: the unit in which large runs are thinned. */
  chunk: "nuptse.dev/chunk",
  attempt: "nuptse.dev/attempt",
  /** The RunnerApp's name, on its instances and revisions. */
  app: "nuptse.dev/app",
  /** The ControllerRevision of an instance. */
  revision: "nuptse.dev/revision",
  /** The name of the published service, on its Service, on the EndpointSlices of that, and on its NetworkPolicy. */
  service: "nuptse.dev/service",
  /** The namespace of the RunnerApp, where an object of it is in another one. */
  appNamespace: "nuptse.dev/app-namespace",
  /** On the pods of the gateways, whatever the value. */
  gateway: "nuptse.dev/gateway",
  /** The TenantQueue whose share the pod takes. */
  queue: "nuptse.dev/queue",
  /** Pods of one namespace with the same value begin together, once there are as many as {@link labels.podGroupTotal} says. */
  podGroup: "nuptse.dev/pod-group",
  podGroupTotal: "nuptse.dev/pod-group-total",
  /** The RunnerApp's name, on pods that pull the images of a change to a node before instances there get it. */
  prefetch: "nuptse.dev/prefetch",
  /** "true" on the pod of the operator that leads, and on no other. */
  leader: "nuptse.dev/leader",
} as const;

/** The Service in front of the leader's answers to `why` and `queue`, where nobody says otherwise; its one port has no name. */
export const explainService = { namespace: "nuptse-system", name: "nuptse-explain" } as const;

export const annotations = {
  /** JSON of {@link RunAnnotation}: what the newest attempt must tell to rebuild its item's history (decision 15). */
  run: "nuptse.dev/run",
  /** Read by cluster-autoscaler, and by karpenter. */
  safeToEvict: "cluster-autoscaler.kubernetes.io/safe-to-evict",
  doNotDisrupt: "karpenter.sh/do-not-disrupt",
  /** On a namespace: "true" = fire times of its jobs are computed, and no run begins. */
  observe: "nuptse.dev/observe",
  /** JSON of {@link ResultsCover} on the ConfigMap with a run's results: which items it tells of. */
  results: "nuptse.dev/results",
  /** The restartedAt of the RunnerApp with which an instance was created (decision 57). */
  restartedAt: "nuptse.dev/restartedAt",
  /** On an instance: it is replaced once, whatever the value. */
  restart: "nuptse.dev/restart",
  /** On a RunnerApp: the revision whose roll-out goes on in spite of failures, a slash, and any text; each value is heeded once. */
  resume: "nuptse.dev/resume",
  /** On the pod of an instance: the number of the instance, which the pods that follow each other keep. */
  instance: "nuptse.dev/instance",
  /** On the pod of an instance: the UID of the pod that is to leave when this one serves. */
  replaces: "nuptse.dev/replaces",
  /** On the pod of an instance: how many of spec.resourceOptions had been tried before it; absent = none. */
  optionTries: "nuptse.dev/option-tries",
  /** JSON of {@link InPlaceRecord} on the pod of an instance that was changed in place. */
  inPlace: "nuptse.dev/in-place",
  /** On a pod that pulls images: the node that it is for. */
  prefetchNode: "nuptse.dev/prefetch-node",
  /** On a pod of somebody else: its priority in its queue, -1000 to 1000; absent = 0. */
  queuePriority: "nuptse.dev/queue-priority",
  /** On a pod of a Deployment: "true" = it began beyond its queue's share, as surge of a roll-out. */
  surge: "nuptse.dev/surge",
  /** On a node, or on a pod of a RunnerApp: instances there are moved elsewhere; "false" is as if it were not there. */
  evacuate: "nuptse.dev/evacuate",
  /** On a node that is being taken: no instance is left on it. */
  evacuated: "nuptse.dev/evacuated",
  /** On a Service that was taken over: JSON of what it was, so that it can be given back. */
  adopted: "nuptse.dev/adopted",
  /** On a gateway's pod that is about to end: it is out of all slices of published services. */
  unpublished: "nuptse.dev/unpublished",
  /** On the definition of ElasticJobs: whose cluster it is, as `<namespace>/<name>` of that installation's Lease (decision 52). */
  installation: "nuptse.dev/installation",
  defaultContainer: "kubectl.kubernetes.io/default-container",
} as const;

/** The readiness gate of instances that are taken out of service before they go or are changed: the one mark that all who send traffic read. */
export const serviceGate = "nuptse.dev/in-service";

/** Annotations on the pod of an instance: the address of a published service of its app follows. */
export const serviceAnnotation = (service: string): string => `nuptse.dev/service-${service}`;

/** The scheduling gate that keeps a pod of somebody else back until its queue admits it. */
export const queueGate = "nuptse.dev/queue";

/** Items of one chunk label. */
export const itemsPerChunk = 500;

/** Stands for the reduce of a run wherever items are numbered: beyond the largest item that a job can have. */
export const reduceItem = 10_000;

const reduceLabel = "reduce";

/** The label nuptse.dev/item of a pod: the number of its item, or "reduce". */
export const itemLabel = (item: number): string => (item === reduceItem ? reduceLabel : String(item));

/** The other way; NaN when it is neither. */
export const itemOfLabel = (label: string | undefined): number => (label === reduceLabel ? reduceItem : Number(label));
