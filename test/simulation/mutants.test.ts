import assert from "node:assert/strict";
import { mutants } from "./support/mutants.ts";
import { SeedPool } from "./support/seed-pool.ts";

const all = process.env.NUPTSE_SIMULATION_MUTANTS === "all";
const mostSeeds = 40;

describe(`rules broken on purpose are caught within ${mostSeeds} seeds`, function () {
  this.timeout(0);
  let pool: SeedPool;

  before(() => {
    pool = new SeedPool();
  });
  after(() => pool.close());

  for (const mutant of mutants.filter((each) => all || each.quick === true)) {
    it(mutant.name, async () => {
      for (let seed = 1; seed <= mostSeeds; seed += pool.size) {
        const seeds = Array.from({ length: Math.min(pool.size, mostSeeds - seed + 1) }, (_, index) => seed + index);
        const results = await Promise.all(seeds.map((each) => pool.play({ kind: "mutant", seed: each, name: mutant.name })));
        const caught = results.findIndex((result) => result.problems.length > 0);
        if (caught === -1) continue;
        const count = seed + caught;
        if (all) console.log(`    after ${count} ${count === 1 ? "seed" : "seeds"}: ${results[caught]?.problems[0]}`);
        return;
      }
      assert.fail(`nothing was found wrong in ${mostSeeds} seeds`);
    });
  }
});
