import type { Node } from "../../api/core.ts";
import { nodes } from "../../api/resource.ts";
import { ApiError } from "../../kube/errors.ts";
import type { Format } from "./cluster-options.ts";
import { explainJob } from "./explanation.ts";
import { explanationText } from "./explanation-text.ts";
import type { JobPicture } from "./job-picture.ts";
import type { Cluster, ClusterFlags, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { readPicture } from "./read-picture.ts";
import { jitterOfJob, scheduleOfJob, zoneOfJob } from "./schedule-of-job.ts";
import { withCluster } from "./with-cluster.ts";

/** Prints why a job is not running. */
export async function showWhy(context: PluginContext, name: string, flags: ClusterFlags & { readonly output?: Format }): Promise<void> {
  const { clock, output, style } = context;
  const [picture, found] = await withCluster(context, flags, async (cluster) => {
    const read = await readPicture(cluster, name, () => clock.now());
    return [read, await readNodes(cluster, read)] as const;
  });
  const schedule = scheduleOfJob(picture.job, picture.revisions);
  const plain = scheduleOfJob(picture.job);
  const explanation = explainJob({
    picture,
    nodes: found,
    ...(schedule !== undefined && { schedule }),
    ...(plain !== undefined && { plain }),
    jitterMs: jitterOfJob(picture.job),
  });
  if (flags.output === "json" || flags.output === "yaml") await printValue(output, flags.output, explanation);
  else for (const line of explanationText(explanation, style, zoneOfJob(picture.job), picture.now)) output.result(line);
}

/** Nodes that are asked for; the first few tell enough. */
const mostNodes = 20;

/** The nodes on which pods of the job are. Most users may not read nodes: then none. */
async function readNodes({ client }: Cluster, { pods }: JobPicture): Promise<readonly Node[]> {
  const ended = (phase: string | undefined) => phase === "Succeeded" || phase === "Failed";
  const names = new Set(pods.flatMap((pod) => (pod.spec.nodeName === undefined || ended(pod.status?.phase) ? [] : [pod.spec.nodeName])));
  const read = await Promise.all(
    [...names].slice(0, mostNodes).map((name) =>
      client.get<Node>(nodes, { name }).catch((error: unknown) => {
        if (error instanceof ApiError) return undefined;
        throw error;
      }),
    ),
  );
  return read.filter((node) => node !== undefined);
}
