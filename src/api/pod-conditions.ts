/** Conditions of a pod that tell how far it has come, which says nothing of why it ended. */
export const progressConditions: ReadonlySet<string> = new Set([
  "PodReadyToStartContainers",
  "PodScheduled",
  "Initialized",
  "ContainersReady",
  "Ready",
]);
