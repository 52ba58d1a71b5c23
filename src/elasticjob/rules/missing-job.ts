import type { Action, Plan } from "../../api/action.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import type { ObjectRef } from "../../api/meta.ts";
import { requestReasons } from "../../api/reasons.ts";
import { parseTime } from "../../base/time.ts";
import { entryOf, isEntryOver, moveEntry } from "./cascade.ts";
import { changeRequest, deleteRequest, expiryOf, isOver } from "./request-status.ts";
import { jobPatienceMs } from "./requests.ts";

/** JobRequests that name a job which does not exist. */
export interface MissingJob {
  readonly missing: ObjectRef;
  readonly requests: readonly JobRequest[];
  /** Requests for other jobs whose cascade comes to it. */
  readonly cascades: readonly JobRequest[];
  /** Since when the job is known to be missing, as far as this process knows. */
  readonly since: number;
  readonly now: number;
}

/** GitOps applies in any order, so the job may yet come; after 30 s its requests have failed (decision 16). */
export function planMissingJob({ missing, requests, cascades, since, now }: MissingJob): Plan {
  const actions: Action[] = [];
  let wakeAt = Number.POSITIVE_INFINITY;
  for (const request of requests) {
    if (isOver(request)) {
      const at = expiryOf(request);
      if (at <= now) actions.push(deleteRequest(request));
      else wakeAt = Math.min(wakeAt, at);
      continue;
    }
    if (request.metadata.deletionTimestamp !== undefined) continue;
    const until = Math.max(since, parseTime(request.metadata.creationTimestamp) ?? since) + jobPatienceMs;
    if (until > now) {
      wakeAt = Math.min(wakeAt, until);
      continue;
    }
    // One that has begun was accepted, whatever became of its job since.
    const begun = request.status?.phase === "Running";
    const message = begun
      ? `the ElasticJob ${missing.name} was deleted meanwhile`
      : `there is no ElasticJob ${missing.name} in the namespace`;
    actions.push(...changeRequest(request, { phase: "Failed", reason: requestReasons.jobNotFound, message, refused: !begun }, now));
  }
  for (const request of cascades) {
    const entry = entryOf(request, missing.name);
    if (entry === undefined || isEntryOver(entry) || isOver(request) || request.metadata.deletionTimestamp !== undefined) continue;
    if (since + jobPatienceMs > now) wakeAt = Math.min(wakeAt, since + jobPatienceMs);
    else actions.push(...changeRequest(request, moveEntry(request, missing.name, "Skipped", "there is no such job any more"), now));
  }
  return { actions, ...(wakeAt < Number.POSITIVE_INFINITY && { wakeAt }), reasons: ["its requests wait for a job that does not exist"] };
}
