import type { Pod } from "../../../../src/api/core.ts";
import type { RunnerApp } from "../../../../src/api/runner-app.gen.ts";
import { type AppFacts, appRevision, runnerApp } from "../../../support/builders/runner-app.ts";
import { type RunnerPodFacts, runnerPod } from "../../../support/builders/runner-pod.ts";
import type { Objects } from "./plugin-double.ts";

const owner = { apiVersion: "nuptse.dev/v1alpha1", kind: "RunnerApp", name: "web", uid: "app-uid", controller: true };

/** The pod of an instance of the app "web", of its first revision. */
export function instanceOf(number: number, facts: RunnerPodFacts = {}, annotations: Readonly<Record<string, string>> = {}): Pod {
  const name = `web-11111-${number}`;
  const pod = runnerPod({ name, uid: `uid-${number}`, ...facts });
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: { "nuptse.dev/app": "web", "nuptse.dev/revision": "web-1111111111" },
      annotations: { "nuptse.dev/instance": String(number), ...annotations },
      ownerReferences: [owner],
    },
  };
}

/** The app "web" of three instances, as the operator has seen it; its status says that all is well unless something else is given. */
export function appOf({ spec, status, annotations }: AppFacts = {}): RunnerApp {
  return runnerApp({
    ...(spec !== undefined && { spec }),
    ...(annotations !== undefined && { annotations }),
    status: {
      observedGeneration: 1,
      desiredReplicas: 3,
      updateRevision: "web-1111111111",
      stableRevision: "web-1111111111",
      conditions: [{ type: "Ready", status: "True", reason: "Serving", message: "", lastTransitionTime: "2026-11-21T12:00:10Z" }],
      ...status,
    },
  });
}

/** A cluster with the app and its pods, and two revisions of it. */
export function clusterOf(app: RunnerApp, pods: readonly Pod[], more: Objects = {}): Objects {
  const revisions = [appRevision("web-1111111111", "web:1", 1), appRevision("web-2222222222", "web:2", 2)];
  return {
    "runnerapps.nuptse.dev": [app],
    pods,
    "controllerrevisions.apps": revisions.map((revision) => ({
      ...revision,
      metadata: { ...revision.metadata, labels: { "nuptse.dev/app": "web" }, ownerReferences: [owner] },
    })),
    ...more,
  };
}
