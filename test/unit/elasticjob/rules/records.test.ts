import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

/** A run of one item that has been at work since 12:00:00 on n1, recorded at 12:00:05. */
function atWork(spec: Partial<ElasticJobSpec> = {}): JobWorld {
  const world = JobWorld.accepted({ spec });
  world.to("12:00:00").start(0);
  world.to("12:00:06");
  world.forgetLog();
  return world;
}

const pending = (spec: Partial<ElasticJobSpec>, waiting?: string): JobWorld => {
  const world = JobWorld.accepted({ spec });
  world.to("12:00:00");
  const pod = world.pod();
  world.show(
    { ...pod, spec: { ...pod.spec, nodeName: "n1" } },
    {
      phase: "Pending",
      conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: iso("12:00:00") }],
      containerStatuses: [{ name: "main", state: { waiting: { reason: waiting ?? "ContainerCreating" } } }],
    },
  );
  world.to("12:00:06");
  world.forgetLog();
  return world;
};

describe("the reason is recorded before a pod is deleted (decision 6)", () => {
  const cases: readonly {
    readonly name: string;
    readonly world: () => JobWorld;
    readonly at: string;
    /** What the status says of it: the stop of an attempt, or the ending of the run. */
    readonly wantStop?: string;
    readonly wantEnding?: string;
  }[] = [
    {
      name: "itemTimeoutSeconds, from the container's start",
      world: () => atWork({ itemTimeoutSeconds: 60 }),
      at: "12:01:00",
      wantStop: "ItemTimeout",
    },
    {
      name: "startTimeoutSeconds, from PodScheduled",
      world: () => pending({ startTimeoutSeconds: 30 }),
      at: "12:00:30",
      wantStop: "StartTimeout",
    },
    {
      name: "startTimeoutSeconds of a pod whose image cannot be pulled says so",
      world: () => pending({ startTimeoutSeconds: 30 }, "ImagePullBackOff"),
      at: "12:00:30",
      wantStop: "ImagePull",
    },
    {
      name: "runTimeoutSeconds, from the first pod's creation",
      world: () => atWork({ runTimeoutSeconds: 60 }),
      at: "12:01:00",
      wantEnding: "RunTimeout",
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const world = tc.world();
      world.to(at(tc.at) - 1);
      assert.deepEqual(world.writes, [], "not a millisecond early");
      world.now = at(tc.at);
      world.step();
      assert.deepEqual(world.writes, ["status"], "the record alone");
      assert.equal(world.active()?.stops?.[0]?.reason, tc.wantStop);
      assert.equal(world.active()?.ending?.reason, tc.wantEnding);
      world.step();
      assert.deepEqual(world.writes, ["status", "delete 0/1"]);
      world.settle();
      assert.deepEqual(world.writes, ["status", "delete 0/1"], "once");
    });
  }

  it("time that a pod spends unscheduled has no limit of its own (decision 19)", () => {
    const world = JobWorld.accepted({ spec: { startTimeoutSeconds: 30, itemTimeoutSeconds: 30 } });
    world.to("12:59:59");
    assert.equal(world.writes.filter((write) => write.startsWith("delete")).length, 0);
  });

  it("a stopped attempt has ended only when its pod has", () => {
    const world = atWork({ itemTimeoutSeconds: 60 });
    world.to("12:01:20");
    assert.equal(world.history(), undefined);
    world.exit(0, 143).settle();
    assert.equal(world.history()?.phase, "Failed");
    assert.match(world.history()?.failures?.[0]?.message ?? "", /^ItemTimeout/);
    assert.equal(world.history()?.failures?.[0]?.exitCode, 143);
  });

  it("a leader that finds neither the stopped attempt nor any before it goes on from what the record tells of them", () => {
    const retry = { otherNodes: 5, backoff: { initialSeconds: 1, factor: 1, maxSeconds: 1 } };
    const world = atWork({ itemTimeoutSeconds: 60, retry });
    world.to("12:00:20").exit(0, 1).to("12:00:21").start(0, "n2").to("12:01:21");
    assert.deepEqual(
      world.active()?.stops?.map(({ attempt, reason, counted, lost }) => ({ attempt, reason, counted, lost })),
      [{ attempt: 2, reason: "ItemTimeout", counted: 1, lost: undefined }],
    );
    world.pods.clear();
    world.restart().to("12:01:30");
    assert.deepEqual(
      world.attempts().map(({ attempt, history }) => [attempt, history.counted]),
      [[3, 2]],
    );
  });

  it("a crash between record and deletion: the next leader deletes, and does not start the item again", () => {
    const world = atWork({ runTimeoutSeconds: 60 });
    world.now = at("12:01:00");
    world.step();
    world.now += 20_000;
    world.restart().settle();
    assert.deepEqual(world.writes, ["status", "delete 0/1"]);
    world.exit(0, 143).settle();
    assert.equal(world.history()?.phase, "Failed");
    assert.equal(world.history()?.reason, "RunTimeout");
    assert.deepEqual(world.created, []);
  });

  it("a stop whose pod went away while nobody looked has ended the attempt all the same", () => {
    const world = atWork({ itemTimeoutSeconds: 60, retry: { otherNodes: 1 } });
    world.now = at("12:01:00");
    world.step();
    world.pods.clear();
    world.now += 20_000;
    world.restart().to("12:02:00");
    assert.deepEqual(world.created, ["20261121t120000z/0/2"]);
    assert.equal(world.attempts()[0]?.history.counted, 1);
  });
});

describe("a new leader rebuilds runs from pods", () => {
  it("a young run without a record goes on, and is not started again", () => {
    const world = JobWorld.accepted();
    world.to("12:00:00").start(0);
    world.now = at("12:00:03");
    world.restart().settle();
    assert.deepEqual(world.created, ["20261121t120000z/0/1"]);
    world.exit(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.kind, "Schedule");
    assert.equal(world.history()?.startedAt, iso("12:00:00.000"), "the annotation tells since when");
    assert.equal(world.status.lastHandledFireTime, iso("12:00:00"));
  });

  it("a recorded run goes on", () => {
    const world = atWork();
    world.restart().settle();
    assert.deepEqual(world.writes, []);
    world.exit(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
  });

  it("of a run that was created by half the rest is created, with the items and the revision of the first half", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 4 } } });
    world.now = at("12:00:00");
    world.step((action) => action.tag !== "create" || Number(action.object.metadata.labels?.["nuptse.dev/item"]) < 2);
    assert.equal(world.created.length, 2);
    world.now += 3000;
    world.restart().settle();
    assert.deepEqual(
      world.created.map((which) => which.slice(17)),
      ["0/1", "1/1", "2/1", "3/1"],
    );
    const told = new Set(world.attempts().map(({ history }) => JSON.stringify(history)));
    assert.equal(told.size, 1, "one annotation for all of them, whoever wrote it");
  });

  it("an edit of disabledItems while nobody looked does not change the items of a run under way (decision 15)", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 4, disabledItems: "1" } } });
    world.now = at("12:00:00");
    world.step((action) => action.tag !== "create" || action.object.metadata.labels?.["nuptse.dev/item"] === "0");
    world.now += 3000;
    world
      .edit({ sharding: { total: 6, disabledItems: "0" } })
      .restart()
      .settle();
    assert.deepEqual(
      world.created.map((which) => which.slice(17)),
      ["0/1", "2/1", "3/1"],
    );
    assert.deepEqual(
      world.attempts().map((pod) => pod.history.revision),
      Array.from({ length: 3 }, () => world.attempts()[0]?.history.revision),
    );
  });

  it("the newest attempt alone tells its item's history, when the earlier pods are gone", () => {
    const world = JobWorld.accepted({ spec: { retry: { otherNodes: 2 } } });
    world.to("12:00:00").runs(0, 1, "n1");
    world.to("12:00:10").start(0, "n2");
    for (const [name, pod] of world.pods) if (pod.metadata.labels?.["nuptse.dev/attempt"] === "1") world.pods.delete(name);
    world.now = at("12:00:12");
    world.restart();
    world.exit(0, 1).to("12:00:40");
    assert.equal(world.created.at(-1), "20261121t120000z/0/3");
    const third = world.attempts().find((pod) => pod.attempt === 3);
    assert.deepEqual([third?.history.counted, third?.history.nodes], [2, ["n1", "n2"]]);
  });

  it("its outcome is read from pods that ended while nobody looked", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 2 } } });
    world.to("12:00:00").start(0).start(1);
    world.now = at("12:03:00");
    world.exit(0).exit(1, 3);
    world.now = at("12:03:20");
    world.restart().settle();
    assert.equal(world.history()?.phase, "Failed");
    assert.equal(world.history()?.succeeded, "0");
    assert.equal(world.history()?.failed, "1");
  });

  it("a run whose end is recorded is not started again although its pods are gone", () => {
    const world = atWork();
    world.exit(0).settle();
    world.pods.clear();
    world.restart().to("12:30:00");
    assert.deepEqual(world.created, []);
  });
});
