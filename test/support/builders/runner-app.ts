import type { ControllerRevision } from "../../../src/api/core.ts";
import type { RunnerApp, RunnerAppSpec, RunnerAppStatus } from "../../../src/api/runner-app.gen.ts";
import { runnerAppProblems } from "../../../src/validation/runner-app.ts";
import { emptyMemory, noNodes, type ObservedApp } from "../../../src/runnerapp/rules/observed.ts";
import { readSpec } from "../../../src/runnerapp/rules/read-spec.ts";
import { at, iso } from "./elastic-job.ts";

export interface AppFacts {
  readonly spec?: Partial<RunnerAppSpec>;
  readonly status?: RunnerAppStatus;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The app "web" of the namespace "tenant", of three instances. */
export function runnerApp({ spec = {}, status, annotations }: AppFacts = {}): RunnerApp {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: {
      name: "web",
      namespace: "tenant",
      uid: "app-uid",
      resourceVersion: "10",
      generation: 1,
      creationTimestamp: iso("09:00:00"),
      ...(annotations !== undefined && { annotations }),
    },
    spec: { replicas: 3, template: { spec: { containers: [{ name: "main", image: "web:1" }] } }, ...spec },
    ...(status !== undefined && { status }),
  } as RunnerApp;
}

/** What a plan for it would be made from at noon. */
export function observedApp(facts: AppFacts = {}, more: Partial<ObservedApp> = {}): ObservedApp {
  const app = runnerApp(facts);
  const now = at("12:00:00");
  return {
    app,
    ...readSpec(app, runnerAppProblems(app.spec, now)),
    pods: [],
    revisions: [],
    prefetches: [],
    nodes: noNodes,
    memory: emptyMemory,
    now,
    serverNow: now,
    maxClockSkewMs: 30_000,
    ...more,
  };
}

/** A ControllerRevision of the app. */
export function appRevision(name: string, image: string, revision = 1): ControllerRevision {
  return {
    metadata: { name, namespace: "tenant", uid: `uid-${name}` },
    data: { template: { spec: { containers: [{ name: "main", image }] } } },
    revision,
  };
}
