import type { ElasticJob } from "../api/elastic-job.gen.ts";
import type { Namespace } from "../api/core.ts";
import { elasticJobs, namespaces, tenantQueues } from "../api/resource.ts";
import type { TenantQueue } from "../api/tenant-queue.gen.ts";
import type { KubeClient } from "../kube/client.ts";
import { NotFound } from "../kube/errors.ts";
import type { QueueWorld } from "../validation/queue-tree.ts";
import type { LiveReads } from "./judge.ts";

/** Reads from the API server. Of whole lists one is under way at a time, and who asks meanwhile shares the next one, so that nobody floods it. */
export function createLiveReads(client: Pick<KubeClient, "get" | "list">): LiveReads {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<QueueWorld> | undefined;

  async function readWorld(): Promise<QueueWorld> {
    const [queues, spaces] = await Promise.all([client.list<TenantQueue>(tenantQueues), client.list<Namespace>(namespaces)]);
    return {
      queues: new Map(queues.items.map((queue) => [queue.metadata.name, queue])),
      complete: true,
      namespaces: new Map(spaces.items.map(({ metadata }) => [metadata.name, metadata.labels ?? {}])),
    };
  }

  return {
    queueWorld() {
      next ??= running.then(() => {
        const read = readWorld();
        next = undefined;
        running = read.catch(() => undefined);
        return read;
      });
      return next;
    },
    async job(ref) {
      try {
        return await client.get<ElasticJob>(elasticJobs, ref);
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw error;
      }
    },
  };
}
