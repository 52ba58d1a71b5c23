import { existsSync } from "node:fs";
import { silentLogger } from "../../api/logger.ts";
import type { TraceState } from "../../api/trace.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { formatMillis, formatSeconds } from "../../base/time.ts";
import { openTraceStore } from "../../trace/open-store.ts";
import type { TraceTarget } from "../../trace/target.ts";
import type { CommandContext } from "../command-context.ts";
import { CommandFailure } from "./command-failure.ts";
import type { RunView } from "./run-view.ts";

/** How to read an event trace. */
export interface TraceFlags {
  readonly trace?: TraceTarget;
  readonly traceTokenFile?: string;
  readonly traceCaFile?: string;
  readonly tracePasswordFile?: string;
  /** Runs that are shown at most. */
  readonly limit: number;
}

/** The newest ended runs of a job that the trace tells of. Throws CommandFailure when it cannot be read. */
export async function tracedRuns(
  { clock }: Pick<CommandContext, "clock">,
  flags: TraceFlags,
  of: { readonly namespace: string; readonly job: string },
): Promise<readonly RunView[]> {
  const { trace = { kind: "none" }, traceTokenFile, traceCaFile, tracePasswordFile } = flags;
  if (trace.kind === "none") return [];
  // Opening it would make one.
  if (trace.kind === "sqlite" && !existsSync(trace.path)) throw new CommandFailure(`there is no event trace ${trace.path}`);
  try {
    const files = {
      ...(traceTokenFile !== undefined && { tokenFile: traceTokenFile }),
      ...(traceCaFile !== undefined && { caFile: traceCaFile }),
      ...(tracePasswordFile !== undefined && { passwordFile: tracePasswordFile }),
    };
    const store = await openTraceStore(trace, { clock, logger: silentLogger, files });
    try {
      return (await store.runs({ ...of, limit: flags.limit })).rows.map(viewOf);
    } finally {
      await store.close();
    }
  } catch (error) {
    throw new CommandFailure(`the event trace cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function viewOf(row: TraceState): RunView {
  return {
    run: row.run,
    kind: row.source,
    phase: row.state,
    ...(row.reason !== "" && { reason: row.reason }),
    ...(row.message !== "" && { message: row.message }),
    ...(row.fireTime !== undefined && { fireTime: formatSeconds(row.fireTime) }),
    ...(row.startedAt !== undefined && { startedAt: formatMillis(row.startedAt) }),
    endedAt: formatMillis(row.at),
    total: row.total ?? IntervalSet.parse(row.items).size,
    succeeded: row.succeeded ?? 0,
    failed: row.failed ?? 0,
    attempts: 0,
    lost: row.lost ?? 0,
    live: false,
    items: [],
  };
}
