import assert from "node:assert/strict";
import type { Coverage } from "./coverage.ts";
import { failureText } from "./coverage.ts";
import type { SeedPool } from "./seed-pool.ts";
import type { SeedTask } from "./seed-task.ts";

/** Plays seeds from `from` on until so many of them counted; fails with all that is wrong. */
export async function playCountingSeeds(
  {
    pool,
    coverage,
    from,
    wanted,
    kind = "",
  }: {
    readonly pool: SeedPool;
    readonly coverage: Coverage;
    readonly from: number;
    readonly wanted: number;
    /** See failureText. */
    readonly kind?: string;
  },
  taskOf: (seed: number) => SeedTask,
): Promise<void> {
  const failures: string[] = [];
  let seed = from;
  const next = async () => {
    while (coverage.counting < wanted) {
      const result = await pool.play(taskOf(seed++));
      coverage.add(result);
      if (result.problems.length > 0) {
        failures.push(failureText(result, kind));
        console.log(failureText(result, kind));
      }
      if (coverage.seeds % 50 === 0)
        console.log(`    ${coverage.seeds} seeds, ${coverage.counting} of ${wanted} counting ones, ${failures.length} failed`);
    }
  };
  await Promise.all(Array.from({ length: pool.size }, next));
  assert.ok(failures.length === 0, failures.join("\n"));
}
