import type { Pod } from "../../api/core.ts";
import { silentLogger } from "../../api/logger.ts";
import type { KubeObject, ObjectRef } from "../../api/meta.ts";
import { customResourceDefinitions, namespaces, type Resource } from "../../api/resource.ts";
import { createSeededRandom, type Random } from "../../base/random.ts";
import { settle, VirtualClock } from "../../base/virtual-clock.ts";
import type { KubeClient } from "../../kube/client.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import { createServerTime } from "../../kube/server-time.ts";
import { createOperator, type OperatorOptions } from "../../operator/operator.ts";
import type { Manager } from "../../runtime/manager.ts";
import { noMetrics } from "../../runtime/metrics.ts";
import { type Commit, createApiServer } from "../apiserver/api-server.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import { readCrds } from "./crds.ts";
import { withServerDate } from "./server-date.ts";
import type { NodeSpec } from "../world/node-life.ts";
import { annotatedScript, type PodScript } from "../world/pod-script.ts";
import { createWorld, type World } from "../world/world.ts";

/** What a stage is made of. */
export interface StageOptions {
  /** Virtual time at which it begins, milliseconds since the epoch. */
  readonly from: number;
  readonly nodes: readonly NodeSpec[];
  readonly namespaces: readonly { readonly name: string; readonly labels?: Readonly<Record<string, string>> }[];
  /** Equal for equal histories; absent = 1. */
  readonly seed?: number;
  /** How pods are played; absent = by their annotations. */
  readonly behaviour?: (pod: Pod) => PodScript;
  /** Absent = as in a real cluster: a renewal every 2 s. */
  readonly leaseTimings?: OperatorOptions["leaseTimings"];
  /** See OperatorOptions. */
  readonly onReclaim?: OperatorOptions["onReclaim"];
  /** What else the operator is told; absent = its defaults. */
  readonly operator?: Pick<OperatorOptions, "evacuationTaints" | "markEvacuated" | "appsAgreeing" | "planRunnerApp" | "executors">;
  /** Told of every change, in order, from the first node on. */
  readonly onCommit?: (commit: Commit) => void;
}

const mostIdleTurns = 100;

/** A whole cluster with the operator on virtual time, without faults: for stories with an expected end. */
export class Stage {
  readonly clock: VirtualClock;
  /** As a person uses it. */
  readonly client: KubeClient;
  readonly #server: ReturnType<typeof createApiServer>;
  #world: World | undefined;
  #operator: Manager | undefined;
  #operators = 0;
  readonly #options: StageOptions;
  readonly #random: () => Random;

  private constructor(clock: VirtualClock, options: StageOptions) {
    this.clock = clock;
    this.#options = options;
    const seeds = createSeededRandom(options.seed ?? 1);
    this.#random = () => createSeededRandom(Math.floor(seeds.next() * 2 ** 32));
    this.#server = createApiServer({ clock, random: this.#random(), managedFields: false });
    if (options.onCommit !== undefined) this.#server.onCommit(options.onCommit);
    this.client = createKubeClient(inProcessTransport(this.#server, { userAgent: "people" }));
  }

  /** A cluster with CRDs, namespaces, nodes and a leading operator. */
  static async open(options: StageOptions): Promise<Stage> {
    const stage = new Stage(new VirtualClock(options.from), options);
    await stage.during(async () => {
      for (const crd of readCrds()) await stage.client.create(customResourceDefinitions, crd);
      for (const metadata of options.namespaces) await stage.client.create(namespaces, { metadata });
      stage.#world = await createWorld({
        client: createKubeClient(inProcessTransport(stage.#server, { userAgent: "world" })),
        clock: stage.clock,
        random: stage.#random(),
        nodes: options.nodes,
        kubelet: { kind: "stages", behaviour: options.behaviour ?? annotatedScript },
      });
    });
    stage.startOperator();
    await stage.advance(5000);
    return stage;
  }

  /** Another process of the operator. */
  startOperator(): void {
    const { leaseTimings, onReclaim, operator } = this.#options;
    const serverTime = createServerTime(this.clock);
    const identity = `operator-${++this.#operators}`;
    const transport = inProcessTransport(this.#server, { userAgent: identity });
    this.#operator = createOperator({
      transport: withServerDate(transport, serverTime, this.clock, this.clock),
      clock: this.clock,
      random: this.#random(),
      logger: silentLogger,
      metrics: noMetrics,
      serverTime,
      namespace: "kube-system",
      leaseName: "nuptse-operator",
      identity,
      maxClockSkewMs: 30_000,
      retainedPods: 4000,
      concurrency: 64,
      ...(leaseTimings !== undefined && { leaseTimings }),
      ...(onReclaim !== undefined && { onReclaim }),
      ...operator,
    });
    void this.#operator.run();
  }

  /** As kill -9: another process leads when the lease has run out. */
  killOperator(): void {
    this.#operator?.kill("killed");
  }

  get world(): World {
    if (this.#world === undefined) throw new Error("the stage is not open yet");
    return this.#world;
  }

  /** Ends it: nothing is written any more. */
  async close(): Promise<void> {
    this.killOperator();
    await this.#world?.close();
    this.#server.close();
    await settle();
  }

  /** Another node, with its kubelet. */
  addNode(node: NodeSpec): Promise<void> {
    return this.during(async () => {
      await this.#world?.addNode(node);
    });
  }

  /** Lets virtual time pass. */
  async advance(ms: number): Promise<void> {
    await this.clock.runUntil(this.clock.now() + ms);
  }

  /** Lets virtual time pass until the promise is settled. */
  async during<T>(act: () => Promise<T>): Promise<T> {
    let isOver = false;
    const promise = act().finally(() => {
      isOver = true;
    });
    let idle = 0;
    while (!isOver) {
      await settle();
      if (isOver) break;
      if (this.clock.step(this.clock.now() + 1000)) idle = 0;
      // It needs no more than a few turns of the event loop, or it waits for a timer that is further away.
      else if (++idle > mostIdleTurns) this.clock.step();
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
