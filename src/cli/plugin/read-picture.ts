import type { ControllerRevision, Pod } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import { labels } from "../../api/names.ts";
import { controllerRevisions, coreEvents, elasticJobs, jobRequests, pods } from "../../api/resource.ts";
import { Forbidden, NotFound } from "../../kube/errors.ts";
import { CommandFailure } from "./command-failure.ts";
import { eventTime, type JobPicture, type ShownEvent } from "./job-picture.ts";
import { nameHint } from "./name-hint.ts";
import type { Cluster } from "./plugin-context.ts";
import { calendarRevision } from "./schedule-of-job.ts";

/** The name in "nightly", "ej/nightly" or "elasticjob.nuptse.dev/nightly", as kubectl prints and takes it. */
export function jobNameOf(text: string): string {
  const match = /^(?:ej|elasticjobs?(?:\.nuptse\.dev)?)\/(.+)$/.exec(text);
  return match?.[1] ?? text;
}

/** The job of that name. Rejects with CommandFailure, which knows what was perhaps meant, when there is none. */
export async function readJob(cluster: Pick<Cluster, "client" | "namespace">, text: string): Promise<ElasticJob> {
  const { client, namespace } = cluster;
  const name = jobNameOf(text);
  try {
    return await client.get<ElasticJob>(elasticJobs, { namespace, name });
  } catch (error) {
    if (!(error instanceof NotFound) || error.isUnknownKind) throw error;
    throw new CommandFailure(`there is no ElasticJob "${name}" in namespace "${namespace}"${await nameHint(cluster, elasticJobs, name)}`, {
      cause: error,
    });
  }
}

/** Reads all that the views and causes of a job are made of. Events that the user may not read are left out. */
export async function readPicture(cluster: Pick<Cluster, "client" | "namespace">, text: string, now: () => number): Promise<JobPicture> {
  const { client, namespace } = cluster;
  const job = await readJob(cluster, text);
  const { name, uid } = job.metadata;
  const [own, about, requests, revisions] = await Promise.all([
    client.list<Pod>(pods, { namespace, labelSelector: `${labels.jobUid}=${uid}` }),
    readEvents(cluster, `involvedObject.kind=ElasticJob,involvedObject.name=${name}`),
    readRequests(cluster),
    readCalendarRevisions(cluster, [job]),
  ]);
  const stuck = own.items.filter((pod) => pod.spec.nodeName !== undefined && pod.status?.phase === "Pending").slice(0, mostStuckPods);
  const aboutPods = await Promise.all(
    stuck.map((pod) => readEvents(cluster, `involvedObject.kind=Pod,involvedObject.name=${pod.metadata.name}`)),
  );
  const ours = about.filter((event) => event.involvedObject?.uid === undefined || event.involvedObject.uid === uid);
  const events = [...ours, ...aboutPods.flat()].sort((a, b) => eventTime(a) - eventTime(b));
  return { job, pods: own.items, events, requests: requests.filter((request) => request.spec.jobName === name), revisions, now: now() };
}

/** Pods that were given to a node and have not begun: their events say why, and the first few say it for all. */
const mostStuckPods = 3;

/** Events of core/v1; none where the user may not read them. */
export async function readEvents(
  { client, namespace }: Pick<Cluster, "client" | "namespace">,
  fieldSelector: string,
): Promise<readonly ShownEvent[]> {
  try {
    return (await client.list<ShownEvent>(coreEvents, { namespace, fieldSelector })).items;
  } catch (error) {
    if (error instanceof Forbidden) return [];
    throw error;
  }
}

/** The requests of the namespace, or of all; none where the user may not read them, or the cluster does not know them. */
export async function readRequests(
  { client, namespace }: Pick<Cluster, "client" | "namespace">,
  all = false,
): Promise<readonly JobRequest[]> {
  try {
    return (await client.list<JobRequest>(jobRequests, all ? {} : { namespace })).items;
  } catch (error) {
    if (error instanceof Forbidden || error instanceof NotFound) return [];
    throw error;
  }
}

/** Revisions that are asked for at once. */
const sideBySide = 20;

/** The revisions with the calendars by which jobs fire; those that the user may not read, or that are gone, are left out. */
export async function readCalendarRevisions(
  { client }: Pick<Cluster, "client">,
  jobs: readonly ElasticJob[],
): Promise<readonly ControllerRevision[]> {
  const wanted = jobs.flatMap((job) => {
    const name = calendarRevision(job);
    return name === undefined ? [] : [{ namespace: job.metadata.namespace as string, name }];
  });
  const found: ControllerRevision[] = [];
  for (let from = 0; from < wanted.length; from += sideBySide) {
    const read = await Promise.all(
      wanted.slice(from, from + sideBySide).map((ref) =>
        client.get<ControllerRevision>(controllerRevisions, ref).catch((error: unknown) => {
          if (error instanceof Forbidden || error instanceof NotFound) return undefined;
          throw error;
        }),
      ),
    );
    found.push(...read.filter((revision) => revision !== undefined));
  }
  return found;
}
