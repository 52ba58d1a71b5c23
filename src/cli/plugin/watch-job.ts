import type { Pod } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import { labels } from "../../api/names.ts";
import { elasticJobs } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import type { Cluster } from "./plugin-context.ts";
import { watchWork } from "./watch-work.ts";

/** A job and its pods at one moment. */
export interface Watched {
  readonly job: ElasticJob;
  readonly pods: readonly Pod[];
  /** The one that was asked for, while it is there. */
  readonly requests: readonly JobRequest[];
}

/** {@link watchWork} of a job; with `run` only the pods of that run. */
export async function watchJob(
  cluster: Pick<Cluster, "client" | "namespace">,
  job: ElasticJob,
  options: { readonly clock: Clock; readonly signal: AbortSignal; readonly run?: string; readonly request?: string },
  see: (watched: Watched) => boolean,
): Promise<void> {
  const { run, ...others } = options;
  const labelSelector = `${labels.jobUid}=${job.metadata.uid}${run === undefined ? "" : `,${labels.run}=${run}`}`;
  await watchWork(cluster, job, { ...others, resource: elasticJobs, labelSelector }, ({ root, ...rest }) => see({ job: root, ...rest }));
}
