/** What a fleet holds on to a cluster by: a budget that lets nobody evict, a Service of its own, and one that was there before, "old". */
export function fleetToLeave(namespace: string, template: object) {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name: "web", namespace },
    spec: {
      replicas: 3,
      evacuation: { budget: "Strict", connectionDrainSeconds: 600 },
      services: [
        { name: "api", port: 80, targetPort: "http" },
        { name: "old", port: 80, targetPort: "http", adoptExisting: true },
      ],
      template,
    },
  };
}
