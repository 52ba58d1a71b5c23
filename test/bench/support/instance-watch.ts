import type { Pod } from "../../../src/api/core.ts";
import { identityOf, type KubeObject } from "../../../src/api/meta.ts";
import { pods } from "../../../src/api/resource.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { loadCredentials } from "../../../src/kube/credentials.ts";
import { createHttpTransport } from "../../../src/kube/http-transport.ts";
import { createInformer } from "../../../src/kube/informer.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { ChangeWaits } from "./change-waits.ts";
import { tell } from "./progress.ts";

interface SeenPod extends KubeObject {
  readonly image: string;
  readonly isReady: boolean;
}

/** The pods of the cluster as a watch shows them, so that whoever waits need not ask the API server again and again. */
export interface InstanceWatch {
  /** Resolves with performance.now() when the namespace has exactly so many pods, all Ready and of the image. Rejects when that takes too long. */
  until(namespace: string, count: number, image: string, withinMs: number): Promise<number>;
  stop(): void;
}

/** Starts the watch; resolves when it has seen what there is. */
export async function watchInstances(kubeconfig: string): Promise<InstanceWatch> {
  const clock = createSystemClock();
  const random = { next: () => Math.random() };
  const credentials = await loadCredentials({ clock, kubeconfig });
  const transport = createHttpTransport({ credentials, clock, random, userAgent: "bench-watch" });
  const waits = new ChangeWaits();
  const informer = createInformer<SeenPod, "namespace">({
    client: createKubeClient(transport),
    clock,
    random,
    resource: pods,
    project: (pod) => seenPod(pod as unknown as Pod),
    indexes: { namespace: ({ metadata }) => [metadata.namespace ?? ""] },
    onChange: () => waits.changed(),
    onError: (error) => tell(String(error)),
  });
  const ending = new AbortController();
  informer.start(ending.signal);
  await informer.synced;

  return {
    async until(namespace, count, image, withinMs) {
      const all = () => informer.store.byIndex("namespace", namespace);
      const isSo = (pod: SeenPod) => pod.isReady && pod.image === image;
      await waits.until(
        () => all().length === count && all().every(isSo),
        withinMs,
        () => `${namespace} has ${all().length} pods, ${all().filter(isSo).length} of ${image} and ready,`,
      );
      return performance.now();
    },
    stop() {
      ending.abort();
      transport.close();
    },
  };
}

function seenPod({ metadata, spec, status }: Pod): SeenPod {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return { metadata: identityOf(metadata), image: spec.containers[0]?.image ?? "", isReady: ready?.status === "True" };
}
