import { appReasons, conditionTypes } from "../../../api/reasons.ts";
import type { FleetPicture } from "./fleet-picture.ts";
import { dueForRestart, type Fleet } from "./instances.ts";

/** Whether a roll-out, a restart or a change of size is over, and how. */
export interface RolloutVerdict {
  /** Done: all that is wanted serves. Held: at the share of spec.canary. Going: under way. Standing: it does not go on by itself. */
  readonly state: "Done" | "Held" | "Going" | "Standing";
  /** A sentence without its full stop. */
  readonly text: string;
}

/** Reasons of Ready with which nothing goes on before somebody does something. */
const standing: ReadonlySet<string> = new Set([
  appReasons.invalidSpec,
  appReasons.templateRefused,
  appReasons.rolloutPaused,
  appReasons.rolledBack,
  appReasons.progressDeadlineExceeded,
  appReasons.retriesExhausted,
]);

/** A restart is asked for in whole seconds, so that it may be to come for a moment. */
const soonMs = 10_000;

/** Where the change of a fleet stands that was made last. */
export function rolloutVerdict({ app, now }: Pick<FleetPicture, "app" | "now">, fleet: Fleet): RolloutVerdict {
  const { metadata, status, spec } = app;
  const { name } = metadata;
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 1))
    return { state: "Going", text: "waiting for the operator to see the newest change" };
  const ready = status?.conditions?.find(({ type }) => type === conditionTypes.ready);
  if (spec.suspend === true)
    return fleet.living === 0
      ? { state: "Done", text: `${name} is suspended, and has no instances` }
      : { state: "Going", text: `${fleet.living} instances are still there` };
  const { canary } = status ?? {};
  const { replicas } = fleet.spec;
  const far = `${Math.min(fleet.updated, replicas)} of ${replicas} have the change`;
  if (ready !== undefined && standing.has(ready.reason)) return { state: "Standing", text: `${ready.reason}: ${ready.message}` };
  if (canary?.phase === "Paused")
    return { state: "Standing", text: `spec.paused is true, and ${far}; kubectl nuptse rollout resume ${name}` };
  const due = dueForRestart(fleet, now + soonMs).length;
  const counts = [
    ...(fleet.updated < Math.min(fleet.living, replicas) ? [far] : []),
    ...(due > 0 ? [`${due} to be restarted`] : []),
    `${Math.min(fleet.available, replicas)} of ${replicas} available`,
    ...(fleet.living > replicas ? [`${fleet.living - replicas} besides`] : []),
  ].join(", ");
  if (canary?.phase === "Held" && ready?.reason === appReasons.canaryHeld && due === 0)
    return { state: "Held", text: `held at its share: ${far}; kubectl nuptse rollout promote ${name} goes on` };
  const isFull = fleet.available >= replicas && fleet.updated >= replicas && fleet.living === replicas;
  if (canary === undefined && isFull && due === 0 && ready?.status === "True")
    return { state: "Done", text: `${name} is rolled out: ${fleet.available} of ${replicas} are available` };
  return {
    state: "Going",
    text: ready?.reason === undefined || progressing.has(ready.reason) ? counts : `${counts}; ${ready.reason}: ${ready.message}`,
  };
}

/** Reasons that say no more than the counts do. */
const progressing: ReadonlySet<string> = new Set([
  appReasons.serving,
  appReasons.rolling,
  appReasons.progressing,
  appReasons.tooFewAvailable,
  appReasons.canaryHeld,
]);
