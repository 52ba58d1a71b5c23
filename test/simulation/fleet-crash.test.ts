import assert from "node:assert/strict";
import { simulateFleets } from "../../src/simulator/harness/fleets/fleet-simulation.ts";
import { firstOfEach, isEveryWrite, isOfLease, itSurvives, playedFaultless } from "./support/crash-suite.ts";
import { fleetCrashScenario } from "./support/fleet-crash-scenario.ts";

const faultless = await playedFaultless((listener) => simulateFleets({ ...fleetCrashScenario(), ...listener }));
const own = faultless.own.filter((write) => !isOfLease(write));
const firsts = firstOfEach(own);
const ofFleets = ["POST pods", "PATCH runnerapps/status", "DELETE pods"];
const aimed = isEveryWrite ? own : ofFleets.flatMap((kind) => firsts.get(kind) ?? []);

describe("a crash of the operator before and after every write for fleets", function () {
  this.timeout(0);

  it("has writes of each kind to crash at, and instances that are lost and replaced", () => {
    const { problems, failovers, people } = faultless.result;
    assert.deepEqual(problems, []);
    assert.ok(failovers > 0, "nothing was lost");
    assert.ok((people["moves"] ?? 0) > 0, "nothing was tried elsewhere");
    assert.deepEqual([...firsts.keys()].sort(), [
      "DELETE controllerrevisions",
      "DELETE pods",
      "PATCH runnerapps/status",
      "POST controllerrevisions",
      "POST events",
      "POST poddisruptionbudgets",
      "POST pods",
      "POST podtemplates",
      "PUT poddisruptionbudgets",
    ]);
  });
  itSurvives("fleetCrash", aimed, faultless);
});
