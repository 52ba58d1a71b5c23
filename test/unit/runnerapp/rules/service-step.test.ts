import assert from "node:assert/strict";
import type { Action } from "../../../../src/api/action.ts";
import type { Pod } from "../../../../src/api/core.ts";
import type { DrainView } from "../../../../src/runnerapp/rules/drain.ts";
import { effectiveSpec } from "../../../../src/runnerapp/rules/effective-spec.ts";
import { type InstancePod, instancePod } from "../../../../src/runnerapp/rules/instance.ts";
import { needsGate } from "../../../../src/runnerapp/rules/service-gate.ts";
import { stepService } from "../../../../src/runnerapp/rules/service-step.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";
import { observedApp, runnerApp } from "../../../support/builders/runner-app.ts";

const gateType = "nuptse.dev/in-service";

interface Facts {
  readonly gate?: "Open" | "Closed" | "Never" | "None";
  readonly containersReady?: boolean;
  readonly since?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The pod of an instance; ready when its gate and its containers are. */
function instance(name: string, { gate = "Open", containersReady = true, since = "11:00:00", annotations = {} }: Facts = {}): InstancePod {
  const condition = (type: string, holds: boolean) => ({ type, status: holds ? "True" : "False", lastTransitionTime: iso(since) });
  const pod: Pod = {
    metadata: {
      name,
      namespace: "tenant",
      uid: `uid-${name}`,
      resourceVersion: "7",
      creationTimestamp: iso("10:00:00"),
      labels: { "nuptse.dev/app": "web" },
      annotations,
      ownerReferences: [{ apiVersion: "nuptse.dev/v1alpha1", kind: "RunnerApp", name: "web", uid: "app-uid", controller: true }],
    },
    spec: {
      nodeName: "n1",
      containers: [{ name: "main" }],
      ...(gate !== "None" && { readinessGates: [{ conditionType: gateType }] }),
    },
    status: {
      phase: "Running",
      conditions: [
        condition("Ready", containersReady && (gate === "Open" || gate === "None")),
        condition("ContainersReady", containersReady),
        ...(gate === "Open" || gate === "Closed" ? [condition(gateType, gate === "Open")] : []),
      ],
    },
  };
  return instancePod(pod);
}

const drainSeconds = 30;
const spec = effectiveSpec({ ...runnerApp().spec, evacuation: { connectionDrainSeconds: drainSeconds } });
const quiet: DrainView = { gateways: 1, heardSince: 0, answersOn: () => [{ state: "Drain", sessions: 0, since: 0 }] };

interface Row {
  readonly name: string;
  readonly pod: Facts;
  readonly is: "leaving" | "out" | "staying";
  readonly drain?: DrainView;
  readonly want: readonly string[];
  /** Seconds from noon on. */
  readonly wantWake?: number;
}

const rows: readonly Row[] = [
  { name: "without a gate what goes is deleted", pod: { gate: "None" }, is: "leaving", want: ["delete a, as it is"] },
  { name: "what serves is taken out of service first", pod: {}, is: "leaving", want: ["False a Leaving"] },
  { name: "what was never in service is deleted", pod: { gate: "Never" }, is: "leaving", want: ["delete a, as it is"] },
  { name: "what does not serve by itself is deleted", pod: { containersReady: false }, is: "leaving", want: ["delete a, as it is"] },
  {
    name: "while it is drained nothing is done",
    pod: { gate: "Closed", since: "11:59:50" },
    is: "leaving",
    want: [],
    // The condition tells whole seconds: the drain may have begun at the end of that one.
    wantWake: 20.999,
  },
  { name: "drained, it is deleted", pod: { gate: "Closed", since: "11:59:29" }, is: "leaving", want: ["delete a, as it is"] },
  {
    name: "so when gateways say that it is",
    pod: { gate: "Closed", since: "11:59:59" },
    is: "leaving",
    drain: quiet,
    want: ["delete a, as it is"],
  },
  {
    name: "and so when its containers fail meanwhile",
    pod: { gate: "Closed", since: "11:59:59", containersReady: false },
    is: "leaving",
    want: ["delete a, as it is"],
  },
  { name: "what is to be changed is taken out of service", pod: {}, is: "out", want: ["False a Changing"] },
  { name: "and stays out", pod: { gate: "Closed" }, is: "out", want: [] },
  { name: "what is not to go any more comes back", pod: { gate: "Closed" }, is: "staying", want: ["True a InService"] },
  { name: "what has started comes into service", pod: { gate: "Never" }, is: "staying", want: ["True a InService"] },
  { name: "not before its containers are ready", pod: { gate: "Never", containersReady: false }, is: "staying", want: [] },
  { name: "what is in service stays so, whatever its containers do", pod: { containersReady: false }, is: "staying", want: [] },
  { name: "without a gate nothing is written", pod: { gate: "None" }, is: "staying", want: [] },
  {
    name: "what was changed comes back only with its new containers",
    pod: { gate: "Closed", annotations: { "nuptse.dev/in-place": '{"containers":[{"name":"main","id":"a","ends":1}]}' } },
    is: "staying",
    want: [],
  },
];

function text(action: Action): string {
  if (action.tag === "delete") return `delete ${action.ref.name}${action.resourceVersion === undefined ? "" : ", as it is"}`;
  if (action.tag !== "status") return action.tag;
  const conditions = action.status["conditions"] as readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  const gate = conditions.find(({ type }) => type === gateType);
  return `${gate?.status} ${action.object.metadata.name} ${gate?.reason}`;
}

describe("who is in service", () => {
  const plan = (pod: InstancePod, is: Row["is"], drain?: DrainView, carriers = new Map<InstancePod, InstancePod>()) =>
    stepService({
      observed: observedApp({}, drain === undefined ? {} : { drain }),
      spec,
      living: [pod],
      leaving: new Set(is === "leaving" ? [pod] : []),
      out: new Set(is === "out" ? [pod] : []),
      carriers,
    });
  for (const { name, pod, is, drain, want, wantWake } of rows)
    it(name, () => {
      const { actions, wakeAt } = plan(instance("a", pod), is, drain);
      assert.deepEqual(actions.map(text), want);
      assert.equal(wakeAt, wantWake === undefined ? Number.POSITIVE_INFINITY : at("12:00:00") + wantWake * 1000);
    });

  it("out of service it is not Ready in the same write, and the other conditions stay", () => {
    const [action] = plan(instance("a"), "leaving").actions;
    assert.ok(action?.tag === "status");
    const conditions = action.status["conditions"] as readonly { readonly type: string; readonly status: string }[];
    assert.deepEqual(conditions.map(({ type, status }) => `${type}=${status}`).sort(), [
      "ContainersReady=True",
      "Ready=False",
      `${gateType}=False`,
    ]);
    assert.equal(action.object.metadata.resourceVersion, "7");
  });

  it("who serves in its stead is looked at first", () => {
    const [a, b] = [instance("a"), instance("b")];
    for (const pod of [a, instance("a", { gate: "None" })]) {
      const [action] = plan(pod, "leaving", undefined, new Map([[pod, b]])).actions;
      assert.ok(action?.tag === "status" || action?.tag === "delete");
      assert.deepEqual(
        action.provided?.map(({ ref, uid, resourceVersion }) => [ref.name, uid, resourceVersion]),
        [["b", "uid-b", "7"]],
      );
    }
  });

  it("pods carry the gate where they may be changed in place", () => {
    assert.equal(needsGate(runnerApp().spec), false);
    assert.equal(needsGate({ inPlace: "Never" }), false);
    assert.equal(needsGate({ inPlace: "IfPossible" }), true);
    assert.equal(needsGate({ services: [{ name: "api", port: 80 }] }), true);
  });
});
