import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { minutely } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

const begin = (spec: Partial<ElasticJobSpec> = {}): JobWorld =>
  JobWorld.accepted({ spec: { ...minutely, concurrencyPolicy: "Enqueue", ...spec }, start: "11:59:30" });
const activeRuns = (world: JobWorld) =>
  (world.status.active ?? []).map((run) => `${run.run.slice(9, 13)} ${run.phase} ${run.reason ?? ""}`.trim());
const runsOf = (world: JobWorld) => world.created.map((which) => which.slice(9, 13));
const skipped = (world: JobWorld) =>
  (world.status.outcomes?.notSucceeded ?? []).filter(({ outcome }) => outcome === "Skipped").map(({ fireTime }) => fireTime?.slice(11, 16));

describe("concurrencyPolicy: Enqueue", () => {
  it("fires at once when nothing is in the way, and costs no write more than Forbid", () => {
    const world = begin();
    world.to("12:00:00");
    assert.deepEqual(world.writes, ["create 0/1"]);
    world.to("12:00:01").runs(0).to("12:00:59");
    assert.deepEqual(world.writes, ["create 0/1", "status"]);
  });

  it("fire times that come while a run is at work wait, and run one after the other in their order", () => {
    const world = begin();
    world.to("12:00:00").start(0);
    world.to("12:02:30");
    assert.deepEqual(activeRuns(world), ["1200 Running", "1201 Waiting Enqueued", "1202 Waiting Enqueued"]);
    assert.deepEqual(runsOf(world), ["1200"]);
    world.exit(0).settle();
    assert.deepEqual(runsOf(world), ["1200", "1201"]);
    world.runs(0).settle();
    world.runs(0).settle();
    assert.deepEqual(runsOf(world), ["1200", "1201", "1202"]);
    assert.deepEqual(skipped(world), []);
  });

  it("the next one begins once the end of the one before it is recorded", () => {
    const world = begin();
    world.to("12:00:00").start(0);
    world.to("12:01:30").exit(0);
    const plan = world.step();
    assert.deepEqual(
      plan.actions.filter((action) => action.tag === "create"),
      [],
    );
    world.settle();
    assert.deepEqual(runsOf(world), ["1200", "1201"]);
  });

  it("beyond maxEnqueued the newest is Skipped(QueueFull), told once each", () => {
    const world = begin({ maxEnqueued: 2 });
    world.to("12:00:00").start(0);
    world.to("12:04:30");
    assert.deepEqual(activeRuns(world), ["1200 Running", "1201 Waiting Enqueued", "1202 Waiting Enqueued"]);
    assert.deepEqual(skipped(world), ["12:03", "12:04"]);
    assert.deepEqual(
      world.events.map((event) => event.slice(0, 46)),
      ["RunSkipped: 1 fire times skipped (QueueFull), ", "RunSkipped: 1 fire times skipped (QueueFull), "],
    );
    assert.equal(world.status.lastHandledFireTime?.slice(11, 16), "12:04");
  });

  it("at most 20 wait when nothing is said", () => {
    const world = begin();
    world.to("12:00:00").start(0);
    world.to("12:25:30");
    assert.equal(world.status.active?.filter((run) => run.phase === "Waiting").length, 20);
    assert.equal(skipped(world).length, 5);
  });

  it("several that are merely late begin with the oldest; the others are recorded behind it", () => {
    const world = begin();
    world.sleepTo("12:02:10").settle();
    assert.deepEqual(runsOf(world), ["1200"]);
    assert.deepEqual(activeRuns(world), ["1200 Running", "1201 Waiting Enqueued", "1202 Waiting Enqueued"]);
  });

  it("what is kept after downtime joins the lane, which has room for maxEnqueued and no more", () => {
    const world = begin({ maxEnqueued: 3, misfire: { onDowntime: "FireAll", limit: 10 } });
    world.sleepTo("12:09:30").restart().settle();
    const waitingOrBegun = activeRuns(world).map((run) => run.slice(0, 4));
    assert.deepEqual(waitingOrBegun, ["1200", "1201", "1202"]);
    assert.deepEqual(runsOf(world), ["1200"]);
    assert.equal(skipped(world).length, 7);
  });

  it("a restart in the middle keeps the lane", () => {
    const world = begin();
    world.to("12:00:00").start(0);
    world.to("12:02:30").restart().settle();
    world.exit(0).settle();
    assert.deepEqual(runsOf(world), ["1200", "1201"]);
    world.runs(0).settle();
    assert.deepEqual(runsOf(world), ["1200", "1201", "1202"]);
  });

  it("a crash between the creation of the first and any record loses none of those behind it", () => {
    const world = begin();
    world.sleepTo("12:02:10").step(() => true, false);
    world.restart().settle();
    assert.deepEqual(
      activeRuns(world).map((run) => run.slice(0, 4)),
      ["1200", "1202"],
    );
    assert.deepEqual(skipped(world), ["12:01"]);
  });

  it("time spent waiting counts against startingDeadlineSeconds", () => {
    const world = begin({ misfire: { startingDeadlineSeconds: 90 } });
    world.to("12:00:00").start(0);
    world.to("12:02:40");
    assert.deepEqual(
      activeRuns(world).map((run) => run.slice(0, 4)),
      ["1200", "1202"],
    );
    assert.deepEqual(skipped(world), ["12:01"]);
  });

  it("a suspension drops what waits, and the run at work goes on", () => {
    const world = begin();
    world.to("12:00:00").start(0);
    world.to("12:02:30").edit({ suspend: true }).settle();
    assert.deepEqual(activeRuns(world), ["1200 Running"]);
    assert.ok(world.events.some((event) => event.startsWith("RunSkipped: 2 fire times skipped (ScheduleChanged)")));
  });
});
