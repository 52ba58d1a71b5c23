import assert from "node:assert/strict";
import type { CreateAction } from "../../../../src/api/action.ts";
import type { ControllerRevision } from "../../../../src/api/core.ts";
import type { RunnerAppSpec } from "../../../../src/api/runner-app.gen.ts";
import { emptyMemory, type ObservedApp } from "../../../../src/runnerapp/rules/observed.ts";
import { collectRevisions, stepRevision } from "../../../../src/runnerapp/rules/revision.ts";
import { appRevision, observedApp } from "../../../support/builders/runner-app.ts";

/** The name under which a template's revision is asked about. */
function nameOf(observed: ObservedApp): string {
  const step = stepRevision(observed);
  assert.equal(step.kind, "pending");
  const [action] = step.kind === "pending" ? step.actions : [];
  return action?.tag === "dryRun" ? action.object.metadata.name : "";
}

const image = (name: string): Partial<RunnerAppSpec> => ({ template: { spec: { containers: [{ name: "main", image: name }] } } });

describe("revisions of a RunnerApp", () => {
  it("the same template has the same name, whatever order its fields came in", () => {
    const one = { template: { spec: { containers: [{ name: "main", image: "web:1" }], nodeSelector: { a: "1", b: "2" } } } };
    const other = { template: { spec: { nodeSelector: { b: "2", a: "1" }, containers: [{ image: "web:1", name: "main" }] } } };
    assert.equal(nameOf(observedApp({ spec: one })), nameOf(observedApp({ spec: other })));
  });

  it("the name stays what it was in an older release: an upgrade of the operator restarts nobody", () => {
    assert.equal(nameOf(observedApp()), "web-ccdb83a492");
  });

  const broadcast: readonly Partial<RunnerAppSpec>[] = [
    { replicas: 9 },
    { minReadySeconds: 10 },
    { paused: true },
    { strategy: { rollingUpdate: { maxSurge: 1 } } },
    { canary: { replicas: "10%" } },
    { restartedAt: "2026-11-21T10:00:00Z" },
    { progressDeadlineSeconds: 60, revisionHistoryLimit: 1 },
  ];
  for (const spec of broadcast)
    it(`${Object.keys(spec).join(" and ")} rolls nothing`, () => assert.equal(nameOf(observedApp({ spec })), nameOf(observedApp())));

  it("another image is another revision", () => assert.notEqual(nameOf(observedApp({ spec: image("web:2") })), nameOf(observedApp())));

  it("two data of one name are told apart by collisionCount", () => {
    const name = nameOf(observedApp());
    assert.deepEqual(stepRevision(observedApp({}, { revisions: [appRevision(name, "another:1")] })), { kind: "collision" });
    assert.notEqual(nameOf(observedApp({ status: { collisionCount: 1 } })), name);
  });

  it("a template that the API server refuses makes no revision", () => {
    const templates = new Map([[nameOf(observedApp()), { accepted: false, message: "spec.template: no" }]]);
    assert.deepEqual(stepRevision(observedApp({}, { memory: { ...emptyMemory, templates } })), {
      kind: "refused",
      message: "spec.template: no",
    });
  });

  it("one that it takes is kept, numbered after all others", () => {
    const templates = new Map([[nameOf(observedApp()), { accepted: true, message: "" }]]);
    const revisions = [appRevision("web-a", "web:0", 4), appRevision("web-b", "web:00", 2)];
    const step = stepRevision(observedApp({}, { memory: { ...emptyMemory, templates }, revisions }));
    const made = step.kind === "pending" ? (step.actions[0] as CreateAction).object : undefined;
    assert.equal((made as ControllerRevision).revision, 5);
  });

  it("of those that nothing uses the newest stay, as many as revisionHistoryLimit", () => {
    const revisions = [4, 2, 3, 1].map((number) => appRevision(`web-${number}`, `web:${number}`, number));
    const observed = observedApp({}, { revisions });
    const deleted = collectRevisions(observed, 1, new Set(["web-4"])).map((action) => (action.tag === "delete" ? action.ref.name : ""));
    assert.deepEqual(deleted, ["web-1", "web-2"]);
  });
});
