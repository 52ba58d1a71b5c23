import assert from "node:assert/strict";
import type { Pod } from "../../../../src/api/core.ts";
import { effectiveSpec } from "../../../../src/runnerapp/rules/effective-spec.ts";
import { isResizeRefused, stepChanges } from "../../../../src/runnerapp/rules/in-place-step.ts";
import { instancePod } from "../../../../src/runnerapp/rules/instance.ts";
import { emptyMemory } from "../../../../src/runnerapp/rules/observed.ts";
import { iso } from "../../../support/builders/elastic-job.ts";
import { appRevision, observedApp, runnerApp } from "../../../support/builders/runner-app.ts";

interface Facts {
  /** What the spec asks for, and what the kubelet has given. */
  readonly asked: string;
  readonly given?: string;
  readonly pending?: { readonly reason: string; readonly since: string };
  readonly refused?: boolean;
}

/** The pod of an instance that has become of a revision with two cores, as "2000m" in its template. */
function resized({ asked, given = asked, pending }: Facts): Pod {
  return {
    metadata: {
      name: "a",
      namespace: "tenant",
      uid: "uid-a",
      resourceVersion: "7",
      creationTimestamp: iso("10:00:00"),
      labels: { "nuptse.dev/app": "web", "nuptse.dev/revision": "web-2" },
      annotations: { "nuptse.dev/in-place": '{"containers":[],"resize":true}' },
      ownerReferences: [{ apiVersion: "nuptse.dev/v1alpha1", kind: "RunnerApp", name: "web", uid: "app-uid", controller: true }],
    },
    spec: {
      nodeName: "n1",
      containers: [{ name: "main", resources: { requests: { cpu: asked } } }],
      readinessGates: [{ conditionType: "nuptse.dev/in-service" }],
    },
    status: {
      containerStatuses: [{ name: "main", resources: { requests: { cpu: given } } }],
      conditions: pending
        ? [{ type: "PodResizePending", status: "True", reason: pending.reason, lastTransitionTime: iso(pending.since) }]
        : [],
    },
  };
}

const revision = appRevision("web-2", "web:1");
const data = { template: { spec: { containers: [{ name: "main", image: "web:1", resources: { requests: { cpu: "2000m" } } }] } } };
const spec = effectiveSpec(runnerApp().spec);

const rows: readonly { readonly name: string; readonly facts: Facts; readonly want: "ask" | "wait" | "done" | "anew" }[] = [
  { name: "the spec of the pod does not have it yet", facts: { asked: "1" }, want: "ask" },
  { name: "the kubelet has not given it yet", facts: { asked: "2", given: "1" }, want: "wait" },
  { name: "the kubelet has given it, in other words", facts: { asked: "2" }, want: "done" },
  { name: "others hold it", facts: { asked: "2", given: "1", pending: { reason: "Deferred", since: "11:50:01" } }, want: "wait" },
  {
    name: "others hold it for longer than a start may take",
    facts: { asked: "2", given: "1", pending: { reason: "Deferred", since: "11:50:00" } },
    want: "anew",
  },
  {
    name: "the node can never give it",
    facts: { asked: "2", given: "1", pending: { reason: "Infeasible", since: "11:59:59" } },
    want: "anew",
  },
  { name: "the API server has refused it", facts: { asked: "1", refused: true }, want: "anew" },
];

describe("the resources of an instance that was changed in place", () => {
  for (const { name, facts, want } of rows)
    it(`${name}: ${want}`, () => {
      const memory = { ...emptyMemory, notInPlace: new Set(facts.refused === true ? ["uid-a"] : []) };
      const observed = observedApp({}, { revisions: [{ ...revision, data }], memory });
      const pod = instancePod(resized(facts));
      const turn = { most: Number.POSITIVE_INFINITY, mayCreate: Number.POSITIVE_INFINITY, declines: false, isReduced: false };
      const { actions } = stepChanges({ observed, spec, turn, goal: "web-2" }, new Map(), [], 0, [pod]);
      const act = actions.map((action) => (action.tag === "merge" && action.subresource === "resize" ? "ask" : "done"))[0] ?? "wait";
      assert.equal(isResizeRefused(observed, spec, pod) ? "anew" : act, want);
      assert.equal(actions.length, want === "ask" || want === "done" ? 1 : 0);
    });
});
