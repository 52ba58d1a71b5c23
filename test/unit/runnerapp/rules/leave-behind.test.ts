import assert from "node:assert/strict";
import type { Pod } from "../../../../src/api/core.ts";
import type { KubeObject } from "../../../../src/api/meta.ts";
import { budgetDeletions, intoService } from "../../../../src/runnerapp/rules/leave-behind.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { runnerPod } from "../../../support/builders/runner-pod.ts";

const owner = (kind: string, apiVersion = "nuptse.dev/v1alpha1") => ({ apiVersion, kind, name: "web", uid: "app-uid", controller: true });

function budget(name: string, owners: readonly object[], more: object = {}): KubeObject {
  return { metadata: { name, namespace: "tenant", uid: `uid-${name}`, ownerReferences: owners, ...more } as KubeObject["metadata"] };
}

describe("what fleets leave behind", () => {
  it("their PodDisruptionBudgets are deleted, of whatever version of the kind; those of others stay", () => {
    const deletions = budgetDeletions([
      budget("web", [owner("RunnerApp")]),
      budget("next", [owner("RunnerApp", "nuptse.dev/v1")]),
      budget("mine", []),
      budget("namesake", [owner("RunnerApp", "example.com/v1")]),
      budget("theirs", [owner("Deployment", "apps/v1")]),
      budget("shared", [{ ...owner("RunnerApp"), controller: false }]),
      budget("going", [owner("RunnerApp")], { deletionTimestamp: "2026-11-21T12:00:00Z" }),
    ]);
    assert.deepEqual(
      deletions.map(({ resource, ref, uid }) => `${resource.plural} ${ref.namespace}/${ref.name} ${uid}`),
      ["poddisruptionbudgets tenant/web uid-web", "poddisruptionbudgets tenant/next uid-next"],
    );
  });

  const gate = "nuptse.dev/in-service";
  const gated = (status: string | undefined, facts: Parameters<typeof runnerPod>[0] = {}): Pod => {
    const pod = runnerPod(facts);
    const conditions = pod.status?.conditions ?? [];
    return {
      ...pod,
      spec: { ...pod.spec, readinessGates: [{ conditionType: gate }] },
      status: { ...pod.status, conditions: status === undefined ? conditions : [...conditions, { type: gate, status }] },
    };
  };
  const rows: readonly { readonly name: string; readonly pod: Pod; readonly want: boolean }[] = [
    { name: "one that was taken out of service comes back", pod: gated("False"), want: true },
    {
      name: "one that never was in service comes in, also before its containers are ready",
      pod: gated(undefined, { ready: false }),
      want: true,
    },
    { name: "one that is in service is left alone", pod: gated("True"), want: false },
    { name: "one without the gate is left alone", pod: runnerPod({ ready: false }), want: false },
    { name: "one that is being deleted goes", pod: gated("False", { deleting: true }), want: false },
    { name: "one that has ended stays so", pod: gated("False", { phase: "Failed" }), want: false },
  ];
  for (const { name, pod, want } of rows) it(name, () => assert.equal(intoService([pod], at("12:00:00")).length === 1, want));

  it("coming back changes nothing else that is said of it", () => {
    const pod = gated("False");
    const [write] = intoService([pod], at("12:30:00"));
    const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== gate);
    assert.deepEqual(write?.status, {
      conditions: [...others, { type: gate, status: "True", reason: "InService", lastTransitionTime: "2026-11-21T12:30:00Z" }],
    });
    assert.equal(write?.object.metadata, pod.metadata);
  });
});
