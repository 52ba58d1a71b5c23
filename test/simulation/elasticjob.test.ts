import assert from "node:assert/strict";
import type { SimulationResult } from "../../src/simulator/harness/simulation.ts";
import { playCountingSeeds } from "./support/counting-seeds.ts";
import { Coverage, failureText } from "./support/coverage.ts";
import { SeedPool } from "./support/seed-pool.ts";

// The short run is that of npm test; npm run soak sets how many counting seeds must be seen.
const wanted = Number(process.env.NUPTSE_SIMULATION_SEEDS ?? 0);
const fixed = Array.from({ length: 40 }, (_, index) => index + 1);
// New ones every day, and the same all day, so that whoever sees one fail finds it failing until it is mended.
const base = wanted > 0 ? Date.now() % 2 ** 31 : 1000 * Math.floor(Date.now() / 86_400_000);
const fresh = Array.from({ length: 20 }, (_, index) => base + index);

describe("ElasticJob in a simulated cluster with faults", function () {
  this.timeout(0);
  const coverage = new Coverage();
  const results = new Map<number, Promise<SimulationResult>>();
  let pool: SeedPool;

  before(() => {
    pool = new SeedPool();
    if (wanted === 0) for (const seed of [...fixed, ...fresh]) results.set(seed, pool.play({ kind: "seed", seed }));
  });
  after(async () => {
    await pool.close();
    console.log(coverage.toString());
  });

  if (wanted > 0) {
    it(`holds its invariants in ${wanted} counting seeds from ${base} on`, async () => {
      await playCountingSeeds({ pool, coverage, from: base, wanted }, (seed) => ({ kind: "seed", seed }));
    });
    return;
  }

  describe("the same seeds each time", () => seeds(fixed));
  describe(`seeds of the day: ${fresh[0]} to ${fresh.at(-1)}`, () => seeds(fresh));

  it("plays a seed twice alike, commit by commit", async () => {
    const [first, second] = await Promise.all([1, 1].map((seed) => pool.play({ kind: "seed", seed, fingerprint: true })));
    assert.equal(first?.fingerprint, second?.fingerprint);
  });

  function seeds(numbers: readonly number[]): void {
    for (const seed of numbers) {
      it(`seed ${seed}`, async () => {
        const result = await (results.get(seed) as Promise<SimulationResult>);
        coverage.add(result);
        assert.ok(result.problems.length === 0, failureText(result));
      });
    }
  }
});
