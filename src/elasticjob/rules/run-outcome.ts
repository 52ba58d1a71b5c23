import type { LiveRun } from "./live-run.ts";

/** How a run has ended. */
export interface RunOutcome {
  readonly phase: "Succeeded" | "Failed" | "Cancelled";
  readonly reason: string;
  readonly message: string;
}

/**
 * The outcome of a run whose items have all ended.
 * @param failed how many of them failed
 * @param allowed how many may fail
 * @param failsRun what to tell people when a retry rule fails the run
 */
export function itemsOutcome(run: LiveRun, failed: number, allowed: number, failsRun: string | undefined): RunOutcome {
  if (failed === 0) return { phase: "Succeeded", reason: "Completed", message: "" };
  if (run.ending?.reason === "Replaced" || run.ending?.reason === "Cancelled")
    return { phase: "Cancelled", reason: run.ending.reason, message: run.ending.message };
  if (run.ending !== undefined) return { phase: "Failed", reason: run.ending.reason, message: run.ending.message };
  if (failsRun !== undefined) return { phase: "Failed", reason: "RetryRule", message: failsRun };
  if (failed <= allowed) return { phase: "Succeeded", reason: "Completed", message: `${failedText(run, failed)}, and ${allowed} may` };
  return { phase: "Failed", reason: "ItemsFailed", message: failedText(run, failed) };
}

export const failedText = (run: LiveRun, failed: number): string => `${failed} of ${run.items.size} items failed`;
