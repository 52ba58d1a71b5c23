/**
 * Condition types, condition reasons and event reasons: part of the API, since people and tools match on them. docs/conditions.md tells
 * what to do about each; a test keeps both lists equal.
 */
export const conditionTypes = {
  ready: "Ready",
  stalled: "Stalled",
  lastRunSucceeded: "LastRunSucceeded",
  accepted: "Accepted",
  late: "Late",
  available: "Available",
  reconciling: "Reconciling",
  paused: "Paused",
  degraded: "Degraded",
  reduced: "Reduced",
  gatewayLagging: "GatewayLagging",
  overCommitted: "OverCommitted",
  reclaimOverdue: "ReclaimOverdue",
} as const;

export const conditionReasons = {
  armed: "Armed",
  suspended: "Suspended",
  noSchedule: "NoSchedule",
  scheduleEnded: "ScheduleEnded",
  invalidSpec: "InvalidSpec",
  templateRefused: "TemplateRefused",
  dependencyCycle: "DependencyCycle",
  dependencyMissing: "DependencyMissing",
  clockSkew: "ClockSkew",
  calendarMissing: "CalendarMissing",
  parametersMissing: "ParametersMissing",
  runnerNotFound: "RunnerNotFound",
  runnerRefuses: "RunnerRefuses",
  runnerUnheard: "RunnerUnheard",
  calendarInvalid: "CalendarInvalid",
  calendarKept: "CalendarKept",
  observing: "Observing",
  waitingForQuota: "WaitingForQuota",
  admissionRefused: "AdmissionRefused",
  namespaceTerminating: "NamespaceTerminating",
  progressing: "Progressing",
  succeeded: "Succeeded",
  failed: "Failed",
  runLate: "RunLate",
  inTime: "InTime",
} as const;

/** Reasons in the conditions of a TenantQueue. */
export const queueReasons = {
  placed: "Placed",
  held: "Held",
  progressing: "Progressing",
  invalidSpec: "InvalidSpec",
  parentNotFound: "ParentNotFound",
  cycle: "Cycle",
  capacityOverlap: "CapacityOverlap",
  parentHasLess: "ParentHasLess",
  childrenHaveMore: "ChildrenHaveMore",
  withinParent: "WithinParent",
  deadlinePassed: "DeadlinePassed",
  allReturned: "AllReturned",
} as const;

/** Reasons in the conditions of a RunnerApp. */
export const appReasons = {
  serving: "Serving",
  progressing: "Progressing",
  rolling: "Rolling",
  canaryHeld: "CanaryHeld",
  paused: "Paused",
  suspended: "Suspended",
  enoughAvailable: "EnoughAvailable",
  tooFewAvailable: "TooFewAvailable",
  rolloutPaused: "RolloutPaused",
  rolledBack: "RolledBack",
  progressDeadlineExceeded: "ProgressDeadlineExceeded",
  retriesExhausted: "RetriesExhausted",
  evacuationStalled: "EvacuationStalled",
  noOptionFits: "NoOptionFits",
  reclaimed: "Reclaimed",
  nameConflict: "NameConflict",
  notPublished: "NotPublished",
  notUpAtGateways: "NotUpAtGateways",
  invalidSpec: "InvalidSpec",
  templateRefused: "TemplateRefused",
  quotaExceeded: "QuotaExceeded",
  admissionRefused: "AdmissionRefused",
  namespaceTerminating: "NamespaceTerminating",
} as const;

/** Why a workload is of no queue. */
export const queueRefusals = {
  queueNotFound: "QueueNotFound",
  queueNotLeaf: "QueueNotLeaf",
  queueNotAllowed: "QueueNotAllowed",
  noDefaultQueue: "NoDefaultQueue",
} as const;

/** Why a workload waits for admission, besides being of no queue. */
export const waitReasons = {
  queuePending: "QueuePending",
  queueFull: "QueueFull",
  queueNotReady: "QueueNotReady",
  neverFits: "NeverFits",
  priorityTooHigh: "PriorityTooHigh",
} as const;

/** Why a run waits for the instances of a fleet, besides the conditions RunnerNotFound, RunnerRefuses and RunnerUnheard. */
export const runnerWaits = {
  noInstance: "NoInstance",
  fleetBusy: "FleetBusy",
  fleetNotCounted: "FleetNotCounted",
} as const;

/** Why a pod that somebody else made, and labelled with a queue, waits or is in the way, besides those of all workloads. */
export const podReasons = {
  podGroupIncomplete: "PodGroupIncomplete",
  podGroupInvalid: "PodGroupInvalid",
  priorityInvalid: "PriorityInvalid",
  poolMismatch: "PoolMismatch",
  releaseRefused: "ReleaseRefused",
  notScheduled: "NotScheduled",
} as const;

export const eventReasons = {
  runFailed: "RunFailed",
  runRecovered: "RunRecovered",
  runSkipped: "RunSkipped",
  runWaiting: "RunWaiting",
  runLate: "RunLate",
  itemFailedOver: "ItemFailedOver",
  strayPod: "StrayPod",
  dependencyTimeout: "DependencyTimeout",
  dependencyCycle: "DependencyCycle",
  requestRefused: "RequestRefused",
  invalidSpec: "InvalidSpec",
  templateRefused: "TemplateRefused",
  clockSkew: "ClockSkew",
  calendarMissing: "CalendarMissing",
  parametersMissing: "ParametersMissing",
  calendarInvalid: "CalendarInvalid",
  reclaimRequested: "ReclaimRequested",
  reclaimOverdue: "ReclaimOverdue",
} as const;

/** Reasons of events about a RunnerApp. */
export const appEventReasons = {
  rolloutPaused: "RolloutPaused",
  rolledBack: "RolledBack",
  retriesExhausted: "RetriesExhausted",
  nodeExcluded: "NodeExcluded",
  evacuationStalled: "EvacuationStalled",
  noOptionFits: "NoOptionFits",
  gatewayLagging: "GatewayLagging",
} as const;

/** Events on a node. */
export const nodeEventReasons = {
  nodeSuspect: "NodeSuspect",
} as const;

/** Reasons in the status of a JobRequest. */
export const requestReasons = {
  waitingForJob: "WaitingForJob",
  queueFull: "QueueFull",
  backfillAtWork: "BackfillAtWork",
  accepted: "Accepted",
  completed: "Completed",
  nothingToDo: "NothingToDo",
  jobNotFound: "JobNotFound",
  jobNotReady: "JobNotReady",
  jobReplaced: "JobReplaced",
  tooManyRequests: "TooManyRequests",
  invalidRequest: "InvalidRequest",
  tooManyFireTimes: "TooManyFireTimes",
  scheduleChanged: "ScheduleChanged",
  runNotFound: "RunNotFound",
  runNotEnded: "RunNotEnded",
  runEnded: "RunEnded",
  runLost: "RunLost",
  runFailed: "RunFailed",
  runCancelled: "RunCancelled",
  runsFailed: "RunsFailed",
} as const;

/** Reasons of events on the operator's own Deployment; docs/trace.md and docs/admission.md tell of them. */
export const operatorEventReasons = {
  traceUnavailable: "TraceUnavailable",
  traceRowsDropped: "TraceRowsDropped",
  traceRecovered: "TraceRecovered",
  webhookCertificateFailed: "WebhookCertificateFailed",
  webhookCertificateRecovered: "WebhookCertificateRecovered",
} as const;
