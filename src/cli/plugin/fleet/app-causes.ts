import type { Condition } from "../../../api/meta.ts";
import type { WaitingWork } from "../../../api/queue-explanation.ts";
import { appReasons, conditionTypes, queueRefusals, waitReasons } from "../../../api/reasons.ts";
import { formatSeconds, parseTime } from "../../../base/time.ts";
import type { FleetCause, FleetCauseName } from "./fleet-cause.ts";
import type { FleetPicture } from "./fleet-picture.ts";
import { dueForRestart, type Fleet } from "./instances.ts";

/** A change is seen within moments; one that is so old tells that nobody handles it. */
const silenceMs = 30_000;

/** Causes that are told by the reason of Ready, whose message has the particulars. */
const ofReady: Readonly<Record<string, { readonly cause: FleetCauseName; readonly text: string; readonly advice?: string }>> = {
  [appReasons.invalidSpec]: {
    cause: "NotAccepted",
    text: "the spec is not accepted, and the fleet is kept as it was",
    advice: "correct the field that is named",
  },
  [appReasons.templateRefused]: {
    cause: "NotAccepted",
    text: "the API server refuses pods of spec.template, and the fleet is kept as it was",
    advice: "correct the template; kubectl nuptse render shows the pod",
  },
  [appReasons.namespaceTerminating]: { cause: "BeingDeleted", text: "the namespace is being deleted" },
  [appReasons.quotaExceeded]: {
    cause: "Quota",
    text: "a ResourceQuota leaves no room",
    advice: "it goes on by itself when there is room: kubectl describe resourcequota, then raise the quota or make the fleet smaller",
  },
  [appReasons.admissionRefused]: {
    cause: "Admission",
    text: "the API server refuses pods now",
    advice: "it is tried again by itself: change spec.template as the refusal says, or the rule that refuses",
  },
  [appReasons.progressDeadlineExceeded]: {
    cause: "NoProgress",
    text: "the change came no step further",
    advice: "see what ails the instances below; kubectl nuptse rollout undo goes back",
  },
};

const queueAdvice: Readonly<Record<string, string>> = {
  [waitReasons.queuePending]: "it goes on by itself when its turn comes; who has what it lacks: kubectl nuptse queue",
  [waitReasons.queueFull]: "it joins the queue when there is room: raise spec.limits.waiting of the queue",
  [waitReasons.queueNotReady]: "see the conditions of the queue: kubectl describe tq",
  [waitReasons.neverFits]: "make spec.queue.minCount or the requests smaller, or raise what the queue may have",
  [waitReasons.priorityTooHigh]: "lower spec.queue.priority",
  [queueRefusals.queueNotFound]: "name another queue in spec.queue.name, or create this one",
  [queueRefusals.queueNotLeaf]: "name a queue without children in spec.queue.name",
  [queueRefusals.queueNotAllowed]: "name a queue that is open to the namespace in spec.queue.name",
  [queueRefusals.noDefaultQueue]: "name a queue in spec.queue.name",
};

/** What of the app as a whole keeps instances from serving, or changes them. The most important first. */
export function appCauses(picture: FleetPicture, fleet: Fleet, waiting?: WaitingWork): readonly FleetCause[] {
  const { app } = picture;
  const { metadata } = app;
  if (metadata.deletionTimestamp !== undefined)
    return [{ cause: "BeingDeleted", text: "the app is being deleted", since: metadata.deletionTimestamp }];
  return [
    ...silent(picture),
    ...suspended(picture),
    ...conditional(picture, fleet, waiting),
    ...rollout(picture, fleet),
    ...restarting(picture, fleet),
  ];
}

function silent({ app: { metadata, status }, now }: FleetPicture): readonly FleetCause[] {
  const isSeen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 1);
  if (isSeen || now - (parseTime(metadata.creationTimestamp) ?? now) <= silenceMs) return [];
  const what = status === undefined ? "the app" : "the newest change of the app";
  return [
    {
      cause: "OperatorSilent",
      text: `the operator has not seen ${what} yet`,
      advice: "is it running? kubectl get lease -A shows who holds nuptse-operator, and when it was renewed",
    },
  ];
}

function suspended({ app: { spec, metadata } }: FleetPicture): readonly FleetCause[] {
  if (spec.suspend !== true) return [];
  return [
    { cause: "Suspended", text: "spec.suspend is true, so it has no instances", advice: `kubectl nuptse resume ra/${metadata.name}` },
  ];
}

function conditional({ app }: FleetPicture, { desired, spec }: Fleet, waiting: WaitingWork | undefined): readonly FleetCause[] {
  const ready = conditionOf(app.status?.conditions, conditionTypes.ready);
  const causes: FleetCause[] = [];
  const known = ofReady[ready?.reason ?? ""];
  if (ready !== undefined && known !== undefined)
    causes.push({ ...known, text: `${known.text}: ${ready.message}`, since: ready.lastTransitionTime });
  const advice = queueAdvice[ready?.reason ?? ""];
  if (ready !== undefined && advice !== undefined)
    causes.push({ cause: "Queue", text: ready.message, advice, ...(waiting !== undefined && { waiting }) });
  else if (waiting !== undefined && waiting.allowed < waiting.wanted) {
    const text = `the TenantQueue ${waiting.queue} has given it ${waiting.allowed} of the ${waiting.wanted} that it asks for`;
    const more = "it grows by itself when there is room; who has what it lacks: kubectl nuptse queue";
    causes.push({ cause: "Queue", text, since: waiting.since, waiting, advice: more });
  }
  const reduced = conditionOf(app.status?.conditions, conditionTypes.reduced);
  if (reduced?.status === "True")
    causes.push({
      cause: "Reduced",
      text: `its queue asked for what it had lent: ${desired} of ${spec.replicas} instances are left`,
      since: reduced.lastTransitionTime,
      advice: "it grows again when there is room; spec.queue.minCount is what it keeps in any case",
    });
  return causes;
}

function rollout({ app }: FleetPicture, { updated, spec }: Fleet): readonly FleetCause[] {
  const { canary } = app.status ?? {};
  const { name } = app.metadata;
  const since = canary?.since === undefined ? {} : { since: canary.since };
  const far = `${updated} of ${spec.replicas} have the change`;
  const undo = `kubectl nuptse rollout undo ${name} goes back`;
  switch (canary?.phase) {
    case "AutoPaused": {
      const text = `the roll-out stands still: ${canary.reason ?? "instances failed"}; ${far}`;
      return [{ cause: "RolloutPaused", text, ...since, advice: `${undo}; kubectl nuptse rollout resume ${name} goes on in spite of it` }];
    }
    case "RolledBack": {
      const text = `the change was taken back: ${canary.reason ?? "instances failed"}; spec.template still says it`;
      return [{ cause: "RolledBack", text, ...since, advice: `correct spec.template, or kubectl nuptse rollout undo ${name}` }];
    }
    case "Paused":
      return [{ cause: "Paused", text: `spec.paused is true; ${far}`, ...since, advice: `kubectl nuptse rollout resume ${name}` }];
    case "Held": {
      const text = `the change has come to the share of spec.canary.replicas; ${far}`;
      return [{ cause: "CanaryHeld", text, ...since, advice: `kubectl nuptse rollout promote ${name} goes on; ${undo}` }];
    }
    case "Rolling":
      return [{ cause: "Rolling", text: `a change is being rolled out; ${far}`, ...since }];
    default:
      return [];
  }
}

function restarting({ now }: FleetPicture, fleet: Fleet): readonly FleetCause[] {
  const { restartedAt } = fleet.spec;
  const since = restartedAt === undefined ? {} : { since: formatSeconds(restartedAt) };
  if (restartedAt !== undefined && restartedAt > now)
    return [{ cause: "Restarting", text: `spec.restartedAt is to come, ${since.since}: all instances are replaced then` }];
  const due = dueForRestart(fleet, now).length;
  return due === 0 ? [] : [{ cause: "Restarting", text: `instances are being restarted: ${due} still to go`, ...since }];
}

const conditionOf = (conditions: readonly Condition[] = [], type: string): Condition | undefined =>
  conditions.find((condition) => condition.type === type);
