import type { TraceAttempt, TraceState } from "../../../src/api/trace.ts";

/** An attempt that succeeded, with whatever differs. */
export function makeTraceAttempt(differs: Partial<TraceAttempt> = {}): TraceAttempt {
  return {
    type: "attempt",
    namespace: "shop",
    job: "etl",
    jobUid: "uid-etl",
    run: "20261121t120000z",
    item: 0,
    attempt: 1,
    pod: "etl-0",
    source: "Schedule",
    startedAt: 1000,
    endedAt: 2000,
    success: true,
    result: "Succeeded",
    reason: "Completed",
    exitCode: 0,
    failureCause: "",
    host: "n1",
    ip: "10.0.0.1",
    ...differs,
  };
}

/** The end of a run that succeeded, with whatever differs. */
export function makeTraceState(differs: Partial<TraceState> = {}): TraceState {
  return {
    type: "state",
    namespace: "shop",
    job: "etl",
    jobUid: "uid-etl",
    run: "20261121t120000z",
    scope: "Run",
    items: "0",
    state: "Succeeded",
    reason: "Completed",
    message: "",
    at: 2000,
    source: "Schedule",
    fireTime: 1000,
    startedAt: 1000,
    total: 1,
    succeeded: 1,
    failed: 0,
    lost: 0,
    ...differs,
  };
}
