import type { ControllerRevision, Pod } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import type { KubeObject } from "../../api/meta.ts";

/** An event of core/v1, as far as it is shown. */
export interface ShownEvent extends KubeObject {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly eventTime?: string | null;
  readonly firstTimestamp?: string | null;
  readonly lastTimestamp?: string | null;
  readonly series?: { readonly count: number; readonly lastObservedTime: string } | null;
  readonly involvedObject?: { readonly kind?: string; readonly name?: string; readonly uid?: string };
}

/** What is known of a job at one moment: everything that its views and causes are made of. */
export interface JobPicture {
  readonly job: ElasticJob;
  /** All pods of the job, of whatever run. */
  readonly pods: readonly Pod[];
  /** About the job and its pods, oldest first. */
  readonly events: readonly ShownEvent[];
  /** What was asked of the job and is still there; none where the user may not read them. */
  readonly requests: readonly JobRequest[];
  /** The revision that holds the job's calendars; empty where there are none, or the user may not read it. */
  readonly revisions: readonly ControllerRevision[];
  readonly now: number;
}

/** The request that suspends a job now, if one does. */
export function suspension(requests: readonly JobRequest[], jobName: string, now: number): JobRequest | undefined {
  return requests.find(
    ({ spec, status, metadata }) =>
      spec.jobName === jobName &&
      spec.suspend !== undefined &&
      status?.phase === "Running" &&
      metadata.deletionTimestamp === undefined &&
      (Date.parse(spec.suspend.until ?? "") || Number.POSITIVE_INFINITY) > now,
  );
}

/** When an event was seen last, in milliseconds; 0 when it does not say. */
export function eventTime(event: ShownEvent): number {
  const text = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp;
  return Date.parse(text ?? event.metadata.creationTimestamp ?? "") || 0;
}
