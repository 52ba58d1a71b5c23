import type { Pod } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import type { KubeObject } from "../../api/meta.ts";
import { labels } from "../../api/names.ts";
import { elasticJobs, jobRequests, pods } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import { Forbidden, NotFound } from "../../kube/errors.ts";
import { createInformer } from "../../kube/informer.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Cluster } from "./plugin-context.ts";

/** Changes that come together are looked at together. */
const gatherMs = 50;

/** A job and its pods at one moment. */
export interface Watched {
  readonly job: ElasticJob;
  readonly pods: readonly Pod[];
  /** The one that was asked for, while it is there. */
  readonly requests: readonly JobRequest[];
}

/**
 * Watches a job, its pods and perhaps one request, and tells of every change, until `see` says that it has seen enough. Rejects when the
 * user may not watch, when the job is deleted, and with the signal's reason when that is aborted.
 * @param see called first with what is there; true = enough
 */
export async function watchJob(
  cluster: Pick<Cluster, "client" | "namespace">,
  job: ElasticJob,
  {
    clock,
    signal,
    run,
    request,
  }: { readonly clock: Clock; readonly signal: AbortSignal; readonly run?: string; readonly request?: string },
  see: (watched: Watched) => boolean,
): Promise<void> {
  const { client, namespace } = cluster;
  const { name, uid } = job.metadata;
  const end = new AbortController();
  const over = Promise.withResolvers<void>();
  const onAbort = () => over.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  let gathering = false;
  let complete = false;

  const look = () => {
    gathering = false;
    // A store that is not filled yet would tell of deletions that never were.
    if (end.signal.aborted || !complete) return;
    const found = jobStore.store.get(namespace, name);
    if (found === undefined || found.metadata.uid !== uid) over.reject(new CommandFailure(`the ElasticJob ${name} was deleted`));
    else
      try {
        const watched: Watched = {
          job: found,
          pods: [...podStore.store.all()] as unknown as readonly Pod[],
          requests: [...(requestStore?.store.all() ?? [])],
        };
        if (see(watched)) over.resolve();
      } catch (error) {
        over.reject(error);
      }
  };
  const lookSoon = () => {
    if (gathering) return;
    gathering = true;
    clock.after(gatherMs, look);
  };
  const common = {
    client,
    namespace,
    clock,
    // Only waits between tries depend on it.
    random: { next: () => 0.5 },
    onChange: lookSoon,
    onError(error: unknown) {
      // All else is tried again.
      if (error instanceof Forbidden || error instanceof NotFound) over.reject(error);
    },
  };
  const selector = `${labels.jobUid}=${uid}${run === undefined ? "" : `,${labels.run}=${run}`}`;
  const podStore = createInformer<KubeObject>({ ...common, resource: pods, labelSelector: selector });
  const jobStore = createInformer<ElasticJob>({ ...common, resource: elasticJobs, fieldSelector: `metadata.name=${name}` });
  const requestStore =
    request === undefined
      ? undefined
      : createInformer<JobRequest>({ ...common, resource: jobRequests, fieldSelector: `metadata.name=${request}` });
  const stores = [podStore, jobStore, ...(requestStore === undefined ? [] : [requestStore])];
  try {
    for (const store of stores) store.start(end.signal);
    await Promise.race([Promise.all(stores.map((store) => store.synced)), over.promise]);
    complete = true;
    look();
    await over.promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    end.abort();
  }
}
