import assert from "node:assert/strict";
import { residentMutants } from "./support/resident-mutants.ts";
import { SeedPool } from "./support/seed-pool.ts";

const all = process.env.NUPTSE_SIMULATION_MUTANTS === "all";
const mostSeeds = 40;

describe(`rules of dispatch broken on purpose are caught within ${mostSeeds} seeds`, function () {
  this.timeout(0);
  let pool: SeedPool;

  before(() => {
    pool = new SeedPool();
  });
  after(() => pool.close());

  for (const mutant of residentMutants) {
    it(mutant.name, async () => {
      for (let seed = 1; seed <= mostSeeds; seed += pool.size) {
        const seeds = Array.from({ length: Math.min(pool.size, mostSeeds - seed + 1) }, (_, index) => seed + index);
        const results = await Promise.all(seeds.map((each) => pool.play({ kind: "residentMutant", seed: each, name: mutant.name })));
        const caught = results.find((result) => result.problems.length > 0);
        if (caught === undefined) continue;
        if (all) console.log(`      by seed ${caught.seed}: ${caught.problems[0]}`);
        return;
      }
      assert.fail(`no invariant of ${mostSeeds} seeds noticed it`);
    });
  }
});
