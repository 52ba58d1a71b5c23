import type { JobRequest } from "../../api/job-request.gen.ts";
import { jobRequests } from "../../api/resource.ts";
import { NotFound } from "../../kube/errors.ts";
import { CommandFailure } from "./command-failure.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";
import { readJob } from "./read-picture.ts";
import { isOver } from "./request-text.ts";
import { withCluster } from "./with-cluster.ts";

/** Ends the suspensions that JobRequests ask for; spec is not ours to change. */
export async function resumeJob(context: PluginContext, name: string, flags: ClusterFlags): Promise<void> {
  const { output } = context;
  await withCluster(context, flags, async ({ client, namespace }) => {
    const job = await readJob({ client, namespace }, name);
    const { items } = await client.list<JobRequest>(jobRequests, { namespace });
    const suspensions = items.filter(
      (request) => request.spec.jobName === job.metadata.name && request.spec.suspend !== undefined && !isOver(request),
    );
    for (const { metadata } of suspensions) {
      await client
        .delete(jobRequests, { namespace, name: metadata.name }, { ...(metadata.uid !== undefined && { uid: metadata.uid }) })
        .catch((error: unknown) => {
          // It ended by itself a moment ago.
          if (!(error instanceof NotFound)) throw error;
        });
      output.result(`jobrequest.nuptse.dev/${metadata.name} deleted`);
    }
    if (job.spec.suspend === true) {
      throw new CommandFailure(
        `${job.metadata.name} stays suspended by spec.suspend, which belongs to whoever keeps the job: set it to false there (Git, or kubectl patch ej ${job.metadata.name} --type=merge -p '{"spec":{"suspend":false}}')`,
      );
    }
    if (suspensions.length === 0) output.note(`${job.metadata.name} is not suspended`);
  });
}
