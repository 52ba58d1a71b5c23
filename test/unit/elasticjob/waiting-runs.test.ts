import assert from "node:assert/strict";
import { WaitingRuns } from "../../../src/elasticjob/waiting-runs.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";

describe("the gauge of runs that wait", () => {
  it("tells of each reason how many runs have it, and of those that nothing has any more", () => {
    const gauge = new Map<string, number>();
    const waiting = new WaitingRuns({
      ...noMetrics,
      set: (_name, labels, value) => void gauge.set((labels as { reason: string }).reason, value),
    });
    waiting.tell("a", []);
    assert.equal(gauge.size, 0);
    waiting.tell("a", ["FleetBusy", "FleetBusy", "Misfire"]);
    waiting.tell("b", ["FleetBusy"]);
    assert.deepEqual(Object.fromEntries(gauge), { FleetBusy: 3, Misfire: 1 });
    waiting.tell("a", ["NoInstance"]);
    assert.deepEqual(Object.fromEntries(gauge), { FleetBusy: 1, Misfire: 0, NoInstance: 1 });
    waiting.tell("a", []);
    waiting.tell("b", []);
    assert.deepEqual(Object.fromEntries(gauge), { FleetBusy: 0, Misfire: 0, NoInstance: 0 });
  });
});
