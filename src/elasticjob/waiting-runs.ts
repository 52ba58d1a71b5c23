import type { Metrics } from "../runtime/metrics.ts";

const none: readonly string[] = [];

/** How many runs wait for what, as the gauge nuptse_runs_waiting: kept up to date without counting all jobs anew. */
export class WaitingRuns {
  readonly #metrics: Metrics;
  /** By the job's UID, a reason for each run that waits. */
  readonly #byJob = new Map<string, readonly string[]>();
  readonly #counts = new Map<string, number>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** What the runs of a job wait for now; none when it is gone. */
  tell(uid: string, reasons: readonly string[]): void {
    const before = this.#byJob.get(uid) ?? none;
    if (before.length + reasons.length === 0) return;
    if (reasons.length === 0) this.#byJob.delete(uid);
    else this.#byJob.set(uid, reasons);
    for (const reason of before) this.#counts.set(reason, (this.#counts.get(reason) ?? 0) - 1);
    for (const reason of reasons) this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    for (const reason of new Set([...before, ...reasons]))
      this.#metrics.set("nuptse_runs_waiting", { reason }, this.#counts.get(reason) ?? 0);
  }
}
