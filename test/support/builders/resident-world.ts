import type { ActionOutcome, DispatchAction, RecallAction } from "../../../src/api/action.ts";
import type { ExecutorSettings, FleetInstance, FoundFleet } from "../../../src/api/fleet.ts";
import type { ElasticJobSpec } from "../../../src/api/elastic-job.gen.ts";
import { FleetPlaces } from "../../../src/elasticjob/dispatch/places.ts";
import { residentFacts } from "../../../src/elasticjob/resident-facts.ts";
import type { ObservedJob } from "../../../src/elasticjob/rules/observed.ts";
import type { ElasticJobPlan } from "../../../src/elasticjob/rules/plan.ts";
import type { TaskEnd, TaskState } from "../../../src/elasticjob/rules/resident/dispatch-record.ts";
import { JobWorld, type WorldOptions } from "./job-world.ts";

/** The spec of a job whose items go to the fleet "workers". */
export function residentSpec(differs: Partial<ElasticJobSpec> = {}): Partial<ElasticJobSpec> {
  return { ...{ template: undefined as never }, runnerRef: { name: "workers", handler: "report" }, ...differs };
}

/** The executor of most tests. */
export const plainExecutor: ExecutorSettings = { protocol: "HTTP", port: 8080, path: "/jobs", capacity: 10, remembers: true };

export function makeInstance(name: string, differs: Partial<FleetInstance> = {}): FleetInstance {
  return { id: `uid-${name}`, name, address: "10.0.0.1", isReady: true, isOver: false, ...differs };
}

/** A job world with a fleet: tasks do nothing by themselves, a test tells what becomes of them. */
export class ResidentWorld extends JobWorld {
  executor: ExecutorSettings | undefined = plainExecutor;
  fleetExists = true;
  isFleetRead = true;
  /** Why its executors are given nothing. */
  hindrance: string | undefined;
  instances: FleetInstance[];
  places = new FleetPlaces(() => undefined);
  /** What the dispatcher knows, by "run/item/attempt". */
  tasks = new Map<string, TaskState>();
  /** What was said to executors: "dispatch run/item/attempt workers-0", in order. */
  said: string[] = [];
  orders: (DispatchAction | RecallAction)[] = [];
  /** Names of pods that were looked for past the cache. */
  probes: string[] = [];
  /** Names of pods that exist and are no instances any more. */
  living = new Set<string>();

  constructor(options: WorldOptions & { readonly instances?: number } = {}) {
    super({ ...options, spec: residentSpec(options.spec) });
    this.instances = Array.from({ length: options.instances ?? 3 }, (_, index) => makeInstance(`workers-${index}`));
    this.places.begin();
  }

  static ready(options: WorldOptions & { readonly instances?: number } = {}): ResidentWorld {
    const world = new ResidentWorld(options);
    world.settle();
    world.forgetLog();
    return world;
  }

  fleet(): FoundFleet {
    if (!this.fleetExists) return "missing";
    if (!this.isFleetRead) return "unread";
    if (this.executor === undefined) return "noExecutor";
    return { namespace: "tenant", name: "workers", executor: this.executor, instances: this.instances };
  }

  override observe(): ObservedJob {
    const observed = super.observe();
    const { attempts, ...facts } = residentFacts(
      {
        fleets: { fleet: ({ name }) => (name === "workers" ? this.fleet() : "missing") },
        places: this.places,
        dispatcher: {
          hindrance: () => this.hindrance,
          state: (_uid, key) => this.tasks.get(key),
          keep: (_uid, keys) => {
            for (const key of this.tasks.keys()) if (!keys.has(key)) this.tasks.delete(key);
          },
          abandon: () => undefined,
          stop: () => undefined,
        },
      },
      this.job,
      this.notes,
      {
        priority: observed.spec.queue.priority,
        itemTimeoutMs: observed.spec.itemTimeoutMs,
        jitterMs: observed.jitterMs,
        hasRevision: (name) => observed.revisions.some(({ metadata }) => metadata.name === name),
        termStart: observed.termStart,
        now: this.now,
      },
    );
    return { ...observed, pods: [...observed.pods, ...attempts], ...facts };
  }

  override plan(): ElasticJobPlan {
    const plan = super.plan();
    const { namespace, name, uid } = this.job.metadata;
    if (plan.places !== undefined) this.places.declare({ namespace: namespace as string, name }, uid as string, plan.places);
    return plan;
  }

  protected override task(action: DispatchAction | RecallAction): ActionOutcome {
    const name = this.instances.find(({ id }) => id === action.target.instance)?.name;
    this.said.push(`${action.tag} ${action.task.run}/${action.task.item}/${action.task.attempt} ${name}`);
    this.orders.push(action);
    const known = this.tasks.get(action.key) ?? {
      accepted: false,
      round: action.round,
      ...(action.isUncertain === true && { uncertainSince: this.now }),
    };
    this.tasks.set(action.key, action.tag === "recall" ? { ...known, recalledAt: this.now } : known);
    return { kind: "done" };
  }

  protected override hasPod(name: string): boolean {
    this.probes.push(name);
    return this.living.has(name) || this.instances.some((instance) => instance.name === name) || super.hasPod(name);
  }

  /** The executor says that it has the newest attempt of an item. */
  accepts(item = 0): this {
    return this.#know(item, { accepted: true });
  }

  /** The newest attempt of an item ends. */
  ends(item = 0, end: Partial<TaskEnd> = {}): this {
    return this.#know(item, { end: { at: this.now, outcome: "Succeeded", reason: "", message: "", ...end } });
  }

  fails(item = 0, message = "broken"): this {
    return this.ends(item, { outcome: "Failed", message });
  }

  /** Changes what is known of an instance. */
  instance(name: string, differs: Partial<FleetInstance>): this {
    this.instances = this.instances.map((each) => (each.name === name ? { ...each, ...differs } : each));
    return this;
  }

  loseInstance(name: string): this {
    this.instances = this.instances.filter((each) => each.name !== name);
    return this;
  }

  /** A new leader: nothing is known of tasks, and every job has told what it has. */
  override restart(): this {
    super.restart();
    this.tasks = new Map();
    this.places.beginTerm();
    this.plan();
    this.places.begin();
    return this;
  }

  /** "0-3 workers-0 1": items, instance and attempt of each dispatch that status holds. */
  dispatches(): readonly string[] {
    return (this.active()?.dispatches ?? []).map(({ items, name, attempt }) => `${items} ${name} ${attempt}`);
  }

  #know(item: number, news: Partial<TaskState>): this {
    const keys = [...this.tasks.keys()].filter((key) => key.split("/")[1] === String(item));
    const key = keys.sort((left, right) => Number(left.split("/")[2]) - Number(right.split("/")[2])).at(-1);
    if (key === undefined) throw new Error(`no task of item ${item}; there are ${[...this.tasks.keys()].join(", ")}`);
    this.tasks.set(key, { ...(this.tasks.get(key) as TaskState), ...news });
    return this;
  }
}
