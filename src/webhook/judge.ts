import type { ElasticJob } from "../api/elastic-job.gen.ts";
import type { JobRequest } from "../api/job-request.gen.ts";
import type { KubeObject, ObjectRef } from "../api/meta.ts";
import type { SpecProblem } from "../api/problem.ts";
import { elasticJobs, jobRequests, runnerApps, tenantQueues } from "../api/resource.ts";
import type { RunnerApp } from "../api/runner-app.gen.ts";
import type { TenantQueue } from "../api/tenant-queue.gen.ts";
import { elasticJobProblems } from "../validation/elastic-job.ts";
import { jobRequestProblems } from "../validation/job-request.ts";
import type { QueueWorld } from "../validation/queue-tree.ts";
import { runnerAppProblems } from "../validation/runner-app.ts";
import { tenantQueueProblems } from "../validation/tenant-queue.ts";
import { type AdmissionAnswer, type AdmissionRequest, allowed } from "./admission-review.ts";

/** What objects are judged with: as caches have it, and as the API server has it now. */
export interface Surroundings {
  /** All queues and namespaces; undefined while the caches are not filled. */
  queueWorld(): QueueWorld | undefined;
  /** undefined: there is none of that name in the cache. */
  job(ref: ObjectRef): ElasticJob | undefined;
}

/** The same by consistent reads. They reject when the API server does not answer. */
export interface LiveReads {
  queueWorld(): Promise<QueueWorld>;
  job(ref: ObjectRef): Promise<ElasticJob | undefined>;
}

/** Nothing can be said yet; whoever asks must ask another replica. */
export class NotReadyError extends Error {}

export interface JudgeOptions {
  readonly cached: Surroundings;
  readonly live: LiveReads;
  /** The API server's wall time in milliseconds. */
  readonly now: () => number;
}

/**
 * Judges what is created or edited, by the same functions that make conditions. What is not of our kinds passes.
 *
 * A cache may be a moment old: a parent was created and its child comes with the next request. So nobody is refused by what a cache says
 * alone: whatever depends on other objects is judged once more by what the API server has.
 * Rejects with NotReadyError, or with the error of a read; what then becomes of the request is for the failurePolicy to say.
 */
export function createJudge(options: JudgeOptions): (request: AdmissionRequest) => Promise<AdmissionAnswer> {
  const { cached, live, now } = options;

  async function problemsOf({ kind, operation, object, oldObject, namespace }: AdmissionRequest): Promise<readonly SpecProblem[]> {
    switch (`${kind.group}/${kind.kind}`) {
      case "nuptse.dev/ElasticJob":
        return added(object, oldObject, (job) => elasticJobProblems((job as ElasticJob).spec));
      case "nuptse.dev/RunnerApp":
        return added(object, oldObject, (app) => runnerAppProblems((app as RunnerApp).spec, now()));
      case "nuptse.dev/JobRequest":
        // Its spec never changes, and what is past then was not when it was created.
        return operation === "CREATE" ? requestProblems(object as JobRequest, namespace) : [];
      case "nuptse.dev/TenantQueue": {
        const inWorld = (world: QueueWorld) => added(object, oldObject, (queue) => tenantQueueProblems(queue as TenantQueue, world));
        const world = cached.queueWorld();
        if (world === undefined) throw new NotReadyError("the caches of TenantQueues are not filled yet");
        return inWorld(world).length === 0 ? [] : inWorld(await live.queueWorld());
      }
      default:
        return [];
    }
  }

  async function requestProblems(request: JobRequest, namespace: string | undefined): Promise<readonly SpecProblem[]> {
    const ref = { ...(namespace !== undefined && { namespace }), name: request.spec.jobName };
    const job = cached.job(ref);
    const problems = jobRequestProblems(request, now(), job);
    return problems.length === 0 || job === undefined ? problems : jobRequestProblems(request, now(), await live.job(ref));
  }

  return async (request) => {
    const { operation, subResource, object } = request;
    const isWrite = (operation === "CREATE" || operation === "UPDATE") && (subResource ?? "") === "";
    // What is being deleted only loses its finalizers.
    if (!isWrite || object === undefined || object.metadata.deletionTimestamp !== undefined || !isOurs(request)) return allowed;
    const problems = await problemsOf(request);
    return problems.length === 0 ? allowed : { kind: "refused", problems };
  };
}

const isOurs = ({ kind }: AdmissionRequest): boolean =>
  [elasticJobs, jobRequests, runnerApps, tenantQueues].some(
    (ours) => ours.group === kind.group && ours.kind === kind.kind && ours.version === kind.version,
  );

/**
 * Problems that an edit brings. What was wrong before in the same words is left to the condition that tells of it, so that labels, finalizers
 * and everything else can be edited all the same.
 */
function added<T extends KubeObject>(
  object: T | undefined,
  oldObject: T | undefined,
  problemsOf: (object: T) => readonly SpecProblem[],
): readonly SpecProblem[] {
  if (object === undefined) return [];
  const problems = problemsOf(object);
  if (oldObject === undefined || problems.length === 0) return problems;
  const before = new Set(problemsOf(oldObject).map(({ path, message }) => `${path}: ${message}`));
  return problems.filter(({ path, message }) => !before.has(`${path}: ${message}`));
}
