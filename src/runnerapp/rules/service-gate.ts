import type { StatusAction } from "../../api/action.ts";
import type { Pod, PodCondition } from "../../api/core.ts";
import { serviceGate } from "../../api/names.ts";
import { pods as podResource } from "../../api/resource.ts";
import type { RunnerAppSpec } from "../../api/runner-app.gen.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";

/** The readiness gate of a pod (decision 8). */
export interface Gate {
  /** The pod is in service: Ready as soon as its containers are. */
  readonly isOpen: boolean;
  /** Since when it is out of service, milliseconds since the epoch; absent = it is in, or never was. */
  readonly closedAt?: number;
  readonly containersReady: boolean;
}

/** Whether new pods of an app carry the gate: they are taken out of service before anything is done to them. */
export const needsGate = ({ inPlace, services = [] }: Pick<RunnerAppSpec, "inPlace" | "services">): boolean =>
  inPlace === "IfPossible" || services.length > 0;

/** A pod's gate; undefined = it has none. */
export function gateOf({ spec, status }: Pod): Gate | undefined {
  if (spec.readinessGates?.some(({ conditionType }) => conditionType === serviceGate) !== true) return undefined;
  const conditions = status?.conditions ?? [];
  const gate = conditions.find(({ type }) => type === serviceGate);
  // Conditions tell whole seconds: the drain begins at the end of that one.
  const closedAt = gate?.status === "False" ? (parseTime(gate.lastTransitionTime) ?? 0) + 999 : undefined;
  return {
    isOpen: gate?.status === "True",
    ...(closedAt !== undefined && { closedAt }),
    containersReady: conditions.some(({ type, status: is }) => type === "ContainersReady" && is === "True"),
  };
}

/** The pod with its gate, as the write needs it. */
interface GatedPod {
  readonly metadata: Pod["metadata"];
  readonly facts: Pod;
}

/** Puts a pod into service; the kubelet says that it is Ready. */
export function gateOpened({ metadata, facts }: GatedPod, now: number): StatusAction {
  const gate = { type: serviceGate, status: "True", reason: "InService", lastTransitionTime: formatSeconds(now) };
  return { tag: "status", resource: podResource, object: { metadata }, status: { conditions: withConditions(facts, [gate]) } };
}

/**
 * Takes a pod out of service. That it is not Ready is written with it, in the words of the kubelet, which would say so only some time later, and on a
 * node that is cut off never.
 */
export function gateClosed({ metadata, facts }: GatedPod, reason: "Leaving" | "Changing", now: number): StatusAction {
  const lastTransitionTime = formatSeconds(now);
  const message = `the status of pod readiness gate "${serviceGate}" is not "True", but False`;
  const conditions = withConditions(facts, [
    { type: serviceGate, status: "False", reason, lastTransitionTime },
    { type: "Ready", status: "False", reason: "ReadinessGatesNotReady", message, lastTransitionTime },
  ]);
  return { tag: "status", resource: podResource, object: { metadata }, status: { conditions } };
}

function withConditions({ status }: Pod, changed: readonly PodCondition[]): readonly PodCondition[] {
  const types = new Set(changed.map(({ type }) => type));
  return [...(status?.conditions ?? []).filter(({ type }) => !types.has(type)), ...changed];
}
