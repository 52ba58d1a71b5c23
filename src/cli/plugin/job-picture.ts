import type { Pod } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
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
  readonly now: number;
}

/** When an event was seen last, in milliseconds; 0 when it does not say. */
export function eventTime(event: ShownEvent): number {
  const text = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp;
  return Date.parse(text ?? event.metadata.creationTimestamp ?? "") || 0;
}
