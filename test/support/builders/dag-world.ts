import type { ElasticJob, ElasticJobSpec } from "../../../src/api/elastic-job.gen.ts";
import type { JobRequest } from "../../../src/api/job-request.gen.ts";
import type { ObservedJob } from "../../../src/elasticjob/rules/observed.ts";
import { planMissingJob } from "../../../src/elasticjob/rules/missing-job.ts";
import { UpstreamGraph, upstreamKeys } from "../../../src/elasticjob/upstream-graph.ts";
import { ObjectStore } from "../../../src/kube/store.ts";
import { at } from "./elastic-job.ts";
import { JobWorld } from "./job-world.ts";

/** Several jobs of one namespace with one clock, each in a world of its own, which see each other's status at once. */
export class DagWorld {
  readonly jobs = new Map<string, JobWorld>();
  /** JobRequests for any of them. */
  readonly requests = new Map<string, JobRequest>();
  now: number;
  #graph: UpstreamGraph;
  #store = new ObjectStore<ElasticJob, "after">({ after: upstreamKeys });
  #version = 0;

  constructor(specs: Readonly<Record<string, Partial<ElasticJobSpec>>>, start = "11:59:00") {
    this.now = at(start);
    this.#graph = this.#newGraph();
    for (const [name, spec] of Object.entries(specs)) this.add(name, spec);
    this.settle();
    for (const world of this.jobs.values()) world.forgetLog();
  }

  /** A job is created now. `schedule: undefined` leaves the hourly one of most tests out. */
  add(name: string, spec: Partial<ElasticJobSpec>): JobWorld {
    const world = new JobWorld({ name, start: new Date(this.now).toISOString().slice(11, 19) });
    const { schedule, ...rest } = { ...world.job.spec, ...spec };
    world.job = { ...world.job, spec: schedule === undefined ? rest : { ...rest, schedule } };
    world.requests = this.requests;
    world.graph = { observe: (job, read) => this.#graph.observe(job, read), cascades: (job) => this.#cascades(job) };
    this.jobs.set(name, world);
    this.#tell(world);
    return world;
  }

  remove(name: string): void {
    const world = this.get(name);
    this.jobs.delete(name);
    for (const change of this.#store.remove(this.#versioned(world))) this.#graph.see(change);
  }

  get(name: string): JobWorld {
    const found = this.jobs.get(name);
    if (found === undefined) throw new Error(`no job ${name}`);
    return found;
  }

  /** Who hangs below a job, as it would be told of a change of its spec. */
  dependentsOf(name: string): readonly string[] {
    const { job } = this.get(name);
    return this.#graph.see({ type: "added", object: job }).map((ref) => ref.name);
  }

  edit(name: string, spec: Partial<ElasticJobSpec>): this {
    this.get(name).edit(spec);
    return this;
  }

  /** All plan until nobody asks for anything more at this instant. */
  settle(): this {
    for (let round = 0; round < 60; round++) {
      const before = [...this.jobs.values()].map((world) => world.job);
      const asked = [...this.requests.values()];
      for (const world of this.jobs.values()) {
        world.now = this.now;
        this.#tell(world);
        world.settle();
        this.#tell(world);
      }
      const same = [...this.requests.values()].every((request, index) => request === asked[index]);
      if (same && [...this.jobs.values()].every((world, index) => world.job === before[index])) return this;
    }
    throw new Error("no rest");
  }

  /** Moves time to an instant, planning at every instant that a plan asks for on the way. */
  to(time: string): this {
    const goal = at(time);
    for (let round = 0; round < 5000; round++) {
      this.settle();
      const wakeAt = Math.min(...[...this.jobs.values()].map((world) => world.plans.at(-1)?.wakeAt ?? Number.POSITIVE_INFINITY));
      if (wakeAt > goal) break;
      this.now = wakeAt;
    }
    this.now = goal;
    return this.settle();
  }

  /** The newest run of a job begins on a node and ends. */
  runs(name: string, exitCode = 0): this {
    this.get(name).now = this.now;
    this.get(name).runs(0, exitCode);
    return this.settle();
  }

  /** A new leader for all. */
  restart(): this {
    this.#graph = this.#newGraph();
    for (const world of this.jobs.values()) {
      world.now = this.now;
      world.restart();
    }
    return this.settle();
  }

  /** "run phase reason" of what stands in active and history, the newest fire time first. */
  runsOf(name: string): readonly string[] {
    const { active = [], history = [] } = this.get(name).status;
    return [...active, ...history]
      .sort((a, b) => ((a.fireTime ?? "") > (b.fireTime ?? "") ? -1 : 1))
      .map((run) => `${run.run.slice(9, 15)} ${run.phase}${run.phase === "Succeeded" ? "" : ` ${run.reason ?? ""}`}`.trim());
  }

  /** What is done about requests whose cascade comes to a job that does not exist since then. */
  missing(name: string, since: number, now: number): void {
    const cascades = [...this.requests.values()].filter(({ status }) => status?.cascade?.some((entry) => entry.job === name));
    for (const action of planMissingJob({ missing: { namespace: "tenant", name }, requests: [], cascades, since, now }).actions) {
      if (action.tag !== "status") continue;
      const request = action.object as JobRequest;
      this.requests.set(request.metadata.name, { ...request, status: { ...request.status, ...action.status } });
    }
  }

  /** "job phase" of a cascade. */
  cascadeOf(request: string): readonly string[] {
    return (this.requests.get(request)?.status?.cascade ?? []).map((entry) => `${entry.job} ${entry.phase}`);
  }

  #cascades(job: ElasticJob): Pick<ObservedJob, "cascades" | "below"> {
    const { name } = job.metadata;
    const cascades = [...this.requests.values()].filter(
      ({ spec, status }) => spec.jobName !== name && status?.cascade?.some((entry) => entry.job === name),
    );
    return { cascades, below: this.#graph.below(job) };
  }

  #tell(world: JobWorld): void {
    for (const change of this.#store.put(this.#versioned(world))) this.#graph.see(change);
  }

  #versioned({ job }: JobWorld): ElasticJob {
    this.#version++;
    return { ...job, metadata: { ...job.metadata, resourceVersion: String(this.#version) } };
  }

  #newGraph(): UpstreamGraph {
    return new UpstreamGraph({ jobs: () => this.#store, readSpec: (job) => this.get(job.metadata.name).read(), now: () => this.now });
  }
}
