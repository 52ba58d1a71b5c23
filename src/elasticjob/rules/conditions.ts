import { withCondition } from "../../api/condition.ts";
import type { Condition } from "../../api/meta.ts";
import { problemsText } from "../../api/problem.ts";
import { conditionReasons, conditionTypes } from "../../api/reasons.ts";
import { parseTime } from "../../base/time.ts";
import type { Lateness } from "./lateness.ts";
import type { ObservedJob } from "./observed.ts";
import { fleetRefusal } from "./resident/resident-run.ts";
import type { RevisionStep } from "./revision.ts";

type Readiness = Pick<Condition, "status" | "reason" | "message">;

/** Whether the job is accepted and armed; a failed run never touches this (api.md section 4). */
export function readiness(
  observed: ObservedJob,
  revision: RevisionStep,
  clockSkewed: boolean,
  refusal?: { readonly reason: string; readonly message: string },
): { readonly ready: Readiness; readonly stalled?: string } {
  const { job, problems, memory, armed, calendars, now } = observed;
  const no = (reason: string, message: string, stalled = true) => ({
    ready: { status: "False" as const, reason, message },
    ...(stalled && { stalled: reason }),
  });
  const yes = (reason: string, message: string) => ({ ready: { status: "True" as const, reason, message } });
  if (problems.length > 0) {
    return no(conditionReasons.invalidSpec, problemsText(problems));
  }
  const { refusal: entangled } = observed.dependencies ?? {};
  if (entangled !== undefined) return no(entangled.reason, entangled.message);
  if (revision.kind === "refused") return no(revision.reason ?? conditionReasons.templateRefused, revision.message);
  if (calendars.kind === "unusable") return no(calendars.reason, calendars.message);
  if (clockSkewed)
    return no(conditionReasons.clockSkew, "lastHandledFireTime was ahead of the API server's clock and has been set back to now");
  if (memory.namespaceTerminating)
    return no(conditionReasons.namespaceTerminating, "the namespace is being deleted; nothing new is started", false);
  if (calendars.kind === "loading" || (calendars.kind === "usable" && calendars.provisional === true))
    return known(observed) ?? no(conditionReasons.progressing, "the calendars are being read", false);
  if (observed.parameters?.kind === "loading")
    return known(observed) ?? no(conditionReasons.progressing, "the parameters are being read", false);
  if (observed.observing === true)
    return yes(conditionReasons.observing, "the namespace is annotated nuptse.dev/observe: fire times are computed, and no run begins");
  if (revision.kind !== "ready") return no(conditionReasons.progressing, "the template is being checked", false);
  const choice = observed.admission?.choice;
  if (choice?.kind === "refused") {
    const mayCome = queueAwaitedUntil(observed) !== undefined;
    return no(mayCome ? conditionReasons.progressing : choice.reason, `spec.queue.name: ${choice.message}`, !mayCome);
  }
  const { runnerRef } = job.spec;
  const withheld = runnerRef === undefined ? undefined : fleetRefusal(observed, runnerRef.name, observed.fleets?.get(runnerRef.name));
  if (withheld !== undefined) return no(withheld.reason, withheld.message);
  if (refusal !== undefined) return yes(refusal.reason, refusal.message);
  if (observed.suspendedBy !== undefined)
    return yes(conditionReasons.suspended, `no new scheduled runs while the JobRequest ${observed.suspendedBy} is Running`);
  if (observed.spec.suspend) return yes(conditionReasons.suspended, "no new scheduled runs while spec.suspend is true");
  if (calendars.kind === "usable" && calendars.problem !== undefined)
    return yes(conditionReasons.calendarKept, `the last good content of a calendar is in force: ${calendars.problem}`);
  const missing = missingUpstreams(observed);
  if (missing.length > 0) {
    const which = missing.length === 1 ? `job ${missing[0]} does not exist` : `jobs ${missing.join(", ")} do not exist`;
    return yes(conditionReasons.dependencyMissing, `spec.after: ${which} in this namespace; runs wait for it`);
  }
  if (armed === undefined)
    return observed.spec.after.length > 0
      ? yes(conditionReasons.noSchedule, "spec.schedule is absent, and the jobs of spec.after never fire together by themselves")
      : yes(conditionReasons.noSchedule, "spec.schedule is absent: nothing fires by itself");
  if (armed.schedule.next(now - observed.jitterMs) === undefined)
    return yes(conditionReasons.scheduleEnded, "no fire time is left; see spec.schedule.endAt");
  if (observed.dependencies?.derived === true) {
    const same = observed.spec.after.filter((dependency) => dependency.fireTime === "Same").map((dependency) => dependency.job);
    return yes(conditionReasons.armed, `a run begins when the runs of ${same.join(", ")} of one fire time have ended`);
  }
  const jitter = observed.jitterMs === 0 ? "" : `, and starts ${observed.jitterMs / 1000} s after it (spec.schedule.jitterSeconds)`;
  return yes(conditionReasons.armed, `waits for its next fire time in ${job.spec.schedule?.timeZone ?? "Etc/UTC"}${jitter}`);
}

/** How long a queue that is not there, or not open, may still be on its way. */
const queuePatienceMs = 5_000;

/**
 * Until when the queue of a new or edited job is waited for: one apply may bring both, in any order, and tools that wait by kstatus take Stalled for
 * the end. Undefined when there is one, or it is no longer waited for.
 */
export function queueAwaitedUntil({ job, now, admission }: ObservedJob): number | undefined {
  if (admission?.choice?.kind !== "refused") return undefined;
  const ready = job.status?.conditions?.find((condition) => condition.type === conditionTypes.ready);
  if (ready?.observedGeneration !== job.metadata.generation) return now + queuePatienceMs;
  if (ready?.reason !== conditionReasons.progressing) return undefined;
  const until = (parseTime(ready.lastTransitionTime) ?? now) + queuePatienceMs;
  return until > now ? until : undefined;
}

/** What was said before, while nothing new is known. */
function known({ job }: ObservedJob): { readonly ready: Readiness; readonly stalled?: string } | undefined {
  const find = (type: string) => job.status?.conditions?.find((condition) => condition.type === type);
  const ready = find(conditionTypes.ready);
  const stalled = find(conditionTypes.stalled);
  if (ready === undefined) return undefined;
  return { ready, ...(stalled?.status === "True" && { stalled: stalled.reason }) };
}

function missingUpstreams({ dependencies, spec }: ObservedJob): readonly string[] {
  return dependencies === undefined ? [] : spec.after.map(({ job }) => job).filter((name) => !dependencies.upstreams.has(name));
}

/** All conditions of the job as of now. */
export function nextConditions(
  observed: ObservedJob,
  revision: RevisionStep,
  clockSkewed: boolean,
  refusal: { readonly reason: string; readonly message: string } | undefined,
  lastRun: { readonly succeeded: boolean; readonly message: string } | undefined,
  lateness: Lateness,
): readonly Condition[] {
  const { job, now } = observed;
  const generation = job.metadata.generation ?? 1;
  const { ready, stalled } = readiness(observed, revision, clockSkewed, refusal);
  let conditions = job.status?.conditions ?? [];
  conditions = withCondition(conditions, now, generation, { type: conditionTypes.ready, ...ready });
  const wasStalled = conditions.some((condition) => condition.type === conditionTypes.stalled);
  if (stalled !== undefined || wasStalled) {
    conditions = withCondition(conditions, now, generation, {
      type: conditionTypes.stalled,
      status: stalled === undefined ? "False" : "True",
      reason: stalled ?? ready.reason,
      message: stalled === undefined ? "" : ready.message,
    });
  }
  if (lastRun !== undefined) {
    conditions = withCondition(conditions, now, generation, {
      type: conditionTypes.lastRunSucceeded,
      status: lastRun.succeeded ? "True" : "False",
      reason: lastRun.succeeded ? conditionReasons.succeeded : conditionReasons.failed,
      message: lastRun.message,
    });
  }
  const late = lateCondition(observed, lateness);
  return late === undefined ? conditions : withCondition(conditions, now, generation, { type: conditionTypes.late, ...late });
}

/** True from the first run that is late until a run ends in time while no other is late; absent until one was late. */
function lateCondition(observed: ObservedJob, { late, newlyLate, endedInTime }: Lateness): Readiness | undefined {
  const newest = newlyLate.at(-1);
  if (newest !== undefined) return { status: "True", reason: conditionReasons.runLate, message: lateText(observed, newest.id) };
  const known = observed.job.status?.conditions?.find((condition) => condition.type === conditionTypes.late);
  if (known?.status !== "True" || !endedInTime || late.size > 0) return undefined;
  return { status: "False", reason: conditionReasons.inTime, message: "" };
}

/** Says of a run that it is late, and since when. */
export function lateText({ spec, jitterMs }: ObservedJob, run: string): string {
  const jitter = jitterMs === 0 ? "" : ` plus ${jitterMs / 1000} s of jitter`;
  return `run ${run} had not ended ${spec.deadlineMs / 1000} s (spec.deadlineSeconds) after its fire time${jitter}`;
}
