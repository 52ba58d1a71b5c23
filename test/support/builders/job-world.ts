import assert from "node:assert/strict";
import type {
  Action,
  ActionOutcome,
  ActionResult,
  CreateAction,
  DispatchAction,
  RecallAction,
  StatusAction,
} from "../../../src/api/action.ts";
import type { ConfigMap, ControllerRevision, Pod, PodStatus } from "../../../src/api/core.ts";
import type { JobRequest, JobRequestSpec } from "../../../src/api/job-request.gen.ts";
import type { ElasticJob, ElasticJobRun, ElasticJobSpec, ElasticJobStatus } from "../../../src/api/elastic-job.gen.ts";
import { JobNotes } from "../../../src/elasticjob/job-memory.ts";
import { type AttemptPod, attemptPod } from "../../../src/elasticjob/rules/attempt.ts";
import { readCalendars } from "../../../src/elasticjob/rules/calendars.ts";
import type { ConfigMapText } from "../../../src/elasticjob/rules/config-map-text.ts";
import type { ObservedJob } from "../../../src/elasticjob/rules/observed.ts";
import { type ElasticJobPlan, planElasticJob } from "../../../src/elasticjob/rules/plan.ts";
import { readParameters, withParameters } from "../../../src/elasticjob/rules/parameters.ts";
import { type ReadSpec, readSpec } from "../../../src/elasticjob/rules/read-spec.ts";
import { resultsFile } from "../../../src/elasticjob/rules/results-file.ts";
import type { UpstreamGraph } from "../../../src/elasticjob/upstream-graph.ts";
import { elasticJobProblems } from "../../../src/validation/elastic-job.ts";
import { at, makeJob } from "./elastic-job.ts";
import { makeNodes } from "./observed-job.ts";
import { checkPlan, selects } from "./plan-rules.ts";

export interface WorldOptions {
  readonly spec?: Partial<ElasticJobSpec>;
  /** Time of day at which the world begins and the job is created. */
  readonly start?: string;
  readonly nodes?: readonly string[];
  readonly name?: string;
  /** Seconds that a pod has after it was told to end. */
  readonly graceSeconds?: number;
}

/** How a plan's action of creating ends instead of being done; undefined = it is done. */
type Refusing = (action: CreateAction) => ActionOutcome | undefined;

/**
 * One job, its pods and a clock: as much of a cluster as a plan can see. Whatever a plan asks for is carried out at once, with the rules
 * that hold for every plan checked on the way. Pods do nothing by themselves; a test tells what becomes of them.
 */
export class JobWorld {
  now: number;
  /** The server's clock less the operator's. */
  serverAheadMs = 0;
  maxClockSkewMs = 30_000;
  overRetained = false;
  /** The namespace is only observed. */
  observing = false;
  /** Calendars by name, as the caches show them. */
  readonly calendars = new Map<string, ConfigMapText>();
  /** The ConfigMap of parameters, as the cache shows it. */
  parameters: ConfigMapText = { kind: "missing" };
  job: ElasticJob;
  readonly pods = new Map<string, Pod>();
  requests = new Map<string, JobRequest>();
  revisions: ControllerRevision[] = [];
  readonly configMaps = new Map<string, ConfigMap>();
  nodes: string[];
  cordoned: string[] = [];
  /** Nodes of which nothing is heard, since when. */
  unreachable = new Map<string, number>();
  refuse: Refusing = () => undefined;
  /** Writes that reached the API server, in words. */
  writes: string[] = [];
  events: string[] = [];
  plans: ElasticJobPlan[] = [];
  /** Every create of a pod that was carried out: "run/item/attempt". */
  created: string[] = [];
  /** "run/item" of attempts whose pods somebody else took away: what stays at-least-once, and forgets its history with the pod. */
  readonly vanished = new Set<string>();
  /** Knows the other jobs, when there are any. */
  graph: (Pick<UpstreamGraph, "observe"> & { cascades?(job: ElasticJob): Pick<ObservedJob, "cascades" | "below"> }) | undefined;
  notes: JobNotes;
  termStart: number;
  #goneNodes = new Map<string, number>();
  #version = 100;
  readonly #graceSeconds: number;

  constructor(options: WorldOptions = {}) {
    this.now = at(options.start ?? "11:59:00");
    this.termStart = this.now;
    this.nodes = [...(options.nodes ?? ["n1", "n2", "n3"])];
    this.#graceSeconds = options.graceSeconds ?? 30;
    const metadata = { creationTimestamp: seconds(this.now), ...(options.name !== undefined && { name: options.name }) };
    this.job = makeJob(options.spec, { metadata });
    this.notes = new JobNotes(this.#goneNodes);
  }

  /** A world whose job has been accepted: its revision stands, and nothing is due. What that took is not counted. */
  static accepted(options: WorldOptions = {}): JobWorld {
    const world = new JobWorld(options);
    world.settle();
    world.forgetLog();
    return world;
  }

  forgetLog(): void {
    this.writes = [];
    this.events = [];
    this.plans = [];
    this.created = [];
  }

  get status(): ElasticJobStatus {
    return this.job.status ?? {};
  }

  active(run?: string): ElasticJobRun | undefined {
    return run === undefined ? this.status.active?.[0] : this.status.active?.find((entry) => entry.run === run);
  }

  history(run?: string): ElasticJobRun | undefined {
    return run === undefined ? this.status.history?.[0] : this.status.history?.find((entry) => entry.run === run);
  }

  condition(type: string): string | undefined {
    const found = this.status.conditions?.find((condition) => condition.type === type);
    return found === undefined ? undefined : `${found.status}:${found.reason}`;
  }

  observe(): ObservedJob {
    this.notes.seeGeneration(this.job.metadata.generation as number);
    const nodes = makeNodes(this.nodes, this.cordoned, this.unreachable);
    return {
      job: this.job,
      ...this.read(),
      ...this.graph?.observe(this.job, this.read()),
      pods: this.attempts(),
      vanished: [...this.notes.vanished.values()],
      endedUndeleted: new Set(this.notes.endedUndeleted),
      revisions: [...this.revisions],
      resultsFiles: [...this.configMaps.values()].flatMap((map) => resultsFile(map) ?? []),
      nodes,
      memory: this.notes,
      now: this.now,
      serverNow: this.now + this.serverAheadMs,
      termStart: this.termStart,
      maxClockSkewMs: this.maxClockSkewMs,
      overRetained: this.overRetained,
      requests: [...this.requests.values()].filter((request) => request.spec.jobName === this.job.metadata.name),
      ...this.graph?.cascades?.(this.job),
      ...(this.observing && { observing: true }),
    };
  }

  read(): ReadSpec {
    const read = readSpec(this.job, elasticJobProblems(this.job.spec), readCalendars(this.job, this.calendars, this.revisions));
    return withParameters(read, readParameters(this.job, this.parameters));
  }

  /** A live read of a pod. */
  protected hasPod(name: string): boolean {
    return this.pods.has(name);
  }

  /** What becomes of a task for an executor. */
  protected task(action: DispatchAction | RecallAction): ActionOutcome {
    throw new Error(`a job of pods asks for ${action.tag}`);
  }

  attempts(): AttemptPod[] {
    return [...this.pods.values()].flatMap((pod) => seen(pod) ?? []);
  }

  /** Plans without doing anything. */
  plan(): ElasticJobPlan {
    const observed = this.observe();
    const plan = planElasticJob(observed);
    checkPlan(observed, plan, this.#goneNodes);
    return plan;
  }

  /** Plans once and does all of it; `only` picks what gets through before a crash. */
  step(only: (action: Action) => boolean = () => true, withStatus = true): ElasticJobPlan {
    const plan = this.plan();
    this.plans.push(plan);
    const results = plan.actions.filter(only).map((action): ActionResult => ({ action, outcome: this.#apply(action) }));
    if (plan.status !== undefined && withStatus) {
      this.writes.push("status");
      this.#version++;
      const status = merged(this.job.status ?? {}, plan.status.status) as ElasticJobStatus;
      this.job = { ...this.job, status, metadata: { ...this.job.metadata, resourceVersion: String(this.#version) } };
    }
    for (const node of this.notes.learn(results, this.now)) this.#goneNodes.set(node, this.now + this.serverAheadMs);
    return plan;
  }

  /** Plans until nothing more is asked for at this instant. */
  settle(): this {
    for (let round = 0; round < 60; round++) {
      const plan = this.step();
      if (plan.status === undefined && plan.actions.every((action) => action.tag === "event" || action.tag === "probe")) return this;
    }
    throw new Error(`no rest: ${this.writes.slice(-10).join("; ")}`);
  }

  /** Moves time to an instant, planning at every instant that a plan asks for on the way. */
  to(time: string | number): this {
    const goal = typeof time === "number" ? time : at(time);
    for (let round = 0; round < 5000; round++) {
      this.settle();
      const wakeAt = this.plans.at(-1)?.wakeAt;
      if (wakeAt === undefined || wakeAt > goal) break;
      assert.ok(
        wakeAt > this.now,
        `a plan asks to be woken in the past: ${new Date(wakeAt).toISOString()} at ${new Date(this.now).toISOString()}`,
      );
      this.now = wakeAt;
    }
    this.now = Math.max(this.now, goal);
    return this.settle();
  }

  /** Time passes while nobody plans. */
  sleepTo(time: string): this {
    this.now = at(time);
    return this;
  }

  /** A new leader: all that one process remembers is gone. */
  restart(): this {
    this.notes = new JobNotes(this.#goneNodes);
    this.#goneNodes.clear();
    this.termStart = this.now;
    for (const pod of this.attempts()) this.notes.seePod("added", pod, this.now);
    return this;
  }

  edit(spec: Partial<ElasticJobSpec>): this {
    const generation = (this.job.metadata.generation as number) + 1;
    this.job = { ...this.job, spec: { ...this.job.spec, ...spec }, metadata: { ...this.job.metadata, generation } };
    return this;
  }

  /** Somebody creates a JobRequest. UIDs end alike: names begin with eight characters that differ. */
  ask(name: string, spec: Partial<JobRequestSpec>): this {
    const metadata = {
      name,
      namespace: "tenant",
      uid: `${Buffer.from(name).toString("hex").padEnd(8, "0").slice(0, 8)}-2222-4222-8333-444455556666`,
      resourceVersion: String(++versions),
      generation: 1,
      creationTimestamp: seconds(this.now),
    };
    this.requests.set(name, {
      apiVersion: "nuptse.dev/v1alpha1",
      kind: "JobRequest",
      metadata,
      spec: { jobName: this.job.metadata.name, ttlSecondsAfterFinished: 86_400, ...spec },
    });
    return this;
  }

  /** "Phase:Reason" of a request; undefined when it does not exist. */
  request(name: string): string | undefined {
    const request = this.requests.get(name);
    return request === undefined ? undefined : `${request.status?.phase}:${request.status?.reason}`;
  }

  /** The newest attempt of an item, of the newest run unless said otherwise. */
  pod(item = 0, run?: string): Pod {
    let newest: AttemptPod | undefined;
    for (const pod of this.pods.values()) {
      const attempt = seen(pod);
      if (attempt?.item !== item || (run !== undefined && attempt.run !== run)) continue;
      const later = newest === undefined || attempt.run > newest.run || (attempt.run === newest.run && attempt.attempt > newest.attempt);
      if (later) newest = attempt;
    }
    const found = this.pods.get(newest?.metadata.name ?? "");
    if (found === undefined) throw new Error(`no pod of item ${item}; there are ${[...this.pods.keys()].join(", ")}`);
    return found;
  }

  /** The pod is scheduled and its container runs. */
  start(item = 0, node = "n1", run?: string): this {
    const pod = this.pod(item, run);
    const since = seconds(this.now);
    return this.show(
      { ...pod, spec: { ...pod.spec, nodeName: node } },
      {
        phase: "Running",
        conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: since }],
        containerStatuses: [{ name: "main", state: { running: { startedAt: since } } }],
      },
    );
  }

  /** Its container ends now. */
  exit(item = 0, exitCode = 0, more: { readonly run?: string; readonly message?: string } = {}): this {
    const pod = this.pod(item, more.run);
    const terminated = {
      exitCode,
      finishedAt: seconds(this.now),
      reason: exitCode === 0 ? "Completed" : "Error",
      message: more.message ?? "",
    };
    return this.show(pod, { ...pod.status, containerStatuses: [{ name: "main", state: { terminated } }] });
  }

  /** Starts on a node and ends at once. */
  runs(item = 0, exitCode = 0, node = "n1", message = ""): this {
    return this.start(item, node).exit(item, exitCode, { message });
  }

  show(pod: Pod, status: PodStatus): this {
    const next: Pod = { ...pod, status };
    this.pods.set(pod.metadata.name, next);
    this.#tell("modified", next);
    return this;
  }

  /** Somebody else deletes it without grace, or the kubelet is through with a deletion. */
  vanish(item = 0, run?: string): this {
    const pod = this.pod(item, run);
    const which = nameOf(pod.metadata.labels);
    this.vanished.add(which.slice(0, which.lastIndexOf("/")));
    this.pods.delete(pod.metadata.name);
    this.#tell("deleted", pod);
    return this;
  }

  /** The node object is deleted; a live read says so. */
  loseNode(name: string): this {
    this.nodes = this.nodes.filter((known) => known !== name);
    return this;
  }

  #tell(type: "added" | "modified" | "deleted", pod: Pod): void {
    const attempt = seen(pod);
    if (attempt !== undefined) this.notes.seePod(type, attempt, this.now);
  }

  #apply(action: Action): ActionOutcome {
    switch (action.tag) {
      case "event":
        this.events.push(`${action.reason}: ${action.note}`);
        return { kind: "done" };
      case "probe":
        return {
          kind: (action.resource.plural === "nodes" ? this.nodes.includes(action.ref.name) : this.hasPod(action.ref.name))
            ? "done"
            : "gone",
        };
      case "dryRun":
        return this.refuse({ ...action, tag: "create" }) ?? { kind: "done" };
      case "create":
        return this.#create(action);
      case "replace":
        return this.#replace(action.object as ConfigMap);
      case "delete":
        return this.#delete(action.resource.plural, action.ref.name);
      case "status":
        return this.#writeStatus(action);
      case "dispatch":
      case "recall":
        return this.task(action);
      case "patch":
      case "merge":
        throw new Error("a job patches nothing but its status");
      case "deleteCollection":
        this.writes.push("deletecollection");
        for (const [name, pod] of this.pods) if (selects(action.labelSelector, pod.metadata.labels ?? {})) this.#remove(name);
        return { kind: "done" };
    }
  }

  #create(action: CreateAction): ActionOutcome {
    const { object } = action;
    const kind = action.resource.plural === "pods" ? "pod" : "revision";
    const refused = this.refuse(action);
    if (refused !== undefined) return refused;
    if (action.resource.plural === "configmaps") {
      if (this.configMaps.has(object.metadata.name)) return { kind: "exists" };
      this.configMaps.set(object.metadata.name, {
        ...(object as ConfigMap),
        metadata: { ...object.metadata, uid: `uid-${object.metadata.name}`, resourceVersion: String(++this.#version) },
      });
      this.writes.push("create results");
      return { kind: "done" };
    }
    if (kind === "revision") {
      if (!this.revisions.some((known) => known.metadata.name === object.metadata.name))
        this.revisions.push({ ...(object as ControllerRevision), metadata: { ...object.metadata, uid: `uid-${object.metadata.name}` } });
      this.writes.push("create revision");
      return { kind: "done" };
    }
    const which = nameOf(object.metadata.labels);
    this.writes.push(`create ${which.slice(which.indexOf("/") + 1)}`);
    if (this.pods.has(object.metadata.name)) return { kind: "exists" };
    this.created.push(which);
    const metadata = { ...object.metadata, uid: `uid-${object.metadata.name}`, creationTimestamp: seconds(this.now) };
    const pod: Pod = { ...(object as Pod), metadata, status: { phase: "Pending" } };
    this.pods.set(object.metadata.name, pod);
    this.#tell("added", pod);
    return { kind: "done" };
  }

  #writeStatus({ object, status }: StatusAction): ActionOutcome {
    const { name } = object.metadata;
    const stored = this.requests.get(name);
    if (stored?.metadata.resourceVersion !== object.metadata.resourceVersion) return { kind: "conflict" };
    this.writes.push(`request ${name} ${status["phase"] ?? "told"}`);
    this.#version++;
    const metadata = { ...(stored as JobRequest).metadata, resourceVersion: String(++versions) };
    const next = merged(stored?.status ?? {}, status) as NonNullable<JobRequest["status"]>;
    this.requests.set(name, { ...(stored as JobRequest), metadata, status: next });
    return { kind: "done" };
  }

  #replace(map: ConfigMap): ActionOutcome {
    const { name, resourceVersion } = map.metadata;
    const known = this.configMaps.get(name);
    if (known === undefined) return { kind: "gone" };
    if (known.metadata.resourceVersion !== resourceVersion) return { kind: "conflict" };
    this.configMaps.set(name, { ...map, metadata: { ...map.metadata, resourceVersion: String(++this.#version) } });
    this.writes.push("replace results");
    return { kind: "done" };
  }

  #delete(plural: string, name: string): ActionOutcome {
    if (plural === "jobrequests") {
      this.writes.push(`delete request ${name}`);
      return this.requests.delete(name) ? { kind: "done" } : { kind: "gone" };
    }
    if (plural === "configmaps") {
      this.configMaps.delete(name);
      this.writes.push("delete results");
      return { kind: "done" };
    }
    if (plural === "controllerrevisions") {
      this.revisions = this.revisions.filter((revision) => revision.metadata.name !== name);
      this.writes.push("delete revision");
      return { kind: "done" };
    }
    const pod = this.pods.get(name);
    if (pod === undefined) return { kind: "gone" };
    const which = nameOf(pod.metadata.labels);
    this.writes.push(`delete ${which.slice(which.indexOf("/") + 1)}`);
    const running = pod.spec.nodeName !== undefined && seen(pod)?.end === undefined;
    if (!running) {
      this.#remove(name);
      return { kind: "done" };
    }
    const deletionTimestamp = seconds(this.now + this.#graceSeconds * 1000);
    const deleting = { ...pod, metadata: { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: this.#graceSeconds } };
    this.pods.set(name, deleting);
    this.#tell("modified", deleting);
    return { kind: "done" };
  }

  #remove(name: string): void {
    const pod = this.pods.get(name) as Pod;
    this.pods.delete(name);
    this.#tell("deleted", pod);
  }
}

/** "run/item/attempt" */
const nameOf = (labels: Readonly<Record<string, string>> = {}): string =>
  ["run", "item", "attempt"].map((part) => labels[`nuptse.dev/${part}`]).join("/");

/** Of requests, which several worlds may share. */
let versions = 1000;

const projections = new WeakMap<Pod, AttemptPod>();

/** Pods are never changed in place, so each is read once. */
function seen(pod: Pod): AttemptPod | undefined {
  const known = projections.get(pod) ?? attemptPod(pod);
  if (known !== undefined) projections.set(pod, known);
  return known;
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = target !== null && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

const seconds = (instant: number): string => `${new Date(instant).toISOString().slice(0, 19)}Z`;
