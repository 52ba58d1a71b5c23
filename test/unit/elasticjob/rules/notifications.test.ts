import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

type Wish = NonNullable<ElasticJobSpec["notify"]>[number];

/** Every minute from 12:00 on, one item: exit codes of the runs in their order. What was told, in words. */
function told(notify: readonly Wish[], exits: readonly number[], spec: Partial<ElasticJobSpec> = {}): readonly string[] {
  const world = JobWorld.accepted({ spec: { schedule: { crons: ["* * * * *"] }, notify, ...spec } });
  exits.forEach((exit, index) => {
    world.to(`12:0${index}:00`).runs(0, exit).settle();
  });
  return world.plans.flatMap((plan) =>
    plan.recorded.notifications.map(
      ({ receiver, event, run, consecutiveFailures }) => `${receiver} ${event} ${run?.id.slice(9, 13) ?? "-"} ${consecutiveFailures}`,
    ),
  );
}

const all = ["Failed", "Recovered", "Misfired"] as const;

describe("notify: whom a job tells of what", () => {
  it("Failed of each run that failed, Recovered of the first that succeeded after it", () => {
    assert.deepEqual(told([{ receiver: "ops", events: all }], [0, 1, 1, 0, 0]), [
      "ops Failed 1201 1",
      "ops Failed 1202 2",
      "ops Recovered 1203 0",
    ]);
  });

  it("only the events that are listed, to each receiver", () => {
    const notify: readonly Wish[] = [
      { receiver: "ops", events: ["Failed"] },
      { receiver: "chat", events: ["Recovered"] },
    ];
    assert.deepEqual(told(notify, [1, 0]), ["ops Failed 1200 1", "chat Recovered 1201 0"]);
  });

  it("after: 3 tells from the third failure in a row on, and of a recovery only after that", () => {
    const notify: readonly Wish[] = [{ receiver: "ops", events: all, after: 3 }];
    assert.deepEqual(told(notify, [1, 1, 0, 1, 1, 1, 1, 0]), ["ops Failed 1205 3", "ops Failed 1206 4", "ops Recovered 1207 0"]);
  });

  it("Misfired of fire times that were given up, in one message", () => {
    const world = JobWorld.accepted({
      spec: { schedule: { crons: ["* * * * *"] }, misfire: { onDowntime: "Skip" }, notify: [{ receiver: "ops", events: ["Misfired"] }] },
    });
    world.sleepTo("12:05:30").restart().settle();
    const [notification, ...more] = world.plans.flatMap((plan) => plan.recorded.notifications);
    assert.deepEqual(more, []);
    assert.equal(notification?.reason, "Downtime");
    assert.equal(notification?.message, "6 fire times did not run (Downtime), the newest at 2026-11-21T12:05:00Z");
  });

  it("Late of a run that has not ended deadlineSeconds after its fire time, once", () => {
    const world = JobWorld.accepted({ spec: { deadlineSeconds: 60, notify: [{ receiver: "ops", events: ["Late"] }] } });
    world.to("12:00:00").start(0).to("12:10:00").exit(0).settle();
    const told = world.plans.flatMap((plan) => plan.recorded.notifications);
    assert.deepEqual(
      told.map(({ event, run: about, message }) => [event, about?.id, message]),
      [["Late", "20261121t120000z", "run 20261121t120000z has not ended 60 s after its fire time"]],
    );
  });

  it("what an edit drops is no misfire", () => {
    const world = JobWorld.accepted({ spec: { schedule: { crons: ["* * * * *"] }, notify: [{ receiver: "ops", events: ["Misfired"] }] } });
    world.to("12:00:10").edit({ schedule: { crons: ["0 * * * *"] } });
    world.sleepTo("12:05:30").restart().settle();
    assert.deepEqual(
      world.plans.flatMap((plan) => plan.recorded.notifications),
      [],
    );
  });

  it("a plan whose status is not written tells nothing", () => {
    const world = JobWorld.accepted({ spec: { notify: [{ receiver: "ops", events: all }] } });
    world.to("12:00:00").start(0).to("12:00:02");
    assert.deepEqual(world.plan().recorded.notifications, []);
  });
});
