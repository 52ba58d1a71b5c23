import assert from "node:assert/strict";
import { at, iso, minutely } from "../../../support/builders/elastic-job.ts";
import { JobWorld, type WorldOptions } from "../../../support/builders/job-world.ts";

const quick: WorldOptions = { spec: minutely, start: "11:59:30" };
const outcomes = (world: JobWorld) =>
  (world.status.outcomes?.notSucceeded ?? []).map((entry) => `${entry.fireTime?.slice(11, 16)} ${entry.outcome}`);
const activeRuns = (world: JobWorld) => (world.status.active ?? []).map((run) => `${run.run.slice(9, 13)} ${run.kind} ${run.phase}`);
const runsOf = (world: JobWorld) => world.created.map((which) => which.slice(9, 13));

describe("when a job fires", () => {
  it("creates the first pods at the fire time without a record, and asks to be woken for the next", () => {
    const world = JobWorld.accepted();
    assert.equal(world.plan().wakeAt, at("12:00:00"));
    world.to("12:00:00");
    assert.deepEqual(world.created, ["20261121t120000z/0/1"]);
    assert.deepEqual(world.writes, ["create 0/1"]);
  });

  it("never before its instant", () => {
    const world = JobWorld.accepted();
    world.to("11:59:59.999");
    assert.deepEqual(world.created, []);
  });

  it("with a local clock ahead of the server's: only when the server is within a second of it", () => {
    const world = JobWorld.accepted();
    world.serverAheadMs = -5000;
    world.to("12:00:03.999");
    assert.deepEqual(world.created, []);
    world.to("12:00:04");
    assert.equal(world.created.length, 1);
  });

  it("with a local clock behind the server's: not before its instant here", () => {
    const world = JobWorld.accepted();
    world.serverAheadMs = 20_000;
    world.to("11:59:59.999");
    assert.deepEqual(world.created, []);
  });

  it("nothing at or before the creation of a new object is owed, though nobody has handled it", () => {
    const world = new JobWorld({ start: "12:00:00" });
    world.to("12:59:00");
    assert.deepEqual(world.created, []);
    assert.equal(world.status.schedule?.since, iso("12:00:00"));
  });

  it("a job that is being deleted is left alone", () => {
    const world = JobWorld.accepted();
    world.job = { ...world.job, metadata: { ...world.job.metadata, deletionTimestamp: iso("12:00:00") } };
    world.sleepTo("12:00:01");
    const plan = world.plan();
    assert.deepEqual([plan.actions, plan.status, plan.wakeAt], [[], undefined, undefined]);
  });
});

describe("lastHandledFireTime", () => {
  it("does not pass a run that begins and has no record", () => {
    const world = JobWorld.accepted();
    world.to("12:00:02");
    assert.equal(world.status.lastHandledFireTime, undefined);
  });

  it("passes it in the very patch that puts the run into active", () => {
    const world = JobWorld.accepted();
    world.to("12:00:05");
    assert.equal(world.active()?.run, "20261121t120000z");
    assert.equal(world.status.lastHandledFireTime, iso("12:00:00"));
  });

  it("with Allow, passes a recorded run but not the one that begins in the same plan", () => {
    const world = JobWorld.accepted({ spec: { ...minutely, concurrencyPolicy: "Allow" }, start: "11:59:30" });
    world.to("12:00:00").start(0);
    world.to("12:00:59");
    world.now = at("12:01:00");
    world.step();
    assert.deepEqual(runsOf(world), ["1200", "1201"]);
    assert.equal(world.status.lastHandledFireTime, iso("12:00:00"));
    world.to("12:01:05");
    assert.equal(world.status.lastHandledFireTime, iso("12:01:00"));
  });

  it("does not pass a run that begins beside one that is recorded for later; a crash in between loses neither", () => {
    const world = JobWorld.accepted({ spec: { ...minutely, concurrencyPolicy: "Allow" }, start: "11:59:30" });
    world.to("12:18:30");
    assert.equal(world.created.length, 19);
    world.sleepTo("12:20:30");
    const plan = world.step(() => false);
    assert.deepEqual(
      plan.fired.map(({ run }) => run),
      ["20261121t121900z"],
    );
    assert.equal(world.active("20261121t122000z")?.reason, "ConcurrencyLimit");
    assert.ok((world.status.lastHandledFireTime as string) < iso("12:19:00"));
    world.restart().settle();
    assert.ok(world.active("20261121t121900z") !== undefined || runsOf(world).includes("1219"));
  });
});

describe("concurrencyPolicy Forbid", () => {
  it("starts nothing while a run is at work, and settles what passed in the record of its end", () => {
    const world = JobWorld.accepted(quick);
    world.to("12:00:00").start(0);
    world.to("12:03:20");
    assert.deepEqual(runsOf(world), ["1200"]);
    assert.equal(world.status.lastHandledFireTime, iso("12:00:00"));
    world.forgetLog();
    world.exit(0).settle();
    assert.deepEqual(world.writes, ["status"]);
    assert.equal(world.status.lastHandledFireTime, iso("12:03:00"));
    assert.deepEqual(outcomes(world), ["12:01 Skipped", "12:02 Skipped", "12:03 Skipped"]);
    world.to("12:04:00");
    assert.deepEqual(runsOf(world), ["1204"]);
  });

  it("of fire times that are late together the first begins, and the others pass behind it: they are settled at its end, once", () => {
    const world = JobWorld.accepted({ ...quick, spec: minutely });
    // The API server did not answer for three minutes.
    world.sleepTo("12:03:30").settle();
    assert.deepEqual(runsOf(world), ["1200"]);
    world.start(0).to("12:04:20").exit(0).settle();
    assert.deepEqual(outcomes(world), ["12:01 Skipped", "12:02 Skipped", "12:03 Skipped", "12:04 Skipped"]);
    world.to("12:05:00");
    assert.deepEqual(runsOf(world), ["1200", "1205"]);
  });

  it("a long run that keeps out many fire times writes no more for it than its own progress", () => {
    const world = JobWorld.accepted(quick);
    world.to("12:00:00").start(0);
    world.to("12:29:59");
    assert.deepEqual(world.writes, ["create 0/1", "status"]);
  });

  it("onOverlap FireOnce: the newest runs when the way is free, as a record first", () => {
    const world = JobWorld.accepted({ ...quick, spec: { ...minutely, misfire: { onOverlap: "FireOnce" } } });
    world.to("12:00:00").start(0);
    world.to("12:03:20").exit(0);
    const plan = world.step();
    assert.equal(world.created.length, 1, "the record and the first pod are never in one plan");
    assert.ok(plan.status !== undefined);
    assert.deepEqual(activeRuns(world), ["1203 Misfire Waiting"]);
    world.settle();
    assert.deepEqual(runsOf(world), ["1200", "1203"]);
  });

  it("onOverlap FireAll: the newest `limit`, one after the other, oldest first", () => {
    const world = JobWorld.accepted({ ...quick, spec: { ...minutely, misfire: { onOverlap: "FireAll", limit: 2 } } });
    world.to("12:00:00").start(0);
    world.to("12:04:20").exit(0).settle();
    assert.deepEqual(activeRuns(world), ["1203 Misfire Waiting", "1204 Misfire Waiting"]);
    assert.deepEqual(runsOf(world), ["1200", "1203"]);
    world.to("12:04:25").runs(0).settle();
    assert.deepEqual(runsOf(world), ["1200", "1203", "1204"]);
    assert.deepEqual(outcomes(world), ["12:01 Skipped", "12:02 Skipped"]);
  });

  it("what is kept and waits longer than startingDeadlineSeconds is missed, at that moment and with a record", () => {
    const misfire = { onOverlap: "FireAll" as const, startingDeadlineSeconds: 100 };
    const world = JobWorld.accepted({ ...quick, spec: { schedule: { crons: ["0-2 12 * * *"] }, misfire } });
    world.to("12:00:00").start(0);
    world.to("12:02:20").exit(0).settle();
    assert.deepEqual(runsOf(world), ["1200", "1201"]);
    world.start(0);
    world.to("12:03:40");
    assert.deepEqual(activeRuns(world), ["1201 Misfire Running", "1202 Misfire Waiting"]);
    assert.equal(world.plan().wakeAt, at("12:03:40.001"));
    world.to("12:03:41");
    assert.deepEqual(activeRuns(world), ["1201 Misfire Running"]);
    assert.match(world.events.at(-1) ?? "", /^RunSkipped: 1 fire times skipped \(Deadline\)/);
  });

  it("a run that its pods' nodes hold back for ever is still in the way", () => {
    const world = JobWorld.accepted(quick);
    world.to("12:10:30");
    assert.deepEqual(runsOf(world), ["1200"]);
  });
});

describe("concurrencyPolicy Allow", () => {
  const allow: WorldOptions = { ...quick, spec: { ...minutely, concurrencyPolicy: "Allow" } };
  it("runs side by side", () => {
    const world = JobWorld.accepted(allow);
    world.to("12:02:00");
    assert.deepEqual(runsOf(world), ["1200", "1201", "1202"]);
  });

  it("beyond 20 running ones the next waits as ConcurrencyLimit, and begins when one ends", () => {
    const world = JobWorld.accepted(allow);
    world.to("12:20:30");
    assert.equal(world.created.length, 20);
    assert.equal(world.active("20261121t122000z")?.reason, "ConcurrencyLimit");
    assert.equal(world.status.lastHandledFireTime, iso("12:20:00"));
    const first = world.attempts().find((pod) => pod.run === "20261121t120500z");
    world.start(0, "n1", first?.run).exit(0, 0, { run: "20261121t120500z" }).settle();
    assert.equal(world.created.at(-1), "20261121t122000z/0/1");
  });

  it("beyond 20 waiting ones the newest is refused", () => {
    const world = JobWorld.accepted(allow);
    world.to("12:40:30");
    assert.equal(world.status.active?.length, 40);
    assert.deepEqual(outcomes(world), ["12:40 Skipped"]);
    assert.match(world.events.at(-1) ?? "", /QueueFull/);
  });
});

describe("concurrencyPolicy Replace", () => {
  it("record, then deletion, then the new run when the pods of the old one have ended", () => {
    const world = JobWorld.accepted({ ...quick, spec: { ...minutely, concurrencyPolicy: "Replace" } });
    world.to("12:00:00").start(0);
    world.to("12:00:59");
    world.forgetLog();
    world.now = at("12:01:00");
    world.step();
    assert.deepEqual(world.writes, ["status"], "the reason is recorded alone");
    assert.equal(world.active("20261121t120000z")?.ending?.reason, "Replaced");
    assert.deepEqual(activeRuns(world), ["1200 Schedule Running", "1201 Schedule Waiting"]);
    world.settle();
    assert.deepEqual(world.writes, ["status", "delete 0/1"]);
    assert.equal(world.created.length, 0, "the old pod still runs");
    world.now = at("12:01:20");
    world.exit(0, 143).settle();
    assert.deepEqual(runsOf(world), ["1201"]);
    assert.equal(world.history("20261121t120000z")?.phase, "Cancelled");
  });

  it("a run that still waits is given up for the next one", () => {
    const world = JobWorld.accepted({ ...quick, spec: { ...minutely, concurrencyPolicy: "Replace" } });
    world.to("12:00:00").start(0);
    world.to("12:02:10");
    assert.deepEqual(activeRuns(world), ["1200 Schedule Running", "1202 Schedule Waiting"]);
    assert.ok(outcomes(world).includes("12:01 Skipped"));
  });

  it("with nothing in the way it just fires", () => {
    const world = JobWorld.accepted({ ...quick, spec: { ...minutely, concurrencyPolicy: "Replace" } });
    world.to("12:00:00");
    assert.deepEqual(world.writes, ["create 0/1"]);
  });
});

describe("downtime", () => {
  it("FireOnce: one patch first, which moves lastHandledFireTime past all; then the newest runs", () => {
    const world = JobWorld.accepted(quick).sleepTo("12:04:30").restart();
    world.step();
    assert.deepEqual(world.writes, ["status"]);
    assert.equal(world.status.lastHandledFireTime, iso("12:04:00"));
    assert.deepEqual(activeRuns(world), ["1204 Misfire Waiting"]);
    world.settle();
    assert.deepEqual(runsOf(world), ["1204"]);
    assert.match(world.events[0] ?? "", /^RunSkipped: 4 fire times skipped \(Downtime\)/);
  });

  it("Skip: a patch, no run, and it goes on with the next fire time", () => {
    const world = JobWorld.accepted({ ...quick, spec: { ...minutely, misfire: { onDowntime: "Skip" } } });
    world.sleepTo("12:04:30").restart().to("12:05:00");
    assert.deepEqual(world.writes, ["status", "create 0/1"]);
    assert.deepEqual(runsOf(world), ["1205"]);
  });

  it("a crash after half of FireAll adds none (decision 13)", () => {
    const world = JobWorld.accepted({ ...quick, spec: { ...minutely, misfire: { onDowntime: "FireAll", limit: 4 } } });
    world.sleepTo("12:20:30").restart().settle();
    assert.deepEqual(activeRuns(world).length, 4);
    for (const _ of [1, 2]) world.runs(0).settle();
    assert.deepEqual(runsOf(world), ["1217", "1218", "1219"]);
    world.now += 5000;
    world.restart().settle();
    for (const _ of [1, 2]) world.runs(0).settle();
    assert.deepEqual(runsOf(world), ["1217", "1218", "1219", "1220"]);
    assert.equal(world.status.active, undefined);
  });

  it("a restart in the middle of a long run fires nothing that the user excluded (decision 13)", () => {
    const world = JobWorld.accepted(quick);
    world.to("12:00:00").start(0);
    world.to("12:30:20").restart().to("12:59:20");
    world.exit(0).settle();
    assert.deepEqual(runsOf(world), ["1200"]);
    assert.equal(world.status.lastHandledFireTime, iso("12:59:00"));
  });

  it("a run that came late on the same leader is on time: it fires without a record", () => {
    const world = JobWorld.accepted(quick).sleepTo("12:00:30").settle();
    assert.deepEqual(world.writes, ["create 0/1"]);
    assert.equal(world.attempts()[0]?.history.kind, "Schedule");
  });
});

describe("an edit of the schedule, a suspension, a resume (decision 12)", () => {
  it("an edit writes hash, since = now and lastHandledFireTime = now in one patch; nothing of the past fires", () => {
    const world = JobWorld.accepted();
    world.to("12:00:00").runs(0).settle();
    const before = world.status.schedule?.hash;
    world.to("12:40:10").edit({ schedule: { crons: ["15 * * * *"] } });
    world.forgetLog();
    world.settle();
    assert.deepEqual(world.writes, ["status"]);
    assert.notEqual(world.status.schedule?.hash, before);
    assert.equal(world.status.schedule?.since, iso("12:40:10"));
    assert.equal(world.status.lastHandledFireTime, iso("12:40:10"));
    world.to("13:14:59");
    assert.deepEqual(world.created, []);
    world.to("13:15:00");
    assert.deepEqual(runsOf(world), ["1315"]);
  });

  it("an edit that was made while nobody was there fires nothing for the past either", () => {
    const world = JobWorld.accepted();
    world
      .sleepTo("12:40:10")
      .edit({ schedule: { crons: ["15 * * * *"] } })
      .restart()
      .settle();
    assert.deepEqual(world.created, []);
  });

  it("an edit that changes no instant (the template) drops nothing", () => {
    const world = JobWorld.accepted({ ...quick, spec: { ...minutely, misfire: { onOverlap: "FireOnce" } } });
    world.to("12:00:00").start(0);
    world.to("12:01:30").edit({ parameter: "other" }).exit(0).settle();
    assert.deepEqual(runsOf(world), ["1200", "1201"]);
  });

  it("while suspended nothing fires, and running ones go on", () => {
    const world = JobWorld.accepted(quick);
    world.to("12:00:00").start(0);
    world.to("12:00:30").edit({ suspend: true }).to("12:03:10");
    assert.deepEqual(
      world.writes.filter((write) => write.startsWith("delete")),
      [],
    );
    world.exit(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.deepEqual(runsOf(world), ["1200"]);
  });

  it("a resume never fires for the past", () => {
    const world = JobWorld.accepted(quick).edit({ suspend: true }).settle();
    world.to("12:10:30").edit({ suspend: false }).to("12:10:59");
    assert.deepEqual(world.created, []);
    world.to("12:11:00");
    assert.deepEqual(runsOf(world), ["1211"]);
  });

  it("what still waited from before a suspension is dropped, and said so", () => {
    const world = JobWorld.accepted({ ...quick, spec: { ...minutely, misfire: { onOverlap: "FireAll" } } });
    world.to("12:00:00").start(0);
    world.to("12:03:20").exit(0).settle();
    assert.deepEqual(activeRuns(world), ["1201 Misfire Waiting", "1202 Misfire Waiting", "1203 Misfire Waiting"]);
    assert.deepEqual(runsOf(world), ["1200", "1201"]);
    world.forgetLog();
    world.edit({ suspend: true }).settle();
    assert.deepEqual(activeRuns(world), ["1201 Misfire Running"]);
    assert.ok(world.events.some((event) => event.startsWith("RunSkipped: 2 fire times skipped (ScheduleChanged)")));
    world.to("12:04:10").runs(0).to("12:10:30");
    world.edit({ suspend: false }).to("12:10:50");
    assert.deepEqual(world.created, []);
  });

  it("outcomes do not claim that what a suspension dropped has succeeded", () => {
    const world = JobWorld.accepted(quick).edit({ suspend: true }).settle();
    world.to("12:10:30").edit({ suspend: false }).settle();
    assert.equal(world.status.outcomes?.from, iso("12:10:30"));
  });
});

describe("clocks (decision 11)", () => {
  const ahead = (time: string): JobWorld => {
    const world = JobWorld.accepted();
    world.to("12:00:00").runs(0).settle();
    world.job = { ...world.job, status: { ...world.status, lastHandledFireTime: time } };
    return world;
  };

  it("a lastHandledFireTime an hour ahead of the server is lowered once to now, with condition and event", () => {
    const world = ahead(iso("13:30:00"));
    world.to("12:20:00");
    const patched = world.plans.filter((plan) => plan.status !== undefined);
    assert.equal(world.status.lastHandledFireTime! <= iso("12:20:00"), true);
    assert.ok(patched.some((plan) => JSON.stringify(plan.status?.status).includes("ClockSkew")));
    assert.ok(world.events.some((event) => event.startsWith("ClockSkew")));
    world.to("13:00:00");
    assert.equal(world.created.at(-1), "20261121t130000z/0/1");
  });

  it("within the limit it is left alone, and nothing fires again", () => {
    const world = ahead(iso("12:00:20"));
    world.settle();
    assert.equal(world.status.lastHandledFireTime, iso("12:00:20"));
    assert.equal(world.created.length, 1);
  });

  it("limit 0 = off", () => {
    const world = ahead(iso("13:30:00"));
    world.maxClockSkewMs = 0;
    world.to("13:00:10");
    assert.equal(world.status.lastHandledFireTime, iso("13:30:00"));
    assert.equal(world.created.length, 1);
  });

  it("a `since` that a leader a year ahead wrote does not silence the job", () => {
    const world = ahead("2027-11-21T12:00:00Z");
    const schedule = { ...world.status.schedule, since: "2027-11-21T12:00:00Z" };
    world.job = { ...world.job, status: { ...world.status, schedule } };
    world.to("13:00:00");
    assert.equal(world.created.at(-1), "20261121t130000z/0/1");
  });
});
