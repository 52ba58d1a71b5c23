/** What a bench hands back: readable rows, and figures by name with the bounds they should keep. */
export interface BenchResult {
  readonly name: string;
  readonly figures: Readonly<Record<string, number>>;
  /** Bounds by the name of a figure, both inclusive. */
  readonly targets: Readonly<Record<string, { readonly max?: number; readonly min?: number }>>;
  readonly table: BenchTable;
}

export interface BenchTable {
  readonly columns: readonly string[];
  /** As many cells as there are columns. */
  readonly rows: readonly (readonly string[])[];
}

/**
 * The default export of `test/bench/<name>.bench.ts`. `args` are the words after the name on the command line. Progress goes to stderr:
 * stdout belongs to the result.
 */
export type Bench = (args: readonly string[]) => Promise<BenchResult>;
