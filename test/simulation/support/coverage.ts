import type { SimulationResult } from "../../../src/simulator/harness/simulation.ts";

/** What many seeds saw, summed up for people. */
export class Coverage {
  #seeds = 0;
  #counting = 0;
  readonly #sums = new Map<string, number>();
  readonly #faults = new Map<string, number>();

  get counting(): number {
    return this.#counting;
  }

  get seeds(): number {
    return this.#seeds;
  }

  add(result: SimulationResult): void {
    this.#seeds++;
    if (result.counts) this.#counting++;
    const { failovers, pods, processes, terms, strays, people, answers } = result;
    for (const [name, count] of Object.entries({ failovers, pods, processes, terms, strays, ...people, ...answers }))
      bump(this.#sums, name, count);
    for (const [name, count] of Object.entries(result.faults)) bump(this.#faults, name, count);
  }

  toString(): string {
    const list = (counts: ReadonlyMap<string, number>) => [...counts].map(([name, count]) => `${name} ${count}`).join(", ");
    return [
      `${this.#seeds} seeds, ${this.#counting} of them counting (each class of faults struck, and a failover was completed)`,
      `seen: ${list(this.#sums)}`,
      `faults: ${list(this.#faults)}`,
    ]
      .map((line) => `    ${line}`)
      .join("\n");
  }
}

function bump(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

/**
 * What is wrong with a seed, and how to see it again.
 * @param kind what the soak is told before the seed
 */
export function failureText(result: SimulationResult, kind = ""): string {
  const shown = result.problems.slice(0, 12).map((problem) => `  ${problem}`);
  const more = result.problems.length - shown.length;
  return [
    `seed ${result.seed} broke ${result.problems.length} invariants:`,
    ...shown,
    ...(more > 0 ? [`  and ${more} more`] : []),
    `play it again: npm run soak -- ${kind}--seed ${result.seed}`,
  ].join("\n");
}
