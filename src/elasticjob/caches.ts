import type { ControllerRevision, Namespace, Node } from "../api/core.ts";
import type { ElasticJob } from "../api/elastic-job.gen.ts";
import type { JobRequest } from "../api/job-request.gen.ts";
import type { Store } from "../kube/store.ts";
import type { AttemptPod } from "./rules/attempt.ts";
import type { ResultsFile } from "./rules/results-file.ts";

/** What the controller reads. All stores are filled by informers; nothing here is written by it. */
export interface ElasticJobCaches {
  /** "after": by "namespace/name" of the jobs in spec.after. */
  readonly jobs: Store<ElasticJob, "after">;
  /** "job": by the job's UID; "node": by the node's name; "foreign": pods of others that carry our labels, by the job's UID in them. */
  readonly pods: Store<AttemptPod, "job" | "node" | "foreign">;
  readonly revisions: Store<ControllerRevision, "job">;
  /** By the job's UID. */
  readonly resultsFiles: Store<ResultsFile, "job">;
  readonly nodes: Store<Node>;
  /** "job": by namespace and name of the job that they name, joined by a slash. */
  readonly requests: Store<JobRequest, "job" | "cascade">;
  /** Their metadata alone. */
  readonly namespaces: Store<Namespace>;
}
