import { withCondition } from "../../api/condition.ts";
import type { Action } from "../../api/action.ts";
import type { JobRequest, JobRequestSpec, JobRequestStatus } from "../../api/job-request.gen.ts";
import { conditionTypes, eventReasons, type requestReasons } from "../../api/reasons.ts";
import { jobRequests } from "../../api/resource.ts";
import { mergePatch } from "../../base/diff.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";

/** What a request asks for: the name of its field. */
export type RequestKind = "run" | "backfill" | "cancel" | "retry" | "markSucceeded" | "suspend";

export type RequestReason = (typeof requestReasons)[keyof typeof requestReasons];

/** What is to be said of a request. */
export interface RequestChange {
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed";
  readonly reason: RequestReason;
  readonly message?: string;
  readonly run?: string;
  readonly backfill?: JobRequestStatus["backfill"];
  readonly cascade?: JobRequestStatus["cascade"];
  /** It cannot be done, and people are told. */
  readonly refused?: boolean;
}

const kinds: readonly RequestKind[] = ["run", "backfill", "cancel", "retry", "markSucceeded", "suspend"];

/** Which one of the six it is; the schema lets no object have none. */
export const requestKind = (spec: JobRequestSpec): RequestKind => kinds.find((kind) => spec[kind] !== undefined) ?? "run";

/** Whether nothing more is to be done for it. */
export const isOver = ({ status }: JobRequest): boolean => status?.phase === "Succeeded" || status?.phase === "Failed";

/** In the order in which they were asked for. */
export const byAge = (a: JobRequest, b: JobRequest): number =>
  (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? "") ||
  (a.metadata.uid ?? "").localeCompare(b.metadata.uid ?? "");

/** When it is to be deleted, if it has ended. */
export function expiryOf({ spec, status }: JobRequest): number {
  const endedAt = parseTime(status?.endedAt);
  return endedAt === undefined ? Number.POSITIVE_INFINITY : endedAt + (spec.ttlSecondsAfterFinished ?? 86_400) * 1000;
}

/** The write that says what has become of a request, and the event when it is refused; nothing when that is said already. */
export function changeRequest(request: JobRequest, change: RequestChange, now: number, jobUid?: string): readonly Action[] {
  const current = request.status ?? {};
  const { phase, reason, message = "", refused = false } = change;
  const generation = request.metadata.generation ?? 1;
  const over = phase === "Succeeded" || phase === "Failed";
  const uid = current.jobUid ?? jobUid;
  const startedAt = current.startedAt ?? (phase === "Pending" || refused ? undefined : formatSeconds(now));
  const run = change.run ?? current.run;
  const backfill = change.backfill ?? current.backfill;
  const cascade = change.cascade ?? current.cascade;
  const accepted = refused ? "False" : phase === "Pending" ? "Unknown" : "True";
  const next: JobRequestStatus = {
    observedGeneration: generation,
    request: requestKind(request.spec),
    phase,
    reason,
    message: message.slice(0, 1024),
    ...(run !== undefined && { run }),
    ...(uid !== undefined && phase !== "Pending" && { jobUid: uid }),
    ...(startedAt !== undefined && { startedAt }),
    ...(over && { endedAt: current.endedAt ?? formatSeconds(now) }),
    ...(backfill !== undefined && { backfill }),
    ...(cascade !== undefined && { cascade }),
    conditions: withCondition(current.conditions ?? [], now, generation, {
      type: conditionTypes.accepted,
      status: accepted,
      reason: accepted === "True" ? "Accepted" : reason,
      message: accepted === "True" ? "" : message,
    }),
  };
  const status = mergePatch(current as Record<string, unknown>, next as Record<string, unknown>);
  if (status === undefined) return [];
  const write: Action = { tag: "status", resource: jobRequests, object: request, status };
  if (!refused) return [write];
  const note = `refused (${reason}): ${message}`.slice(0, 1024);
  return [write, { tag: "event", regarding: request, type: "Warning", reason: eventReasons.requestRefused, note }];
}

/** The deletion of a request whose time is over. */
export function deleteRequest(request: JobRequest): Action {
  const { namespace, name, uid } = request.metadata;
  return { tag: "delete", resource: jobRequests, ref: { namespace: namespace as string, name }, uid: uid as string };
}
