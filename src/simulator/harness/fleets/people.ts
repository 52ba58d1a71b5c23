import type { Pod } from "../../../api/core.ts";
import { controllerOf, type KubeObject } from "../../../api/meta.ts";
import { annotations, labels } from "../../../api/names.ts";
import { configMaps, namespaces, nodes, podDisruptionBudgets, pods, runnerApps, tenantQueues } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import type { Clock } from "../../../base/clock.ts";
import { formatSeconds } from "../../../base/time.ts";
import { ApiError } from "../../../kube/errors.ts";
import type { KubeClient } from "../../../kube/client.ts";
import type { World } from "../../world/world.ts";
import { type FleetEdit, type FleetMix, fleetNamespace as namespace, fleetTemplate } from "./mix.ts";

export interface FleetPeopleOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly world: World;
  readonly mix: FleetMix;
}

export interface FleetPeopleCounts {
  edits: number;
  cordons: number;
  evictions: number;
  /** Evictions that a disruption budget refused. */
  refusedEvictions: number;
  meddlings: number;
}

/** As many instances each fleet is to have at last. */
export const lastReplicas = 4;
export const lastImage = "fleet:last";

/** Those who own fleets, those who own machines, and those who have nothing to do with either. */
export class FleetPeople {
  readonly #options: FleetPeopleOptions;
  readonly counts: FleetPeopleCounts = { edits: 0, cordons: 0, evictions: 0, refusedEvictions: 0, meddlings: 0 };

  constructor(options: FleetPeopleOptions) {
    this.#options = options;
  }

  /** Creates fleets and strangers, and does all that is planned when its time comes. */
  async begin(): Promise<void> {
    const { client, clock, mix } = this.#options;
    await this.#addStrangers();
    if (mix.queues !== undefined) {
      // Whoever watches from now on learns that it is there.
      await client.patch(namespaces, { name: namespace }, { type: "merge", body: { metadata: { labels: { fleets: "yes" } } } });
      for (const queue of mix.queues) await client.create(tenantQueues, queue);
    }
    for (const app of mix.apps) await client.create(runnerApps, app);
    for (const edit of mix.edits)
      clock.after(edit.atMs, () => {
        this.#act(edit).catch((error: unknown) => {
          // A pod that is gone meanwhile, a name that is taken: what befalls people.
          if (!(error instanceof ApiError)) throw error;
        });
      });
  }

  /** What carries a fleet's label or name, and is nobody's or somebody else's. */
  async #addStrangers(): Promise<void> {
    const { client } = this.#options;
    const spec = { containers: [{ name: "main", image: "other:1" }] };
    const owned = { [labels.app]: "fleet-0", [labels.revision]: "x" };
    await client.create(pods, { metadata: { name: "stranger", namespace, labels: owned }, spec } as unknown as Pod);
    const owner = await client.create(configMaps, { metadata: { name: "owner", namespace } } as KubeObject);
    const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid as string, controller: true }];
    await client.create(pods, { metadata: { name: "stolen", namespace, labels: owned, ownerReferences }, spec } as unknown as Pod);
    const budget = {
      metadata: { name: "fleet-2", namespace, labels: { [labels.app]: "fleet-2" } },
      spec: { maxUnavailable: 1, selector: { matchLabels: { a: "b" } } },
    };
    await client.create(podDisruptionBudgets, budget as KubeObject);
  }

  async #act(edit: FleetEdit): Promise<void> {
    const { client, clock } = this.#options;
    this.counts.edits++;
    switch (edit.kind) {
      case "spec":
        return this.#patch(edit.app, { spec: edit.spec });
      case "restart":
        return this.#patch(edit.app, { spec: { restartedAt: formatSeconds(clock.now() + edit.inMs) } });
      case "resume": {
        const { status } = await client.get<RunnerApp & KubeObject>(runnerApps, { namespace, name: edit.app });
        return this.#patch(edit.app, { metadata: { annotations: { [annotations.resume]: `${status?.updateRevision}/${clock.now()}` } } });
      }
      case "meddle":
        this.counts.meddlings++;
        await client.patch(
          runnerApps,
          { namespace, name: edit.app },
          { type: "merge", body: { status: edit.status } },
          { subresource: "status" },
        );
        return;
      case "terms": {
        const { spec } = await client.get<RunnerApp & KubeObject>(runnerApps, { namespace, name: edit.app });
        return spec.queue === undefined ? undefined : this.#patch(edit.app, { spec: { queue: edit.queue } });
      }
      case "queue":
        await client.patch(tenantQueues, { name: edit.queue }, { type: "merge", body: { spec: edit.spec } });
        return;
      case "cordon":
      case "evacuate":
        return this.#takeNode(edit);
      default:
        return this.#touchPod(edit);
    }
  }

  async #patch(name: string, body: object): Promise<void> {
    await this.#options.client.patch(runnerApps, { namespace, name }, { type: "merge", body });
  }

  async #takeNode({ kind, dice, forMs }: Extract<FleetEdit, { readonly forMs: number }>): Promise<void> {
    const { world, clock } = this.#options;
    const names = [...world.nodes.values()].map(({ metadata }) => metadata.name).sort();
    const node = names[Math.floor(dice * names.length)];
    if (node === undefined) return;
    this.counts.cordons++;
    const change = (isTaken: boolean) =>
      kind === "cordon" ? world.cordonNode(node, isTaken) : this.#annotateNode(node, isTaken ? "true" : null);
    clock.after(forMs, () => {
      // The node may be gone.
      change(false).catch(() => undefined);
    });
    await change(true);
  }

  async #annotateNode(name: string, value: string | null): Promise<void> {
    const body = { metadata: { annotations: { [annotations.evacuate]: value } } };
    await this.#options.client.patch(nodes, { name }, { type: "merge", body });
  }

  async #touchPod({ kind, app, dice }: Extract<FleetEdit, { readonly app: string; readonly dice: number }>): Promise<void> {
    const { client } = this.#options;
    const { items } = await client.list<Pod & KubeObject>(pods, { namespace, labelSelector: `${labels.app}=${app}` });
    const own = items.filter(({ metadata }) => controllerOf(metadata)?.kind === "RunnerApp" && metadata.deletionTimestamp === undefined);
    const pod = own[Math.floor(dice * own.length)];
    if (pod === undefined) return;
    const ref = { namespace, name: pod.metadata.name };
    const annotate = async (name: string) => {
      await client.patch(pods, ref, { type: "merge", body: { metadata: { annotations: { [name]: "true" } } } });
    };
    if (kind === "movePod") return annotate(annotations.evacuate);
    if (kind === "restartPod") return annotate(annotations.restart);
    if (kind === "deletePod") {
      await client.delete(pods, ref);
      return;
    }
    if (kind === "evictPod") return this.#evict(ref.name);
    const names = new Set(items.map(({ metadata }) => metadata.name));
    const prefix = ref.name.replace(/\d+$/, "");
    let slot = 0;
    while (names.has(`${prefix}${slot}`)) slot++;
    const namesake = { metadata: { name: `${prefix}${slot}`, namespace }, spec: { containers: [{ name: "main", image: "other:1" }] } };
    await client.create(pods, namesake as unknown as Pod);
  }

  /** As kubectl drain does it. */
  async #evict(name: string): Promise<void> {
    this.counts.evictions++;
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } } as KubeObject;
    try {
      await this.#options.client.create(pods, eviction, { subresource: "eviction" });
    } catch (error) {
      if (error instanceof ApiError && error.status === 429) this.counts.refusedEvictions++;
      else throw error;
    }
  }

  /** The last word: all machines are given back, and everything is to run, of something that works, in pods that no fault has struck. */
  async settle(): Promise<void> {
    const { client, world, mix } = this.#options;
    for (const { metadata } of [...world.nodes.values()]) {
      await world.cordonNode(metadata.name, false).catch(() => undefined);
      await this.#annotateNode(metadata.name, null).catch(() => undefined);
    }
    const spec = {
      paused: false,
      suspend: false,
      canary: null,
      nodeRules: null,
      inPlace: null,
      replicas: lastReplicas,
      template: fleetTemplate(lastImage),
    };
    for (const { metadata, spec: begun } of mix.queues ?? [])
      await client.patch(
        tenantQueues,
        { name: metadata.name },
        { type: "merge", body: { spec: { max: null, stopPolicy: null, ...begun } } },
      );
    for (const { metadata } of mix.apps) await this.#patch(metadata.name, { spec });
  }

  /** Makes a fleet of another size. */
  async resize(name: string, replicas: number): Promise<void> {
    await this.#patch(name, { spec: { replicas } });
  }

  /** A fleet gives back all that it is asked for. */
  async yieldAll(name: string): Promise<void> {
    await this.#patch(name, { spec: { queue: { onReclaim: "Stop", minCount: 0 } } });
  }

  /** Every instance of every fleet is to be restarted. */
  async restartAll(): Promise<void> {
    const { clock, mix } = this.#options;
    for (const { metadata } of mix.apps) await this.#patch(metadata.name, { spec: { restartedAt: formatSeconds(clock.now()) } });
  }
}
