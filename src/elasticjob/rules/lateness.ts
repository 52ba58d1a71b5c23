import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import type { RunStep } from "./run-step.ts";

/** What deadlineSeconds says of the runs of a job. */
export interface Lateness {
  /** Ids of runs that are late, whether at work or waiting, or that ended late in this step. */
  readonly late: ReadonlySet<string>;
  /** Those of them of which nobody was told yet. */
  readonly newlyLate: readonly LiveRun[];
  /** A run ended in time in this step. */
  readonly endedInTime: boolean;
  /** When the next run becomes late. */
  readonly wakeAt: number;
}

/** Runs that stand for a fire time; what somebody asked for has no instant at which it ought to have been done. */
const timely: ReadonlySet<string> = new Set(["Schedule", "Misfire", "Dependency"]);

/** When a run is late: so long after its fire time plus jitter; Infinity = never. */
export function lateAt({ spec, jitterMs }: Pick<ObservedJob, "spec" | "jitterMs">, run: Pick<LiveRun, "kind" | "fireTime">): number {
  return timely.has(run.kind) ? run.fireTime + jitterMs + spec.deadlineMs : Number.POSITIVE_INFINITY;
}

/** Which runs are late now. A run that is ended is judged by the moment at which its end is recorded. */
export function lateness(observed: ObservedJob, steps: readonly Pick<RunStep, "run" | "outcome">[]): Lateness {
  const late = new Set<string>();
  const newlyLate: LiveRun[] = [];
  let endedInTime = false;
  let wakeAt = Number.POSITIVE_INFINITY;
  if (observed.spec.deadlineMs === Number.POSITIVE_INFINITY) return { late, newlyLate, endedInTime, wakeAt };
  for (const { run, outcome } of steps) {
    const at = lateAt(observed, run);
    if (at <= observed.now || run.recorded?.late === true) {
      late.add(run.id);
      if (run.recorded?.late !== true) newlyLate.push(run);
    } else if (outcome !== undefined) endedInTime ||= timely.has(run.kind);
    else wakeAt = Math.min(wakeAt, at);
  }
  return { late, newlyLate, endedInTime, wakeAt };
}
