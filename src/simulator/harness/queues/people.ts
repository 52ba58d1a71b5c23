import type { Pod } from "../../../api/core.ts";
import type { ElasticJob } from "../../../api/elastic-job.gen.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { annotations, labels, queueGate } from "../../../api/names.ts";
import { elasticJobs, namespaces, pods, resourceName, tenantQueues } from "../../../api/resource.ts";
import type { Clock } from "../../../base/clock.ts";
import { formatSeconds } from "../../../base/time.ts";
import type { KubeClient } from "../../../kube/client.ts";
import { NotFound } from "../../../kube/errors.ts";
import type { ApiServer } from "../../apiserver/api-server.ts";
import { simulateAnnotation } from "../../world/pod-script.ts";
import { elasticJob, template } from "../job-mix.ts";
import { openLabel, type PodBurst, type QueueEdit, type QueueMix } from "./mix.ts";

export interface QueuePeopleOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly server: ApiServer;
  readonly mix: QueueMix;
}

/** What people did, by kind. */
export type QueuePeopleCounts = Record<"queues" | "queueEdits" | "closings" | "foreignPods" | "replacedPods", number>;

/** How long a controller takes to make a new pod. */
const replaceMs = 1_200;

/** Administrators, owners of jobs and controllers of pods. Their client meets no faults. */
export class QueuePeople {
  readonly counts: QueuePeopleCounts = { queues: 0, queueEdits: 0, closings: 0, foreignPods: 0, replacedPods: 0 };
  readonly #options: QueuePeopleOptions;
  /** StatefulSets that stand, by namespace and name. */
  readonly #sets = new Map<string, PodBurst>();

  constructor(options: QueuePeopleOptions) {
    this.#options = options;
    options.server.onCommit(({ type, resource, object }) => {
      if (resourceName(resource) !== resourceName(pods)) return;
      const pod = object as unknown as Pod;
      const owner = pod.metadata.ownerReferences?.find(({ kind }) => kind === "StatefulSet");
      const set = owner === undefined ? undefined : this.#sets.get(`${pod.metadata.namespace}/${owner.name}`);
      if (set === undefined) return;
      const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
      if (type === "DELETED") options.clock.after(replaceMs, () => void this.#replace(set, pod.metadata.name));
      else if (ended && pod.metadata.deletionTimestamp === undefined) options.clock.after(100, () => void this.#remove(pod));
    });
  }

  /** Creates namespaces, queues and jobs, and does all that is planned when its time comes. */
  async begin(): Promise<void> {
    const { client, clock, mix } = this.#options;
    for (const metadata of mix.namespaces) await client.create(namespaces, { metadata });
    for (const queue of mix.queues) await client.create(tenantQueues, queue);
    this.counts.queues = mix.queues.length;
    for (const job of mix.jobs) await client.create(elasticJobs, job);
    for (const burst of mix.bursts) clock.after(burst.atMs, () => void this.#burst(burst));
    for (const edit of mix.edits) clock.after(edit.atMs, () => void this.#edit(edit));
  }

  /** Everything is as it was at first, and what does not end by itself is ended. */
  async makeGood(): Promise<void> {
    const { client, mix } = this.#options;
    for (const { metadata, spec } of mix.queues) await this.#restore(metadata.name, spec);
    for (const { name, labels: own } of mix.namespaces)
      await client.patch(namespaces, { name }, { type: "merge", body: { metadata: { labels: own } } });
    const sets = [...this.#sets.values()];
    this.#sets.clear();
    for (const set of sets) for (let at = 0; at < set.count; at++) await this.#delete(set.namespace, `${set.name}-${at}`);
  }

  /** Work in every leaf, more than it can ever have: each a job of items of one core. */
  async demandEndlessly(itemsEach: number): Promise<void> {
    const { client, clock, mix } = this.#options;
    // A second or two for the operator to see the job before its time comes.
    const at = new Date(Math.ceil(clock.now() / 1000) * 1000 + 5_000);
    for (const [index, leaf] of mix.leaves.entries()) {
      const manifest = elasticJob(`endless-${leaf}`, {
        schedule: {
          crons: [`${at.getUTCSeconds()} ${at.getUTCMinutes()} ${at.getUTCHours()} * * ?`],
          endAt: formatSeconds(at.getTime() + 3_600_000),
        },
        sharding: { total: itemsEach },
        runTimeoutSeconds: 1_800,
        queue: { name: leaf, onReclaim: ["Stop", "Finish"][index % 2] },
        template: template({ runMs: [20_000, 40_000], onTerm: "dies" }),
      });
      const containers = [{ name: "work", image: "work", resources: { requests: { cpu: "1" } } }];
      const { template: made } = manifest.spec;
      const job: ElasticJob = {
        ...manifest,
        metadata: { name: manifest.metadata.name, namespace: this.#userOf(leaf) },
        spec: { ...manifest.spec, template: { ...made, spec: { ...made?.spec, containers } } },
      };
      await client.create(elasticJobs, job);
    }
  }

  async endDemand(): Promise<void> {
    const { client, mix } = this.#options;
    for (const leaf of mix.leaves) await client.delete(elasticJobs, { namespace: this.#userOf(leaf), name: `endless-${leaf}` });
  }

  /** One pod in each leaf that stays. */
  async settle(): Promise<void> {
    for (const leaf of this.#options.mix.leaves)
      await this.#burst({
        name: `stays-${leaf}`,
        atMs: 0,
        kind: "StatefulSet",
        namespace: this.#userOf(leaf),
        queue: leaf,
        count: 1,
        cpu: "250m",
        runMs: 0,
        priority: 0,
      });
  }

  #userOf(leaf: string): string {
    return this.#options.mix.namespaces.find(({ labels: own }) => openLabel(leaf) in own)?.name as string;
  }

  async #burst(burst: PodBurst): Promise<void> {
    if (burst.kind === "StatefulSet") this.#sets.set(`${burst.namespace}/${burst.name}`, burst);
    for (let at = 0; at < burst.count; at++) await this.#make(burst, `${burst.name}-${at}`);
  }

  async #make(burst: PodBurst, name: string): Promise<void> {
    this.counts.foreignPods++;
    await this.#options.client.create(pods, podOf(burst, name));
  }

  async #replace(set: PodBurst, name: string): Promise<void> {
    if (this.#sets.get(`${set.namespace}/${set.name}`) !== set) return;
    this.counts.replacedPods++;
    await this.#make(set, name);
  }

  async #remove({ metadata }: Pod): Promise<void> {
    await this.#delete(metadata.namespace as string, metadata.name);
  }

  async #delete(namespace: string, name: string): Promise<void> {
    await this.#options.client.delete(pods, { namespace, name }).catch((error) => {
      if (!(error instanceof NotFound)) throw error;
    });
  }

  async #edit(edit: QueueEdit): Promise<void> {
    const { client, clock, mix } = this.#options;
    if (edit.kind === "close") {
      this.counts.closings++;
      const label = (value: string | null) =>
        client.patch(
          namespaces,
          { name: edit.namespace },
          { type: "merge", body: { metadata: { labels: { [openLabel(edit.queue)]: value } } } },
        );
      await label(null);
      clock.after(edit.forMs, () => void label("yes"));
      return;
    }
    this.counts.queueEdits++;
    await client.patch(tenantQueues, { name: edit.queue }, { type: "merge", body: { spec: edit.spec } });
    const before = mix.queues.find(({ metadata }) => metadata.name === edit.queue)?.spec ?? {};
    clock.after(edit.forMs, () => void this.#restore(edit.queue, before));
  }

  /** A merge patch leaves alone what it does not name: what came with an edit goes. */
  async #restore(name: string, spec: object): Promise<void> {
    const { client } = this.#options;
    const now = await client.get<KubeObject & { readonly spec: object }>(tenantQueues, { name });
    const gone = Object.fromEntries(Object.keys(now.spec).map((field) => [field, null]));
    await client.patch(tenantQueues, { name }, { type: "merge", body: { spec: { ...gone, ...withoutMore(now.spec, spec) } } });
  }
}

/** The spec as a merge patch that also takes away fields within fields. */
function withoutMore(now: object, then: object): object {
  const body: Record<string, unknown> = { ...then };
  for (const [field, value] of Object.entries(now)) {
    const back = body[field];
    if (typeof value !== "object" || typeof back !== "object" || back === null || Array.isArray(value)) continue;
    body[field] = { ...Object.fromEntries(Object.keys(value as object).map((key) => [key, null])), ...back };
  }
  return body;
}

/** A pod as the gate of the API server leaves it. */
function podOf(burst: PodBurst, name: string): KubeObject {
  const { kind, namespace, queue, cpu, runMs, priority, deadlineSeconds } = burst;
  const isResident = kind === "StatefulSet";
  const isStranger = kind === "Stranger";
  const owned = kind === "Job" || isResident;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      labels: {
        app: burst.name,
        ...(!isStranger && { [labels.queue]: queue }),
        ...(kind === "Group" && { [labels.podGroup]: burst.name, [labels.podGroupTotal]: String(burst.count) }),
      },
      annotations: {
        [simulateAnnotation]: JSON.stringify({ runMs: isResident ? "forever" : [runMs / 2, runMs], startMs: [100, 2_000] }),
        ...(priority !== 0 && { [annotations.queuePriority]: String(priority) }),
      },
      ...(owned && {
        // Of a group that is not served: the owner is not there, and would be missed by the garbage collector.
        ownerReferences: [{ apiVersion: "apps.example/v1", kind, name: burst.name, uid: `uid-of-${burst.name}`, controller: true }],
      }),
    },
    spec: {
      restartPolicy: "Never",
      ...(!isStranger && { schedulingGates: [{ name: queueGate }] }),
      ...(deadlineSeconds !== undefined && !isResident && { activeDeadlineSeconds: deadlineSeconds }),
      terminationGracePeriodSeconds: 5,
      containers: [{ name: "main", image: "main", resources: { requests: { cpu } } }],
    },
  } as KubeObject;
}
