import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

const begin = (spec: Partial<ElasticJobSpec> = {}): JobWorld => {
  const world = JobWorld.accepted({ spec: { deadlineSeconds: 600, ...spec } });
  world.to("12:00:00").start(0);
  return world;
};
const late = (world: JobWorld) => world.condition("Late");
const told = (world: JobWorld) => world.events.filter((event) => event.startsWith("RunLate"));

describe("deadlineSeconds: a run not ended so long after its fire time plus jitter is Late", () => {
  it("condition and event come at that instant, once, and cost one status write", () => {
    const world = begin();
    world.to("12:09:59.999");
    assert.equal(late(world), undefined);
    world.forgetLog();
    world.to("12:10:00");
    assert.equal(late(world), "True:RunLate");
    assert.equal(world.active()?.late, true);
    assert.deepEqual(world.writes, ["status"]);
    world.to("12:40:00").restart().to("12:50:00");
    assert.deepEqual(told(world), ["RunLate: run 20261121t120000z had not ended 600 s (spec.deadlineSeconds) after its fire time"]);
    assert.deepEqual(world.writes, ["status"]);
  });

  it("a run that ends in time says nothing and costs nothing", () => {
    const world = begin();
    world.to("12:00:03");
    world.forgetLog();
    world.exit(0).to("12:59:00");
    assert.equal(late(world), undefined);
    assert.deepEqual(told(world), []);
    assert.deepEqual(
      world.writes.filter((write) => write === "status"),
      ["status"],
    );
  });

  it("it is cleared by the next run that ends in time, in the same write as its end", () => {
    const world = begin();
    world.to("12:10:00").exit(0).settle();
    assert.equal(late(world), "True:RunLate");
    assert.equal(world.history()?.late, true);
    world.to("13:00:00").start(0).to("13:00:03");
    assert.equal(late(world), "True:RunLate");
    world.forgetLog();
    world.exit(0).settle();
    assert.equal(late(world), "False:InTime");
    assert.deepEqual(
      world.writes.filter((write) => write === "status"),
      ["status"],
    );
    assert.equal(world.history()?.late, undefined);
  });

  it("a run that failed in time is not late either", () => {
    const world = begin();
    world.to("12:10:00").exit(0).settle();
    world.to("13:00:00").runs(0, 1).settle();
    assert.equal(late(world), "False:InTime");
  });

  it("it stays while another run is late", () => {
    const world = begin({ concurrencyPolicy: "Allow" });
    world.to("13:00:00").runs(0).settle();
    assert.equal(world.history()?.run, "20261121t130000z");
    assert.equal(late(world), "True:RunLate");
  });

  it("an end after the deadline that nobody saw come is late all the same", () => {
    const world = begin();
    world.sleepTo("12:20:00").restart();
    world.exit(0).settle();
    assert.equal(late(world), "True:RunLate");
    assert.equal(told(world).length, 1);
    assert.equal(world.history()?.late, true);
  });

  it("a run that waits is late too", () => {
    const world = begin({ concurrencyPolicy: "Enqueue", schedule: { crons: ["*/5 * * * *"] } });
    world.to("12:05:00").to("12:15:00");
    assert.deepEqual(
      world.status.active?.map((run) => `${run.run.slice(9, 13)} ${run.late ?? false}`),
      ["1200 true", "1205 true", "1210 false", "1215 false"],
    );
    assert.equal(told(world).length, 2);
  });

  it("the deadline counts from fire time plus jitter", () => {
    const world = JobWorld.accepted({ spec: { deadlineSeconds: 60, schedule: { crons: ["0 * * * *"], jitterSeconds: 30 } } });
    world.to("12:00:16").start(0).to("12:01:15.999");
    assert.equal(late(world), undefined);
    world.to("12:01:16");
    assert.equal(late(world), "True:RunLate");
    assert.match(told(world)[0] ?? "", /after its fire time plus 16 s of jitter$/);
  });
});
