import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

/** A run of one item at work on n1, which is heard of for the last time at 12:01:00; pods are taken for dead 60 s after that. */
function cutOff(more: Partial<ElasticJobSpec> = {}): JobWorld {
  const world = JobWorld.accepted({ spec: { failover: { unreachableSeconds: 60 }, ...more } });
  world.to("12:00:00").start(0, "n1");
  world.to("12:01:00");
  world.unreachable.set("n1", world.now);
  world.settle().forgetLog();
  return world;
}

describe("failover.unreachableSeconds (decision 20)", () => {
  it("before attempt k+1 of an unreachable pod its predecessor is deleted, not forced, intention first", () => {
    const world = cutOff();
    world.to(at("12:02:00") - 1);
    assert.deepEqual(
      world.writes.filter((write) => write !== "status"),
      [],
      "not a millisecond early",
    );
    world.now = at("12:02:00");
    world.forgetLog();
    world.step();
    assert.deepEqual(world.writes, ["status"], "the record alone");
    assert.equal(world.active()?.stops?.[0]?.reason, "Unreachable");
    const plan = world.step();
    assert.deepEqual(world.writes, ["status", "delete 0/1"]);
    const deletion = plan.actions.find((action) => action.tag === "delete");
    assert.equal(deletion?.tag === "delete" && deletion.gracePeriodSeconds, undefined, "not forced");
    // The back-off of the first attempt, 10 s from the record.
    world.to(at("12:02:10") - 1);
    assert.deepEqual(world.created, []);
    world.to("12:02:10");
    assert.deepEqual(world.created, ["20261121t120000z/0/2"]);
    const next = world.attempts().find((pod) => pod.attempt === 2)?.history;
    assert.deepEqual([next?.counted, next?.lost, next?.nodes], [0, 1, ["n1"]]);
  });

  it("without it the pod is waited for", () => {
    const world = cutOff({ failover: {} });
    world.to("12:59:00");
    assert.deepEqual(world.created, []);
    assert.equal(world.active()?.stops, undefined);
  });

  it("a node that says itself that it is not ready is heard of", () => {
    const world = cutOff();
    world.unreachable.clear();
    world.cordoned = ["n1"];
    world.to("12:30:00");
    assert.deepEqual(world.created, []);
  });

  it("a node that is heard of again in time changes nothing", () => {
    const world = cutOff();
    world.to("12:01:59");
    world.unreachable.clear();
    world.to("12:10:00").exit(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.attempts, 1);
  });

  it("a node that is heard of again after the record: the kubelet's own end is waited for", () => {
    const world = cutOff();
    world.now = at("12:02:00");
    world.step();
    world.step();
    world.unreachable.clear();
    world.to("12:02:20");
    assert.deepEqual(world.created, []);
    world.exit(0, 143);
    world.to("12:02:40");
    assert.deepEqual(world.created, ["20261121t120000z/0/2"]);
  });

  it("a pod that the taint manager deleted is given up too, by a record of ours", () => {
    const world = cutOff();
    const pod = world.pod();
    const metadata = { ...pod.metadata, deletionTimestamp: iso("12:02:00"), deletionGracePeriodSeconds: 30 };
    world.to("12:01:30").show({ ...pod, metadata }, pod.status ?? {});
    world.to(at("12:02:00") - 1);
    assert.equal(world.active()?.stops, undefined);
    world.to("12:02:10");
    assert.deepEqual(world.created, ["20261121t120000z/0/2"]);
    assert.equal(world.writes.includes("delete 0/1"), false, "it is being deleted already");
  });

  it("a new leader knows from status and pods alone, and starts nothing twice", () => {
    const world = cutOff();
    world.to("12:02:10");
    world.restart().settle();
    world.restart().to("12:05:00");
    assert.deepEqual(world.created, ["20261121t120000z/0/2"]);
  });

  it("a run is over for Forbid when what is left of it was given up", () => {
    const world = cutOff();
    world.to("12:02:10").start(0, "n2");
    world.to("12:02:30").exit(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    world.to("13:00:00");
    assert.ok(world.created.includes("20261121t130000z/0/1"));
  });

  it("Replace waits likewise: for the pod's end, or until it is given up", () => {
    const world = cutOff({ concurrencyPolicy: "Replace", schedule: { crons: ["0 * * * *", "30 1 12 * * ?"] } });
    world.to("12:01:59");
    assert.deepEqual(world.created, []);
    assert.equal(world.active("20261121t120000z")?.ending?.reason, "Replaced");
    world.to("12:02:00");
    assert.deepEqual(world.created, ["20261121t120130z/0/1"]);
    assert.equal(world.history("20261121t120000z")?.phase, "Cancelled");
  });

  it("beyond failover.limit it counts as any other loss", () => {
    const world = cutOff({ failover: { limit: 0, unreachableSeconds: 60 } });
    world.to("12:02:10");
    assert.equal(world.history()?.phase, "Failed");
    assert.match(world.history()?.failures?.[0]?.message ?? "", /^Unreachable/);
  });

  it("rules know it as NodeLost", () => {
    const world = cutOff({ retry: { otherNodes: 5, rules: [{ onReasons: ["NodeLost"], action: "FailItem" }] } });
    world.to("12:02:10");
    assert.equal(world.history()?.failures?.[0]?.reason, "RetryRule");
  });

  describe("two outcomes of one item: the first recorded counts", () => {
    /** Attempt 2 is at work on n2; n1 is back, and its program had ended at 12:01:30, before the deletion was asked for. */
    function backWithSuccess(spec: Partial<ElasticJobSpec> = {}): JobWorld {
      const world = cutOff(spec);
      world.to("12:02:10").start(0, "n2");
      world.to("12:02:40");
      world.unreachable.clear();
      const first = [...world.pods.values()].find((pod) => pod.metadata.labels?.["nuptse.dev/attempt"] === "1");
      assert.ok(first !== undefined);
      const terminated = { exitCode: 0, finishedAt: iso("12:01:30"), reason: "Completed", message: "from n1" };
      world.forgetLog();
      return world.show(first, { ...first.status, phase: "Succeeded", containerStatuses: [{ name: "main", state: { terminated } }] });
    }

    it("the given-up attempt's success is recorded, and then the other one is stopped", () => {
      const world = backWithSuccess();
      world.step();
      assert.deepEqual(world.writes, ["status"], "the record alone");
      assert.deepEqual([world.active()?.succeeded, world.active()?.stops?.[0]?.reason], ["0", "Superseded"]);
      world.step();
      assert.deepEqual(world.writes, ["status", "delete 0/2"]);
      assert.equal(world.history(), undefined, "the run is not over while it is at work");
      world.exit(0, 143).settle();
      assert.equal(world.history()?.phase, "Succeeded");
      assert.deepEqual(world.status.results?.items, [{ item: 0, value: "from n1" }]);
    });

    it("a reduce is given the success's result, not what the attempt wrote that was stopped for it", () => {
      const merge = { spec: { containers: [{ name: "main", image: "registry.example/merge:1", command: ["/merge"] }] } };
      const world = backWithSuccess({ reduce: { template: merge } });
      world.step();
      world.step();
      world.exit(0, 143).settle();
      assert.equal([...world.configMaps.values()][0]?.data?.["results.jsonl"], '{"item":0,"result":"from n1"}\n');
    });

    it("when the newer one was recorded first, the older one changes nothing", () => {
      const world = cutOff();
      world.to("12:02:10").start(0, "n2").exit(0, 0, { message: "from n2" }).settle();
      world.unreachable.clear();
      world.to("12:02:40");
      assert.deepEqual(world.status.results?.items, [{ item: 0, value: "from n2" }]);
      assert.equal(world.status.active, undefined);
    });

    it("a new leader between record and deletion stops the other one", () => {
      const world = backWithSuccess();
      world.step();
      world.restart().step();
      assert.deepEqual(world.writes, ["status", "delete 0/2"]);
    });
  });
});
