import type { Action, Plan } from "../../api/action.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import type { ObjectRef } from "../../api/meta.ts";
import { requestReasons } from "../../api/reasons.ts";
import { parseTime } from "../../base/time.ts";
import { changeRequest, deleteRequest, expiryOf, isOver } from "./request-status.ts";
import { jobPatienceMs } from "./requests.ts";

/** JobRequests that name a job which does not exist. */
export interface MissingJob {
  readonly missing: ObjectRef;
  readonly requests: readonly JobRequest[];
  /** Since when the job is known to be missing, as far as this process knows. */
  readonly since: number;
  readonly now: number;
}

/** GitOps applies in any order, so the job may yet come; after 30 s its requests have failed (decision 16). */
export function planMissingJob({ missing, requests, since, now }: MissingJob): Plan {
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
    const message = `there is no ElasticJob ${missing.name} in the namespace`;
    actions.push(...changeRequest(request, { phase: "Failed", reason: requestReasons.jobNotFound, message, refused: true }, now));
  }
  return { actions, ...(wakeAt < Number.POSITIVE_INFINITY && { wakeAt }), reasons: ["its requests wait for a job that does not exist"] };
}
