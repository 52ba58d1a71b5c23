import type { Pod } from "../../api/core.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import type { KubeObject } from "../../api/meta.ts";
import { jobRequests, pods, type Resource } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import { Forbidden, NotFound } from "../../kube/errors.ts";
import { createInformer } from "../../kube/informer.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Cluster } from "./plugin-context.ts";

/** Changes that come together are looked at together. */
const gatherMs = 50;

/** A job or a fleet, and its pods, at one moment. */
export interface WatchedWork<Root> {
  readonly root: Root;
  /** All that the selector selects. */
  readonly pods: readonly Pod[];
  /** The one that was asked for, while it is there. */
  readonly requests: readonly JobRequest[];
}

export interface WatchOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The kind of the root. */
  readonly resource: Resource;
  /** What selects its pods. */
  readonly labelSelector: string;
  /** The name of a JobRequest that is watched too. */
  readonly request?: string;
}

/**
 * Watches a job or a fleet, its pods and perhaps one request, and tells of every change, until `see` says that it has seen enough. Rejects when the
 * user may not watch, when the root is deleted, and with the signal's reason when that is aborted.
 * @param see called first with what is there; true = enough
 */
export async function watchWork<Root extends KubeObject>(
  cluster: Pick<Cluster, "client" | "namespace">,
  root: Root,
  { clock, signal, resource, labelSelector, request }: WatchOptions,
  see: (watched: WatchedWork<Root>) => boolean,
): Promise<void> {
  const { client, namespace } = cluster;
  const { name, uid } = root.metadata;
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
    const found = rootStore.store.get(namespace, name);
    if (found === undefined || found.metadata.uid !== uid) over.reject(new CommandFailure(`the ${resource.kind} ${name} was deleted`));
    else
      try {
        const watched: WatchedWork<Root> = {
          root: found,
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
  const podStore = createInformer<KubeObject>({ ...common, resource: pods, labelSelector });
  const rootStore = createInformer<Root>({ ...common, resource, fieldSelector: `metadata.name=${name}` });
  const requestStore =
    request === undefined
      ? undefined
      : createInformer<JobRequest>({ ...common, resource: jobRequests, fieldSelector: `metadata.name=${request}` });
  const stores = [podStore, rootStore, ...(requestStore === undefined ? [] : [requestStore])];
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
