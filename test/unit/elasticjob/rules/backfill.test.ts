import assert from "node:assert/strict";
import { iso } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";
import { idOf, quiet } from "../../../support/builders/requested-run.ts";

describe("JobRequest.backfill", () => {
  /** Plays every pod at once as it appears, until nothing is asked for. */
  function playAll(world: JobWorld, exitCode: (run: string) => number = () => 0): number {
    let most = 0;
    for (let round = 0; round < 400; round++) {
      const pods = [...world.pods.values()].filter((pod) => pod.status?.phase === "Pending");
      if (pods.length === 0 && world.settle().pods.size >= 0 && ![...world.pods.values()].some((pod) => pod.status?.phase === "Pending"))
        return most;
      most = Math.max(most, pods.length);
      for (const pod of pods) {
        const run = pod.metadata.labels?.["nuptse.dev/run"] as string;
        world.start(0, "n1", run).exit(0, exitCode(run), { run });
      }
      world.settle();
    }
    throw new Error("no end");
  }
  const runOf = (hour: string) => idOf(`${hour}0000`, "past", "b");

  it("runs each fire time of [from, to) exactly once, oldest first", () => {
    const world = quiet();
    world.ask("past", { backfill: { from: iso("03:00:00"), to: iso("07:00:00") } }).settle();
    assert.equal(playAll(world), 1);
    assert.deepEqual(
      world.created,
      ["03", "04", "05", "06"].map((hour) => `${runOf(hour)}/0/1`),
    );
    const { status } = world.requests.get("past") ?? {};
    assert.deepEqual(
      [status?.phase, status?.backfill?.total, status?.backfill?.ended, status?.backfill?.endedIndexes],
      ["Succeeded", 4, 4, "0-3"],
    );
    assert.equal(world.active(), undefined);
  });

  it("NewestFirst begins at the end, and at most `parallelism` are in flight", () => {
    const world = quiet();
    world.ask("past", { backfill: { from: iso("00:00:00"), to: iso("09:00:00"), order: "NewestFirst", parallelism: 3 } }).settle();
    assert.equal(world.status.active?.length, 3);
    assert.deepEqual(
      world.created,
      ["08", "07", "06"].map((hour) => `${runOf(hour)}/0/1`),
    );
    assert.equal(playAll(world), 3);
    assert.equal(new Set(world.created).size, 9);
    assert.equal(world.created.length, 9);
  });

  it("tells of the runs that failed", () => {
    const world = quiet();
    world.ask("past", { backfill: { from: iso("03:00:00"), to: iso("06:00:00") } }).settle();
    playAll(world, (run) => (run === runOf("04") ? 1 : 0));
    const { status } = world.requests.get("past") ?? {};
    assert.deepEqual([status?.reason, status?.backfill?.failed, status?.backfill?.failedRuns], ["RunsFailed", 1, [runOf("04")]]);
    assert.match(status?.message ?? "", /^1 of 3 runs did not succeed/);
  });

  it("counts only among themselves for concurrencyPolicy: the schedule goes on beside it (decision 16)", () => {
    const world = quiet();
    world.ask("past", { backfill: { from: iso("03:00:00"), to: iso("05:00:00") } }).settle();
    assert.equal(world.status.lastHandledFireTime, undefined, "a fire time of the past does not move it");
    world.to("12:00:00");
    assert.deepEqual(world.created, [`${runOf("03")}/0/1`, "20261121t120000z/0/1"]);
    world.start(0, "n1", "20261121t120000z");
    world
      .start(0, "n1", runOf("03"))
      .exit(0, 0, { run: runOf("03") })
      .settle();
    assert.equal(world.created.at(-1), `${runOf("04")}/0/1`, "nor is it kept by the scheduled run at work");
  });

  it("two of them follow one another under Forbid", () => {
    const world = quiet();
    world.ask("past", { backfill: { from: iso("03:00:00"), to: iso("04:00:00") } }).settle();
    world.ask("more", { backfill: { from: iso("01:00:00"), to: iso("02:00:00") } }).settle();
    assert.equal(world.request("more"), "Pending:BackfillAtWork");
    playAll(world);
    assert.equal(world.request("more"), "Succeeded:Completed");
    assert.equal(world.created.length, 2);
  });

  it("is exact whichever write is the last before a crash", () => {
    for (let crash = 0; crash < 40; crash++) {
      const world = quiet();
      world.ask("past", { backfill: { from: iso("03:00:00"), to: iso("06:00:00"), parallelism: 2 } });
      for (let step = 0; step < 40; step++) {
        if (step === crash) world.restart().step(() => false, false);
        world.step((action) => step % 7 !== crash % 7 || action.tag !== "status");
        for (const pod of world.pods.values()) {
          const run = pod.metadata.labels?.["nuptse.dev/run"] as string;
          if (pod.status?.phase === "Pending") world.start(0, "n1", run).exit(0, 0, { run });
        }
      }
      playAll(world);
      assert.deepEqual(
        [...world.created].sort(),
        ["03", "04", "05"].map((hour) => `${runOf(hour)}/0/1`),
        `crash ${crash}`,
      );
      assert.equal(world.request("past"), "Succeeded:Completed", `crash ${crash}`);
    }
  });

  it("ends when the schedule is edited, with what is left to do", () => {
    const world = quiet();
    world.ask("past", { backfill: { from: iso("03:00:00"), to: iso("09:00:00") } }).settle();
    world.edit({ schedule: { crons: ["30 * * * *"] } }).settle();
    assert.equal(world.request("past"), "Failed:ScheduleChanged");
    world.start(0).exit(0).settle();
    assert.equal(world.created.length, 1);
    assert.equal(world.active(), undefined);
  });

  it("that is deleted begins nothing more; what is at work goes on", () => {
    const world = quiet();
    world.ask("past", { backfill: { from: iso("03:00:00"), to: iso("09:00:00") } }).settle();
    world.requests.delete("past");
    world.start(0).exit(0).settle();
    assert.equal(world.created.length, 1);
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.active(), undefined);
  });

  it("success of a fire time that had failed corrects its outcome, failure of one that had succeeded does not", () => {
    const world = JobWorld.accepted({ start: "10:59:00" });
    world.to("11:00:00").runs(0, 1).to("12:00:00").runs(0).to("12:30:00");
    world.ask("past", { backfill: { from: iso("11:00:00"), to: iso("12:30:00") } }).settle();
    playAll(world, (run) => (run === runOf("12") ? 1 : 0));
    assert.deepEqual(world.status.outcomes?.notSucceeded, []);
  });
});
