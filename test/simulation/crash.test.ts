import assert from "node:assert/strict";
import { simulate } from "../../src/simulator/harness/simulation.ts";
import { crashScenario } from "./support/crash-scenario.ts";
import { isOfLease, itSurvives, kindOf, playedFaultless } from "./support/crash-suite.ts";

const faultless = await playedFaultless((listener) => simulate({ ...crashScenario(), ...listener }));
const { own } = faultless;
// The lease is renewed hundreds of times; how it is won is what differs.
const aimed = [...own.filter(isOfLease).slice(0, 3), ...own.filter((write) => !isOfLease(write))];

describe("a crash of the operator before and after every write", function () {
  this.timeout(0);

  it("has writes of each kind to crash at", () => {
    assert.deepEqual(faultless.result.problems, []);
    assert.ok(faultless.result.failovers > 0);
    assert.deepEqual([...new Set(aimed.map(kindOf))].sort(), [
      "DELETE configmaps",
      "DELETE jobrequests",
      "DELETE pods",
      "PATCH elasticjobs/status",
      "PATCH jobrequests/status",
      "POST configmaps",
      "POST controllerrevisions",
      "POST events",
      "POST leases",
      "POST pods",
      "POST podtemplates",
      "PUT leases",
    ]);
  });
  itSurvives("crash", aimed, faultless);
});
