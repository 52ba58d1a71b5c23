import type { ElasticJob, ElasticJobRun } from "../../../api/elastic-job.gen.ts";
import { formatMillis, formatSeconds, parseTime } from "../../../base/time.ts";
import { runIdOf } from "../run-id.ts";
import type { DispatchRecord } from "./dispatch-record.ts";

/**
 * The run that status names ahead: its fire time is `nextFireTime`, and who has its one item stands in `assignments`. That is all that a leader needs to
 * take it up under the same task id, so its executor may hear of it without another record, and the run costs one status patch (decision 7).
 */
export interface NamedRun {
  readonly runner: string;
  /** Its entry as it would stand in status.active. */
  readonly entry: ElasticJobRun;
  /** The record of its one attempt: a function of the stored status and of the spec alone. */
  readonly record: DispatchRecord;
}

/** What of a job's spec such a run depends on, in milliseconds. */
export interface NamedRunTerms {
  /** From the fire time to the instant. */
  readonly jitterMs: number;
  /** Infinity = none. */
  readonly itemTimeoutMs: number;
}

/** The run that the stored status names ahead, once its instant has come; undefined = none, or it is recorded already. */
export function namedRun({ status = {} }: ElasticJob, { jitterMs, itemTimeoutMs }: NamedRunTerms, now: number): NamedRun | undefined {
  const { assignments, currentRevision, active = [], history = [] } = status;
  const fireTime = parseTime(status.nextFireTime);
  const [instance, ...others] = assignments?.instances ?? [];
  if (fireTime === undefined || currentRevision === undefined || others.length > 0 || instance?.items !== "0") return undefined;
  const at = fireTime + jitterMs;
  if (at > now || fireTime <= (parseTime(status.lastHandledFireTime) ?? Number.NEGATIVE_INFINITY)) return undefined;
  const run = runIdOf(fireTime);
  if ([...active, ...history].some((entry) => entry.run === run)) return undefined;
  return {
    runner: assignments?.runner ?? "",
    entry: {
      run,
      kind: "Schedule",
      fireTime: formatSeconds(fireTime),
      revision: currentRevision,
      items: "0",
      startedAt: formatMillis(at),
    } as ElasticJobRun,
    record: {
      item: 0,
      attempt: 1,
      instance: instance.id ?? "",
      name: instance.name ?? "",
      at,
      deadline: at + itemTimeoutMs,
      counted: 0,
      lost: 0,
      left: [],
      round: 1,
    },
  };
}
