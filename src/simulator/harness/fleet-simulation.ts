import type { Pod } from "../../api/core.ts";
import type { KubeObject } from "../../api/meta.ts";
import { customResourceDefinitions, pods, runnerApps } from "../../api/resource.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import { type Random, randomInteger } from "../../base/random.ts";
import type { VirtualClock } from "../../base/virtual-clock.ts";
import type { KubeClient } from "../../kube/client.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import type { planRunnerApp } from "../../runnerapp/rules/plan.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import { createFrame, letTimePass } from "./frame.ts";
import { disturbed, scheduleFaults } from "../world/fault-schedule.ts";
import type { FaultClass } from "../world/faults.ts";
import { annotatedScript } from "../world/pod-script.ts";
import { createWorld, type World } from "../world/world.ts";
import { readCrds } from "./crds.ts";
import { watchFleets } from "./fleet-invariants.ts";
import { startOperatorFleet } from "./operator-process.ts";

export interface FleetSimulationOptions {
  readonly seed: number;
  /** How long faults strike and people edit, in milliseconds of virtual time. Absent = 40 min. */
  readonly faultyMs?: number;
  /** How long everything is given to come to rest then. Absent = 60 min. */
  readonly calmMs?: number;
  /** Broken rules, to see that they are caught. */
  readonly plan?: typeof planRunnerApp;
  /** Ends with the first problem. */
  readonly untilProblem?: boolean;
}

export interface FleetSimulationResult {
  readonly seed: number;
  /** Broken promises; empty is good. */
  readonly problems: readonly string[];
  /** Classes of faults that were dealt and never struck. */
  readonly missing: readonly FaultClass[];
  /** Serving instances that were replaced. */
  readonly replaced: number;
  /** Whether every class of faults struck, and at least one serving instance was replaced. */
  readonly counts: boolean;
}

const start = Date.UTC(2026, 10, 21, 12, 0, 0);
const restMs = 5 * 60_000;
const namespace = "default";
/** Not dealt yet: what fleets may do while the lists of two kinds are minutes apart is judged nowhere. */
const without: readonly FaultClass[] = ["listsApart"];

/** Fleets under faults and edits, then calm: a function of its options alone. */
export async function simulateFleets(options: FleetSimulationOptions): Promise<FleetSimulationResult> {
  const { seed, faultyMs = 40 * 60_000, calmMs = 60 * 60_000 } = options;
  const { clock, chance, server, faults, client } = createFrame(seed, start);
  const watch = watchFleets(server, () => clock.now());
  const life = live();
  life.catch(() => undefined);
  const isOver = () => options.untilProblem === true && watch.problems.length > 0;
  await letTimePass(clock, start + faultyMs + calmMs + 60_000, isOver);
  return isOver() ? resultOf([]) : life;

  function resultOf(more: readonly string[]): FleetSimulationResult {
    const missing = faults.missing().filter((name) => !without.includes(name));
    const { replaced } = watch;
    return { seed, problems: [...watch.problems, ...more], missing, replaced, counts: missing.length === 0 && replaced > 0 };
  }

  async function live(): Promise<FleetSimulationResult> {
    for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
    const capacity = { cpu: "16", memory: "64Gi", pods: "110", "ephemeral-storage": "100Gi" };
    const world = await createWorld({
      client: createKubeClient(inProcessTransport(server, { userAgent: "world" })),
      clock,
      random: chance(),
      nodes: Array.from({ length: 6 }, (_, index) => ({ name: `n${index + 1}`, capacity })),
      kubelet: { kind: "stages", behaviour: disturbed(faults, chance(), annotatedScript) },
    });
    const fleet = startOperatorFleet({
      server,
      faults,
      clock,
      random: chance(),
      replicas: 2,
      ...(options.plan !== undefined && { planRunnerApp: options.plan }),
    });
    await client.create(pods, bystander as unknown as Pod);
    const people = new People(client, clock, chance(), world);
    const apps = await people.makeApps();
    const end = clock.now() + faultyMs;
    people.editUntil(apps, end - 120_000);
    await scheduleFaults({ faults, world, clock, random: chance(), processes: fleet.processes, durationMs: faultyMs, without }).finished;
    await people.settle(apps);
    await clock.sleep(start + faultyMs + calmMs - clock.now());
    const restless = watch.writesAt.filter((at) => at > clock.now() - restMs).length;
    const found = [...(restless === 0 ? [] : [`${restless} writes at rest`]), ...(await people.judge(apps))];
    await fleet.stop();
    await world.close();
    return resultOf(found);
  }
}

/** Carries the label of a fleet and is nobody's: must never be touched. */
const bystander = {
  metadata: { name: "bystander", namespace, labels: { "nuptse.dev/app": "fleet-0", "nuptse.dev/revision": "x" } },
  spec: { containers: [{ name: "main", image: "other:1" }] },
};

/** Those who own fleets and machines. */
class People {
  readonly #client: KubeClient;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #world: World;
  #image = 1;

  constructor(client: KubeClient, clock: VirtualClock, random: Random, world: World) {
    this.#client = client;
    this.#clock = clock;
    this.#random = random;
    this.#world = world;
  }

  #pick<T>(values: readonly T[]): T {
    return values[randomInteger(this.#random, values.length)] as T;
  }

  async makeApps(): Promise<readonly string[]> {
    const names = Array.from({ length: 1 + randomInteger(this.#random, 2) }, (_, index) => `fleet-${index}`);
    for (const name of names) {
      const app = {
        apiVersion: "nuptse.dev/v1alpha1",
        kind: "RunnerApp",
        metadata: { name, namespace },
        spec: {
          replicas: 1 + randomInteger(this.#random, 8),
          minReadySeconds: this.#pick([0, 0, 5, 20]),
          strategy: { rollingUpdate: this.#pick([{}, { maxSurge: 1, maxUnavailable: 0 }, { maxSurge: 0, maxUnavailable: 2 }]) },
          inPlace: this.#pick(["Never", "IfPossible"]),
          evacuation: { connectionDrainSeconds: this.#pick([0, 5, 20]) },
          retry: { backoff: { initialSeconds: 1, maxSeconds: 30 }, storm: { moves: 20 } },
          template: template(`fleet:${this.#image}`, false),
        },
      };
      await this.#client.create(runnerApps, app as unknown as RunnerApp);
    }
    return names;
  }

  /** Something every half minute to five minutes. */
  editUntil(apps: readonly string[], end: number): void {
    const waitMs = 30_000 + randomInteger(this.#random, 270_000);
    this.#clock.after(waitMs, () => {
      if (this.#clock.now() > end) return;
      void this.#act(this.#pick(apps)).catch(() => undefined);
      this.editUntil(apps, end);
    });
  }

  async #act(app: string): Promise<void> {
    const dice = randomInteger(this.#random, 11);
    if (dice < 3) await this.#edit(app, { template: template(`fleet:${++this.#image}`, dice === 0) });
    else if (dice < 5) await this.#edit(app, { replicas: randomInteger(this.#random, 10) });
    else if (dice === 5) await this.#edit(app, { restartedAt: new Date(this.#clock.now()).toISOString().replace(/\.\d+/, "") });
    else if (dice === 6)
      await this.#edit(app, { canary: this.#pick([null, { replicas: "50%" }, { replicas: 1, onFailure: { action: "Rollback" } }]) });
    else if (dice === 7) await this.#edit(app, { paused: this.#random.next() < 0.5 });
    else if (dice === 8) await this.#edit(app, { suspend: this.#random.next() < 0.3 });
    else if (dice === 9) {
      const node = this.#pick(this.#world.healthyNodes());
      await this.#world.cordonNode(node, true);
      this.#clock.after(60_000 + randomInteger(this.#random, 300_000), () => {
        void this.#world.cordonNode(node, false).catch(() => undefined);
      });
    } else {
      const { items } = await this.#client.list<Pod & KubeObject>(pods, { namespace, labelSelector: `nuptse.dev/app=${app}` });
      const own = items.filter(({ metadata }) => metadata.name !== "bystander");
      if (own.length > 0) await this.#client.delete(pods, { namespace, name: this.#pick(own).metadata.name });
    }
  }

  async #edit(name: string, spec: object): Promise<void> {
    await this.#client.patch(runnerApps, { namespace, name }, { type: "merge", body: { spec } });
  }

  /** The last word: everything is to run, of something that works. */
  async settle(apps: readonly string[]): Promise<void> {
    for (const name of [...this.#world.nodes.values()].map(({ metadata }) => metadata.name))
      await this.#world.cordonNode(name, false).catch(() => undefined);
    for (const app of apps)
      await this.#edit(app, { paused: false, suspend: false, canary: null, replicas: 4, template: template("fleet:last", false) });
  }

  /** What must be so when everything is calm. */
  async judge(apps: readonly string[]): Promise<readonly string[]> {
    const problems: string[] = [];
    const all = (await this.#client.list<Pod & KubeObject>(pods, { namespace })).items;
    for (const name of apps) {
      const { status, metadata } = await this.#client.get<RunnerApp & KubeObject>(runnerApps, { namespace, name });
      const own = all.filter((pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid));
      const right = own.filter(
        (pod) =>
          pod.spec.containers[0]?.image === "fleet:last" &&
          pod.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True"),
      );
      const told = [status?.replicas, status?.readyReplicas, status?.availableReplicas, status?.updatedReplicas];
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      const isRight = own.length === 4 && right.length === 4 && told.every((count) => count === 4) && ready?.reason === "Serving";
      if (!isRight)
        problems.push(
          `${name} has ${own.length} pods, ${right.length} of them right; its status is ${JSON.stringify(status ?? {}).slice(0, 3000)}`,
        );
    }
    return problems;
  }
}

function template(image: string, isBroken: boolean) {
  const script = isBroken ? { startMs: [100, 100], runMs: [500, 2000], exitCode: 1 } : { startMs: [500, 4000], runMs: "forever" };
  return {
    metadata: { annotations: { "simulate.nuptse.dev/script": JSON.stringify(script) } },
    spec: { terminationGracePeriodSeconds: 10, containers: [{ name: "main", image, resources: { requests: { cpu: "500m" } } }] },
  };
}
