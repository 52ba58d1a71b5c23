import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";
import { makePod } from "../../../support/builders/attempt-pod.ts";

const runsWithPods = (world: JobWorld) => [...new Set(world.attempts().map((pod) => pod.run.slice(9, 13)))].sort().join(" ");

/** A job that fires every ten minutes; each run's item ends with the given exit code a second later. */
function play(spec: Partial<ElasticJobSpec>, exits: readonly number[]): JobWorld {
  const world = JobWorld.accepted({ spec: { schedule: { crons: ["*/10 * * * *"] }, ...spec } });
  for (const [index, exitCode] of exits.entries()) {
    world.to(at("12:00:00") + index * 600_000);
    world.to(world.now + 1000);
    for (let item = 0; item < (spec.sharding?.total ?? 1); item++) world.runs(item, exitCode);
    world.settle();
  }
  return world.to(world.now + 300_000);
}

describe("finished pods", () => {
  it("of the newest succeeded run and of the three newest failed ones stay", () => {
    const world = play({}, [1, 1, 1, 1, 0, 0]);
    assert.equal(runsWithPods(world), "1210 1220 1230 1250");
  });

  it("stay as podRetention says", () => {
    const world = play({ podRetention: { succeeded: 2, failed: 0 } }, [0, 1, 0, 0]);
    assert.equal(runsWithPods(world), "1220 1230");
  });

  it("stay at least 90 s after the end of their run, though none are to be kept: their names are the lock", () => {
    const world = JobWorld.accepted({ spec: { podRetention: { succeeded: 0 } } });
    world.to("12:00:10").runs(0).settle();
    world.to("12:01:39");
    assert.equal(runsWithPods(world), "1200");
    world.to("12:01:40");
    assert.equal(runsWithPods(world), "");
  });

  it("podRetention.minSeconds makes that longer", () => {
    const world = JobWorld.accepted({ spec: { podRetention: { succeeded: 0, minSeconds: 600 } } });
    world.to("12:00:10").runs(0).settle();
    world.to("12:10:09");
    assert.equal(runsWithPods(world), "1200");
    world.to("12:10:10");
    assert.equal(runsWithPods(world), "");
  });

  it("of a run with more than 100 do not stay beyond that", () => {
    const world = play({ sharding: { total: 101 } }, [0]);
    assert.equal(runsWithPods(world), "");
  });

  it("of several runs stay up to 100 in all, failed ones first, the newest first", () => {
    const world = play({ sharding: { total: 40 } }, [1, 1, 0, 1]);
    assert.equal(runsWithPods(world), "1210 1230");
  });

  it("do not stay when too many are kept in the cluster", () => {
    const world = play({}, [0]);
    assert.equal(runsWithPods(world), "1200");
    world.overRetained = true;
    world.settle();
    assert.equal(runsWithPods(world), "");
  });

  it("go by one request that names their runs, at most 500 pods a page, never a job or a phase alone (decision 3)", () => {
    const world = play({ podRetention: { succeeded: 0, failed: 0 } }, [0]);
    const collections = world.plans.flatMap((plan) => plan.actions.filter((action) => action.tag === "deleteCollection"));
    assert.deepEqual(
      collections.map((action) => [action.labelSelector, action.limit, action.namespace]),
      [[`nuptse.dev/job-uid=${world.job.metadata.uid},nuptse.dev/run in (20261121t120000z)`, 500, "tenant"]],
    );
  });

  it("the collection is told once, and again after a minute if pods are still there", () => {
    const world = JobWorld.accepted({ spec: { podRetention: { succeeded: 0 } } });
    world.to("12:00:10").runs(0).settle();
    const stuck = world.pod();
    world.to("12:01:40");
    assert.equal(world.writes.filter((write) => write === "deletecollection").length, 1);
    world.pods.set(stuck.metadata.name, stuck);
    world.to("12:02:39");
    assert.equal(world.writes.filter((write) => write === "deletecollection").length, 1);
    world.to("12:02:40");
    assert.equal(world.writes.filter((write) => write === "deletecollection").length, 2);
  });

  it("only after the end of their run has been read back from the server", () => {
    const world = JobWorld.accepted({ spec: { podRetention: { succeeded: 0 } } });
    world.to("12:00:10").start(0);
    world.now = at("12:10:00");
    world.exit(0);
    world.now = at("12:12:00");
    const plan = world.plan();
    assert.ok(plan.status !== undefined);
    assert.equal(
      plan.actions.some((action) => action.tag === "deleteCollection"),
      false,
    );
  });
});

describe("strays (decision 10)", () => {
  it("a pod at work whose run is recorded as ended is deleted with its UID, and people are told", () => {
    const world = JobWorld.accepted();
    world.to("12:00:05").runs(0).settle();
    const stray = makePod({ run: "20261121t120000z", item: 0, attempt: 9, exits: [null], node: "n2", uid: "stray" });
    world.pods.set(stray.metadata.name, stray);
    const plan = world.plan();
    assert.deepEqual(
      plan.actions.flatMap((action) => (action.tag === "delete" ? [action.uid] : [])),
      ["stray"],
    );
    assert.equal(plan.strays, 1);
    assert.ok(plan.actions.some((action) => action.tag === "event" && action.reason === "StrayPod"));
  });

  it("a pod at work of a run that is not in active and not after lastHandledFireTime is one too", () => {
    const world = JobWorld.accepted();
    world.to("12:00:05").runs(0).settle();
    const stray = makePod({ run: "20261121t110000z", exits: [null], node: "n2", uid: "stray" });
    world.pods.set(stray.metadata.name, stray);
    assert.equal(world.plan().strays, 1);
  });

  it("one that is being deleted already is left alone", () => {
    const world = JobWorld.accepted();
    world.to("12:00:05").runs(0).settle();
    const stray = makePod({ run: "20261121t110000z", exits: [null], node: "n2", deletionTimestamp: "12:01:00" });
    world.pods.set(stray.metadata.name, stray);
    assert.equal(world.plan().strays, 0);
  });

  it("a pod of a run after lastHandledFireTime is a young run of an earlier leader, never a stray", () => {
    const world = JobWorld.accepted();
    world.to("12:00:00").start(0);
    assert.equal(world.plan().strays, 0);
  });
});

describe("a run of 2,000 items", () => {
  it("is recorded whenever 500 ended, and a chunk's pods go when all 500 of it are recorded", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 2000, parallelism: 700 } } });
    world.to("12:00:01");
    assert.equal(world.created.length, 700);
    world.forgetLog();
    const most: number[] = [];
    // All in one second, so that no progress patch is due.
    for (let from = 0; from < 2000; from += 250) {
      for (let item = from; item < from + 250; item++) world.runs(item);
      world.settle();
      most.push(world.pods.size);
    }
    const kinds = world.writes.filter((write) => !write.startsWith("create"));
    // Records at 500, 1000, 1500 and the end; a collection after each of the first three, whose chunks are full.
    assert.deepEqual(kinds, ["status", "deletecollection", "status", "deletecollection", "status", "deletecollection", "status"]);
    assert.ok(Math.max(...most) <= 700 + 500, `${Math.max(...most)} pods at once`);
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.succeeded, "0-1999");
    assert.equal(world.created.length, 1300, "none was started twice");
  }).timeout(10_000);

  it("keeps the results of items whose pods are gone", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 501 } } });
    world.to("12:00:01");
    for (let item = 0; item < 500; item++) world.runs(item, 0, "n1", `r${item}`);
    world.settle();
    assert.equal(world.pods.size, 1);
    world.restart().runs(500, 0, "n1", "r500").settle();
    assert.equal(world.status.results?.items?.length, 501);
    assert.deepEqual(world.status.results?.items?.[7], { item: 7, value: "r7" });
  });
});
