import type { JobRequest, JobRequestSpec } from "../../api/job-request.gen.ts";

/** What is asked of a job: one of the fields of a JobRequest's spec. */
export type Asked = Pick<JobRequestSpec, "run" | "backfill" | "cancel" | "retry" | "markSucceeded" | "suspend">;

/** A JobRequest as it is sent; its name is made by the API server from the job's. */
export function requestBody(
  job: { readonly name: string; readonly namespace: string },
  asked: Asked,
  requestedBy: string | undefined,
): JobRequest {
  const what = Object.keys(asked)[0]?.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`) ?? "request";
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "JobRequest",
    metadata: { generateName: `${job.name}-${what}-`, namespace: job.namespace } as JobRequest["metadata"],
    spec: { jobName: job.name, ...(requestedBy !== undefined && { requestedBy }), ...asked },
  };
}
