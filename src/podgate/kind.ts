import type { Admission, WorkloadOwner } from "../api/admission.ts";
import type { Pod } from "../api/core.ts";
import type { KubeObject, ObjectRef } from "../api/meta.ts";
import { labels } from "../api/names.ts";
import { pods } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import { createInformer, type Informer } from "../kube/informer.ts";
import type { Controller } from "../runtime/controller.ts";
import type { ControllerLoop } from "../runtime/controller-loop.ts";
import type { ManagedInformer } from "../runtime/manager.ts";
import { createPodGateController } from "./controller.ts";
import { Rollouts } from "./rollouts.ts";
import type { ObservedPodWorkload } from "./rules/plan.ts";
import { type QueuedPod, queuedPod } from "./rules/queued-pod.ts";
import { workloadName, workloadUid } from "./rules/workload-key.ts";

export interface PodGateKindOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly admission: Admission;
  readonly onError: (error: unknown) => void;
}

/** Pods that somebody else made and labelled with a queue: what a manager runs. */
export interface PodGateKind {
  readonly controller: Controller<ObservedPodWorkload>;
  readonly informers: readonly Informer<KubeObject>[];
  readonly fillOrder: readonly (readonly ManagedInformer[])[];
  /** Workloads; the names are those of rules/workload-key.ts. */
  readonly roots: () => Iterable<ObjectRef>;
  connect(loop: Pick<ControllerLoop, "enqueue">): void;
  /** An answer to a workload of it has changed. */
  answered(owner: WorkloadOwner): void;
  /** The workload that a pod is of, with the pod's UID. */
  workloadOfPod(namespace: string, name: string): { readonly podUid: string; readonly owner: WorkloadOwner } | undefined;
  /** Which queues the workloads of these namespaces may use may have changed. */
  queuesChanged(namespaces: ReadonlySet<string>): void;
}

/** Those of our own kinds are of their jobs. */
const selector = `${labels.queue},!${labels.jobUid},!${labels.app}`;
const selects = ({ metadata }: KubeObject): boolean =>
  metadata.labels?.[labels.queue] !== undefined &&
  metadata.labels[labels.jobUid] === undefined &&
  metadata.labels[labels.app] === undefined;

/** Builds the cache and the controller; nothing happens before the informer is started. */
export function createPodGateKind(options: PodGateKindOptions): PodGateKind {
  const { client, clock, random, onError, admission } = options;
  let loop: Pick<ControllerLoop, "enqueue"> = { enqueue() {} };
  const cache = createInformer<QueuedPod, "workload">({
    client,
    clock,
    random,
    onError,
    resource: pods,
    labelSelector: selector,
    selects,
    project: (pod) => queuedPod(pod as unknown as Pod),
    indexes: { workload: (pod) => [nameOf(pod)] },
    onChange({ object, previous }) {
      loop.enqueue(refOf(object));
      if (previous !== undefined && nameOf(previous) !== nameOf(object)) loop.enqueue(refOf(previous));
    },
  });
  const rollouts = new Rollouts({ client, clock, onError, onKnown: (key) => loop.enqueue(key) });

  function* roots(): Iterable<ObjectRef> {
    const seen = new Set<string>();
    for (const pod of cache.store.all()) {
      if (seen.has(nameOf(pod))) continue;
      seen.add(nameOf(pod));
      yield refOf(pod);
    }
  }

  return {
    controller: createPodGateController({
      clock,
      admission,
      podsOf: ({ namespace, name }) => cache.store.byIndex("workload", `${namespace}/${name}`),
      rolloutOf: (key, deployment) => rollouts.of(key, deployment),
    }),
    informers: [cache as unknown as Informer<KubeObject>],
    fillOrder: [[cache as unknown as ManagedInformer]],
    roots,
    connect(target) {
      loop = target;
    },
    workloadOfPod(namespace, name) {
      const pod = cache.store.get(namespace, name);
      if (pod === undefined) return undefined;
      const owner = { ...pod.workload, namespace, uid: workloadUid(refOf(pod)) };
      return { podUid: pod.metadata.uid as string, owner };
    },
    answered: ({ namespace, ...workload }) => loop.enqueue({ namespace, name: workloadName(workload) }),
    queuesChanged(namespaces) {
      for (const root of roots()) if (namespaces.has(root.namespace as string)) loop.enqueue(root);
    },
  };
}

const refOf = ({ metadata, workload }: QueuedPod): ObjectRef => ({
  namespace: metadata.namespace as string,
  name: workloadName(workload),
});

const nameOf = ({ metadata, workload }: QueuedPod): string => `${metadata.namespace}/${workloadName(workload)}`;
