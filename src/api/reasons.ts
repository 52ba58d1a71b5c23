/**
 * Condition types, condition reasons and event reasons: part of the API, since people and tools match on them. docs/conditions.md tells
 * what to do about each; a test keeps both lists equal.
 */
export const conditionTypes = {
  ready: "Ready",
  stalled: "Stalled",
  lastRunSucceeded: "LastRunSucceeded",
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
  waitingForQuota: "WaitingForQuota",
  admissionRefused: "AdmissionRefused",
  namespaceTerminating: "NamespaceTerminating",
  progressing: "Progressing",
  succeeded: "Succeeded",
  failed: "Failed",
} as const;

export const eventReasons = {
  runFailed: "RunFailed",
  runRecovered: "RunRecovered",
  runSkipped: "RunSkipped",
  runWaiting: "RunWaiting",
  itemFailedOver: "ItemFailedOver",
  strayPod: "StrayPod",
  dependencyTimeout: "DependencyTimeout",
  dependencyCycle: "DependencyCycle",
  invalidSpec: "InvalidSpec",
  templateRefused: "TemplateRefused",
  clockSkew: "ClockSkew",
} as const;
