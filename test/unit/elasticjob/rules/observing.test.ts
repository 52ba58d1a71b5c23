import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { iso, minutely } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

/** A job in a namespace that is observed from its creation on, at 11:59:30. */
function begin(spec: Partial<ElasticJobSpec> = {}): JobWorld {
  const world = new JobWorld({ spec: { ...minutely, ...spec }, start: "11:59:30" });
  world.observing = true;
  return world.settle();
}
const created = (world: JobWorld) => world.writes.filter((write) => write !== "status");
const runsOf = (world: JobWorld) => world.created.map((which) => which.slice(9, 13));

describe("observe mode: computes fire times and status and creates nothing (elasticjob.md section 9)", () => {
  it("says so, and when it would fire next", () => {
    const world = begin();
    assert.equal(world.condition("Ready"), "True:Observing");
    assert.equal(world.status.nextFireTime, iso("12:00:00"));
    assert.deepEqual(created(world), []);
  });

  it("tells how often it would have fired, and when", () => {
    const world = begin();
    world.to("12:03:10");
    assert.deepEqual(world.status.observed, {
      since: iso("11:59:30"),
      count: 4,
      fireTimes: [iso("12:00:00"), iso("12:01:00"), iso("12:02:00"), iso("12:03:00")],
    });
    assert.equal(world.status.lastHandledFireTime, iso("12:03:00"));
    assert.deepEqual(created(world), []);
    assert.deepEqual(world.events, []);
  });

  it("one status write for each fire time", () => {
    const world = begin();
    world.forgetLog();
    world.to("12:03:10");
    assert.deepEqual(world.writes, ["status", "status", "status", "status"]);
  });

  it("shows the newest 20", () => {
    const world = begin();
    world.to("12:29:10");
    assert.equal(world.status.observed?.count, 30);
    assert.equal(world.status.observed?.fireTimes?.length, 20);
    assert.equal(world.status.observed?.fireTimes?.at(-1), iso("12:29:00"));
  });

  it("what passes while no operator is there is counted too", () => {
    const world = begin();
    world.sleepTo("12:10:30").restart().settle();
    assert.equal(world.status.observed?.count, 11);
  });

  it("leaving it never fires for the past", () => {
    const world = begin({ misfire: { onDowntime: "FireAll" } });
    world.to("12:03:30");
    world.observing = false;
    world.to("12:03:59");
    assert.deepEqual(runsOf(world), []);
    assert.equal(world.condition("Ready"), "True:Armed");
    assert.equal(world.status.observed, undefined);
    world.to("12:04:00");
    assert.deepEqual(runsOf(world), ["1204"]);
  });

  it("nor when it is left while no operator is there", () => {
    const world = begin({ misfire: { onDowntime: "FireAll" } });
    world.to("12:03:30").sleepTo("12:10:30").restart();
    world.observing = false;
    world.to("12:10:59");
    assert.deepEqual(runsOf(world), []);
  });

  it("a namespace that has running runs: they go on with their retries; nothing new begins (decision 89)", () => {
    const world = JobWorld.accepted({
      spec: { ...minutely, concurrencyPolicy: "Enqueue", retry: { sameNode: 1, backoff: { initialSeconds: 1 } } },
      start: "11:59:30",
    });
    world.to("12:00:00").start(0).to("12:01:30");
    assert.equal(world.status.active?.length, 2);
    world.observing = true;
    world.exit(0, 1).to("12:01:40");
    assert.deepEqual(world.created, ["20261121t120000z/0/1", "20261121t120000z/0/2"]);
    world.runs(0).to("12:05:30");
    assert.equal(world.history()?.phase, "Succeeded");
    assert.deepEqual(runsOf(world), ["1200", "1200"]);
    assert.equal(world.status.active, undefined);
  });

  it("a template that the API server refuses is told here as elsewhere", () => {
    const world = new JobWorld({ spec: minutely, start: "11:59:30" });
    world.observing = true;
    world.refuse = () => ({ kind: "invalid", message: "template.spec.containers[0].image: Required value" });
    world.settle();
    assert.equal(world.condition("Ready"), "False:TemplateRefused");
  });

  it("a job whose calendars are good stores nothing either", () => {
    const world = new JobWorld({
      spec: { schedule: { crons: ["* * * * *"], calendars: [{ name: "holidays", effect: "Exclude" }] } },
      start: "11:59:30",
    });
    world.observing = true;
    world.calendars.set("holidays", { kind: "present", text: "2026-11-21T12:00/2026-11-21T12:02" });
    world.to("12:03:10");
    assert.deepEqual(world.status.observed?.fireTimes, [iso("12:02:00"), iso("12:03:00")]);
    assert.deepEqual(created(world), []);
    world.observing = false;
    world.settle();
    assert.equal(world.condition("Ready"), "True:Armed");
  });
});
