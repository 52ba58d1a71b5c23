import type { Action } from "../../../api/action.ts";
import { sortPods } from "../live-run.ts";
import type { ObservedJob } from "../observed.ts";
import { clockMarginMs } from "./dispatch-record.ts";
import { residentRun } from "./resident-run.ts";
import { dispatchTask, probeAgainMs, probeInstance } from "./task-actions.ts";

/** What is to be done before anything else is decided about a job. */
export interface Question {
  readonly actions: readonly Action[];
  readonly wakeAt?: number;
  readonly reasons: readonly string[];
}

/**
 * Whether the run that status names ahead has begun, nobody knows but its executor: a leader before this one may have handed it over. It is asked before
 * anything is decided, since whatever is written next names another run. Undefined = there is nothing to ask.
 */
export function questionOf(observed: ObservedJob): Question | undefined {
  const { job, pods, memory, now } = observed;
  const attempt = pods.find(({ executor }) => executor?.isUncertain === true);
  if (attempt?.executor === undefined) return undefined;
  const run = sortPods(job.status ?? {}, [attempt], []).live.find(({ id }) => id === attempt.run);
  const context = run && residentRun(observed, run)?.context;
  if (context === undefined) return undefined;
  const { record, state } = attempt.executor;
  const probed = memory.instances.get(record.instance);
  const wakeAt = Math.min(
    state === undefined ? Number.POSITIVE_INFINITY : (state.uncertainSince ?? now) + clockMarginMs,
    probed === undefined ? Number.POSITIVE_INFINITY : probed.at + probeAgainMs,
  );
  return {
    actions: [...probeInstance(context, attempt), ...(state === undefined ? dispatchTask(context, attempt) : [])],
    ...(wakeAt < Number.POSITIVE_INFINITY && { wakeAt }),
    reasons: [`asks whether ${attempt.run} has begun`],
  };
}
