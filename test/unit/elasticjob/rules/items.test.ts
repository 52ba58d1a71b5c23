import assert from "node:assert/strict";
import { at, iso } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

const items = (world: JobWorld) => world.created.map((which) => which.slice(17)).join(" ");
const affinityOf = (world: JobWorld, item = 0) =>
  world.pod(item).spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;

describe("items of a run", () => {
  it("all start at once without parallelism", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 3 } } });
    world.to("12:00:00");
    assert.equal(items(world), "0/1 1/1 2/1");
  });

  it("parallelism is the number of items at work at once; the next begins when one has ended", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 4, parallelism: 2 } } });
    world.to("12:00:00");
    assert.equal(items(world), "0/1 1/1");
    world.to("12:00:03").runs(1).settle();
    assert.equal(items(world), "0/1 1/1 2/1");
    world.runs(0).settle();
    world.runs(2).runs(3).settle();
    assert.equal(world.history()?.phase, "Succeeded");
  });

  it("disabledItems are left out, and are no part of the run's total", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 5, disabledItems: "1,3-4" } } });
    world.to("12:00:05");
    assert.equal(items(world), "0/1 2/1");
    assert.equal(world.active()?.items, "0,2");
    assert.equal(world.active()?.total, 2);
  });

  it("an edit of total and disabledItems counts from the next run on", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 3, parallelism: 1 } } });
    world.to("12:00:00").edit({ sharding: { total: 1, disabledItems: "" } });
    world.to("12:00:06");
    for (const item of [0, 1, 2]) world.runs(item).settle();
    assert.equal(items(world), "0/1 1/1 2/1");
    world.to("13:00:00");
    assert.equal(items(world), "0/1 1/1 2/1 0/1");
  });
});

describe("retry", () => {
  it("is repeated on its node first: the next attempt is pinned there, after the back-off", () => {
    const world = JobWorld.accepted({ spec: { retry: { sameNode: 1, otherNodes: 1 } } });
    world.to("12:00:01").runs(0, 7, "n2");
    world.to("12:00:10.999");
    assert.equal(items(world), "0/1");
    world.to("12:00:11");
    assert.equal(items(world), "0/1 0/2");
    assert.deepEqual(affinityOf(world), [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["n2"] }] }]);
  });

  it("then goes to another node, and leaves out the one that failed", () => {
    const world = JobWorld.accepted({ spec: { retry: { sameNode: 1, otherNodes: 1 } } });
    world.to("12:00:01").runs(0, 7, "n2");
    world.to("12:00:11").runs(0, 7, "n2");
    world.to("12:00:31");
    assert.deepEqual(affinityOf(world), [{ matchFields: [{ key: "metadata.name", operator: "NotIn", values: ["n2"] }] }]);
  });

  it("fails when all attempts are used up, and tells which item, how and where", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 2 }, retry: { otherNodes: 1 } } });
    world.to("12:00:01").runs(0).runs(1, 7, "n2");
    world.to("12:00:11").runs(1, 9, "n3").settle();
    const run = world.history();
    assert.equal(run?.phase, "Failed");
    assert.equal(run?.reason, "ItemsFailed");
    assert.deepEqual(run?.failures, [{ item: 1, attempt: 2, reason: "RetriesExhausted", exitCode: 9, node: "n3", message: "Error" }]);
    assert.equal(run?.attempts, 3);
    const event = world.events.find((text) => text.startsWith("RunFailed")) ?? "";
    assert.match(event, /run 20261121t120000z failed: items 1 exit 9 after 2 attempts \(nodes n3\); see: kubectl logs -n tenant -l /);
  });

  it("with every usable node left out it may go anywhere, else nothing could ever run again", () => {
    const world = JobWorld.accepted({ nodes: ["n1"], spec: { retry: { otherNodes: 2 } } });
    world.to("12:00:01").runs(0, 1, "n1");
    world.to("12:00:11");
    assert.equal(affinityOf(world), undefined);
  });

  it("a same-node attempt that is not scheduled after 60 s is withdrawn, record first, and goes elsewhere uncounted", () => {
    const world = JobWorld.accepted({ spec: { retry: { sameNode: 1 } } });
    world.to("12:00:00").runs(0, 7, "n1");
    world.to("12:00:10");
    assert.equal(items(world), "0/1 0/2");
    world.now = at("12:01:10");
    world.step();
    assert.equal(world.active()?.stops?.[0]?.reason, "NotScheduled");
    world.to("12:01:40");
    assert.equal(items(world), "0/1 0/2 0/3");
    assert.deepEqual(affinityOf(world), [{ matchFields: [{ key: "metadata.name", operator: "NotIn", values: ["n1"] }] }]);
    world.runs(0, 0, "n2").settle();
    assert.equal(world.history()?.phase, "Succeeded");
  });

  it("a same-node attempt whose node is cordoned is withdrawn at once", () => {
    const world = JobWorld.accepted({ spec: { retry: { sameNode: 1 } } });
    world.to("12:00:00").runs(0, 7, "n1");
    world.to("12:00:10");
    world.cordoned = ["n1"];
    world.to("12:00:11");
    assert.equal(world.active()?.stops?.[0]?.reason, "NotScheduled");
  });
});

describe("failover", () => {
  it("a vanished pod's item starts again elsewhere, and people are told", () => {
    const world = JobWorld.accepted();
    world.to("12:00:00").start(0, "n1");
    world.to("12:00:20").vanish(0);
    world.to("12:00:30");
    assert.equal(items(world), "0/1 0/2");
    assert.deepEqual(affinityOf(world), [{ matchFields: [{ key: "metadata.name", operator: "NotIn", values: ["n1"] }] }]);
    assert.match(
      world.events.find((text) => text.startsWith("ItemFailedOver")) ?? "",
      /item 0 was lost on n1 \(Vanished\) and starts again elsewhere as attempt 2/,
    );
    world.runs(0, 0, "n2").settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.lost, 1);
  });

  it("only items that were running move", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 3 } } });
    world.to("12:00:00").start(0, "n1").start(1, "n1").start(2, "n2");
    world.to("12:00:05").exit(1).settle();
    world.loseNode("n1").to("12:00:30");
    assert.equal(items(world), "0/1 1/1 2/1 0/2");
  });

  it("a node that is not in the cache is asked for before anything is concluded (decision 20)", () => {
    const world = JobWorld.accepted();
    world.to("12:00:00").start(0, "n7");
    world.nodes.push("n7");
    const hidden = world.plan();
    assert.equal(hidden.actions.filter((action) => action.tag === "probe").length, 0);
    world.loseNode("n7");
    const plan = world.plan();
    assert.ok(plan.actions.every((action) => action.tag === "probe"));
    assert.ok(plan.actions.some((action) => action.tag === "probe" && action.ref.name === "n7"));
    assert.equal(plan.status, undefined);
  });

  it("a node that was gone before the pod was bound to it is asked for again: it may have come back under its name", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 2 } } });
    world.to("12:00:00").start(0, "n1");
    world.to("12:00:05");
    world.loseNode("n1").settle();
    assert.equal(world.active()?.run, "20261121t120000z");
    world.to("12:00:20");
    // The pod watch shows a pod on the new n1 before the node watch shows the node.
    world.start(1, "n1");
    const plan = world.plan();
    const second = plan.actions.filter((action) => action.tag === "create" && action.object.metadata.labels?.["nuptse.dev/item"] === "1");
    assert.deepEqual(second, []);
    assert.ok(plan.actions.some((action) => action.tag === "probe" && action.ref.name === "n1"));
  });

  it("an unreachable node's pod is waited for, however long", () => {
    const world = JobWorld.accepted();
    world.to("12:00:00").start(0, "n1");
    world.to("12:05:50");
    const pod = world.pod();
    const metadata = { ...pod.metadata, deletionTimestamp: iso("12:06:20"), deletionGracePeriodSeconds: 30 };
    world.show(
      { ...pod, metadata },
      { ...pod.status, conditions: [...(pod.status?.conditions ?? []), { type: "DisruptionTarget", status: "True" }] },
    );
    world.to("12:59:00");
    assert.equal(items(world), "0/1");
  });

  it("survives the loss of the taker; beyond failover.limit a loss is a failure", () => {
    const world = JobWorld.accepted({ spec: { failover: { limit: 2 } } });
    world.to("12:00:00").start(0, "n1").vanish(0);
    world.to("12:00:10").start(0, "n2").vanish(0);
    world.to("12:00:30");
    assert.equal(items(world), "0/1 0/2 0/3");
    world.start(0, "n3").vanish(0).settle();
    assert.equal(world.history()?.phase, "Failed");
    assert.equal(world.history()?.failures?.[0]?.reason, "RetriesExhausted");
  });
});
