import type { Action, TaskAction } from "../../../api/action.ts";
import type { ExecutorTarget, ExecutorTask } from "../../../api/executor.ts";
import { type Fleet, hasNoPod } from "../../../api/fleet.ts";
import { optionValues, withOptions } from "../../../api/option-value.ts";
import { pods as podResource } from "../../../api/resource.ts";
import type { AttemptPod } from "../attempt.ts";
import type { LiveRun } from "../live-run.ts";
import type { ObservedJob } from "../observed.ts";
import { parameterOf } from "../parameters.ts";
import type { RevisionData } from "../pod.ts";
import { type DispatchRecord, taskId, taskKey } from "./dispatch-record.ts";

/** So long a result of an executor may be relied on after the end of its task: it remembers for 900 s, and clocks differ. */
const relyOnMs = 840_000;
/** An instance that a cache does not show and that exists is asked for again after so long. */
export const probeAgainMs = 60_000;

/** What a run needs to speak with its executors. */
export interface TaskContext {
  readonly observed: ObservedJob;
  readonly run: LiveRun;
  readonly revision: RevisionData;
  readonly fleet: Fleet | undefined;
}

/** Hands a task over, or takes it up again under the same id; nothing while it is not known where its instance is. */
export function dispatchTask(context: TaskContext, pod: Pick<AttemptPod, "executor">): readonly Action[] {
  const action = taskAction(context, pod);
  return action === undefined ? [] : [{ tag: "dispatch", ...action }];
}

/** Asks the executor to end a task. */
export function recallTask(context: TaskContext, pod: AttemptPod): readonly Action[] {
  const action = taskAction(context, pod);
  return action === undefined ? [] : [{ tag: "recall", ...action }];
}

/**
 * Reads the pod of an instance past the cache that does not show it: only its absence or its end there says that it is gone (decision 20). Of an
 * instance without a pod nothing says so.
 */
export function probeInstance({ observed, fleet }: TaskContext, { executor }: AttemptPod): readonly Action[] {
  if (executor === undefined) return [];
  const { instance: uid, name } = executor.record;
  if (hasNoPod(uid) || fleet?.instances.some(({ id }) => id === uid) === true) return [];
  const known = observed.memory.instances.get(uid);
  if (known !== undefined && (known.isGone || known.at + probeAgainMs > observed.now)) return [];
  const ref = { namespace: observed.job.metadata.namespace as string, name };
  return [{ tag: "probe", resource: podResource, ref, uid, endedIsGone: true }];
}

/** Where an instance is spoken with; undefined while it has no address. */
export function targetAt({ namespace, name, executor, instances }: Fleet, instance: string): Omit<ExecutorTarget, "token"> | undefined {
  // Also where the address is not listed any more: whoever was given a task there asks for its end there.
  const address = hasNoPod(instance) ? instance : instances.find(({ id }) => id === instance)?.address;
  if (address === undefined) return undefined;
  const host = address.includes(":") ? `[${address}]` : address;
  const baseUrl = `http://${host}:${executor.port}${executor.path}`;
  return { protocol: executor.protocol, app: `${namespace}/${name}`, instance, baseUrl };
}

function taskAction(context: TaskContext, { executor }: Pick<AttemptPod, "executor">): Omit<TaskAction, "tag"> | undefined {
  const { observed, run, revision, fleet } = context;
  if (executor === undefined || fleet === undefined) return undefined;
  const { record } = executor;
  const target = targetAt(fleet, record.instance);
  if (target === undefined || revision.runnerRef === undefined) return undefined;
  const { metadata } = observed.job;
  const { tokenSecretRef, remembers } = fleet.executor;
  return {
    job: { namespace: metadata.namespace as string, name: metadata.name },
    jobUid: metadata.uid as string,
    key: taskKey(run.id, record.item, record.attempt),
    target,
    ...(tokenSecretRef !== undefined && { tokenSecretRef }),
    task: taskOf(context, record, revision.runnerRef.handler),
    round: record.round,
    remembersUntil: remembers ? record.at + relyOnMs : 0,
    repeats: revision.runnerRef.repeatWhileContinue === true,
    asksFirst: record.at < observed.termStart || executor.isUncertain === true,
    ...(executor.isUncertain === true && { isUncertain: true }),
    givenUpAt: record.deadline < Number.POSITIVE_INFINITY ? record.deadline : record.at + observed.spec.startTimeoutMs,
  };
}

function taskOf({ observed, run, revision }: TaskContext, record: DispatchRecord, handler: string): ExecutorTask {
  const { job, armed } = observed;
  const { namespace, name, uid } = job.metadata;
  const offset = armed?.schedule.zone.segmentAt(run.fireTime).offset ?? 0;
  const options = optionValues(revision.options ?? [], run.asked?.options ?? {}, run.fireTime + offset);
  return {
    id: taskId(job, run.id, record),
    job: { namespace: namespace as string, name, uid: uid as string },
    run: run.id,
    fireTime: run.fireTime,
    item: record.item,
    total: totalOf(revision, run),
    handler,
    parameter: withOptions(run.asked?.parameter ?? revision.parameter ?? "", options),
    itemParameter: parameterOf(revision, record.item),
    attempt: record.attempt,
    deadline: record.deadline === Number.POSITIVE_INFINITY ? undefined : record.deadline,
    traceparent: undefined,
  };
}

/** Items of the job; of a broadcast as many as there were instances. */
export function totalOf(revision: RevisionData, run: LiveRun): number {
  if (revision.sharding?.strategy !== "Broadcast") return revision.sharding?.total ?? 1;
  let highest = 0;
  for (const item of run.items) highest = item;
  return highest + 1;
}
