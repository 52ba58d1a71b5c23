import assert from "node:assert/strict";
import { simulate } from "../../src/simulator/harness/simulation.ts";

/** People who ask for all sorts of things while jobs fire, without faults; a crash at every write of a request is in crash.test.ts. */
describe("JobRequests in a simulated cluster", function () {
  this.timeout(0);
  let asked = 0;

  for (const seed of [1, 2, 3]) {
    it(`seed ${seed}: each is done exactly once or refused with a reason, and the schedule is kept beside it`, async () => {
      const result = await simulate({ seed, rounds: 0, requests: "any" });
      asked += result.people["asked"] ?? 0;
      assert.deepEqual(result.problems, []);
    });
  }

  it("asked for something", () => assert.ok(asked > 0));
});
