import type { ElasticJob } from "../api/elastic-job.gen.ts";
import type { ObjectRef } from "../api/meta.ts";
import { conditionTypes } from "../api/reasons.ts";
import type { Change, Store } from "../kube/store.ts";
import { commonFireTimes, neverMeet } from "./rules/common-fire-times.ts";
import type { Dependencies } from "./rules/dependencies.ts";
import type { ArmedSchedule } from "./rules/observed.ts";
import type { ReadSpec } from "./rules/read-spec.ts";
import { type Upstream, upstreamOf } from "./rules/upstream.ts";

export interface UpstreamGraphOptions {
  /** "after": by "namespace/name" of the jobs in spec.after. */
  readonly jobs: () => Store<ElasticJob, "after">;
  readonly readSpec: (job: ElasticJob) => ReadSpec;
  readonly now: () => number;
}

/** What follows from specs alone, and holds until one changes. */
interface Resolved {
  readonly version: number;
  readonly armed?: ArmedSchedule;
  readonly refusal?: Dependencies["refusal"];
}

/** The names under which a job is found by those it is after: the index "after" of the store. */
export function upstreamKeys(job: ElasticJob): readonly string[] {
  return (job.spec.after ?? []).map((dependency) => `${job.metadata.namespace}/${dependency.job}`);
}

/** Which jobs are after which, and what that makes of their schedules. Reads caches only. */
export class UpstreamGraph {
  readonly #options: UpstreamGraphOptions;
  /** By "namespace/name". */
  readonly #resolved = new Map<string, Resolved>();
  readonly #pictures = new WeakMap<ElasticJob, Upstream>();
  /** Grows when any spec changes. */
  #version = 0;

  constructor(options: UpstreamGraphOptions) {
    this.#options = options;
  }

  /** What a job's observed picture gets besides its own spec; nothing when it is after no other. */
  observe(job: ElasticJob, read: ReadSpec): { readonly armed?: ArmedSchedule; readonly dependencies?: Dependencies } {
    if (read.spec.after.length === 0) return {};
    const { armed, refusal } = this.#resolve(job);
    const upstreams = new Map<string, Upstream>();
    for (const { job: name } of read.spec.after) {
      const upstream = this.#find(job, name);
      if (upstream !== undefined) upstreams.set(name, this.#picture(upstream));
    }
    return {
      ...(armed !== undefined && { armed }),
      dependencies: { upstreams, derived: job.spec.schedule === undefined, ...(refusal !== undefined && { refusal }) },
    };
  }

  /** The calendars of some job are others now, so its schedule is. Its dependents hear of that by its status. */
  forgetSchedules(): void {
    this.#version++;
  }

  /** Takes in a change of a job. Returns the jobs that must look at it. */
  see(change: Change<ElasticJob>): readonly ObjectRef[] {
    const { object, previous, type } = change;
    const isSpec = type !== "modified" || object.metadata.generation !== previous?.metadata.generation;
    if (isSpec) this.#version++;
    if (type === "deleted") this.#resolved.delete(keyOf(object));
    else if (previous !== undefined && saysTheSame(object, previous)) return [];
    return this.#dependents(object, isSpec);
  }

  /** The names of all jobs that hang below one, in the order of the alphabet. */
  below(job: ElasticJob): readonly string[] {
    const names = this.#dependents(job, true).map((ref) => ref.name);
    return names.filter((name) => name !== job.metadata.name).sort();
  }

  #dependents(job: ElasticJob, all: boolean): readonly ObjectRef[] {
    const found = new Map<string, ObjectRef>();
    const open = [keyOf(job)];
    for (let key = open.pop(); key !== undefined; key = open.pop()) {
      for (const dependent of this.#options.jobs().byIndex("after", key)) {
        const own = keyOf(dependent);
        if (found.has(own)) continue;
        found.set(own, { namespace: dependent.metadata.namespace as string, name: dependent.metadata.name });
        if (all) open.push(own);
      }
    }
    return [...found.values()];
  }

  #find(job: ElasticJob, name: string): ElasticJob | undefined {
    return this.#options.jobs().get(job.metadata.namespace, name);
  }

  #picture(job: ElasticJob): Upstream {
    const schedule = this.#resolve(job).armed?.schedule;
    const known = this.#pictures.get(job);
    if (known !== undefined && known.schedule === schedule) return known;
    const picture = upstreamOf(job, schedule);
    this.#pictures.set(job, picture);
    return picture;
  }

  #resolve(job: ElasticJob): Resolved {
    const key = keyOf(job);
    const known = this.#resolved.get(key);
    if (known !== undefined && known.version === this.#version) return known;
    const cycle = this.#cycleThrough(job);
    let resolved: Omit<Resolved, "version">;
    if (cycle !== undefined) {
      const message = `spec.after: ${cycle.join(" is after ")}; a job cannot wait for itself: take one of these entries away`;
      const { armed } = this.#options.readSpec(job);
      resolved = { ...(armed !== undefined && { armed }), refusal: { reason: "DependencyCycle", message } };
    } else resolved = job.spec.schedule === undefined ? this.#derive(job) : this.#check(job);
    const kept = { ...resolved, version: this.#version };
    this.#resolved.set(key, kept);
    return kept;
  }

  /** The names on a way from a job back to itself; undefined when there is none. */
  #cycleThrough(job: ElasticJob): readonly string[] | undefined {
    const seen = new Set<string>();
    const goal = job.metadata.name;
    const way: string[] = [goal];
    const walk = (from: ElasticJob): boolean => {
      for (const { job: name } of from.spec.after ?? []) {
        if (name === goal) return true;
        const next = seen.has(name) ? undefined : this.#find(from, name);
        seen.add(name);
        if (next === undefined) continue;
        way.push(name);
        if (walk(next)) return true;
        way.pop();
      }
      return false;
    };
    return walk(job) ? [...way, goal] : undefined;
  }

  /** The fire times that all upstreams with fireTime Same have in common. */
  #derive(job: ElasticJob): Omit<Resolved, "version"> {
    const names = this.#sameUpstreams(job);
    const schedules: ArmedSchedule[] = [];
    for (const name of names) {
      const upstream = this.#find(job, name);
      const armed = upstream === undefined ? undefined : this.#resolve(upstream).armed;
      if (armed === undefined) return {};
      schedules.push(armed);
    }
    const [first] = schedules;
    if (first === undefined) return {};
    const schedule = commonFireTimes(schedules.map((armed) => armed.schedule));
    const message = `spec.after: none of the next 1,000 fire times of jobs ${names.join(" and ")} coincide; give them schedules that meet`;
    const never = neverMeet(
      schedules.map((armed) => armed.schedule),
      this.#options.now(),
    );
    return never ? { refusal: refuse(message) } : { armed: { ...first, schedule } };
  }

  /** Whether the fire times of its own schedule can coincide with those of the upstreams with fireTime Same. */
  #check(job: ElasticJob): Omit<Resolved, "version"> {
    const { armed } = this.#options.readSpec(job);
    if (armed === undefined) return {};
    for (const name of this.#sameUpstreams(job)) {
      const upstream = this.#find(job, name);
      if (upstream === undefined) continue;
      const at = `spec.after[${job.spec.after?.findIndex((dependency) => dependency.job === name)}].fireTime`;
      const other = this.#resolve(upstream).armed?.schedule;
      const byRequest = upstream.spec.schedule === undefined && (upstream.spec.after ?? []).length === 0;
      if (byRequest)
        return { armed, refusal: refuse(`${at}: job ${name} has no schedule, so no fire time of it can be the same; use Latest`) };
      if (other !== undefined && neverMeet([armed.schedule, other], this.#options.now()))
        return {
          armed,
          refusal: refuse(
            `${at}: none of the next 1,000 fire times of this job and of job ${name} coincide; use Latest or AllInPeriod, or schedules that meet`,
          ),
        };
    }
    return { armed };
  }

  #sameUpstreams(job: ElasticJob): readonly string[] {
    return this.#options
      .readSpec(job)
      .spec.after.filter((dependency) => dependency.fireTime === "Same")
      .map((dependency) => dependency.job);
  }
}

const keyOf = ({ metadata }: ElasticJob): string => `${metadata.namespace}/${metadata.name}`;
const refuse = (message: string): NonNullable<Dependencies["refusal"]> => ({ reason: "InvalidSpec", message });

/** Whether two statuses tell the same about fire times: progress is nothing to those who wait for an end. */
function saysTheSame({ status: a = {} }: ElasticJob, { status: b = {} }: ElasticJob): boolean {
  if (a.lastHandledFireTime !== b.lastHandledFireTime || a.history?.[0]?.run !== b.history?.[0]?.run) return false;
  const reason = (status: typeof a, type: string) => status.conditions?.find((condition) => condition.type === type)?.reason;
  if (reason(a, conditionTypes.ready) !== reason(b, conditionTypes.ready)) return false;
  const active = (status: typeof a) => status.active?.map((run) => run.run).join();
  return active(a) === active(b) && JSON.stringify(a.outcomes) === JSON.stringify(b.outcomes);
}
