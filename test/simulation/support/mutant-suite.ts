import assert from "node:assert/strict";
import { SeedPool } from "./seed-pool.ts";
import type { SeedTask } from "./seed-task.ts";

export interface MutantSuite {
  /** Whose rules are broken, as people call them. */
  readonly rules: string;
  readonly task: Extract<SeedTask, { readonly name: string }>["kind"];
  readonly mutants: readonly {
    readonly name: string;
    /** Part of the short run. */
    readonly quick?: true;
  }[];
}

const mostSeeds = 40;

/** Rules that were broken on purpose, each of which some invariant must notice; all of them with NUPTSE_SIMULATION_MUTANTS=all. */
export function mutantSuite({ rules, task, mutants }: MutantSuite): void {
  const all = process.env.NUPTSE_SIMULATION_MUTANTS === "all";

  describe(`${rules} broken on purpose are caught within ${mostSeeds} seeds`, function () {
    this.timeout(0);
    let pool: SeedPool;

    before(() => {
      pool = new SeedPool();
    });
    after(() => pool.close());

    for (const { name } of mutants.filter((each) => all || each.quick === true)) {
      it(name, async () => {
        for (let seed = 1; seed <= mostSeeds; seed += pool.size) {
          const seeds = Array.from({ length: Math.min(pool.size, mostSeeds - seed + 1) }, (_, index) => seed + index);
          const results = await Promise.all(seeds.map((each) => pool.play({ kind: task, seed: each, name })));
          const caught = results.find((result) => result.problems.length > 0);
          if (caught === undefined) continue;
          if (all) console.log(`      by seed ${caught.seed}: ${caught.problems[0]}`);
          return;
        }
        assert.fail(`no invariant of ${mostSeeds} seeds noticed it`);
      });
    }
  });
}
