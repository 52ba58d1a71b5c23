import { isQuiet } from "./drain.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import { type Evacuation, type EvacuationPlan, type EvacuationPod, isOutOfService, planEvacuations } from "./evacuation.ts";
import type { Signals } from "./healing.ts";
import { availableFrom, type InstancePod } from "./instance.ts";
import { type EvacuationCause, evacuationCause } from "./node-taking.ts";
import type { ObservedApp } from "./observed.ts";
import type { Records } from "./records.ts";
import { type BrakeState, isOutage, movesLeft } from "./storm-brake.ts";

/** Moves of instances away from nodes, and what of the fleet they take up. */
export interface Moves {
  readonly plan: EvacuationPlan;
  readonly isMoving: (pod: InstancePod) => boolean;
  /** Whether its move is recorded with this plan for the first time. */
  readonly begins: (pod: InstancePod) => boolean;
  /** Of each old pod and the one that replaces it one: what counts as the instance. Both are living. */
  readonly counted: readonly InstancePod[];
  /** Old ones that are to be out of service, those whose drain is recorded. */
  readonly out: readonly InstancePod[];
  /** The others of these pairs: what moves have taken of the surge. */
  readonly extra: number;
  /** Replacements that were let through and do not exist yet: their part of the surge is taken. */
  readonly toCome: number;
}

/** @param room pods that the surge and the queue still leave */
export function stepMoves(
  observed: ObservedApp,
  living: readonly InstancePod[],
  signals: Signals,
  spec: EffectiveSpec,
  records: Records,
  brake: BrakeState,
  mayCreate: number,
): Moves {
  const { now, nodes } = observed;
  const isAvailable = (pod: InstancePod) => availableFrom(pod, spec.minReadyMs) <= now;
  const causeOf = (pod: InstancePod): EvacuationCause | undefined => {
    const node = pod.node === undefined ? undefined : nodes.get(pod.node);
    const standing = { unheardOf: node?.lostSince !== undefined, lost: signals.get(pod)?.kind === "NodeLost" };
    return evacuationCause(pod.taken, { ...standing, ...(node?.taken !== undefined && { taken: node.taken }) });
  };
  const causes = new Map<InstancePod, EvacuationCause>();
  for (const pod of living) {
    const cause = causeOf(pod);
    if (cause !== undefined) causes.set(pod, cause);
  }
  const asMoved = (pod: InstancePod): EvacuationPod => {
    const cause = causes.get(pod);
    return {
      uid: pod.metadata.uid as string,
      instance: pod.instance,
      ...(pod.node !== undefined && { node: pod.node }),
      ready: pod.readySince !== undefined,
      serves: isAvailable(pod),
      ...(pod.gate !== undefined && { gate: pod.gate.closedAt === undefined ? {} : { closedAt: pod.gate.closedAt } }),
      ...(isQuiet(observed.drain, pod.metadata.uid as string) && { sessions: 0 }),
      ...(pod.replaces !== undefined && { replaces: pod.replaces }),
      ...(cause !== undefined && { cause }),
    };
  };
  const surge = Math.max(spec.maxSurge, spec.evacuation.maxSurge);
  const isNeeded = records.evacuations.length > 0 || causes.size > 0;
  const plan = !isNeeded
    ? nothing
    : planEvacuations(records.evacuations, living.map(asMoved), spec.evacuation, {
        now,
        room: Math.max(0, Math.min(spec.replicas + surge - living.length, mayCreate)),
        // The fleet's arithmetic takes those that move first.
        surplus: 0,
        moves: movesLeft(brake, spec.retry.storm, now),
        outage: isOutageNow(observed),
      });
  const moving = new Set(plan.evacuations.flatMap(({ pod, phase }) => (phase === "Cancelled" ? [] : pod)));
  const known = new Set(records.evacuations.map(({ pod }) => pod));
  const byUid = new Map(living.map((pod) => [pod.metadata.uid as string, pod]));
  const deleted = new Set(plan.acts.flatMap(({ kind, pod }) => (kind === "Delete" ? pod : [])));
  const drained = new Set(plan.acts.flatMap(({ kind, pod }) => (kind === "Drain" ? pod : [])));
  const ending = new Set(plan.evacuations.flatMap(({ pod, phase }) => (isOutOfService(phase) ? pod : [])));
  const left = new Set<InstancePod>();
  for (const pod of living) {
    const old = pod.replaces === undefined ? undefined : byUid.get(pod.replaces);
    if (old === undefined) continue;
    // Of a pair one is left in any case: the other one is the instance when this one goes.
    const stays = !deleted.has(pod.replaces as string) && (isAvailable(old) || !isAvailable(pod));
    left.add(stays ? pod : old);
  }
  return {
    plan,
    isMoving: (pod) => moving.has(pod.metadata.uid as string),
    begins: (pod) => moving.has(pod.metadata.uid as string) && !known.has(pod.metadata.uid as string),
    counted: living.filter((pod) => !left.has(pod)),
    out: living.filter(({ metadata, readySince }) => {
      const uid = metadata.uid as string;
      return drained.has(uid) || (readySince === undefined && ending.has(uid));
    }),
    extra: left.size,
    toCome: plan.evacuations.filter(isToSurge).length,
  };
}

const isToSurge = ({ phase, granted, replacement }: Evacuation): boolean =>
  granted === true && replacement === undefined && (phase === "Surging" || phase === "Stalled");

const nothing: EvacuationPlan = { evacuations: [], acts: [], moves: 0, stalled: [] };

function isOutageNow({ nodes, now }: ObservedApp): boolean {
  let [all, lost] = [0, 0];
  for (const { lostSince } of nodes.all()) {
    all++;
    if (lostSince !== undefined && lostSince <= now) lost++;
  }
  return isOutage(lost, all);
}
