import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import type { KubeObject } from "../../api/meta.ts";
import { jobRequests, type Resource } from "../../api/resource.ts";
import { ApiError } from "../../kube/errors.ts";
import type { Cluster } from "./plugin-context.ts";
import { type Asked, requestBody } from "./request-body.ts";

const selfSubjectReviews: Resource = {
  group: "authentication.k8s.io",
  version: "v1",
  plural: "selfsubjectreviews",
  kind: "SelfSubjectReview",
  namespaced: false,
};

interface SelfSubjectReview extends KubeObject {
  readonly status?: { readonly userInfo?: { readonly username?: string } };
}

/** Creates a JobRequest in the name of whoever runs this. A field that the cluster's JobRequest does not have is refused, not dropped. */
export async function sendRequest({ client, namespace }: Cluster, job: ElasticJob, asked: Asked): Promise<JobRequest> {
  const requestedBy = await client.create<SelfSubjectReview>(selfSubjectReviews, { metadata: {} } as SelfSubjectReview).then(
    (review) => review.status?.userInfo?.username,
    (error: unknown) => {
      // Some clusters do not let everybody ask: then the request says nobody, and a policy that demands a name refuses it in its own words.
      if (error instanceof ApiError) return undefined;
      throw error;
    },
  );
  const body = requestBody({ name: job.metadata.name, namespace }, asked, requestedBy);
  return client.create<JobRequest>(jobRequests, body, { fieldValidation: "Strict", fieldManager: "kubectl-nuptse" });
}
