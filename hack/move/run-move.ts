import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import type { Pod } from "../../src/api/core.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { labels } from "../../src/api/names.ts";
import { namespaces, nodes, pods, type Resource, runnerApps, tenantQueues } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { createInformer } from "../../src/kube/informer.ts";

export interface MoveOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Of the checkout. */
  readonly root: string;
  readonly signal: AbortSignal;
  /** A line that stays. */
  say(text: string): void;
  /** What is where now, a line for each machine. */
  show(lines: readonly string[]): void;
}

/** What a move showed. */
export interface MoveResult {
  /** From the one command until both fleets were as it wants them, there and back. */
  readonly peakMs: number;
  readonly backMs: number;
  /** The most instances that were missing at any moment of either fleet: see {@link Watch}. */
  readonly missing: number;
  /** Every instance that came runs on a machine that one had left. */
  readonly sameMachines: boolean;
  /** Instances whose programs failed, or that found no machine. */
  readonly failed: number;
}

const namespace = "peak";
const apps = ["search", "recommend"] as const;
type App = (typeof apps)[number];
type Sizes = Readonly<Record<App, number>>;

const everyDay: Sizes = { search: 4, recommend: 12 };
const peak: Sizes = { search: 12, recommend: 4 };

const kinds: Readonly<Record<string, Resource>> = { Namespace: namespaces, TenantQueue: tenantQueues, RunnerApp: runnerApps };
/** One phase; a machine that is busy needs a part of it. */
const limitMs = 120_000;
const lookMs = 100;

/**
 * The move of the peak day: one fleet shrinks and another grows on the same machines, by one command, and back. Throws when a phase does not come to
 * its end in time.
 */
export async function runMove(options: MoveOptions): Promise<MoveResult> {
  const { client, clock, root, signal, say } = options;
  for (const file of ["queues.yaml", "fleets.yaml"])
    for (const object of loadAll(readFileSync(join(root, "examples/move", file), "utf8")) as KubeObject[]) await apply(client, object);
  say("applied examples/move/queues.yaml and fleets.yaml");
  const watch = new Watch(options);
  try {
    await watch.until(everyDay, "the fleets to be up");
    say("every day: search has 4 instances, and recommend 12 on all that search leaves idle");
    const left = watch.machines("recommend");
    const from = watch.begin(peak);
    say("peak:      kubectl scale ra/search -n peak --replicas=12");
    await scale(client, "search", peak.search);
    await watch.until(peak, "search to have grown");
    const peakMs = clock.now() - from;
    const sameMachines = [...watch.machines("search")].every((machine) => left.has(machine) || watch.machinesBefore.has(machine));
    say(`search has 12 and recommend 4 after ${seconds(peakMs)}`);
    await clock.sleep(2000, signal);
    const backFrom = watch.begin(everyDay);
    say("over:      kubectl scale ra/search -n peak --replicas=4");
    await scale(client, "search", everyDay.search);
    await watch.until(everyDay, "recommend to have its machines back");
    const backMs = clock.now() - backFrom;
    say(`search has 4 and recommend 12 again after ${seconds(backMs)}`);
    return { peakMs, backMs, missing: watch.missing, sameMachines, failed: watch.failed };
  } finally {
    watch.close();
  }
}

/** "8.4 s". */
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

async function apply(client: KubeClient, object: KubeObject): Promise<void> {
  const resource = kinds[object.kind ?? ""];
  if (resource === undefined) throw new Error(`examples/move holds a ${object.kind}, which is not expected there`);
  await client.patch(resource, object.metadata, { type: "apply", body: object }, { fieldManager: "nuptse-move", force: true });
}

async function scale(client: KubeClient, name: App, replicas: number): Promise<void> {
  await client.patch(runnerApps, { namespace, name }, { type: "merge", body: { spec: { replicas } } }, { subresource: "scale" });
}

/**
 * Sees every change of every instance. Missing is what a fleet has less than it must have: one that shrinks, less than its new size; one that grows,
 * less than it had at any moment before.
 */
class Watch {
  readonly #end = new AbortController();
  readonly #pods;
  readonly #options: MoveOptions;
  #floor: Sizes = { search: 0, recommend: 0 };
  #goal: Sizes = everyDay;
  missing = 0;
  failed = 0;
  /** Where search ran before the peak. */
  machinesBefore: ReadonlySet<string> = new Set();

  constructor(options: MoveOptions) {
    this.#options = options;
    const { client, clock } = options;
    this.#pods = createInformer<KubeObject>({
      client,
      clock,
      random: { next: () => 0.5 },
      resource: pods,
      namespace,
      labelSelector: labels.app,
      onChange: () => this.#look(),
      onError: () => undefined,
    });
    this.#pods.start(this.#end.signal);
  }

  /** A new goal: what must not be less from now on. Returns when. */
  begin(goal: Sizes): number {
    const now = this.#ready();
    this.machinesBefore = this.machines("search");
    this.#goal = goal;
    this.#floor = { search: Math.min(now.search, goal.search), recommend: Math.min(now.recommend, goal.recommend) };
    return this.#options.clock.now();
  }

  machines(app: App): ReadonlySet<string> {
    return new Set(this.#all(app).flatMap(({ spec }) => spec.nodeName ?? []));
  }

  /** Resolves when both fleets have these sizes, nothing else is there, and their status says so. */
  async until(sizes: Sizes, what: string): Promise<void> {
    const { clock, client, signal } = this.#options;
    const until = clock.now() + limitMs;
    for (;;) {
      const ready = this.#ready();
      const isThere = apps.every((app) => ready[app] === sizes[app] && this.#all(app).length === sizes[app]);
      if (isThere && (await this.#areServing(client, sizes))) return;
      if (clock.now() > until) throw new Error(`waited ${seconds(limitMs)} for ${what}; there are ${JSON.stringify(ready)}`);
      await clock.sleep(lookMs, signal);
    }
  }

  close(): void {
    this.#end.abort();
    this.#options.show([]);
  }

  async #areServing(client: KubeClient, sizes: Sizes): Promise<boolean> {
    const { items } = await client.list<RunnerApp>(runnerApps, { namespace });
    return items.every(({ metadata, status }) => {
      const size = sizes[metadata.name as App];
      return status?.desiredReplicas === size && status.availableReplicas === size;
    });
  }

  #look(): void {
    const ready = this.#ready();
    for (const app of apps) this.missing = Math.max(this.missing, this.#floor[app] - ready[app]);
    // What grows never has less again.
    const floor = (app: App) => Math.max(this.#floor[app], Math.min(ready[app], this.#goal[app]));
    this.#floor = { search: floor("search"), recommend: floor("recommend") };
    this.failed = Math.max(this.failed, apps.flatMap((app) => this.#all(app)).filter(hasFailed).length);
    void this.#show();
  }

  #ready(): Sizes {
    const count = (app: App) => this.#all(app).filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod)).length;
    return { search: count("search"), recommend: count("recommend") };
  }

  #all(app: App): readonly Pod[] {
    return [...this.#pods.store.all()].filter(({ metadata }) => metadata.labels?.[labels.app] === app) as unknown as readonly Pod[];
  }

  #nodes: readonly string[] = [];

  async #show(): Promise<void> {
    if (this.#nodes.length === 0) this.#nodes = (await this.#options.client.list(nodes)).items.map(({ metadata }) => metadata.name);
    if (this.#end.signal.aborted) return;
    this.#options.show(this.#nodes.map((node) => `  ${node}  ${apps.map((app) => this.#marks(app, node)).join("")}`));
  }

  /** A letter for each instance: large while it serves, small before and after. */
  #marks(app: App, node: string): string {
    return this.#all(app)
      .filter(({ spec }) => spec.nodeName === node)
      .map((pod) => {
        const letter = app[0] as string;
        return `${isReady(pod) && pod.metadata.deletionTimestamp === undefined ? letter.toUpperCase() : letter} `;
      })
      .join("");
  }
}

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

/** Its program ended badly, or the scheduler found no machine for it. */
function hasFailed({ status }: Pod): boolean {
  const restarts = (status?.containerStatuses ?? []).some(({ restartCount = 0 }) => restartCount > 0);
  return restarts || status?.phase === "Failed" || status?.conditions?.some(({ reason }) => reason === "Unschedulable") === true;
}
