import assert from "node:assert/strict";
import type { SimulationResult } from "../../src/simulator/harness/simulation.ts";
import { playCountingSeeds } from "./support/counting-seeds.ts";
import { Coverage, failureText } from "./support/coverage.ts";
import { SeedPool } from "./support/seed-pool.ts";

// The short run is that of npm test; npm run soak -- --resident sets how many counting seeds must be seen.
const wanted = Number(process.env.NUPTSE_SIMULATION_SEEDS ?? 0);
const fixed = [1, 2, 3, 4];
// New ones every day, and the same all day, so that whoever sees one fail finds it failing until it is mended.
const base = wanted > 0 ? Date.now() % 2 ** 31 : 1000 * Math.floor(Date.now() / 86_400_000);
const fresh = [base, base + 1];
const kind = "--resident ";

describe("resident jobs in a simulated cluster with faults", function () {
  this.timeout(0);
  const coverage = new Coverage();
  const results = new Map<number, Promise<SimulationResult>>();
  let pool: SeedPool;

  before(() => {
    pool = new SeedPool();
    if (wanted === 0) for (const seed of [...fixed, ...fresh]) results.set(seed, pool.play({ kind: "residents", seed }));
  });
  after(async () => {
    await pool.close();
    console.log(coverage.toString());
  });

  if (wanted > 0) {
    it(`hold their invariants in ${wanted} counting seeds from ${base} on`, () =>
      playCountingSeeds({ pool, coverage, from: base, wanted, kind }, (seed) => ({ kind: "residents", seed })));
    return;
  }

  for (const seed of [...fixed, ...fresh]) {
    it(`seed ${seed}`, async () => {
      const result = await (results.get(seed) as Promise<SimulationResult>);
      coverage.add(result);
      assert.ok(result.problems.length === 0, failureText(result, kind));
    });
  }

  it("play a seed twice alike, commit by commit", async () => {
    const [first, second] = await Promise.all([1, 1].map((seed) => pool.play({ kind: "residents", seed, fingerprint: true })));
    assert.equal(first?.fingerprint, second?.fingerprint);
  });
});
