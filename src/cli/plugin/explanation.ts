import type { Node } from "../../api/core.ts";
import type { Condition } from "../../api/meta.ts";
import type { WaitingWork } from "../../api/queue-explanation.ts";
import { annotations } from "../../api/names.ts";
import { conditionReasons, conditionTypes } from "../../api/reasons.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import type { Schedule } from "../../cron/schedule.ts";
import type { Cause, Explanation } from "./cause.ts";
import { eventTime, type JobPicture, suspension } from "./job-picture.ts";
import { runCauses } from "./run-causes.ts";
import { type RunView, runViews } from "./run-view.ts";

/** A fire time is handled within moments; one that is so old tells that nobody handles it. */
const silenceMs = 30_000;

/** What an explanation is made of besides the job's picture. */
export interface ExplainInput {
  readonly picture: JobPicture;
  /** Absent: the job has no schedule, or it is wrong. */
  readonly schedule?: Schedule;
  /** The same without its calendars. */
  readonly plain?: Schedule;
  /** How long after its fire time a run begins. */
  readonly jitterMs: number;
  /** The nodes that its pods are on, as far as the user may read them. */
  readonly nodes: readonly Node[];
  /** What the leader says of its runs that wait, or wait for more. */
  readonly waiting?: readonly WaitingWork[];
}

/** Why a job is not running, from what the cluster tells of it. */
export function explainJob(input: ExplainInput): Explanation {
  const { picture, schedule } = input;
  const { job } = picture;
  const runs = runViews(picture);
  const live = runs.filter((run) => run.live);
  const ofRuns = live.flatMap((run) =>
    withQueue(
      run,
      runCauses(run, runs, picture, input.nodes),
      input.waiting?.find(({ part }) => part === run.run),
    ),
  );
  const stopped = stoppedCauses(picture, schedule);
  const next = nextFireTime(picture, schedule, stopped.length > 0);
  const quiet =
    live.length > 0
      ? []
      : [
          ...silentCauses(picture, input.jitterMs),
          ...observedCauses(picture),
          ...calendarCauses(input, next),
          ...skippedCauses(picture, runs),
        ];
  // Who looks at a run that was asked for does not ask why nothing fires by itself.
  const ofJob = live.length > 0 ? stopped.filter((cause) => cause.cause !== "NoSchedule") : stopped;
  const causes = [...sorted(ofRuns), ...requestCauses(picture), ...ofJob, ...quiet];
  if (next !== undefined) {
    const text = causes.length > 0 ? "the next fire time" : "nothing is wrong: it waits for its next fire time";
    causes.push({ cause: "NextFireTime", text: `${text}, ${formatSeconds(next)}` });
  }
  if (causes.length === 0) causes.push({ cause: "Waiting", text: "the operator has said nothing about it yet" });
  const atWork = ofRuns.some((cause) => cause.cause === "AtWork");
  return {
    job: job.metadata.name,
    namespace: job.metadata.namespace ?? "default",
    state: atWork ? "Running" : live.length > 0 ? "Stuck" : next === undefined && stopped.length > 0 ? "Stopped" : "Idle",
    ...(next !== undefined && { nextFireTime: formatSeconds(next) }),
    causes,
  };
}

/** Adds what the leader says to the cause that the run waits for its queue, or makes one of it: a run at work may wait for more. */
function withQueue(run: RunView, causes: readonly Cause[], waiting: WaitingWork | undefined): readonly Cause[] {
  if (waiting === undefined) return causes;
  if (causes.some(({ cause }) => cause === "Queue"))
    return causes.map((cause) => (cause.cause === "Queue" ? { ...cause, waiting } : cause));
  const { allowed, wanted, queue, since } = waiting;
  const text = `run ${run.run} waits for more items: the TenantQueue ${queue} has given it ${allowed} of ${wanted}`;
  return [...causes, { cause: "Queue", text, run: run.run, since, waiting }];
}

/** When it fires next: not before a suspension that was asked for has ended. */
function nextFireTime({ requests, job, now }: JobPicture, schedule: Schedule | undefined, isStopped: boolean): number | undefined {
  const until = parseTime(suspension(requests, job.metadata.name, now)?.spec.suspend?.until);
  if (until !== undefined && job.spec.suspend !== true) return schedule?.next(until - 1);
  return isStopped ? undefined : schedule?.next(now);
}

/** What was asked of the job and has not begun. */
function requestCauses({ requests, now }: JobPicture): readonly Cause[] {
  return requests.flatMap(({ metadata, status }): readonly Cause[] => {
    if ((status?.phase ?? "Pending") !== "Pending") return [];
    const since = metadata.creationTimestamp as string;
    const silent = status === undefined && Date.parse(since) + silenceMs < now;
    const words = status?.message ?? (silent ? "the operator has not seen it" : "it has only just been created");
    return [
      {
        cause: "Request",
        text: `the request ${metadata.name} has not begun: ${words}`,
        since,
        ...(silent && { advice: "is the operator running? kubectl get lease -A shows who holds nuptse-operator" }),
      },
    ];
  });
}

/** What hinders comes before what only waits. */
function sorted(causes: readonly Cause[]): readonly Cause[] {
  const last = new Set(["AtWork", "Parallelism"]);
  return [...causes.filter((cause) => !last.has(cause.cause)), ...causes.filter((cause) => last.has(cause.cause))];
}

/** Why nothing will fire; empty when something will. */
function stoppedCauses({ job, now, requests }: JobPicture, schedule: Schedule | undefined): readonly Cause[] {
  const { metadata, spec, status } = job;
  const name = metadata.name;
  if (metadata.deletionTimestamp !== undefined)
    return [{ cause: "BeingDeleted", text: "the job is being deleted", since: metadata.deletionTimestamp }];
  const causes: Cause[] = [];
  const refused = refusal(status?.conditions ?? []);
  if (refused !== undefined && status?.observedGeneration === metadata.generation) {
    const advice =
      refused.reason === conditionReasons.namespaceTerminating
        ? undefined
        : "correct the field that is named; docs/conditions.md tells what to do about each reason";
    causes.push({
      cause: "NotAccepted",
      text: `the job is not accepted (${refused.reason}): ${refused.message}`,
      since: refused.lastTransitionTime,
      ...(advice !== undefined && { advice }),
    });
  }
  if (spec.suspend === true) {
    const since = status?.observedGeneration === metadata.generation ? status?.schedule?.since : undefined;
    causes.push({
      cause: "Suspended",
      text: "it is suspended: spec.suspend is true",
      ...(since !== undefined && { since }),
      advice: `set spec.suspend to false where the job is kept (Git, or kubectl patch ej ${name} --type=merge -p '{"spec":{"suspend":false}}')`,
    });
  }
  const asked = suspension(requests, name, now);
  if (asked !== undefined) {
    const { until, reason } = asked.spec.suspend ?? {};
    const words = `${asked.spec.requestedBy === undefined ? "" : `, by ${asked.spec.requestedBy}`}${reason === undefined ? "" : `: ${reason}`}`;
    causes.push({
      cause: "Suspended",
      text: `it is suspended by the request ${asked.metadata.name} ${until === undefined ? "until it is resumed" : `until ${until}`}${words}`,
      since: asked.status?.startedAt ?? (asked.metadata.creationTimestamp as string),
      advice: `kubectl nuptse resume ${name}`,
    });
  }
  if (spec.schedule === undefined && (spec.after?.length ?? 0) > 0) return causes;
  if (spec.schedule === undefined) {
    causes.push({ cause: "NoSchedule", text: "it has no spec.schedule, so nothing fires by itself", advice: `kubectl nuptse run ${name}` });
    return causes;
  }
  const startAt = parseTime(spec.schedule.startAt);
  const endAt = parseTime(spec.schedule.endAt);
  if (startAt !== undefined && startAt > now)
    // It does fire later: a cause, and no stop.
    return causes;
  if (endAt !== undefined && endAt <= now) {
    causes.push({
      cause: "AfterWindow",
      text: `its window is over: nothing fires at or after spec.schedule.endAt, ${formatSeconds(endAt)}`,
      since: formatSeconds(endAt),
      advice: "set a later endAt, or take it away",
    });
  } else if (schedule !== undefined && schedule.next(now) === undefined) {
    causes.push({
      cause: "AfterWindow",
      text: "its schedule has no fire time left",
      advice: `kubectl nuptse cron next '${spec.schedule.crons[0]}' shows what it matches`,
    });
  }
  return causes;
}

/** The condition that says that the job is not accepted. */
function refusal(conditions: readonly Condition[]): Condition | undefined {
  const ready = conditions.find((condition) => condition.type === conditionTypes.ready);
  return ready?.status === "False" && ready.reason !== conditionReasons.progressing ? ready : undefined;
}

/** Why nothing has come of fire times that have passed, and of a window that is to come. */
function silentCauses({ job, now }: JobPicture, jitterMs: number): readonly Cause[] {
  const { metadata, spec, status } = job;
  const causes: Cause[] = [];
  const startAt = parseTime(spec.schedule?.startAt);
  if (startAt !== undefined && startAt > now) {
    const text = `its window has not begun: nothing fires before spec.schedule.startAt, ${formatSeconds(startAt)}`;
    causes.push({ cause: "BeforeWindow", text });
  }
  if (spec.schedule === undefined && spec.after !== undefined && spec.after.length > 0) {
    const text = `it has no schedule of its own: it runs when ${spec.after.map(({ job: upstream }) => upstream).join(", ")} ${spec.after.length === 1 ? "has" : "have"} run`;
    causes.push({ cause: "Dependency", text, advice: `kubectl nuptse why ${spec.after[0]?.job} tells when that is` });
  }
  const advice = "is it running? kubectl get lease -A shows who holds nuptse-operator, and when it was renewed";
  const generation = metadata.generation ?? 1;
  const created = parseTime(metadata.creationTimestamp) ?? now;
  if ((status?.observedGeneration ?? 0) < generation && now - created > silenceMs) {
    const text =
      status === undefined ? "the operator has not seen the job yet" : "the operator has not seen the newest change of the job yet";
    causes.push({ cause: "OperatorSilent", text, advice, ...(status === undefined && { since: metadata.creationTimestamp as string }) });
    return causes;
  }
  const expected = parseTime(status?.nextFireTime);
  if (expected !== undefined && spec.suspend !== true && expected + jitterMs + silenceMs < now) {
    const since = formatSeconds(expected);
    causes.push({
      cause: "OperatorSilent",
      text: `the fire time ${since} has come, and the operator has done nothing about it`,
      since,
      advice,
    });
  }
  return causes;
}

/** That the namespace only looks on. */
function observedCauses({ job }: JobPicture): readonly Cause[] {
  const ready = job.status?.conditions?.find((condition) => condition.type === conditionTypes.ready);
  if (ready?.reason !== conditionReasons.observing) return [];
  const { since, count = 0 } = job.status?.observed ?? {};
  const text = `its namespace only looks on (annotation ${annotations.observe}): ${count} fire times have passed without a run`;
  return [
    {
      cause: "Observed",
      text,
      ...(since !== undefined && { since }),
      advice: "take the annotation off the namespace when runs are to begin",
    },
  ];
}

/** That calendars leave out the fire time that would come next. */
function calendarCauses({ picture, plain }: ExplainInput, next: number | undefined): readonly Cause[] {
  const { job, now } = picture;
  const without = plain?.next(now);
  if (without === undefined || without === next || next === undefined) return [];
  const names = (job.spec.schedule?.calendars ?? []).map((calendar) => calendar.name).join(", ");
  if (without > next) return [{ cause: "Calendar", text: `its calendars (${names}) make ${formatSeconds(next)} a fire time` }];
  return [
    {
      cause: "Calendar",
      text: `its calendars (${names}) leave out the fire time ${formatSeconds(without)}`,
      advice: "kubectl get configmap shows the dates of a calendar",
    },
  ];
}

const skips: Readonly<Record<string, { readonly text: string; readonly advice: string }>> = {
  Downtime: {
    text: "it passed while no operator was running",
    advice: "misfire.onDowntime: FireOnce or FireAll makes up for such fire times",
  },
  Overlap: {
    text: "it passed while an earlier run was at work",
    advice: "misfire.onOverlap: FireOnce or FireAll makes up for such fire times; concurrencyPolicy: Allow lets runs overlap",
  },
  Deadline: {
    text: "it was older than misfire.startingDeadlineSeconds when it could have begun",
    advice: "a longer misfire.startingDeadlineSeconds keeps such fire times",
  },
  ScheduleChanged: {
    text: "the schedule was changed, or the job suspended, while it waited",
    advice: "nothing of the past fires after such a change",
  },
  DependencyNotMet: {
    text: "a job that it runs after did not end as spec.after wants",
    advice: "outcome: Completed or Failed in spec.after takes other ends; kubectl nuptse history of that job shows how it ended",
  },
  Replaced: { text: "a later fire time took its place", advice: "concurrencyPolicy: Replace keeps the newest only" },
  QueueFull: { text: "too many runs were waiting already", advice: "shorter runs, or a longer distance between fire times" },
};

/** That the newest fire time was skipped, and why. */
function skippedCauses({ job, events }: JobPicture, runs: readonly RunView[]): readonly Cause[] {
  const newest = job.status?.outcomes?.notSucceeded?.filter((outcome) => outcome.outcome === "Skipped").at(-1)?.fireTime;
  const lastRun = runs.find((run) => run.phase !== "Skipped")?.fireTime;
  if (newest === undefined || (lastRun !== undefined && newest < lastRun)) return [];
  const told = events
    .filter((event) => event.reason === "RunSkipped")
    .sort((a, b) => eventTime(a) - eventTime(b))
    .at(-1);
  const why = skips[/\((\w+)\)/.exec(told?.message ?? "")?.[1] ?? ""];
  const text = `the fire time ${newest} was skipped: ${why?.text ?? told?.message ?? "the event that said why is gone"}`;
  return [{ cause: "Misfire", text, since: newest, ...(why !== undefined && { advice: why.advice }) }];
}
