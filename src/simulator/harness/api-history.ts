import type { ConfigMap, Node, Pod } from "../../api/core.ts";
import type { ElasticJob, ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import { itemOfLabel } from "../../api/names.ts";
import { configMaps, elasticJobs, jobRequests, leases, namespaces, nodes, pods, resourceName, resourceQuotas } from "../../api/resource.ts";
import { getOrMake } from "../../base/map.ts";
import { parseTime } from "../../base/time.ts";
import type { Commit } from "../apiserver/api-server.ts";
import { type Excluded, fireTimeOfRun, type ScheduleFacts } from "./fire-times.ts";
import { operatorAgent } from "./operator-agent.ts";
import type { RequestFacts } from "./request-oracle.ts";

/** What the API showed of one pod of a run. Instants are milliseconds since the epoch; absent = it has not happened. */
export interface PodFacts {
  readonly uid: string;
  readonly name: string;
  readonly jobUid: string;
  readonly run: string;
  readonly fireTime: number | undefined;
  /** reduceItem for the reduce. */
  readonly item: number;
  readonly attempt: number;
  readonly createdAt: number;
  readonly createdBy: string;
  /** It came too late: its run was settled before. */
  stray: boolean;
  /** Created by a write of somebody who led no more: the leader after him may have decided otherwise before it could see the pod. */
  deposed: boolean;
  node?: string;
  /** When anybody first asked for its deletion, and when somebody other than us took it away or disturbed it. */
  askedAt?: number;
  disturbedAt?: number;
  /** When the API first showed that all containers had exited with 0, nobody having asked for the deletion. */
  doneAt?: number;
  /** When the API first showed that nothing of it runs any more. */
  endedAt?: number;
  goneAt?: number;
  /** When a later attempt or run was created beside it, its node having been unreachable for as long as its job bears. */
  givenUpAt?: number;
  object: Pod;
}

export interface RunFacts {
  readonly run: string;
  readonly fireTime: number;
  readonly pods: PodFacts[];
  /** When status said that it was over, ended or skipped. */
  recordedAt?: number;
  /** The results that are written down for its reduce now. */
  results?: ConfigMap;
}

/** One status as it was written, and the one before it. */
export interface StatusFact {
  readonly at: number;
  readonly status: ElasticJobStatus;
  readonly previous: ElasticJobStatus;
}

/** One object of the kind ElasticJob: a name that is used again is another one. */
export interface JobFacts {
  readonly uid: string;
  readonly name: string;
  readonly createdAt: number;
  deletedAt?: number;
  /** Each spec, with what its calendars leave out, from its instant on, oldest first. */
  readonly versions: ({ readonly at: number } & ScheduleFacts)[];
  readonly statuses: StatusFact[];
  readonly runs: Map<string, RunFacts>;
  stored: ElasticJob;
}

export interface NodeFacts {
  deletedAt?: number;
  /** Since when it takes pods; absent = it does not. */
  usableSince?: number;
  /** Stretches in which nothing was heard of it, oldest first; the last may go on. */
  readonly silences: { readonly from: number; to?: number }[];
}

/** How far behind a cache may be, and how far off a leader's clock: a node that was silent long enough may be taken for silent so much longer. */
const staleMs = 150_000;
const clockSkewMs = 32_000;

/** Who leads, by the lease. */
export interface Term {
  readonly holder: string;
  readonly from: number;
  /** Whether all clocks were right when it began. */
  readonly clocksRight: boolean;
}

export interface ApiHistoryOptions {
  readonly now: () => number;
  /** Whether some operator's clock is off now. */
  readonly clocksOff: () => boolean;
}

/** The whole history of an API server, as far as invariants ask for it: what really was stored, never what the operator believes. */
export class ApiHistory {
  readonly #options: ApiHistoryOptions;
  readonly pods = new Map<string, PodFacts>();
  readonly jobs = new Map<string, JobFacts>();
  /** By UID. */
  readonly requests = new Map<string, RequestFacts>();
  readonly nodes = new Map<string, NodeFacts>();
  readonly terms: Term[] = [];
  /** The namespace is only observed. */
  #observing = false;
  /** What each calendar leaves out; undefined = it is there and cannot be read. */
  readonly #calendars = new Map<string, Excluded | undefined>();
  /** ResourceQuotas that exist. */
  quotas = 0;
  /** Fire times for which somebody else's pod has a name that a run needs. */
  readonly foreignNames = new Set<number>();
  /** Stretches of time in which some operator's clock was off. */
  readonly #clockTrouble: { readonly from: number; to: number }[] = [];

  constructor(options: ApiHistoryOptions) {
    this.#options = options;
  }

  /** Takes a commit in; to be called before anybody judges it. */
  observe(commit: Commit): void {
    this.#observeClocks();
    const kind = resourceName(commit.resource);
    if (kind === resourceName(pods)) this.#observePod(commit);
    else if (kind === resourceName(elasticJobs)) this.#observeJob(commit);
    else if (kind === resourceName(namespaces)) this.#observeNamespace(commit);
    else if (kind === resourceName(configMaps)) {
      this.#observeCalendar(commit);
      this.#observeResults(commit);
    } else if (kind === resourceName(jobRequests)) this.#observeRequest(commit);
    else if (kind === resourceName(nodes)) this.#observeNode(commit);
    else if (kind === resourceName(leases)) this.#observeLease(commit);
    else if (kind === resourceName(resourceQuotas)) this.quotas += commit.type === "ADDED" ? 1 : commit.type === "DELETED" ? -1 : 0;
  }

  get holder(): string {
    return this.terms.at(-1)?.holder ?? "";
  }

  /** Whether the lease changed hands in (from, to]. */
  tookOverBetween(from: number, to: number): boolean {
    return this.terms.some((term) => term.holder !== "" && term.from > from && term.from <= to);
  }

  /** Whether some operator's clock was off at any time in [from, to]. */
  troubledBetween(from: number, to: number): boolean {
    return this.#clockTrouble.some((trouble) => trouble.from <= to && trouble.to >= from);
  }

  /** The job of this UID, as long as it exists. */
  liveJob(uid: string): JobFacts | undefined {
    const job = this.jobs.get(uid);
    return job?.deletedAt === undefined ? job : undefined;
  }

  /** Whether the pod can no longer be at work, as far as the API tells. */
  isOver(pod: PodFacts): boolean {
    return pod.endedAt !== undefined || pod.goneAt !== undefined || this.nodeWasDeleted(pod) || this.isGivenUp(pod);
  }

  /** Whether failover.unreachableSeconds lets it be taken for dead: its deletion was asked for, and its node is or was silent for so long. */
  isGivenUp(pod: PodFacts): boolean {
    if (pod.givenUpAt !== undefined) return true;
    const bears = this.jobs.get(pod.jobUid)?.stored.spec.failover?.unreachableSeconds;
    if (bears === undefined || pod.askedAt === undefined || pod.node === undefined) return false;
    const now = this.#options.now();
    return (this.nodes.get(pod.node)?.silences ?? []).some(
      ({ from, to = now }) => now - from >= bears * 1000 - clockSkewMs && to >= now - staleMs && (pod.endedAt ?? now) >= from,
    );
  }

  nodeWasDeleted(pod: PodFacts): boolean {
    const deletedAt = pod.node === undefined ? undefined : this.nodes.get(pod.node)?.deletedAt;
    return deletedAt !== undefined && deletedAt >= pod.createdAt;
  }

  /** Commits come at least every two seconds while anybody leads, and what nobody does in between needs no excuse. */
  #observeClocks(): void {
    if (!this.#options.clocksOff()) return;
    const now = this.#options.now();
    const last = this.#clockTrouble.at(-1);
    if (last !== undefined && now - last.to < 60_000) last.to = now;
    else this.#clockTrouble.push({ from: now, to: now });
  }

  #observePod(commit: Commit): void {
    const pod = commit.object as unknown as Pod;
    const before = commit.previous as unknown as Pod | undefined;
    const labels = pod.metadata.labels ?? {};
    const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller);
    const jobUid = labels["nuptse.dev/job-uid"];
    const run = labels["nuptse.dev/run"];
    if (jobUid === undefined || run === undefined || owner?.uid !== jobUid) return;
    const now = this.#options.now();
    const ours = commit.userAgent.startsWith(operatorAgent);
    const uid = pod.metadata.uid as string;
    const facts = getOrMake(this.pods, uid, () => this.#newPod(pod, jobUid, run, commit.userAgent));
    facts.object = pod;
    if (pod.spec.nodeName !== undefined) facts.node = pod.spec.nodeName;
    const asked = pod.metadata.deletionTimestamp !== undefined && before?.metadata.deletionTimestamp === undefined;
    const removed = commit.type === "DELETED" && before?.metadata.deletionTimestamp === undefined;
    const disrupted = pod.status?.conditions?.some((condition) => condition.type === "DisruptionTarget") ?? false;
    if (!ours && (asked || removed || disrupted)) facts.disturbedAt ??= now;
    if (asked || removed) facts.askedAt ??= now;
    if (commit.type === "DELETED") facts.goneAt = now;
    const states = pod.status?.containerStatuses ?? [];
    const codes = states.map((container) => container.state?.terminated?.exitCode);
    const terminated = codes.length > 0 && codes.every((code) => code !== undefined);
    if (terminated || pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") facts.endedAt ??= now;
    if (terminated && codes.every((code) => code === 0) && facts.askedAt === undefined) facts.doneAt ??= now;
  }

  #newPod(pod: Pod, jobUid: string, run: string, createdBy: string): PodFacts {
    const labels = pod.metadata.labels ?? {};
    const facts: PodFacts = {
      uid: pod.metadata.uid as string,
      name: pod.metadata.name,
      jobUid,
      run,
      fireTime: fireTimeOfRun(run),
      item: itemOfLabel(labels["nuptse.dev/item"]),
      attempt: Number(labels["nuptse.dev/attempt"]),
      createdAt: this.#options.now(),
      createdBy,
      stray: false,
      deposed: createdBy !== this.holder,
      object: pod,
    };
    const job = this.jobs.get(jobUid);
    if (job === undefined) return facts;
    for (const { pods: others } of job.runs.values())
      for (const other of others) if (other.endedAt === undefined && this.isGivenUp(other)) other.givenUpAt ??= facts.createdAt;
    this.#runOf(job, run).pods.push(facts);
    return facts;
  }

  #observeResults({ type, object }: Commit): void {
    const map = object as unknown as ConfigMap;
    const job = this.jobs.get(map.metadata.labels?.["nuptse.dev/job-uid"] ?? "");
    const run = map.metadata.labels?.["nuptse.dev/run"];
    if (job === undefined || run === undefined) return;
    const facts = this.#runOf(job, run);
    if (type === "DELETED") delete facts.results;
    else facts.results = map;
  }

  #runOf(job: JobFacts, run: string): RunFacts {
    return getOrMake(job.runs, run, () => ({ run, fireTime: fireTimeOfRun(run) ?? Number.NaN, pods: [] }));
  }

  #observeJob(commit: Commit): void {
    const job = commit.object as unknown as ElasticJob;
    const before = commit.previous as unknown as ElasticJob | undefined;
    const uid = job.metadata.uid as string;
    const now = this.#options.now();
    const facts = getOrMake(this.jobs, uid, () => ({
      uid,
      name: job.metadata.name,
      createdAt: now,
      versions: [],
      statuses: [],
      runs: new Map(),
      stored: job,
    }));
    facts.stored = job;
    if (commit.type === "DELETED") facts.deletedAt = now;
    if (before === undefined || before.metadata.generation !== job.metadata.generation) this.#pushVersion(facts);
    // A leader whose clock is ahead sees the end of a suspension earlier.
    else if (job.status?.schedule?.hash !== before.status?.schedule?.hash) this.#respec(facts, saysSuspended(job) ? 0 : clockSkewMs);
    if (commit.type !== "MODIFIED" || before === undefined || before.status === job.status) return;
    const status = job.status ?? {};
    facts.statuses.push({ at: now, status, previous: before.status ?? {} });
    const handled = parseTime(status.lastHandledFireTime) ?? Number.NEGATIVE_INFINITY;
    const active = new Set(status.active?.map((run) => run.run));
    for (const run of status.active ?? []) this.#runOf(facts, run.run);
    for (const run of facts.runs.values()) {
      if (run.recordedAt === undefined && run.fireTime <= handled && !active.has(run.run)) run.recordedAt = now;
    }
    // What was asked for stands in no order of fire times: it is over when its entry says so, or goes.
    const asked = (before.status?.active ?? []).filter((run) => run.request !== undefined);
    for (const { run } of asked)
      if (!active.has(run) || (status.active?.find((entry) => entry.run === run)?.endedAt ?? "") !== "")
        this.#runOf(facts, run).recordedAt ??= now;
  }

  #observeRequest(commit: Commit): void {
    const request = commit.object as unknown as JobRequest;
    const uid = request.metadata.uid as string;
    const facts = getOrMake(
      this.requests,
      uid,
      (): RequestFacts => ({ uid, name: request.metadata.name, createdAt: this.#options.now(), stored: request, begun: false }),
    );
    facts.stored = request;
    if (request.status?.phase === "Running") facts.begun = true;
    if (commit.type === "DELETED") facts.deletedAt = this.#options.now();
    if (request.spec.suspend === undefined) return;
    for (const job of this.jobs.values()) if (job.name === request.spec.jobName && job.deletedAt === undefined) this.#respec(job, 0);
  }

  /** Suspended by its own spec or by a request: to those who judge, both are the same. */
  #isSuspended(job: JobFacts, aheadMs: number): boolean {
    if (job.stored.spec.suspend === true) return true;
    return [...this.requests.values()].some(
      ({ stored, deletedAt }) =>
        deletedAt === undefined &&
        stored.spec.jobName === job.name &&
        stored.spec.suspend !== undefined &&
        stored.status?.phase === "Running" &&
        (parseTime(stored.spec.suspend.until) ?? Number.POSITIVE_INFINITY) > this.#options.now() + aheadMs,
    );
  }

  #respec(job: JobFacts, aheadMs: number): void {
    const suspend = this.#isSuspended(job, aheadMs);
    const last = job.versions.at(-1);
    if (last !== undefined && (last.spec.suspend ?? false) !== suspend) this.#pushVersion(job, aheadMs);
  }

  #observeNamespace({ object }: Commit): void {
    if (object.metadata.name !== "default") return;
    const observing = object.metadata.annotations?.["nuptse.dev/observe"] === "true";
    if (observing === this.#observing) return;
    this.#observing = observing;
    for (const job of this.jobs.values()) if (job.deletedAt === undefined) this.#pushVersion(job);
  }

  #observeCalendar({ type, object }: Commit): void {
    const { name } = object.metadata;
    const dates = (object as { readonly data?: { readonly dates?: string } }).data?.dates;
    if (dates === undefined) return;
    this.#calendars.set(name, type === "DELETED" ? "everything" : excludedBy(dates));
    for (const job of this.jobs.values())
      if (job.deletedAt === undefined && job.stored.spec.schedule?.calendars?.some((calendar) => calendar.name === name))
        this.#pushVersion(job);
  }

  /** A spec as it holds from now on. What cannot be read leaves in force what the job kept of before. */
  #pushVersion(job: JobFacts, aheadMs = 0): void {
    const { status } = job.stored;
    const spec = { ...job.stored.spec, suspend: this.#isSuspended(job, aheadMs) };
    const calendar = spec.schedule?.calendars?.[0]?.name;
    const version = { at: this.#options.now(), spec, ...(this.#observing && { observing: true as const }) };
    if (calendar === undefined) {
      job.versions.push(version);
      return;
    }
    const kept = status?.schedule?.calendars === undefined ? "everything" : job.versions.at(-1)?.excluded;
    const excluded = this.#calendars.has(calendar) ? (this.#calendars.get(calendar) ?? kept) : "everything";
    job.versions.push({ ...version, excluded: excluded ?? "everything" });
  }

  #observeNode(commit: Commit): void {
    const node = commit.object as unknown as Node;
    const facts = getOrMake(this.nodes, node.metadata.name, (): NodeFacts => ({ silences: [] }));
    const ready = node.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
    const silent = node.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "Unknown") ?? false;
    const last = facts.silences.at(-1);
    const open = last !== undefined && last.to === undefined;
    if (silent && !open && commit.type !== "DELETED") facts.silences.push({ from: this.#options.now() });
    else if (open && (!silent || commit.type === "DELETED")) last.to = this.#options.now();
    if (commit.type === "DELETED") facts.deletedAt = this.#options.now();
    if (commit.type === "DELETED" || !ready || node.spec?.unschedulable === true) delete facts.usableSince;
    else facts.usableSince ??= this.#options.now();
  }

  #observeLease(commit: Commit): void {
    const { holderIdentity = "" } = (commit.object.spec ?? {}) as { readonly holderIdentity?: string };
    if (!commit.userAgent.startsWith(operatorAgent) || holderIdentity === this.holder) return;
    this.terms.push({ holder: holderIdentity, from: this.#options.now(), clocksRight: !this.#options.clocksOff() });
  }
}

/** Nothing fires next. Conditions may tell of something else, such as a run that a quota refuses. */
const saysSuspended = ({ status }: ElasticJob): boolean => status?.nextFireTime === undefined;

/** The simulation's calendars are stretches of UTC with times of day, a line each; anything else cannot be read. */
function excludedBy(dates: string): Excluded | undefined {
  const stretches: (readonly [number, number])[] = [];
  for (const line of dates.split("\n")) {
    const match = /^(\d{4}\S+T\S+)\/(\d{4}\S+T\S+)$/.exec(line);
    const [from, to] = [parseTime(`${match?.[1]}:00Z`), parseTime(`${match?.[2]}:00Z`)];
    if (match === null || from === undefined || to === undefined) return undefined;
    stretches.push([from, to]);
  }
  return stretches;
}
