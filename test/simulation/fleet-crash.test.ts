import assert from "node:assert/strict";
import { simulateFleets } from "../../src/simulator/harness/fleets/fleet-simulation.ts";
import type { OperatorWrite } from "../../src/simulator/harness/operator-process.ts";
import type { SimulationResult } from "../../src/simulator/harness/simulation.ts";
import { fleetCrashScenario } from "./support/fleet-crash-scenario.ts";
import { SeedPool } from "./support/seed-pool.ts";

/** npm run soak -- --fleets --crashes: at every write; else at the first of each kind that is fleets' own. */
const all = process.env.NUPTSE_SIMULATION_CRASHES === "all";

const writes: OperatorWrite[] = [];
const faultless = await simulateFleets({ ...fleetCrashScenario(), onWrite: (write) => writes.push(write) });
const leader = writes.find((write) => !write.path.includes("/leases"))?.process ?? "";
const own = writes.filter((write) => write.process === leader && !write.path.includes("/leases"));
const firsts = new Map(own.toReversed().map((write) => [kindOf(write), write]));
const ofFleets = ["POST pods", "PATCH runnerapps/status", "DELETE pods"];
const aimed = all ? own : ofFleets.flatMap((kind) => firsts.get(kind) ?? []);

describe("a crash of the operator before and after every write for fleets", function () {
  this.timeout(0);
  let pool: SeedPool;
  const results = new Map<string, Promise<SimulationResult>>();
  const classes = ["crashBeforeWrite", "crashAfterWrite"] as const;

  before(() => {
    pool = new SeedPool();
    for (const { number } of aimed)
      for (const name of classes)
        results.set(`${name} ${number}`, pool.play({ kind: "fleetCrash", process: leader, class: name, write: number }));
  });
  after(() => pool.close());

  it("has writes of each kind to crash at, and instances that are lost and replaced", () => {
    assert.deepEqual(faultless.problems, []);
    assert.ok(faultless.failovers > 0, "nothing was lost");
    assert.ok((faultless.people["moves"] ?? 0) > 0, "nothing was tried elsewhere");
    assert.deepEqual([...firsts.keys()].sort(), [
      "DELETE controllerrevisions",
      "DELETE pods",
      "PATCH events",
      "PATCH runnerapps/status",
      "POST controllerrevisions",
      "POST events",
      "POST poddisruptionbudgets",
      "POST pods",
      "POST podtemplates",
      "PUT poddisruptionbudgets",
    ]);
  });

  for (const { number, method, path } of aimed) {
    for (const name of classes) {
      const when = name === "crashBeforeWrite" ? "before" : "after";
      it(`${when} write ${number}: ${method} ${path.replace(/^.*\/(?:namespaces|v1alpha1)\//, "")}`, async () => {
        const result = await (results.get(`${name} ${number}`) as Promise<SimulationResult>);
        assert.equal(result.faults[name], 1, "the operator did not crash there");
        assert.ok(result.problems.length === 0, result.problems.join("\n"));
        assert.equal(result.processes, faultless.processes + 1);
      });
    }
  }
});

/** "PATCH pods", "PATCH runnerapps/status" */
function kindOf({ method, path }: OperatorWrite): string {
  const [kind, , subresource] = path.replace(/^.*\/namespaces\/[^/]+\//, "").split("/");
  return `${method} ${subresource === undefined ? kind : `${kind}/${subresource}`}`;
}
