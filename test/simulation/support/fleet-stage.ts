import type { Pod } from "../../../src/api/core.ts";
import { controllerOf, type KubeObject, type ObjectRef } from "../../../src/api/meta.ts";
import { annotations } from "../../../src/api/names.ts";
import { nodes, pods, runnerApps } from "../../../src/api/resource.ts";
import type { RunnerApp } from "../../../src/api/runner-app.gen.ts";
import type { Commit } from "../../../src/simulator/apiserver/api-server.ts";
import { instancesOf, isLiving, readySince } from "../../../src/simulator/harness/fleets/terms.ts";
import { Stage, type StageOptions } from "../../../src/simulator/harness/stage.ts";
import { simulateAnnotation } from "../../../src/simulator/world/pod-script.ts";

const from = Date.UTC(2026, 10, 21, 12, 0, 0);
export const namespace = "red";

/** Ready 2 s after its start. */
export const good = { startMs: [2_000, 2_000] };
/** Ready half a minute after its start. */
export const slow = { startMs: [30_000, 30_000] };
/** Ends a second after its start, always. */
export const crashing = { startMs: [100, 100], runMs: [1_000, 1_000], exitCode: 1 };

/** Of one core. */
export function template(image: string, script: object = good): object {
  return {
    metadata: { annotations: { [simulateAnnotation]: JSON.stringify(script) } },
    spec: { terminationGracePeriodSeconds: 5, containers: [{ name: "main", image, resources: { requests: { cpu: "1" } } }] },
  };
}

export function app(spec: object = {}, name = "web"): RunnerApp {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace },
    spec: { replicas: 4, template: template(`${name}:1`), ...spec },
  } as RunnerApp;
}

/** A stage on which fleets are watched: how many of each served at least, and lived at most, after any change since it was last asked. */
export class FleetStage {
  readonly stage: Stage;
  readonly #watch: FleetWatch;

  private constructor(stage: Stage, watch: FleetWatch) {
    this.stage = stage;
    this.#watch = watch;
  }

  /** @param cores of each of the nodes n1, n2, ... */
  static async open(
    cores: readonly number[] = [10, 10, 10],
    { operator, onCommit }: Pick<StageOptions, "operator" | "onCommit"> = {},
  ): Promise<FleetStage> {
    const watch = new FleetWatch();
    const stage = await Stage.open({
      from,
      nodes: cores.map((cpu, index) => {
        const capacity = { cpu: String(cpu), memory: "64Gi", pods: "110", "ephemeral-storage": "100Gi" };
        return { name: `n${index + 1}`, capacity };
      }),
      namespaces: [{ name: namespace }],
      ...(operator !== undefined && { operator }),
      onCommit: (commit) => {
        watch.see(commit);
        onCommit?.(commit);
      },
    });
    return new FleetStage(stage, watch);
  }

  /** A fleet that serves. */
  async serve(spec: object = {}, name = "web"): Promise<void> {
    await this.stage.create(runnerApps, app(spec, name));
    await this.stage.advance(30_000);
    this.#watch.begin();
  }

  /** Changes its spec without letting time pass beyond that. */
  async change(spec: object, name = "web"): Promise<void> {
    await this.stage.patchSpec(runnerApps, refOf(name), spec);
  }

  async advance(ms: number): Promise<void> {
    await this.stage.advance(ms);
  }

  /** Pods that were made since the fleets served, or since it was last asked. */
  get made(): number {
    return this.#watch.made;
  }

  /** Fewest instances of a fleet that served at a time; one that moves and its replacement are one. */
  leastServing(name = "web"): number {
    return this.#watch.least.get(name) ?? Number.POSITIVE_INFINITY;
  }

  /** Most pods of a fleet that lived at a time. */
  mostLiving(name = "web"): number {
    return this.#watch.most.get(name) ?? 0;
  }

  /** Counts anew. */
  begin(): void {
    this.#watch.begin();
  }

  async pods(name = "web"): Promise<readonly (Pod & KubeObject)[]> {
    const all = await this.stage.list<Pod & KubeObject>(pods, { namespace });
    return all.filter((pod) => controllerOf(pod.metadata)?.name === name && isLiving(pod));
  }

  async status(name = "web"): Promise<NonNullable<RunnerApp["status"]>> {
    return (await this.stage.get<RunnerApp & KubeObject>(runnerApps, refOf(name))).status ?? {};
  }

  /** Such as "Ready=True: Serving". */
  async condition(type: string, name = "web"): Promise<string> {
    const found = (await this.status(name)).conditions?.find((condition) => condition.type === type);
    return found === undefined ? "" : `${found.status}: ${found.reason}`;
  }

  /** Such as "web:1 x3, web:2 x1" of its pods, and "not ready" of those that are not. */
  async images(name = "web"): Promise<string> {
    const words = (await this.pods(name)).map((pod) => {
      const image = pod.spec.containers[0]?.image ?? "";
      return readySince(pod) === undefined ? `${image} not ready` : image;
    });
    const counts = [...Map.groupBy(words, (word) => word)].map(([word, all]) => `${word} x${all.length}`);
    return counts.sort().join(", ");
  }

  async nodesOf(name = "web"): Promise<readonly string[]> {
    return (await this.pods(name)).map(({ spec }) => spec.nodeName ?? "none").sort();
  }

  async cordon(node: string, isTaken = true): Promise<void> {
    await this.stage.during(() => this.stage.world.cordonNode(node, isTaken));
  }

  /** Asks for a new pod in the place of one. */
  async restart(pod: string): Promise<void> {
    const body = { metadata: { annotations: { [annotations.restart]: "true" } } };
    await this.stage.during(() => this.stage.client.patch(pods, { namespace, name: pod }, { type: "merge", body }));
  }

  /** Annotates a node or a pod with nuptse.dev/evacuate. */
  async evacuate(what: "node" | "pod", name: string, value: string | null = "true"): Promise<void> {
    const body = { metadata: { annotations: { [annotations.evacuate]: value } } };
    const ref = what === "node" ? { name } : { namespace, name };
    await this.stage.during(() => this.stage.client.patch(what === "node" ? nodes : pods, ref, { type: "merge", body }));
  }

  /** Writes into a status as somebody might by hand. */
  async meddle(status: object, name = "web"): Promise<void> {
    const patch = { type: "merge", body: { status } } as const;
    await this.stage.during(() => this.stage.client.patch(runnerApps, refOf(name), patch, { subresource: "status" }));
  }
}

class FleetWatch {
  readonly #pods = new Map<string, Pod>();
  readonly least = new Map<string, number>();
  readonly most = new Map<string, number>();
  made = 0;

  begin(): void {
    this.made = 0;
    this.least.clear();
    this.most.clear();
  }

  see({ type, resource, object }: Commit): void {
    if (resource.kind !== pods.kind) return;
    const pod = object as unknown as Pod;
    const owner = controllerOf(pod.metadata);
    if (owner?.kind !== "RunnerApp") return;
    const uid = pod.metadata.uid as string;
    if (!this.#pods.has(uid) && type === "ADDED") this.made++;
    if (type === "DELETED") this.#pods.delete(uid);
    else this.#pods.set(uid, pod);
    const living = [...this.#pods.values()].filter((each) => controllerOf(each.metadata)?.uid === owner.uid && isLiving(each));
    const serving = instancesOf(living).filter((instance) => instance.some((each) => readySince(each) !== undefined)).length;
    this.least.set(owner.name, Math.min(serving, this.least.get(owner.name) ?? Number.POSITIVE_INFINITY));
    this.most.set(owner.name, Math.max(living.length, this.most.get(owner.name) ?? 0));
  }
}

export const refOf = (name: string): ObjectRef => ({ namespace, name });
