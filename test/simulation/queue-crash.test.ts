import assert from "node:assert/strict";
import { simulateQueues } from "../../src/simulator/harness/queues/queue-simulation.ts";
import { firstOfEach, isEveryWrite, isOfLease, itSurvives, playedFaultless } from "./support/crash-suite.ts";
import { queueCrashScenario } from "./support/queue-crash-scenario.ts";

const faultless = await playedFaultless((listener) => simulateQueues({ ...queueCrashScenario(), ...listener }));
const own = faultless.own.filter((write) => !isOfLease(write));
const firsts = firstOfEach(own);
const ofQueues = ["PATCH pods", "PATCH tenantqueues/status", "DELETE pods"];
const aimed = isEveryWrite ? own : ofQueues.flatMap((kind) => firsts.get(kind) ?? []);

describe("a crash of the operator before and after every write for queues", function () {
  this.timeout(0);

  it("has writes of each kind to crash at, and a claim that is served", () => {
    const { problems, people } = faultless.result;
    assert.deepEqual(problems, []);
    assert.ok((people["released"] ?? 0) > 0, "nothing was given back");
    assert.deepEqual([...firsts.keys()].sort(), [
      "DELETE pods",
      "PATCH elasticjobs/status",
      // What was told of one request is told of the next in the same words.
      "PATCH events",
      "PATCH pods",
      "PATCH tenantqueues/status",
      "POST controllerrevisions",
      "POST events",
      "POST pods",
      "POST podtemplates",
    ]);
  });
  itSurvives("queueCrash", aimed, faultless);
});
