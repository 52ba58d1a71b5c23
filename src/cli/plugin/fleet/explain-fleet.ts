import type { WaitingWork } from "../../../api/queue-explanation.ts";
import { utc } from "../../../cron/zone.ts";
import { causeLines } from "../explanation-text.ts";
import type { Style } from "../style.ts";
import { appCauses } from "./app-causes.ts";
import type { FleetCause, FleetExplanation } from "./fleet-cause.ts";
import type { FleetPicture } from "./fleet-picture.ts";
import { exclusionCauses, instanceCauses } from "./instance-causes.ts";
import { fleetOf, type Instance } from "./instances.ts";

/** Why a fleet serves as it should, or not. */
export function explainFleet(picture: FleetPicture, waiting?: WaitingWork): FleetExplanation {
  const fleet = fleetOf(picture);
  const { available, desired, spec } = fleet;
  const causes = [...appCauses(picture, fleet, waiting), ...instanceCauses(picture, fleet), ...exclusionCauses(picture, fleet)];
  const isFull = available >= desired && desired >= spec.replicas;
  const quiet: readonly FleetCause[] = isFull
    ? [{ cause: "Serving", text: "nothing is wrong" }]
    : [{ cause: "NoPod", text: "the operator has said nothing about it yet" }];
  return {
    ...identity(picture),
    state: spec.suspend
      ? "Stopped"
      : available < spec.replicas - spec.maxUnavailable
        ? "Missing"
        : causes.length === 0
          ? "Serving"
          : "Degraded",
    available,
    desired: spec.replicas,
    causes: causes.length === 0 ? quiet : causes,
  };
}

/** Why one instance serves, or not. */
export function explainInstance(picture: FleetPicture, pod: string): FleetExplanation {
  const fleet = fleetOf(picture);
  const isIt = ({ has }: Instance) => has?.pod.metadata.name === pod;
  const instance = fleet.instances.find(isIt) as Instance;
  const causes = instanceCauses(picture, fleet, isIt);
  const node = instance.has?.facts.node;
  const serves = instance.has?.isAvailable === true;
  return {
    ...identity(picture),
    state: !serves ? "Missing" : causes.length === 0 ? "Serving" : "Degraded",
    available: fleet.available,
    desired: fleet.spec.replicas,
    instance: { number: instance.number, pod, reason: instance.reason, ...(node !== undefined && { node }) },
    causes:
      causes.length > 0
        ? causes
        : [{ cause: "Serving", text: serves ? "nothing is wrong" : "it is ready for less than spec.minReadySeconds" }],
  };
}

const identity = ({ app: { metadata } }: FleetPicture) => ({ app: metadata.name, namespace: metadata.namespace ?? "default" });

const heads: Readonly<Record<FleetExplanation["state"], string>> = {
  Serving: "serves",
  Degraded: "serves",
  Missing: "has too few instances",
  Stopped: "is suspended",
};

/** An explanation for people. */
export function fleetExplanationText(explanation: FleetExplanation, style: Style, now: number): readonly string[] {
  const { app, namespace, state, available, desired, instance, causes } = explanation;
  const paint = state === "Serving" ? style.good : state === "Missing" ? style.bad : style.bold;
  const head =
    instance === undefined
      ? `RunnerApp ${app} in ${namespace} ${paint(heads[state])}: ${available} of ${desired} are available.`
      : `Instance ${instance.number} of RunnerApp ${app} in ${namespace}, pod ${instance.pod}${instance.node === undefined ? "" : ` on ${instance.node}`}, ${paint(state === "Missing" ? "does not serve" : "serves")}.`;
  const isQuiet = causes.every(({ cause }) => cause === "Serving");
  return [
    head,
    ...(isQuiet ? causes.map(({ text }) => `${text[0]?.toUpperCase()}${text.slice(1)}.`) : causeLines(causes, style, utc, now)),
  ];
}
