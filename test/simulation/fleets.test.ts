import assert from "node:assert/strict";
import { simulateFleets } from "../../src/simulator/harness/fleet-simulation.ts";

// The short run is that of npm test; npm run soak -- --fleets sets how many seeds must hold, and NUPTSE_FLEET_SEED with which one it begins.
const wanted = Number(process.env.NUPTSE_FLEET_SEEDS ?? 6);
const first = Number(process.env.NUPTSE_FLEET_SEED ?? 1);

describe("RunnerApp in a simulated cluster with faults", function () {
  this.timeout(0);

  for (let seed = first; seed < first + wanted; seed++)
    it(`seed ${seed}`, async () => {
      const { problems } = await simulateFleets({ seed });
      assert.ok(problems.length === 0, `\n${problems.join("\n")}`);
    });
});
