import assert from "node:assert/strict";
import type { SimulationResult } from "../../../src/simulator/harness/simulation.ts";
import { playCountingSeeds } from "./counting-seeds.ts";
import { Coverage, failureText } from "./coverage.ts";
import { SeedPool } from "./seed-pool.ts";
import type { SeedTask } from "./seed-task.ts";

export interface SeedSuite {
  /** What is simulated, as people call it. */
  readonly subject: string;
  readonly task: Extract<SeedTask, { readonly fingerprint?: boolean }>["kind"];
  /** What npm run soak is told, with a space behind it; absent = nothing. */
  readonly word?: string;
  /** How many seeds are the same each time, and how many are of the day. */
  readonly fixed: number;
  readonly fresh: number;
}

/** The invariants of a simulation in some seeds; in as many counting ones as npm run soak asks for by NUPTSE_SIMULATION_SEEDS. */
export function seedSuite({ subject, task, word = "", fixed, fresh }: SeedSuite): void {
  const wanted = Number(process.env.NUPTSE_SIMULATION_SEEDS ?? 0);
  // New ones every day, and the same all day, so that whoever sees one fail finds it failing until it is mended.
  const base = wanted > 0 ? Date.now() % 2 ** 31 : 1000 * Math.floor(Date.now() / 86_400_000);
  const always = Array.from({ length: fixed }, (_, index) => index + 1);
  const ofTheDay = Array.from({ length: fresh }, (_, index) => base + index);

  describe(`${subject} in a simulated cluster with faults`, function () {
    this.timeout(0);
    const coverage = new Coverage();
    const results = new Map<number, Promise<SimulationResult>>();
    let pool: SeedPool;

    before(() => {
      pool = new SeedPool();
      if (wanted === 0) for (const seed of [...always, ...ofTheDay]) results.set(seed, pool.play({ kind: task, seed }));
    });
    after(async () => {
      await pool.close();
      console.log(coverage.toString());
    });

    if (wanted > 0) {
      it(`every invariant holds in ${wanted} counting seeds from ${base} on`, () =>
        playCountingSeeds({ pool, coverage, from: base, wanted, kind: word }, (seed) => ({ kind: task, seed })));
      return;
    }

    describe("the same seeds each time", () => seeds(always));
    describe(`seeds of the day: ${ofTheDay[0]} to ${ofTheDay.at(-1)}`, () => seeds(ofTheDay));

    it("a seed goes alike when it is played twice, commit by commit", async () => {
      const [first, second] = await Promise.all([1, 1].map((seed) => pool.play({ kind: task, seed, fingerprint: true })));
      assert.equal(first?.fingerprint, second?.fingerprint);
    });

    function seeds(numbers: readonly number[]): void {
      for (const seed of numbers) {
        it(`seed ${seed}`, async () => {
          const result = await (results.get(seed) as Promise<SimulationResult>);
          coverage.add(result);
          assert.ok(result.problems.length === 0, failureText(result, word));
        });
      }
    }
  });
}
