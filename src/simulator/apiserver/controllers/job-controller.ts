import type { Clock } from "../../../base/clock.ts";
import { formatSeconds } from "../../../base/time.ts";
import { jobs, pods } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { type Fields, isFields, type StoredObject } from "../json.ts";
import { isReady } from "../kinds/eviction.ts";
import {
  conditionOf,
  type Counts,
  countsOf,
  deadlineOf,
  failureOf,
  indexAnnotation,
  indexesText,
  isComplete,
  isIndexed,
  isTracked,
  nextIndexes,
  trackingFinalizer,
  wantedActive,
} from "./job-progress.ts";
import { type ControllerContext, OwnerWork } from "./owner-work.ts";
import { type ControllerClient, controllerOf, counted, firstToGo, ownedBy, podOf, sectionOf, specOf, statusOf } from "./owned.ts";

/** After a failure the next pod is made so much later; twice that after the next one. */
const backoff = { initialMs: 10_000, maxMs: 600_000 };
/** Not more pods than this are made at a look. */
const burst = 500;

/**
 * Runs the pods of Jobs to their end (pkg/controller/job, and the TTL controller). Each pod is held by a finalizer until its end was
 * counted. Not there: podFailurePolicy, successPolicy, backoffLimitPerIndex and maxFailedIndexes.
 */
export class JobController {
  readonly #server: ApiServer;
  readonly #clock: Clock;
  readonly #work: OwnerWork;
  readonly #client: ControllerClient;
  /** Failures in a row by the Job's UID, and when the last one was seen. */
  readonly #failures = new Map<string, { readonly count: number; readonly at: number }>();

  constructor(context: ControllerContext) {
    this.#server = context.server;
    this.#work = new OwnerWork(context, jobs, pods, (key, owner) => this.#sync(key, owner));
    this.#client = this.#work.client;
    this.#clock = context.clock;
  }

  /** Ends what it would look at later. */
  close(): void {
    this.#work.close();
  }

  observe(commit: Commit): void {
    if (commit.resource === jobs && commit.type === "DELETED") this.#failures.delete(commit.object.metadata.uid ?? "");
    this.#work.observe(commit);
  }

  #sync(key: string, job: StoredObject | undefined): void {
    this.#releaseOrphans(key, job);
    if (job === undefined) return;
    if (conditionOf(job, "Complete") !== undefined || conditionOf(job, "Failed") !== undefined) {
      for (const pod of ownedBy(this.#server, pods, job)) this.#release(pod);
      this.#expire(key, job);
      return;
    }
    if (job.metadata.deletionTimestamp !== undefined) return;
    const { managedBy = "kubernetes.io/job-controller" } = specOf(job);
    if (managedBy === "kubernetes.io/job-controller") this.#progress(key, job);
  }

  #progress(key: string, job: StoredObject): void {
    const now = this.#clock.now();
    const counts = countsOf(job, ownedBy(this.#server, pods, job));
    this.#rememberFailures(job, counts, now);
    const spec = specOf(job);
    const begun = this.#withStart(job, now);
    const target = conditionOf(job, "FailureTarget");
    const failure =
      target === undefined ? failureOf(begun, counts, now) : { reason: String(target.reason), message: String(target.message) };
    const done = failure === undefined && isComplete(job, counts);
    if (failure !== undefined || done) for (const pod of counts.active) this.#client.delete(pods, pod);
    else this.#balance(key, job, counts, now);
    // who was deleted just now has still to go
    const left = counts.terminating.length + (failure !== undefined || done ? counts.active.length : 0);
    const status = this.#status(begun, countsOf(job, ownedBy(this.#server, pods, job)));
    const conditions = this.#conditions(job, now, { failure, done, isLast: left === 0, suspended: spec.suspend === true });
    const completed = done && left === 0 ? { completionTime: formatSeconds(now) } : {};
    this.#client.writeStatus(jobs, job, { ...status, ...completed, ...(conditions.length === 0 ? {} : { conditions }) });
    for (const pod of counts.counted) this.#release(pod);
    const due = deadlineOf(begun);
    if (due !== undefined && failure === undefined && !done) this.#work.enqueueAt(key, due);
  }

  /** A Job begins when it is first looked at, and again when it goes on after a pause. */
  #withStart(job: StoredObject, now: number): StoredObject {
    const status = statusOf(job);
    const { startTime: _, ...paused } = status;
    if (specOf(job).suspend === true) return status.startTime === undefined ? job : { ...job, status: paused };
    return status.startTime === undefined ? { ...job, status: { ...status, startTime: formatSeconds(now) } } : job;
  }

  #rememberFailures(job: StoredObject, counts: Counts, now: number): void {
    const uid = job.metadata.uid ?? "";
    const bad = counts.counted.filter((pod) => statusOf(pod).phase !== "Succeeded").length;
    if (counts.counted.length > bad) this.#failures.delete(uid);
    if (bad > 0) this.#failures.set(uid, { count: (this.#failures.get(uid)?.count ?? 0) + bad, at: now });
  }

  /** Makes the pods that are missing, and deletes those that are too many. */
  #balance(key: string, job: StoredObject, counts: Counts, now: number): void {
    const wanted = wantedActive(job, counts);
    const surplus = counts.active.length - wanted;
    if (surplus > 0) {
      for (const pod of counts.active.toSorted(firstToGo).slice(0, surplus)) {
        // who is not needed did not fail
        this.#release(pod);
        this.#client.delete(pods, pod);
      }
      return;
    }
    if (surplus === 0) return;
    const failures = this.#failures.get(job.metadata.uid ?? "");
    const due = failures === undefined ? now : failures.at + Math.min(backoff.maxMs, backoff.initialMs * 2 ** (failures.count - 1));
    if (due > now) {
      this.#work.enqueueAt(key, due);
      return;
    }
    const waits = specOf(job).podReplacementPolicy === "Failed" ? counts.terminating.length : 0;
    const missing = Math.min(burst, -surplus - waits);
    if (isIndexed(job)) for (const index of nextIndexes(job, counts, missing)) this.#create(job, index);
    else for (let made = 0; made < missing; made++) this.#create(job, undefined);
  }

  #create(job: StoredObject, index: number | undefined): void {
    const { name, namespace } = job.metadata;
    const template = sectionOf(specOf(job), "template");
    const number = index === undefined ? {} : { [indexAnnotation]: String(index) };
    const pod = podOf(job, jobs, template, {
      metadata: { generateName: index === undefined ? `${name}-` : `${name}-${index}-` },
      labels: number,
      annotations: number,
      finalizers: [trackingFinalizer],
      spec: (spec) => (index === undefined ? spec : withIndex(spec, `${name}-${index}`)),
    });
    this.#client.create(pods, namespace, pod);
  }

  #status(job: StoredObject, counts: Counts): Fields {
    const { startTime } = statusOf(job);
    return {
      ...(startTime === undefined ? {} : { startTime }),
      ...counted({ active: counts.active.length, succeeded: counts.succeeded, failed: counts.failed }),
      ...(isIndexed(job) && counts.completed.size > 0 ? { completedIndexes: indexesText(counts.completed) } : {}),
      ready: counts.active.filter(isReady).length,
      terminating: counts.terminating.length,
      uncountedTerminatedPods: {},
    };
  }

  #conditions(job: StoredObject, now: number, seen: Seen): readonly Fields[] {
    const { conditions } = statusOf(job);
    let result: readonly Fields[] = Array.isArray(conditions) ? conditions.filter(isFields) : [];
    const set = (type: string, status: "True" | "False", reason: string, message: string): void => {
      const before = result.find((one) => one.type === type);
      if (before?.status === status) return;
      const at = formatSeconds(now);
      result = [...result.filter((one) => one !== before), { type, status, lastProbeTime: at, lastTransitionTime: at, reason, message }];
    };
    if (seen.failure !== undefined) {
      set("FailureTarget", "True", seen.failure.reason, seen.failure.message);
      if (seen.isLast) set("Failed", "True", seen.failure.reason, seen.failure.message);
    } else if (seen.done) {
      const message = "Reached expected number of succeeded pods";
      set("SuccessCriteriaMet", "True", "CompletionsReached", message);
      if (seen.isLast) set("Complete", "True", "CompletionsReached", message);
    } else if (seen.suspended) set("Suspended", "True", "JobSuspended", "Job suspended");
    else if (result.some((one) => one.type === "Suspended")) set("Suspended", "False", "JobResumed", "Job resumed");
    return result;
  }

  /** Deletes a Job that has ended long enough ago. */
  #expire(key: string, job: StoredObject): void {
    const ttl = specOf(job).ttlSecondsAfterFinished;
    if (typeof ttl !== "number" || job.metadata.deletionTimestamp !== undefined) return;
    const ended = conditionOf(job, "Complete") ?? conditionOf(job, "Failed");
    const due = Date.parse(String(ended?.lastTransitionTime)) + ttl * 1_000;
    if (due > this.#clock.now()) this.#work.enqueueAt(key, due);
    else this.#client.delete(jobs, job);
  }

  /** Pods whose Job is gone, or going, are held by nobody. */
  #releaseOrphans(key: string, job: StoredObject | undefined): void {
    if (job !== undefined && job.metadata.deletionTimestamp === undefined) return;
    const [namespace = "", name = ""] = key.split("/");
    for (const pod of this.#server.typeOf("", "v1", "pods")?.collection.list({ namespace }) ?? []) {
      const owner = controllerOf(pod, jobs);
      if (owner?.name === name && (pod.metadata.deletionTimestamp !== undefined || job === undefined)) this.#release(pod);
    }
  }

  #release(pod: StoredObject): void {
    if (!isTracked(pod)) return;
    const finalizers = (pod.metadata.finalizers ?? []).filter((one) => one !== trackingFinalizer);
    this.#client.merge(pods, pod, { metadata: { finalizers: finalizers.length === 0 ? null : finalizers } });
  }
}

/** What a look at a Job found. */
interface Seen {
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
  readonly done: boolean;
  /** None of its pods works any more. */
  readonly isLast: boolean;
  readonly suspended: boolean;
}

/** Tells each container the index, and names the pod after it. */
function withIndex(spec: Fields, hostname: string): Fields {
  const variable = {
    name: "JOB_COMPLETION_INDEX",
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${indexAnnotation}']` } },
  };
  const told = (containers: unknown): unknown =>
    Array.isArray(containers)
      ? containers.map((container: unknown) =>
          isFields(container) ? { ...container, env: [...(Array.isArray(container.env) ? container.env : []), variable] } : container,
        )
      : containers;
  return {
    ...spec,
    hostname,
    containers: told(spec.containers),
    ...(spec.initContainers === undefined ? {} : { initContainers: told(spec.initContainers) }),
  };
}
