import type { BenchResult, BenchTable } from "../../test/bench/bench.ts";

/** The table for people, what each target says, and as the last line one JSON object for programs. */
export function resultText(result: BenchResult): string {
  const targets = Object.keys(result.targets).map((figure) => {
    const value = result.figures[figure];
    return `${keeps(result, figure) ? "met   " : "MISSED"}  ${figure}: ${value ?? "not measured"} (${bound(result, figure)})`;
  });
  const met = Object.keys(result.targets).every((figure) => keeps(result, figure));
  const json = JSON.stringify({ name: result.name, figures: result.figures, targets: result.targets, met });
  return [tableText(result.table), "", ...targets, json].join("\n");
}

function keeps(result: BenchResult, figure: string): boolean {
  const value = result.figures[figure];
  const { max = Number.POSITIVE_INFINITY, min = Number.NEGATIVE_INFINITY } = result.targets[figure] ?? {};
  return value !== undefined && Number.isFinite(value) && value <= max && value >= min;
}

function bound(result: BenchResult, figure: string): string {
  const { max, min } = result.targets[figure] ?? {};
  return [...(min === undefined ? [] : [`at least ${min}`]), ...(max === undefined ? [] : [`at most ${max}`])].join(", ");
}

/** The first column holds names and is set left, the others hold figures and are set right. */
function tableText(table: BenchTable): string {
  const lines = [table.columns, ...table.rows];
  const widths = table.columns.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const text = (line: readonly string[]) =>
    widths.map((width, column) => (column === 0 ? (line[column] ?? "").padEnd(width) : (line[column] ?? "").padStart(width))).join("  ");
  return [text(table.columns), widths.map((width) => "-".repeat(width)).join("  "), ...table.rows.map(text)].join("\n");
}
