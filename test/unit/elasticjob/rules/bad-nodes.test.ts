import assert from "node:assert/strict";
import { JobWorld } from "../../../support/builders/job-world.ts";

const bad = (world: JobWorld) => world.plans.flatMap((plan) => plan.recorded.badNodes);
const world = (retry: object) => JobWorld.accepted({ spec: { retry: { backoff: { initialSeconds: 1, factor: 1 }, ...retry } } });

describe("which nodes a job says are bad", () => {
  it("one that an item failed on, once it has succeeded on another", () => {
    const one = world({ sameNode: 0, otherNodes: 1 });
    one.to("12:00:00").runs(0, 7, "n2").settle();
    assert.deepEqual(bad(one), []);
    one.to("12:00:10").runs(0, 0, "n1").settle();
    assert.deepEqual(bad(one), ["n2"]);
  });

  it("none where it failed everywhere: that tells nothing of nodes", () => {
    const everywhere = world({ sameNode: 0, otherNodes: 2 });
    everywhere.to("12:00:00").runs(0, 7, "n1").to("12:00:10").runs(0, 7, "n2").to("12:00:20").runs(0, 7, "n3").settle();
    assert.deepEqual([everywhere.history()?.phase, bad(everywhere)], ["Failed", []]);
  });

  it("none where it succeeded on the same node the next time", () => {
    const again = world({ sameNode: 1, otherNodes: 1 });
    again.to("12:00:00").runs(0, 7, "n2").to("12:00:10").runs(0, 0, "n2").settle();
    assert.deepEqual(bad(again), []);
  });

  it("none that it was merely taken away from", () => {
    const lost = world({ sameNode: 0, otherNodes: 1 });
    lost.to("12:00:00").start(0, "n2").vanish(0).to("12:00:10").runs(0, 0, "n1").settle();
    assert.deepEqual([lost.history()?.phase, bad(lost)], ["Succeeded", []]);
  });
});
