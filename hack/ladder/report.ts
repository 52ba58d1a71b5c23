import type { RunSummary } from "../../test/support/run-summary.ts";

/** One rung of the ladder and how it ended. */
export interface RungResult {
  readonly name: string;
  readonly seconds: number;
  readonly summary: RunSummary;
}

/** How many skipped tests without a missing component are named. */
const namedSkips = 20;

/** What is printed when all rungs are done; its last line is the count. */
export function reportText(rungs: readonly RungResult[]): string {
  const lines = ["", ...rungs.map(rungLine), ...skipLines(rungs), ...failureLines(rungs), countLine(rungs)];
  return lines.join("\n");
}

/** Whether the ladder holds: nothing failed, and something ran. */
export function succeeded(rungs: readonly RungResult[]): boolean {
  return rungs.every((rung) => rung.summary.failed.length === 0) && rungs.some((rung) => rung.summary.passed > 0);
}

function rungLine(rung: RungResult): string {
  const { passed, failed, skipped } = rung.summary;
  return `${rung.name.padEnd(12)} ${passed} passed, ${failed.length} failed, ${skipped.length} skipped in ${rung.seconds.toFixed(1)} s`;
}

function skipLines(rungs: readonly RungResult[]): readonly string[] {
  const summaries = rungs.map((rung) => rung.summary);
  const components = Map.groupBy(
    summaries.flatMap((summary) =>
      summary.missing.map((entry) => ({ ...entry, tests: summary.skipped.filter((title) => title.startsWith(entry.suite)).length })),
    ),
    (entry) => `${entry.component}: ${entry.hint}`,
  );
  const explained = [...components].map(([text, entries]) => {
    const tests = entries.reduce((sum, entry) => sum + entry.tests, 0);
    return `  ${tests} ${tests === 1 ? "test" : "tests"} without ${text}`;
  });
  const others = summaries.flatMap((summary) =>
    summary.skipped.filter((title) => !summary.missing.some((entry) => title.startsWith(entry.suite))),
  );
  const more = others.length > namedSkips ? [`  and ${others.length - namedSkips} more`] : [];
  const named = [...explained, ...others.slice(0, namedSkips).map((title) => `  ${title}`), ...more];
  return named.length === 0 ? [] : ["", "Skipped:", ...named];
}

function failureLines(rungs: readonly RungResult[]): readonly string[] {
  const failures = rungs.flatMap((rung) => rung.summary.failed.map((title) => `  ${rung.name}: ${title}`));
  return failures.length === 0 ? [""] : ["", "Failed:", ...failures, ""];
}

function countLine(rungs: readonly RungResult[]): string {
  const sum = (count: (summary: RunSummary) => number) => rungs.reduce((total, rung) => total + count(rung.summary), 0);
  const passed = sum((summary) => summary.passed);
  const failed = sum((summary) => summary.failed.length);
  return `${passed} passed, ${failed} failed, ${sum((summary) => summary.skipped.length)} skipped`;
}
