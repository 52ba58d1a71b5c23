import assert from "node:assert/strict";
import type { ElasticJob } from "../../../../src/api/elastic-job.gen.ts";
import { readSpec } from "../../../../src/elasticjob/rules/read-spec.ts";
import { type RevisionStep, stepRevision } from "../../../../src/elasticjob/rules/revision.ts";
import { makeJob, plainTemplate } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";
import { makeObserved } from "../../../support/builders/observed-job.ts";
import { emptyMemory } from "../../../../src/elasticjob/rules/observed.ts";

const nameOf = (job: ElasticJob): string => {
  const step: RevisionStep = stepRevision(makeObserved({ job }));
  const action = step.kind === "pending" ? step.actions[0] : undefined;
  return action?.tag === "dryRun" ? action.object.metadata.name : "none";
};

describe("what runs are pinned to", () => {
  it("a template is shown to the API server as a PodTemplate, kept as a revision, and only then used", () => {
    const world = new JobWorld();
    const first = world.step();
    assert.deepEqual(
      first.actions.map((action) => `${action.tag} ${"resource" in action ? action.resource.kind : ""}`),
      ["dryRun PodTemplate"],
    );
    world.step();
    assert.deepEqual(world.writes, ["create revision"]);
    world.step();
    assert.deepEqual(world.writes, ["create revision", "status"], "one write says it all");
    assert.equal(world.condition("Ready"), "True:Armed");
    assert.equal(world.status.currentRevision, world.revisions[0]?.metadata.name);
  });

  it("a restart with a revision in the cache asks nothing again", () => {
    const world = JobWorld.accepted().restart().settle();
    assert.deepEqual(world.writes, []);
    assert.deepEqual(
      world.plans.flatMap((plan) => plan.actions),
      [],
    );
  });

  const sameName: readonly { readonly name: string; readonly job: ElasticJob; readonly same: boolean }[] = [
    {
      name: "the order of keys is nothing",
      job: makeJob({ template: { spec: { containers: [{ command: ["/report"], image: "registry.example/report:1", name: "main" }] } } }),
      same: true,
    },
    { name: "the schedule is no part of it", job: makeJob({ schedule: { crons: ["5 * * * *"] } }), same: true },
    { name: "retry is no part of it", job: makeJob({ retry: { sameNode: 3 } }), same: true },
    { name: "the number of items is part of it", job: makeJob({ sharding: { total: 2 } }), same: false },
    { name: "the parameter is part of it", job: makeJob({ parameter: "x" }), same: false },
    { name: "results are part of it", job: makeJob({ results: { maxBytes: 1 } }), same: false },
    {
      name: "the image is part of it",
      job: makeJob({ template: { spec: { containers: [{ name: "main", image: "other" }] } } }),
      same: false,
    },
    {
      name: "a job that was made again under the same name has names of its own",
      job: makeJob({}, { metadata: { uid: "99999999-0000" } }),
      same: false,
    },
    { name: "collisionCount tells two data of one name apart", job: makeJob({}, { status: { collisionCount: 1 } }), same: false },
  ];
  for (const tc of sameName) it(tc.name, () => assert.equal(nameOf(tc.job) === nameOf(makeJob()), tc.same));

  it("another content under its name is a collision: collisionCount rises, and the next name is tried", () => {
    const world = new JobWorld();
    const name = nameOf(world.job);
    world.revisions = [
      { apiVersion: "apps/v1", kind: "ControllerRevision", metadata: { name, uid: "other" }, data: { template: {} }, revision: 1 },
    ];
    world.step();
    assert.equal(world.status.collisionCount, 1);
    world.settle();
    assert.equal(world.condition("Ready"), "True:Armed");
    assert.notEqual(world.status.currentRevision, name);
  });

  it("a template that the API server refuses: Ready=False and Stalled with its words, an event, nothing fires, no loop", () => {
    const world = new JobWorld();
    world.refuse = () => ({ kind: "invalid", message: 'PodTemplate "x" is invalid: template.spec.containers[0].name: Required value' });
    world.settle();
    assert.equal(world.condition("Ready"), "False:TemplateRefused");
    assert.equal(world.condition("Stalled"), "True:TemplateRefused");
    assert.match(world.status.conditions?.[0]?.message ?? "", /spec\.template\.spec\.containers\[0\]\.name: Required value/);
    assert.match(world.events[0] ?? "", /^TemplateRefused: /);
    world.forgetLog();
    world.to("15:00:00");
    assert.deepEqual([world.writes, world.created], [[], []]);
    world.refuse = () => undefined;
    world.edit({ template: plainTemplate }).to("15:30:00");
    assert.equal(world.condition("Ready"), "True:Armed");
    assert.equal(world.condition("Stalled"), "False:Armed");
    assert.deepEqual(world.created, [], "what passed while it was refused does not fire");
  });

  it("a refused edit does not touch the run under way", () => {
    const world = JobWorld.accepted();
    world.to("12:00:00").start(0);
    world.to("12:00:10");
    world.refuse = (action) => (action.resource.plural === "podtemplates" ? { kind: "invalid", message: "no" } : undefined);
    world.edit({ parameter: "new" }).to("12:00:20").exit(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.condition("Ready"), "False:TemplateRefused");
  });

  it("while an edit cannot be checked, the run under way is recorded and limited as ever", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 2 }, itemTimeoutSeconds: 60 } });
    world.to("12:00:00").start(0).start(1);
    world.to("12:00:10");
    world.refuse = (action) => (action.resource.plural === "podtemplates" ? { kind: "failed", error: new Error("time-out") } : undefined);
    world.edit({ parameter: "new" });
    world.now += 50_000;
    world.step();
    assert.equal(world.active()?.stops?.length, 2);
    world.exit(0, 143).exit(1, 143);
    world.step();
    assert.equal(world.history()?.phase, "Failed");
  });

  it("a dry run that a policy forbids is not the template's fault", () => {
    const world = new JobWorld();
    world.refuse = (action) =>
      action.resource.plural === "podtemplates"
        ? { kind: "forbidden", message: "denied", quota: false, namespaceTerminating: false }
        : undefined;
    world.settle();
    assert.equal(world.condition("Ready"), "True:Armed");
  });

  it("in a namespace that is being deleted nothing is asked", () => {
    const observed = makeObserved({ memory: { ...emptyMemory, namespaceTerminating: true } });
    assert.deepEqual(stepRevision(observed), { kind: "pending", actions: [] });
  });

  it("holds template, sharding, parameter, results and the time-outs that pods are rendered with, and nothing else", () => {
    const job = makeJob({
      parameter: "p",
      sharding: { total: 2 },
      results: { maxBytes: 5 },
      itemTimeoutSeconds: 6,
      startTimeoutSeconds: 7,
      runTimeoutSeconds: 8,
      retry: { sameNode: 1 },
    });
    assert.deepEqual(Object.keys(readSpec(job, []).pinned.data).sort(), [
      "itemTimeoutSeconds",
      "parameter",
      "results",
      "sharding",
      "startTimeoutSeconds",
      "template",
    ]);
  });
});

describe("revisions that nothing names are collected", () => {
  it("not while a run, a pod or the history names them", () => {
    const world = JobWorld.accepted({ spec: { podRetention: { succeeded: 0 }, history: { succeeded: 1, failed: 0 } } });
    world.to("12:00:01").runs(0).settle();
    world.edit({ parameter: "second" }).to("12:30:00");
    assert.equal(world.revisions.length, 2, "history names the first");
    world.to("13:00:01").runs(0).to("13:30:00");
    assert.equal(world.revisions.length, 1);
    assert.equal(world.revisions[0]?.metadata.name, world.status.currentRevision);
  });

  it("never the current one", () => {
    const world = JobWorld.accepted();
    world.to("12:40:00");
    assert.equal(world.writes.includes("delete revision"), false);
  });
});

describe("a job that is restored from a backup with its status", () => {
  it("goes on with the run that was at work, by the newest revision, since the one of the object that is gone is gone too", () => {
    const world = JobWorld.accepted();
    world.to("12:00:01").to("12:05:00");
    const { run, revision } = world.status.active?.[0] ?? assert.fail("a run is at work");
    world.job = { ...world.job, metadata: { ...world.job.metadata, uid: "9f000000-0000", creationTimestamp: "2026-11-21T12:05:00Z" } };
    world.revisions = [];
    world.pods.clear();
    world.forgetLog();
    world.restart().settle();
    const entry = world.status.active?.[0];
    assert.deepEqual([entry?.run, entry?.revision], [run, world.status.currentRevision]);
    assert.notEqual(entry?.revision, revision);
    assert.deepEqual(world.created, [`${run}/0/1`]);
  });
});
