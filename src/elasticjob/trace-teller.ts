import type { ActionOutcome, ActionResult } from "../api/action.ts";
import type { TraceSink } from "../api/trace.ts";
import type { ObservedJob } from "./rules/observed.ts";
import { recordedRows, retoldRows, retriedRows, type TracedPlan } from "./rules/trace-rows.ts";

/** Hands the event trace what has become a fact. */
export interface TraceTeller {
  /** Another leader may have recorded what it never told. */
  beginTerm(): void;
  /** The stored status of a job, at each look at it. */
  seen(observed: ObservedJob): void;
  /** How a plan was carried out. */
  settled(observed: ObservedJob, traced: TracedPlan | undefined, results: readonly ActionResult[], status: ActionOutcome | undefined): void;
  forget(jobUid: string): void;
}

/**
 * A row follows its record: the acknowledged status, or the created pod of the next attempt. Whether a write without an answer happened
 * shows at the next look, which then tells again what the stored status holds.
 */
export function createTraceTeller(sink: TraceSink): TraceTeller {
  const retold = new Set<string>();
  const tell = (rows: Parameters<TraceSink["write"]>[0]) => {
    if (rows.length > 0) sink.write(rows);
  };
  return {
    beginTerm: () => retold.clear(),
    seen(observed) {
      const uid = observed.job.metadata.uid as string;
      if (retold.has(uid)) return;
      retold.add(uid);
      tell(retoldRows(observed));
    },
    settled(observed, traced, results, status) {
      if (traced === undefined) return;
      tell(retriedRows(observed, traced, results));
      if (status?.kind === "done") tell(recordedRows(observed, traced));
      if (status?.kind === "failed") retold.delete(observed.job.metadata.uid as string);
    },
    forget: (jobUid) => retold.delete(jobUid),
  };
}
