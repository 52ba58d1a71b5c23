import { silentLogger } from "../../../src/api/logger.ts";
import type { KubeObject, ObjectRef } from "../../../src/api/meta.ts";
import { customResourceDefinitions, namespaces, type Resource } from "../../../src/api/resource.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { settle, VirtualClock } from "../../../src/base/virtual-clock.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { createServerTime } from "../../../src/kube/server-time.ts";
import { createOperator } from "../../../src/operator/operator.ts";
import type { Manager } from "../../../src/runtime/manager.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import { createApiServer } from "../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../src/simulator/apiserver/in-process-transport.ts";
import { readCrds } from "../../../src/simulator/harness/crds.ts";
import { withServerDate } from "../../../src/simulator/harness/server-date.ts";
import { annotatedScript } from "../../../src/simulator/world/pod-script.ts";
import { createWorld, type World } from "../../../src/simulator/world/world.ts";

/** What a stage is made of. */
export interface StageOptions {
  /** Virtual time at which it begins, milliseconds since the epoch. */
  readonly from: number;
  readonly nodes: readonly { readonly name: string; readonly capacity?: Readonly<Record<string, string>> }[];
  readonly namespaces: readonly { readonly name: string; readonly labels?: Readonly<Record<string, string>> }[];
}

/** A whole cluster with the operator on virtual time, without faults: for stories with an expected end. */
export class Stage {
  readonly clock: VirtualClock;
  /** As a person uses it. */
  readonly client: KubeClient;
  readonly #server: ReturnType<typeof createApiServer>;
  #world: World | undefined;
  #operator: Manager | undefined;
  #operators = 0;

  private constructor(clock: VirtualClock) {
    this.clock = clock;
    this.#server = createApiServer({ clock, random: createSeededRandom(1), managedFields: false });
    this.client = createKubeClient(inProcessTransport(this.#server, { userAgent: "people" }));
  }

  /** A cluster with CRDs, namespaces, nodes and a leading operator. */
  static async open(options: StageOptions): Promise<Stage> {
    const stage = new Stage(new VirtualClock(options.from));
    await stage.during(async () => {
      for (const crd of readCrds()) await stage.client.create(customResourceDefinitions, crd);
      for (const metadata of options.namespaces) await stage.client.create(namespaces, { metadata });
      stage.#world = await createWorld({
        client: createKubeClient(inProcessTransport(stage.#server, { userAgent: "world" })),
        clock: stage.clock,
        random: createSeededRandom(2),
        nodes: options.nodes,
        kubelet: { kind: "stages", behaviour: annotatedScript },
      });
    });
    stage.startOperator();
    await stage.advance(5000);
    return stage;
  }

  /** Another process of the operator. */
  startOperator(): void {
    const serverTime = createServerTime(this.clock);
    const identity = `operator-${++this.#operators}`;
    const transport = inProcessTransport(this.#server, { userAgent: identity });
    this.#operator = createOperator({
      transport: withServerDate(transport, serverTime, this.clock, this.clock),
      clock: this.clock,
      random: createSeededRandom(3),
      logger: silentLogger,
      metrics: noMetrics,
      serverTime,
      namespace: "kube-system",
      leaseName: "nuptse-operator",
      identity,
      maxClockSkewMs: 30_000,
      retainedPods: 4000,
      concurrency: 64,
    });
    void this.#operator.run();
  }

  /** As kill -9: another process leads when the lease has run out. */
  killOperator(): void {
    this.#operator?.kill("killed");
  }

  /** Another node, with its kubelet. */
  addNode(node: StageOptions["nodes"][number]): Promise<void> {
    return this.during(async () => {
      await this.#world?.addNode(node);
    });
  }

  /** Lets virtual time pass. */
  async advance(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await settle();
    while (this.clock.step(until)) await settle();
  }

  /** Lets virtual time pass until the promise is settled. */
  async during<T>(act: () => Promise<T>): Promise<T> {
    let isOver = false;
    const promise = act().finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await settle();
      if (!isOver) this.clock.step(this.clock.now() + 1000);
    }
    return promise;
  }

  create<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    return this.during(() => this.client.create(resource, object));
  }

  get<T extends KubeObject>(resource: Resource, ref: ObjectRef): Promise<T> {
    return this.during(() => this.client.get<T>(resource, ref));
  }

  async list<T extends KubeObject>(resource: Resource, options: { readonly namespace?: string; readonly labelSelector?: string } = {}) {
    return (await this.during(() => this.client.list<T>(resource, options))).items;
  }

  patchSpec(resource: Resource, ref: ObjectRef, spec: unknown): Promise<KubeObject> {
    return this.during(() => this.client.patch(resource, ref, { type: "merge", body: { spec } }));
  }

  delete(resource: Resource, ref: ObjectRef): Promise<unknown> {
    return this.during(() => this.client.delete(resource, ref));
  }
}
