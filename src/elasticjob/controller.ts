import type { ActionResult } from "../api/action.ts";
import type { Admission, WorkloadOwner } from "../api/admission.ts";
import { clockOffWaitMs, isClockOff } from "../api/clock-skew.ts";
import type { Node } from "../api/core.ts";
import type { ElasticJob } from "../api/elastic-job.gen.ts";
import type { ObjectRef } from "../api/meta.ts";
import type { TraceSink } from "../api/trace.ts";
import { annotations } from "../api/names.ts";
import type { NodeHealth } from "../api/node-health.ts";
import type { NotificationSink } from "../api/notification.ts";
import type { Clock } from "../base/clock.ts";
import { IntervalSet } from "../base/interval-set.ts";
import { getOrMake } from "../base/map.ts";
import { parseTime } from "../base/time.ts";
import type { Change } from "../kube/store.ts";
import type { Controller } from "../runtime/controller.ts";
import { refOfObject } from "../runtime/action-handlers.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { elasticJobProblems } from "../validation/elastic-job.ts";
import type { ElasticJobCaches } from "./caches.ts";
import { calendarRefs, calendarSources } from "./calendar-sources.ts";
import { JobNotes } from "./job-memory.ts";
import { residentFacts, type ResidentSources } from "./resident-facts.ts";
import { parametersKnown, parametersRefs, parametersStep } from "./parameters-source.ts";
import type { ReferencedConfigMap, ReferencedConfigMaps } from "./referenced-config-maps.ts";
import type { AttemptPod } from "./rules/attempt.ts";
import { cascades } from "./rules/cascade.ts";
import { readCalendars } from "./rules/calendars.ts";
import type { NodeFacts, ObservedJob } from "./rules/observed.ts";
import { type MissingJob, planMissingJob } from "./rules/missing-job.ts";
import { withParameters } from "./rules/parameters.ts";
import { type ElasticJobPlan, nothingToDo, planElasticJob } from "./rules/plan.ts";
import { type ReadSpec, readSpec } from "./rules/read-spec.ts";
import { storedClaims } from "./rules/resident/stored-claims.ts";
import { UpstreamGraph } from "./upstream-graph.ts";
import { createTraceTeller } from "./trace-teller.ts";
import { WaitingRuns } from "./waiting-runs.ts";

export interface ElasticJobControllerOptions {
  readonly caches: () => ElasticJobCaches;
  readonly configMaps: () => Pick<ReferencedConfigMaps, "refer" | "get">;
  /** The operator's own: calendars in it hold for the whole cluster. */
  readonly namespace: string;
  readonly clock: Clock;
  /** The API server's wall time in milliseconds; undefined while its answers do not tell. */
  readonly serverNow: () => number | undefined;
  /** See ObservedJob.maxClockSkewMs. */
  readonly maxClockSkewMs: number;
  readonly metrics: Metrics;
  /** Where runs ask for their share; absent = there are no queues. */
  readonly admission?: Admission;
  /** Where the event trace goes; absent = it is not kept. */
  readonly trace?: TraceSink;
  /** Where is said which nodes fail a job; absent = nowhere. */
  readonly nodeHealth?: NodeHealth;
  /** Takes what people are to be told; absent = nobody is. */
  readonly notifications?: NotificationSink;
  /** Fleets that items are dispatched to; absent = there are none. */
  readonly resident?: ResidentSources;
  /** The rules; absent = ours. Another function shows that a broken rule is caught. */
  readonly planElasticJob?: typeof planElasticJob;
}

/** The controller of ElasticJobs, with what it remembers of each between two looks. */
export interface ElasticJobController extends Controller<ObservedJob | MissingJob> {
  plan(observed: ObservedJob | MissingJob): ElasticJobPlan;
  /**
   * This process leads from now on.
   * @param wasTaken from another one that may still have writes on their way
   */
  beginTerm(wasTaken: boolean): void;
  seePod(type: "added" | "modified" | "deleted", pod: AttemptPod): void;
  /** A node exists again. */
  seeNode(name: string): void;
  /** A job changed. Returns those that are after it and must look at it. */
  seeJob(change: Change<ElasticJob>): readonly ObjectRef[];
  /** A quota of a namespace changed; true when the job waits for one. */
  seeQuota(jobUid: string): boolean;
  /** Jobs that must keep no pods for their logs. */
  trim(jobUids: ReadonlySet<string>): void;
}

/** Observes from caches, plans by the rules, and remembers what caches do not show. */
export function createElasticJobController(options: ElasticJobControllerOptions): ElasticJobController {
  const { clock, metrics } = options;
  const goneNodes = new Map<string, number>();
  const notes = new Map<string, JobNotes>();
  const specs = new Map<
    string,
    {
      readonly generation: number;
      readonly read: ReadSpec;
      readonly calendars: string;
      readonly parameters: ReferencedConfigMap | undefined;
    }
  >();
  const uids = new Map<string, string>();
  const plans = new WeakMap<ObservedJob, ElasticJobPlan>();
  const waiting = new WaitingRuns(metrics);
  /** Since when a job that requests name is known to be missing, by "namespace/name". */
  const missing = new Map<string, number>();
  const teller = options.trace === undefined ? undefined : createTraceTeller(options.trace);
  let termStart = clock.now();
  let lateWritesFrom: number | undefined;
  let trimmed: ReadonlySet<string> = new Set();

  const upstreams = new UpstreamGraph({ jobs: () => options.caches().jobs, readSpec: specOf, now: () => clock.now() });

  const notesOf = (uid: string): JobNotes => getOrMake(notes, uid, () => new JobNotes(goneNodes));

  function specOf(job: ElasticJob): ReadSpec {
    const uid = job.metadata.uid as string;
    const generation = job.metadata.generation ?? 0;
    const known = specs.get(uid);
    const sources = calendarSources(job, options.namespace, options.configMaps());
    const calendars = readCalendars(job, sources, options.caches().revisions.byIndex("job", uid));
    const parameters = parametersKnown(job, options.configMaps());
    const same = known?.generation === generation && known.calendars === calendars.key && known.parameters === parameters;
    if (known !== undefined && same) return known.read;
    const read = withParameters(readSpec(job, elasticJobProblems(job.spec), calendars), parametersStep(job, parameters));
    specs.set(uid, { generation, read, calendars: calendars.key, parameters });
    if (known !== undefined && known.calendars !== calendars.key) upstreams.forgetSchedules();
    return read;
  }

  function forgetUid(key: string): void {
    const uid = uids.get(key);
    if (uid === undefined) return;
    uids.delete(key);
    notes.delete(uid);
    options.admission?.forget(uid);
    options.nodeHealth?.forget(uid);
    options.resident?.places.forget(uid);
    options.resident?.dispatcher.abandon(uid);
    teller?.forget(uid);
    specs.delete(uid);
    waiting.tell(uid, []);
  }

  function observeMissing(ref: ObjectRef, name: string): MissingJob | undefined {
    forgetUid(name);
    const requests = options.caches().requests.byIndex("job", name);
    const cascades = options.caches().requests.byIndex("cascade", name);
    if (requests.length + cascades.length === 0) {
      missing.delete(name);
      return undefined;
    }
    const now = clock.now();
    return { missing: ref, requests, cascades, since: getOrMake(missing, name, () => now), now };
  }

  return {
    name: "elasticjob",

    observe(key) {
      const caches = options.caches();
      const job = caches.jobs.get(key.namespace, key.name);
      const name = `${key.namespace}/${key.name}`;
      if (job === undefined) return observeMissing(key, name);
      missing.delete(name);
      const uid = job.metadata.uid as string;
      if (uids.get(name) !== uid) {
        forgetUid(name);
        uids.set(name, uid);
      }
      const memory = notesOf(uid);
      memory.seeGeneration(job.metadata.generation ?? 0);
      if (memory.vanished.size > 0) memory.prune(neededVanished(job));
      options.configMaps().refer(key, [...calendarRefs(job, options.namespace), ...parametersRefs(job)]);
      const read = specOf(job);
      const revisions = caches.revisions.byIndex("job", uid);
      const resident =
        options.resident &&
        residentFacts(options.resident, job, memory, {
          priority: read.spec.queue.priority,
          itemTimeoutMs: read.spec.itemTimeoutMs,
          jitterMs: read.jitterMs,
          hasRevision: (revision) => revisions.some(({ metadata }) => metadata.name === revision),
          termStart,
          now: clock.now(),
        });
      const pods = caches.pods.byIndex("job", uid);
      return {
        job,
        ...read,
        ...upstreams.observe(job, read),
        pods: resident === undefined || resident.attempts.length === 0 ? pods : [...pods, ...resident.attempts],
        ...(resident?.fleets !== undefined && { fleets: resident.fleets }),
        ...foreignRuns(caches, uid),
        vanished: memory.vanishedBy(clock.now()),
        endedUndeleted: memory.endedUndeleted,
        revisions,
        resultsFiles: caches.resultsFiles.byIndex("job", uid),
        nodes: nodeFacts(caches),
        memory,
        now: clock.now(),
        serverNow: options.serverNow(),
        termStart,
        ...(lateWritesFrom !== undefined && { lateWritesFrom }),
        maxClockSkewMs: options.maxClockSkewMs,
        overRetained: trimmed.has(uid),
        requests: caches.requests.byIndex("job", name),
        ...admissionFacts(options.admission, job, read),
        ...cascadeFacts(caches, job, upstreams),
        ...(isObserved(caches, key.namespace) && { observing: true }),
      };
    },

    plan(observed) {
      if ("missing" in observed) {
        const { now } = observed;
        const off = isClockOff({ now, serverNow: options.serverNow(), maxClockSkewMs: options.maxClockSkewMs });
        return { ...nothingToDo, ...(off ? { wakeAt: now + clockOffWaitMs } : planMissingJob(observed)) };
      }
      const plan = (options.planElasticJob ?? planElasticJob)(observed);
      plans.set(observed, plan);
      teller?.seen(observed);
      // Nothing was thought about a job whose clock is off, or that is being deleted: what it has it keeps until its pods have ended.
      if (plan.wants !== undefined) options.admission?.declare(ownerOf(observed.job), plan.wants);
      declarePlaces(observed, plan);
      waiting.tell(observed.job.metadata.uid as string, plan.waiting);
      return plan;
    },

    settle(_key, observed, results, status) {
      if ("missing" in observed) return;
      const plan = plans.get(observed);
      const memory = notesOf(observed.job.metadata.uid as string);
      for (const node of memory.learn(results, clock.now())) goneNodes.set(node, options.serverNow() ?? clock.now());
      if (plan === undefined) return;
      teller?.settled(observed, plan.traced, results, status);
      countFired(plan, results, metrics);
      countDispatched(observed, plan, results);
      if (plan.strays > 0) metrics.count("nuptse_stray_pods_total", {}, plan.strays);
      if (status?.kind !== "done") return;
      settleRecorded(plan, observed, memory, metrics);
      for (const node of plan.recorded.badNodes)
        options.nodeHealth?.add(observed.job.metadata.uid as string, node, clock.now() + badNodeMs);
      for (const notification of plan.recorded.notifications) options.notifications?.offer(notification);
    },

    forget(key) {
      options.configMaps().refer(key, []);
      forgetUid(`${key.namespace}/${key.name}`);
      missing.delete(`${key.namespace}/${key.name}`);
    },

    beginTerm(wasTaken) {
      termStart = clock.now();
      lateWritesFrom = wasTaken ? termStart : undefined;
      options.resident?.dispatcher.stop();
      countPlaces();
      teller?.beginTerm();
    },

    seePod(type, pod) {
      if (pod.jobUid !== "") notesOf(pod.jobUid).seePod(type, pod, clock.now());
    },

    seeNode(name) {
      goneNodes.delete(name);
    },

    seeJob(change) {
      return upstreams.see(change);
    },

    seeQuota(jobUid) {
      return notes.get(jobUid)?.quotaChanged(clock.now()) ?? false;
    },

    trim(jobUids) {
      trimmed = jobUids;
    },
  };

  function countFired(plan: ElasticJobPlan, results: readonly ActionResult[], sink: Metrics): void {
    for (const { run, dueAt, kind } of plan.fired) {
      const made = results.some(
        ({ action, outcome }) =>
          action.tag === "create" && action.object.metadata.labels?.["nuptse.dev/run"] === run && outcome.kind === "done",
      );
      if (made && kind === "Schedule") sink.observe("nuptse_fire_delay_seconds", {}, Math.max(0, observedDelay(dueAt)));
    }
  }

  /** Nothing was thought about a job whose plan says nothing of places: what it has it keeps. */
  function declarePlaces({ job, fleets }: ObservedJob, { places }: ElasticJobPlan): void {
    const uid = job.metadata.uid as string;
    if (places !== undefined) options.resident?.places.declare(refOfObject(job), uid, places);
    else if (fleets === undefined) options.resident?.places.forget(uid);
  }

  /** What all jobs have at work is known before any of them is looked at: nobody waits until thousands have been. */
  function countPlaces(): void {
    if (options.resident === undefined) return;
    const { places } = options.resident;
    places.beginTerm();
    for (const job of options.caches().jobs.all()) {
      const claims = storedClaims(job, termStart);
      if (claims.length > 0) places.declare(refOfObject(job), job.metadata.uid as string, claims);
    }
    places.begin();
  }

  /** How late the first task of a run was handed over, for runs of the schedule that this leader began. */
  function countDispatched({ job, jitterMs }: ObservedJob, { fired }: ElasticJobPlan, results: readonly ActionResult[]): void {
    const counted = new Set<string>();
    for (const { action, outcome } of results) {
      if (action.tag !== "dispatch" || outcome.kind !== "done" || action.asksFirst || counted.has(action.task.run)) continue;
      counted.add(action.task.run);
      const ahead = fired.find(({ run }) => run === action.task.run);
      if (ahead !== undefined) metrics.observe("nuptse_fire_delay_seconds", {}, Math.max(0, observedDelay(ahead.dueAt)));
      const entry = job.status?.active?.find(({ run }) => run === action.task.run);
      const fireTime = parseTime(entry?.fireTime);
      const isFirst = action.task.attempt === 1 && (parseTime(entry?.startedAt) ?? 0) >= termStart;
      if (isFirst && entry?.kind === "Schedule" && fireTime !== undefined)
        metrics.observe("nuptse_fire_delay_seconds", {}, Math.max(0, observedDelay(fireTime + jitterMs)));
    }
  }

  function observedDelay(dueAt: number): number {
    return (clock.now() - dueAt) / 1000;
  }
}

const ownerOf = ({ metadata }: ElasticJob): WorkloadOwner => ({
  kind: "ElasticJob",
  namespace: metadata.namespace as string,
  name: metadata.name,
  uid: metadata.uid as string,
});

function admissionFacts(
  admission: Admission | undefined,
  { metadata, spec: { runnerRef } }: ElasticJob,
  { spec }: ReadSpec,
): Pick<ObservedJob, "admission"> {
  if (admission === undefined) return {};
  // What is dispatched takes no share of its own: the fleet has one.
  const choice = runnerRef === undefined ? admission.queueFor(metadata.namespace as string, spec.queue.name) : undefined;
  return { admission: { ...(choice !== undefined && { choice }), answers: admission.answersFor(metadata.uid as string) } };
}

/** So long a job says that a node fails it, as long as an app leaves one out by default. */
const badNodeMs = 3_600_000;

function settleRecorded(plan: ElasticJobPlan, observed: ObservedJob, memory: JobNotes, metrics: Metrics): void {
  for (const { kind, phase } of plan.recorded.ended) metrics.count("nuptse_runs_total", { kind, result: phase });
  for (const [reason, count] of Object.entries(plan.recorded.skipped)) metrics.count("nuptse_misfires_total", { reason }, count);
  for (const result of plan.recorded.attempts) metrics.count("nuptse_item_attempts_total", { result });
  const active = new Set((plan.status?.status.active as readonly { run: string }[] | null | undefined)?.map((run) => run.run));
  for (const run of observed.job.status?.active ?? []) if (!active.has(run.run)) memory.forgetRun(run.run);
}

/** A vanished pod matters while its run goes on and its item has not ended. */
function neededVanished(job: ElasticJob): (pod: AttemptPod) => boolean {
  const status = job.status ?? {};
  const handled = parseTime(status.lastHandledFireTime) ?? Number.NEGATIVE_INFINITY;
  const ended = new Set(status.history?.map((run) => run.run));
  const active = new Map(
    status.active?.map((run) => [run.run, [IntervalSet.parse(run.succeeded), IntervalSet.parse(run.failed)] as const]),
  );
  return (pod) => {
    const recorded = active.get(pod.run);
    if (recorded !== undefined) return !recorded[0].has(pod.item) && !recorded[1].has(pod.item);
    return !ended.has(pod.run) && (parseTime(pod.history.fireTime) ?? 0) > handled;
  };
}

function isObserved(caches: ElasticJobCaches, namespace: string | undefined): boolean {
  return namespace !== undefined && caches.namespaces.get(undefined, namespace)?.metadata.annotations?.[annotations.observe] === "true";
}

function foreignRuns(caches: ElasticJobCaches, uid: string): Pick<ObservedJob, "foreignRuns"> {
  const foreign = caches.pods.byIndex("foreign", uid);
  return foreign.length === 0 ? {} : { foreignRuns: new Set(foreign.map((pod) => pod.foreign?.run ?? "")) };
}

function cascadeFacts(caches: ElasticJobCaches, job: ElasticJob, graph: UpstreamGraph): Pick<ObservedJob, "cascades" | "below"> {
  const key = `${job.metadata.namespace}/${job.metadata.name}`;
  const cascading = caches.requests.byIndex("cascade", key);
  const asked = caches.requests.byIndex("job", key).some((request) => cascades(request) && request.status?.cascade === undefined);
  return { ...(cascading.length > 0 && { cascades: cascading }), ...(asked && { below: graph.below(job) }) };
}

function nodeFacts(caches: ElasticJobCaches): NodeFacts {
  const usable = (node: Node | undefined) =>
    node !== undefined &&
    node.spec?.unschedulable !== true &&
    (node.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false);
  return {
    usable: (name) => usable(caches.nodes.get(undefined, name)),
    known: (name) => caches.nodes.get(undefined, name) !== undefined,
    unreachableSince(name) {
      const node = caches.nodes.get(undefined, name);
      const ready = node?.status?.conditions?.find((condition) => condition.type === "Ready");
      return ready?.status === "Unknown" ? parseTime(ready.lastTransitionTime) : undefined;
    },
    usableNames: (nodeSelector) =>
      [...caches.nodes.all().filter((node) => usable(node) && hasLabels(node, nodeSelector))].map((node) => node.metadata.name),
  };
}

const hasLabels = (node: Node, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(labels).every(([key, value]) => node.metadata.labels?.[key] === value);
