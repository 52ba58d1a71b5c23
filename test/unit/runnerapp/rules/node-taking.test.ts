import assert from "node:assert/strict";
import type { Node } from "../../../../src/api/core.ts";
import { disruptionBudgetOf } from "../../../../src/runnerapp/rules/disruption-budget.ts";
import { evacuatedMarks, evacuationCause, nodeTaken, podTaken } from "../../../../src/runnerapp/rules/node-taking.ts";
import { replacementRevision } from "../../../../src/runnerapp/rules/replacement-revision.ts";

const taints = new Set(["ToBeDeletedByClusterAutoscaler"]);
const node = (spec: Node["spec"], annotations: Readonly<Record<string, string>> = {}) => ({
  metadata: { name: "n1", annotations },
  ...(spec && { spec }),
});

describe("what says that a node is being taken", () => {
  const table = [
    ["nothing", node({}), undefined],
    ["cordoned", node({ unschedulable: true }), "Cordoned"],
    ["a configured taint", node({ taints: [{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }] }), "Tainted"],
    ["another taint", node({ taints: [{ key: "gpu", effect: "NoSchedule" }] }), undefined],
    ["the annotation", node({}, { "nuptse.dev/evacuate": "true" }), "Annotated"],
    ["the annotation with false", node({}, { "nuptse.dev/evacuate": "false" }), undefined],
    ["the annotation with false on a cordoned node", node({ unschedulable: true }, { "nuptse.dev/evacuate": "false" }), "Cordoned"],
  ] as const;
  for (const [name, given, want] of table) it(name, () => assert.equal(nodeTaken(given, taints), want));
  it("a single pod is asked to leave", () =>
    assert.equal(podTaken({ metadata: { name: "p", annotations: { "nuptse.dev/evacuate": "" } } }), "Annotated"));
});

describe("why a pod is to leave", () => {
  const [free, asked] = [undefined, "Annotated"] as const;
  const table = [
    ["it may stay", free, { unheardOf: false, lost: false }, undefined],
    ["its node is taken", free, { taken: "Cordoned", unheardOf: false, lost: false }, "Cordoned"],
    ["it is asked itself", asked, { unheardOf: false, lost: false }, "Annotated"],
    ["its node is lost", free, { unheardOf: true, lost: true }, "Lost"],
    ["its node is lost, and taken", free, { taken: "Tainted", unheardOf: true, lost: true }, "Lost"],
    ["its node is not heard of for a moment", free, { unheardOf: true, lost: false }, undefined],
    ["and is taken: it may serve unseen", free, { taken: "Cordoned", unheardOf: true, lost: false }, "Lost"],
  ] as const;
  for (const [name, pod, standing, want] of table) it(name, () => assert.equal(evacuationCause(pod, standing), want));
});

describe("the mark nuptse.dev/evacuated", () => {
  const at = (name: string, taken: boolean, marked: boolean) => ({ name, taken, marked });
  const table = [
    ["set when no instance of any app is left", at("n1", true, false), 0, { mark: ["n1"], unmark: [] }],
    ["not while one is, though it is ending", at("n1", true, false), 1, { mark: [], unmark: [] }],
    ["once", at("n1", true, true), 0, { mark: [], unmark: [] }],
    ["taken away when the node is given back", at("n1", false, true), 0, { mark: [], unmark: ["n1"] }],
    ["and when an instance is on it again", at("n1", true, true), 1, { mark: [], unmark: ["n1"] }],
    ["never on a node that nobody takes", at("n1", false, false), 0, { mark: [], unmark: [] }],
  ] as const;
  for (const [name, given, instances, want] of table)
    it(name, () =>
      assert.deepEqual(
        evacuatedMarks([given], () => instances),
        want,
      ),
    );
});

describe("the PodDisruptionBudget of an app", () => {
  for (const [budget, maxUnavailable, want] of [
    ["Budget", 2, 2],
    ["Budget", 0, 0],
    ["Strict", 2, 0],
  ] as const)
    it(`${budget}, of ${maxUnavailable}: ${want} may be evicted, and always those that are not Ready`, () =>
      assert.deepEqual(disruptionBudgetOf("web", budget, maxUnavailable), {
        maxUnavailable: want,
        selector: { matchLabels: { "nuptse.dev/app": "web" } },
        unhealthyPodEvictionPolicy: "AlwaysAllow",
      }));
});

describe("the revision of a replacement (research 5f)", () => {
  const rolling = { stable: "a", update: "b", paused: false, updatesNext: true };
  const table = [
    ["a victim that must be updated anyway is updated with the move", "a", false, rolling, "b"],
    ["while the ratio is reached it stays as it is", "a", false, { ...rolling, updatesNext: false }, "a"],
    ["so does one of the canary", "b", false, { ...rolling, updatesNext: false }, "b"],
    ["one of a revision between gets the stable one", "x", false, { ...rolling, updatesNext: false }, "a"],
    ["paused: the victim's own", "b", false, { ...rolling, paused: true }, "b"],
    ["paused: the stable one for a canary that failed", "b", true, { ...rolling, paused: true }, "a"],
    ["paused: its own for an old one that failed", "a", true, { ...rolling, paused: true }, "a"],
  ] as const;
  for (const [name, revision, failed, ask, want] of table)
    it(name, () => assert.equal(replacementRevision({ revision, failed }, ask), want));
});
