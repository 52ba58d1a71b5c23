import { alignColumns } from "../cron-output.ts";
import type { RunView } from "./run-view.ts";
import { oneLine } from "./status-text.ts";
import { spanText } from "./time-text.ts";

/** Runs as a table, the newest first. `wide` adds attempts, failovers and the reason in full. */
export function historyTable(runs: readonly RunView[], now: number, wide: boolean): readonly string[] {
  const rows = runs.map((run) => [
    run.run,
    run.kind ?? "-",
    run.phase,
    `${run.succeeded}/${run.total}`,
    run.fireTime ?? "-",
    run.startedAt === undefined ? "-" : `${run.startedAt.slice(0, 19)}Z`,
    run.startedAt === undefined ? "-" : spanText(run.startedAt, run.endedAt ?? now),
    ...(wide ? [String(run.attempts), String(run.lost)] : []),
    run.phase === "Succeeded"
      ? ""
      : oneLine([run.reason, run.message].filter((part) => part !== undefined && part !== "").join(": "), wide ? 1000 : 80),
  ]);
  const heads = ["RUN", "KIND", "PHASE", "SUCCEEDED", "FIRE-TIME", "STARTED", "TOOK", ...(wide ? ["ATTEMPTS", "FAILOVERS"] : []), "REASON"];
  return alignColumns([heads, ...rows]).map((line) => line.trimEnd());
}
