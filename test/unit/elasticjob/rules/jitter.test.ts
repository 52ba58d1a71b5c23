import assert from "node:assert/strict";
import { readSpec } from "../../../../src/elasticjob/rules/read-spec.ts";
import { at, iso, makeJob } from "../../../support/builders/elastic-job.ts";
import { JobWorld, type WorldOptions } from "../../../support/builders/job-world.ts";

/** FNV-1a-32("tenant/report") = 2984996588, mod 31 = 16 (computed apart from the code). */
const offset = 16;
const schedule = { crons: ["* * * * *"], jitterSeconds: 30 };
const jittered: WorldOptions = { spec: { schedule }, start: "11:59:30" };
const runsOf = (world: JobWorld) => world.created.map((which) => which.slice(9, 13));

describe("schedule.jitterSeconds (decision 42)", () => {
  it("FNV-1a-32(namespace/name) mod (jitterSeconds+1) is added to the instant, never to the logical fire time", () => {
    const world = JobWorld.accepted(jittered);
    assert.equal(world.plan().wakeAt, at(`12:00:${offset}`));
    world.to("12:00:15.999");
    assert.deepEqual(world.created, []);
    world.to("12:00:16");
    assert.deepEqual(world.created, ["20261121t120000z/0/1"]);
    const env = Object.fromEntries((world.pod().spec.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));
    assert.equal(env["NUPTSE_FIRE_TIME"], iso("12:00:00"));
  });

  it("is stable over re-creation, and differs between names", () => {
    const jitterOf = (name: string, uid: string) =>
      readSpec(makeJob({ schedule: { ...schedule, jitterSeconds: 3599 } }, { metadata: { name, uid } }), []).jitterMs;
    assert.equal(jitterOf("report", "one"), jitterOf("report", "two"));
    const offsets = new Set(Array.from({ length: 100 }, (_, index) => jitterOf(`job-${index}`, "u")));
    assert.ok(offsets.size > 90);
    assert.ok([...offsets].every((value) => value >= 0 && value <= 3_599_000 && value % 1000 === 0));
  });

  it("0 adds nothing", () => {
    assert.equal(readSpec(makeJob({ schedule: { crons: ["* * * * *"], jitterSeconds: 0 } }), []).jitterMs, 0);
  });

  it("a job without it keeps the schedule's hash that it had before the field was there", () => {
    const text = (spec: object) => readSpec(makeJob({ schedule: { crons: ["* * * * *"], ...spec } }), []).scheduleText;
    assert.equal(text({ jitterSeconds: 0, calendars: [] }), text({}));
    assert.notEqual(text({ jitterSeconds: 1 }), text({}));
  });

  it("status tells the logical fire time, also between it and its instant", () => {
    const world = JobWorld.accepted(jittered);
    assert.equal(world.status.nextFireTime, iso("12:00:00"));
    world.to("12:00:05").edit({ parameter: "other" }).settle();
    assert.equal(world.status.nextFireTime, iso("12:00:00"));
    assert.match(world.status.conditions?.find(({ type }) => type === "Ready")?.message ?? "", /starts 16 s after it/);
  });

  it("startingDeadlineSeconds counts from the sum", () => {
    const world = JobWorld.accepted({ ...jittered, spec: { schedule, misfire: { startingDeadlineSeconds: 10 } } });
    world.sleepTo("12:00:26").settle();
    assert.deepEqual(runsOf(world), ["1200"]);
    world.runs(0).sleepTo("12:01:26.001").settle();
    assert.deepEqual(runsOf(world), ["1200"]);
    assert.ok(world.events.some((event) => event.startsWith("RunSkipped: 1 fire times skipped (Deadline)")));
  });

  it("a fire time whose instant comes after the take-over is no downtime", () => {
    const world = JobWorld.accepted({ ...jittered, spec: { schedule, misfire: { onDowntime: "Skip" } } });
    world.sleepTo("12:00:10").restart();
    world.to("12:00:16");
    assert.deepEqual(runsOf(world), ["1200"]);
  });

  it("overlap is judged at the instant: a run that ended between fire time and instant was not in the way", () => {
    const world = JobWorld.accepted(jittered);
    world.to("12:00:16").start(0);
    world.to("12:01:10").exit(0).settle();
    world.to("12:01:16");
    assert.deepEqual(runsOf(world), ["1200", "1201"]);
  });

  it("a change of jitter never fires for the past", () => {
    const world = JobWorld.accepted({ ...jittered, spec: { schedule: { ...schedule, jitterSeconds: 0 } } });
    world.to("12:00:00").runs(0).settle();
    world.to("12:00:05").edit({ schedule }).to("12:00:59");
    assert.deepEqual(runsOf(world), ["1200"]);
    world.to("12:01:16");
    assert.deepEqual(runsOf(world), ["1200", "1201"]);
  });
});
