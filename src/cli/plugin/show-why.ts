import type { Node } from "../../api/core.ts";
import type { WaitingWork } from "../../api/queue-explanation.ts";
import { elasticJobs, nodes } from "../../api/resource.ts";
import { ApiError } from "../../kube/errors.ts";
import { askLeader, type ExplainService } from "./ask-leader.ts";
import type { Format } from "./cluster-options.ts";
import { explainJob } from "./explanation.ts";
import { explanationText } from "./explanation-text.ts";
import type { JobPicture } from "./job-picture.ts";
import type { Cluster, ClusterFlags, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { readPicture } from "./read-picture.ts";
import { jitterOfJob, scheduleOfJob, zoneOfJob } from "./schedule-of-job.ts";
import { withCluster } from "./with-cluster.ts";
import { withNames } from "./work-names.ts";

/** Prints why a job is not running. */
export async function showWhy(
  context: PluginContext,
  name: string,
  flags: ClusterFlags & { readonly output?: Format; readonly explainService: ExplainService },
): Promise<void> {
  const { clock, output, style } = context;
  const { picture, found, told } = await withCluster(context, flags, async (cluster) => {
    const read = await readPicture(cluster, name, () => clock.now());
    const [ofNodes, ofLeader] = await Promise.all([readNodes(cluster, read), askAbout(cluster, read, flags.explainService)]);
    return { picture: read, found: ofNodes, told: ofLeader };
  });
  if (told?.problem !== undefined) output.note(`the operator cannot be asked for its place in the queue: ${told.problem}`);
  const schedule = scheduleOfJob(picture.job, picture.revisions);
  const plain = scheduleOfJob(picture.job);
  const explanation = explainJob({
    picture,
    nodes: found,
    ...(schedule !== undefined && { schedule }),
    ...(plain !== undefined && { plain }),
    jitterMs: jitterOfJob(picture.job),
    waiting: told?.workloads ?? [],
  });
  if (flags.output === "json" || flags.output === "yaml") await printValue(output, flags.output, explanation);
  else for (const line of explanationText(explanation, style, zoneOfJob(picture.job), picture.now)) output.result(line);
}

interface Told {
  readonly workloads: readonly WaitingWork[];
  /** Why the leader told nothing. */
  readonly problem?: string;
}

/** What the leader knows of runs that go on and are of a queue; undefined when there is none. */
async function askAbout(cluster: Cluster, { job }: JobPicture, service: ExplainService): Promise<Told | undefined> {
  const { name, namespace = "default", uid } = job.metadata;
  const isQueued = (job.status?.active ?? []).some(({ queue = "" }) => queue !== "");
  if (!isQueued || uid === undefined) return undefined;
  const word = await askLeader(cluster, service, "why", { kind: elasticJobs.kind, namespace, name, uid });
  if (word.kind === "silent") return { workloads: [], problem: word.problem };
  return { workloads: await withNames(cluster, word.answer.workloads) };
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
