import assert from "node:assert/strict";
import type { ActionOutcome } from "../../../../src/api/action.ts";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

const quota: ActionOutcome = {
  kind: "forbidden",
  message: "exceeded quota: compute, requested: pods=1, used: pods=4, limited: pods=4",
  quota: true,
  namespaceTerminating: false,
};
const webhook: ActionOutcome = {
  kind: "forbidden",
  message: 'admission webhook "policy" denied the request',
  quota: false,
  namespaceTerminating: false,
};
const terminating: ActionOutcome = {
  kind: "forbidden",
  message: "because it is being terminated",
  quota: false,
  namespaceTerminating: true,
};

function refusing(outcome: ActionOutcome, spec: Partial<ElasticJobSpec> = {}): JobWorld {
  const world = JobWorld.accepted({ spec });
  world.refuse = (action) => (action.resource.plural === "pods" ? outcome : undefined);
  return world;
}

const attemptsPerPlan = (world: JobWorld) =>
  world.plans
    .map((plan) => plan.actions.filter((action) => action.tag === "create").length)
    .filter((count) => count > 0)
    .join(" ");

describe("a refusal by quota (decision 49)", () => {
  it("is a reason to wait: one record, one event, and no attempt is burnt", () => {
    const world = refusing(quota);
    world.to("12:04:00");
    assert.deepEqual(world.writes, ["status"]);
    assert.equal(world.active()?.phase, "Waiting");
    assert.equal(world.active()?.reason, "QuotaExceeded");
    assert.deepEqual(world.events, [`RunWaiting: run 20261121t120000z waits: QuotaExceeded: ${quota.message}`]);
    world.refuse = () => undefined;
    world.to("12:10:00");
    assert.deepEqual(world.created, ["20261121t120000z/0/1"]);
  });

  it("is shown on Ready=True with the server's words, and goes without a write of its own", () => {
    const world = refusing(quota);
    world.to("12:00:01");
    assert.equal(world.condition("Ready"), "True:WaitingForQuota");
    world.refuse = () => undefined;
    world.forgetLog();
    world.to("12:00:06");
    assert.deepEqual(world.writes, ["create 0/1"]);
    world.runs(0).settle();
    assert.equal(world.condition("Ready"), "True:Armed");
  });

  it("waits 5, 10, 20, ... at most 300 seconds between tries, one pod each", () => {
    const world = refusing(quota, { sharding: { total: 50 } });
    const tries: number[] = [];
    let known = 0;
    for (let second = 0; second <= 1000; second += 5) {
      world.to(world.now + (second === 0 ? 60_000 : 5000));
      const planned = world.plans.filter((plan) => plan.actions.some((action) => action.tag === "create")).length;
      if (planned > known) tries.push(second);
      known = planned;
    }
    // At 0; then after waits of 5, 10, 20, 40, 80, 160, 300, 300 s.
    assert.deepEqual(tries, [0, 5, 15, 35, 75, 155, 315, 615, 915]);
    assert.match(attemptsPerPlan(world), /^50( 1)+$/);
  });

  it("starts slowly afterwards: 1, 2, 4, ...", () => {
    const world = refusing(quota, { sharding: { total: 12 } });
    world.to("12:00:02");
    world.refuse = () => undefined;
    world.plans = [];
    world.to("12:00:06");
    assert.equal(attemptsPerPlan(world), "1 2 4 5");
    assert.equal(world.created.length, 12);
  });

  it("is tried again at once when a quota of the namespace changes", () => {
    const world = refusing(quota);
    world.to("12:03:00");
    world.refuse = () => undefined;
    assert.equal(world.notes.quotaChanged(world.now), true);
    world.settle();
    assert.equal(world.created.length, 1);
  });

  it("in the middle of a run is recorded, and the started items run on", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 3 } } });
    world.refuse = (action) => (action.object.metadata.labels?.["nuptse.dev/item"] === "2" ? quota : undefined);
    world.to("12:00:01");
    assert.equal(world.created.length, 2);
    assert.equal(world.active()?.phase, "Running");
    assert.equal(world.active()?.reason, "QuotaExceeded");
    world.runs(0).runs(1);
    world.refuse = () => undefined;
    world.to("12:00:20").runs(2).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.attempts, 3);
  });

  it("that is over is told no more", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 2 } } });
    world.refuse = (action) => (action.object.metadata.labels?.["nuptse.dev/item"] === "1" ? quota : undefined);
    world.to("12:00:01");
    world.refuse = () => undefined;
    world.to("12:00:16").runs(0).to("12:00:46");
    assert.equal(world.active()?.reason, undefined);
    assert.deepEqual(world.plan().waiting, []);
  });

  it("of a run that waits longer than startingDeadlineSeconds ends in a skip", () => {
    const world = refusing(quota, { misfire: { startingDeadlineSeconds: 60 } });
    world.to("12:02:00");
    assert.equal(world.status.active, undefined);
    assert.deepEqual(
      world.status.outcomes?.notSucceeded?.map((entry) => entry.outcome),
      ["Skipped"],
    );
  });

  it("survives a restart as a record: the run is tried again under its own name", () => {
    const world = refusing(quota);
    world.to("12:00:30").restart();
    world.refuse = () => undefined;
    world.settle();
    assert.deepEqual(world.created, ["20261121t120000z/0/1"]);
    assert.equal(world.active()?.kind, "Schedule");
  });
});

describe("other refusals", () => {
  it("by an admission webhook is a reason to wait as well", () => {
    const world = refusing(webhook);
    world.to("12:01:00");
    assert.equal(world.active()?.reason, "AdmissionRefused");
    assert.equal(world.condition("Ready"), "True:AdmissionRefused");
    assert.deepEqual(world.writes, ["status"]);
  });

  it("another owner's pod under our name: the run says NameTaken and fails; nothing is adopted", () => {
    const world = refusing({ kind: "nameTaken" });
    world.to("12:01:00");
    assert.deepEqual(world.writes, ["status", "status"], "the decision, then the end");
    assert.equal(world.history()?.phase, "Failed");
    assert.equal(world.history()?.reason, "NameTaken");
    assert.match(world.history()?.message ?? "", /report-0a1b2c3d-20261121t120000z-0-1/);
    assert.equal(world.status.lastHandledFireTime, "2026-11-21T12:00:00Z");
    world.refuse = () => undefined;
    world.to("13:00:00");
    assert.deepEqual(world.created, ["20261121t130000z/0/1"], "the next fire time is not touched by it");
  });

  it("a pod that the API server finds wrong after a good dry run: the run fails as TemplateRefused", () => {
    const world = refusing({ kind: "invalid", message: "spec.containers[0].image: Invalid value" });
    world.to("12:01:00");
    assert.equal(world.history()?.reason, "TemplateRefused");
    assert.match(world.history()?.message ?? "", /spec\.containers\[0\]\.image/);
  });

  it("with some pods already there: they are deleted after the record", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 2 } } });
    world.refuse = (action) => (action.object.metadata.labels?.["nuptse.dev/item"] === "1" ? { kind: "nameTaken" } : undefined);
    world.to("12:00:00");
    assert.deepEqual(world.writes.slice(0, 3), ["create 0/1", "status", "delete 0/1"]);
    assert.equal(world.history()?.reason, "NameTaken");
  });

  it("in a namespace that is being deleted nothing is started, nothing is retried, and no status is repeated", () => {
    const world = refusing(terminating);
    world.to("12:00:01");
    assert.equal(world.condition("Ready"), "False:NamespaceTerminating");
    world.forgetLog();
    world.to("18:00:00");
    assert.deepEqual(
      world.writes.filter((write) => write !== "status"),
      [],
    );
    assert.equal(world.plans.flatMap((plan) => plan.actions).filter((action) => action.tag === "create").length, 0);
    assert.ok(world.plans.length < 30);
  });
});
