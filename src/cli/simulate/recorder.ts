import type { Pod } from "../../api/core.ts";
import type { ElasticJob, ElasticJobRun, ElasticJobSpec } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import type { KubeObject } from "../../api/meta.ts";
import { labels } from "../../api/names.ts";
import type { TenantQueue } from "../../api/tenant-queue.gen.ts";
import { getOrMake } from "../../base/map.ts";
import { parseTime } from "../../base/time.ts";
import { podRequest, type RequestingPod } from "../../quota/pod-request.ts";
import { parseResources, type Quantities, type ResourceVector } from "../../quota/resource-vector.ts";
import type { Span } from "./arrivals.ts";
import type { PodRecord, QueueFact, ReclaimFact, Recording, RunRecord } from "./recording.ts";

/** A change that the API server committed. */
export interface SeenChange {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
}

/** A request to give back, as the operator tells each state of it: the same object again and again. */
export interface ToldReclaim {
  readonly queue: string;
  readonly claimantQueue: string;
  readonly state: string;
  readonly isOverdue: boolean;
}

export interface RecorderOptions {
  readonly now: () => number;
  /** A run that an arrival brought has ended; its job is "namespace/name". */
  readonly onEnd: (job: string) => void;
}

/** Turns what is told of a simulation into facts. */
export class Recorder {
  readonly #options: RecorderOptions;
  /** By job, of what an arrival brought; by job and run, of all others. */
  readonly #runs = new Map<string, RunRecord>();
  readonly #pods = new Map<string, PodRecord>();
  readonly #queues = new Map<string, TenantQueue>();
  readonly #facts = new Map<string, QueueFact[]>();
  readonly #reclaims = new Map<ToldReclaim, ReclaimFact>();
  readonly #arrived = new Set<string>();
  readonly #jobs = new Map<string, ElasticJobSpec>();

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** An arrival is about to be submitted as the job "namespace/name", which runs once. */
  arrive(job: string, run: RunRecord): void {
    this.#arrived.add(job);
    this.#runs.set(job, run);
  }

  see({ type, object }: SeenChange): void {
    if (object.kind === "Pod") this.#seePod(type, object as unknown as Pod & KubeObject);
    else if (type === "DELETED") return;
    else if (object.kind === "ElasticJob") this.#seeJob(object as unknown as ElasticJob);
    else if (object.kind === "TenantQueue") this.#seeQueue(object as unknown as TenantQueue);
    else if (object.kind === "JobRequest") this.#seeRequest(object as unknown as JobRequest);
  }

  tell(reclaim: ToldReclaim): void {
    const fact = getOrMake(this.#reclaims, reclaim, () => ({ ...reclaim }));
    fact.state = reclaim.state;
    fact.isOverdue ||= reclaim.isOverdue;
  }

  /** All that was seen of a span. */
  recording(span: Span): Recording {
    return {
      span,
      runs: [...this.#runs.values()],
      queues: [...this.#queues.values()],
      facts: this.#facts,
      reclaims: [...this.#reclaims.values()],
    };
  }

  #seePod(type: SeenChange["type"], pod: Pod & KubeObject): void {
    const { uid = "", namespace = "", labels: own = {} } = pod.metadata;
    const job = own[labels.job];
    if (job === undefined) return;
    const known = this.#pods.get(uid);
    if (known === undefined) {
      if (type !== "ADDED") return;
      const record: PodRecord = { from: this.#options.now(), succeeded: false, request: podRequest(pod as unknown as RequestingPod) };
      this.#pods.set(uid, record);
      const queue = own[labels.queue];
      // What runs in no queue has no share of anybody's.
      if (queue === undefined) return;
      const run = this.#runOf(`${namespace}/${job}`, own[labels.run] ?? "", record);
      run.pods.push(record);
      run.queue = queue;
      return;
    }
    if (known.to !== undefined) return;
    // Its phase tells of it a second later only.
    const exits = (pod.status?.containerStatuses ?? []).map(({ state }) => state?.terminated?.exitCode);
    const hasEnded = exits.length > 0 && exits.every((code) => code !== undefined);
    const phase = pod.status?.phase;
    if (!hasEnded && type !== "DELETED" && phase !== "Succeeded" && phase !== "Failed") return;
    known.to = this.#options.now();
    known.succeeded = hasEnded ? exits.every((code) => code === 0) : phase === "Succeeded";
  }

  #runOf(job: string, run: string, pod?: PodRecord, entry?: ElasticJobRun): RunRecord {
    const arrival = this.#runs.get(job);
    if (arrival !== undefined) return arrival;
    const known = this.#runs.get(`${job} ${run}`);
    if (known !== undefined) return known;
    const arrivedAt = parseTime(entry?.fireTime) ?? fireTimeOf(run) ?? this.#options.now();
    const spec = this.#jobs.get(job);
    const items = entry?.total ?? spec?.sharding?.total ?? 1;
    const record: RunRecord = {
      source: job,
      arrivedAt,
      items,
      parallelism: spec?.sharding?.parallelism ?? items,
      minCount: spec?.queue?.minCount ?? 1,
      request: pod?.request ?? {},
      pods: [],
    };
    this.#runs.set(`${job} ${run}`, record);
    return record;
  }

  #seeJob({ metadata, spec, status }: ElasticJob): void {
    const job = `${metadata.namespace ?? ""}/${metadata.name}`;
    if (spec.queue === undefined) return;
    this.#jobs.set(job, spec);
    const stalled = status?.conditions?.find(({ type, status: is }) => type === "Stalled" && is === "True");
    for (const entry of status?.active ?? []) {
      const run = this.#runOf(job, entry.run, undefined, entry);
      this.#follow(run, entry);
      run.reason = entry.phase === "Waiting" ? (stalled?.reason ?? entry.reason) : undefined;
      run.message = entry.phase === "Waiting" ? (stalled?.message ?? entry.message) : undefined;
    }
    for (const entry of status?.history ?? []) {
      const run = this.#runOf(job, entry.run, undefined, entry);
      if (run.endedAt !== undefined) continue;
      this.#follow(run, entry);
      run.reason = entry.reason;
      run.message = entry.message;
      this.#end(job, run, entry.phase ?? "");
    }
  }

  #follow(run: RunRecord, { queue, total }: ElasticJobRun): void {
    if (queue !== undefined) run.queue = queue;
    if (total !== undefined) run.items = total;
  }

  /** One that was refused never becomes a run. */
  #seeRequest({ metadata, spec, status }: JobRequest): void {
    const job = `${metadata.namespace ?? ""}/${spec.jobName}`;
    const run = this.#runs.get(job);
    if (status?.phase !== "Failed" || run === undefined || run.endedAt !== undefined) return;
    run.reason = status.reason;
    run.message = status.message;
    this.#end(job, run, "Failed");
  }

  #end(job: string, run: RunRecord, phase: string): void {
    run.endedAt = this.#options.now();
    run.phase = phase;
    if (this.#arrived.has(job)) this.#options.onEnd(job);
  }

  #seeQueue(queue: TenantQueue): void {
    const { name } = queue.metadata;
    this.#queues.set(name, queue);
    const effective = Object.entries(queue.status?.guaranteed ?? {}).map(([resource, each]) => [resource, each.effective ?? "0"] as const);
    const guaranteed = parseResources(Object.fromEntries(effective), "Down");
    const capacity = parseResources((queue.status?.capacity ?? {}) as Quantities, "Down");
    const facts = getOrMake(this.#facts, name, () => []);
    const last = facts.at(-1);
    if (last !== undefined && sameResources(last.guaranteed, guaranteed) && sameResources(last.capacity, capacity)) return;
    facts.push({ at: this.#options.now(), guaranteed, capacity });
  }
}

/** 20260105T090000Z, as ids of runs are written in small letters. */
function fireTimeOf(run: string): number | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)z/.exec(run) ?? [];
  return second === undefined ? undefined : parseTime(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function sameResources(left: ResourceVector, right: ResourceVector): boolean {
  const names = Object.keys({ ...left, ...right });
  return names.every((name) => left[name] === right[name]);
}
