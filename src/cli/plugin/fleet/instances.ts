import type { Pod } from "../../../api/core.ts";
import { parseTime } from "../../../base/time.ts";
import { cachedNode } from "../../../runnerapp/node-state.ts";
import { type EffectiveSpec, effectiveSpec } from "../../../runnerapp/rules/effective-spec.ts";
import type { Evacuation } from "../../../runnerapp/rules/evacuation.ts";
import { nodeLostMs } from "../../../runnerapp/rules/healing.ts";
import { type InstanceReason, instanceReason, lastExitText } from "../../../runnerapp/rules/instance-reason.ts";
import { availableFrom, type InstancePod, instancePod, isLiving, restartsOf } from "../../../runnerapp/rules/instance.ts";
import { type Records, recordsOf } from "../../../runnerapp/rules/records.ts";
import type { RetrySeries } from "../../../runnerapp/rules/retry-series.ts";
import { type Signal, signalOf } from "../../../runnerapp/rules/signal.ts";
import type { FleetPicture } from "./fleet-picture.ts";

/** One pod of an instance, or an instance that has none, seen with the operator's own rules. */
export interface Instance {
  /** Its number, which the pods that follow each other keep. */
  readonly number: string;
  readonly reason: InstanceReason;
  readonly series?: RetrySeries;
  /** Absent: it has no pod. */
  readonly has?: {
    readonly pod: Pod;
    readonly facts: InstancePod;
    readonly signal: Signal;
    readonly isAvailable: boolean;
    /** It is to leave its node. */
    readonly move?: Evacuation;
    /** It was made for one that is to leave, and that is still there. */
    readonly replaces?: string;
  };
}

/** A fleet as its instances are now; counts are of pods, not of what the operator wrote a moment ago. */
export interface Fleet {
  readonly spec: EffectiveSpec;
  readonly records: Records;
  /** By number, those that are being deleted last. */
  readonly instances: readonly Instance[];
  /** What the queue, and spec.suspend, leave of spec.replicas. */
  readonly desired: number;
  readonly living: number;
  readonly ready: number;
  readonly available: number;
  readonly updated: number;
}

/** Looks at a fleet as the operator does, but for what only the operator's configuration says. */
export function fleetOf({ app, pods, nodes, now }: Pick<FleetPicture, "app" | "pods" | "nodes" | "now">): Fleet {
  const spec = effectiveSpec(app.spec);
  const records = recordsOf(app.status ?? {});
  const lost = new Map(nodes.map((node) => [node.metadata.name, cachedNode(node, new Set()).state.lostSince]));
  const moves = new Map(records.evacuations.filter(({ phase }) => phase !== "Cancelled").map((move) => [move.pod, move]));
  const series = new Map(records.series.map((each) => [each.instance, each]));
  const uids = new Map(pods.map(({ metadata }) => [metadata.uid as string, metadata.name]));
  const seen = pods.map((pod): Instance => {
    const facts = instancePod(pod);
    const nodeLostSince = facts.node === undefined ? undefined : lost.get(facts.node);
    const { startTimeoutMs } = spec;
    const signal = signalOf(pod, { now, startTimeoutMs, nodeLostMs, ...(nodeLostSince !== undefined && { nodeLostSince }) });
    const move = moves.get(pod.metadata.uid as string);
    const of = series.get(facts.instance);
    const replaces = uids.get(facts.replaces ?? "");
    return {
      number: facts.instance,
      reason: instanceReason({ signal, evacuating: move !== undefined, exhausted: of?.exhaustedAt !== undefined }),
      ...(of !== undefined && { series: of }),
      has: {
        pod,
        facts,
        signal,
        isAvailable: isLiving(facts) && availableFrom(facts, spec.minReadyMs) <= now,
        ...(move !== undefined && { move }),
        ...(replaces !== undefined && { replaces }),
      },
    };
  });
  const living = seen.flatMap(({ has }) => (has !== undefined && isLiving(has.facts) ? has : []));
  const isSeen = app.status?.observedGeneration === app.metadata.generation;
  const desired = isSeen ? (app.status?.desiredReplicas ?? spec.replicas) : spec.replicas;
  const instances = [...seen, ...missing(seen, series, { wanted: spec.replicas, admitted: app.status?.admitted?.replicas })];
  return {
    spec,
    records,
    instances: instances.sort(byNumber),
    desired,
    living: living.length,
    ready: living.filter(({ facts }) => facts.readySince !== undefined).length,
    available: living.filter(({ isAvailable }) => isAvailable).length,
    updated: living.filter(({ facts }) => facts.revision === app.status?.updateRevision).length,
  };
}

/** Instances that are wanted and have no pod: the lowest numbers that are free, as the operator gives them. */
function missing(
  seen: readonly Instance[],
  series: ReadonlyMap<string, RetrySeries>,
  { wanted, admitted }: { readonly wanted: number; readonly admitted: number | undefined },
): readonly Instance[] {
  const taken = new Set(seen.flatMap(({ number, has }) => (has === undefined || has.facts.isDeleting ? [] : number)));
  const found: Instance[] = [];
  for (let number = 0; taken.size + found.length < wanted && found.length < mostMissing; number++) {
    const name = String(number);
    if (taken.has(name)) continue;
    const of = series.get(name);
    const notAdmitted = admitted !== undefined && taken.size + found.length >= admitted;
    const exhausted = of?.exhaustedAt !== undefined;
    found.push({ number: name, reason: instanceReason({ notAdmitted, exhausted }), ...(of !== undefined && { series: of }) });
  }
  return found;
}

const mostMissing = 100;

function byNumber(a: Instance, b: Instance): number {
  const goes = ({ has }: Instance) => Number(has?.facts.isDeleting ?? false);
  return goes(a) - goes(b) || Number(a.number) - Number(b.number) || (a.number < b.number ? -1 : a.number > b.number ? 1 : age(a) - age(b));
}

const age = ({ has }: Instance): number => has?.facts.createdAt ?? 0;

/** Instances that are still to be replaced because somebody asked for a restart: before spec.restartedAt, or one by one. */
export function dueForRestart({ instances, spec: { restartedAt } }: Fleet, now: number): readonly Instance[] {
  return instances.filter(({ has }) => {
    if (has === undefined || has.facts.isDeleting || has.facts.hasEnded) return false;
    const { restart, createdAt, restartedAt: made = Number.NEGATIVE_INFINITY } = has.facts;
    return restart || (restartedAt !== undefined && restartedAt <= now && createdAt < restartedAt && made < restartedAt);
  });
}

/** The words of an instance that programs are given, and tables are made of. */
export interface InstanceView {
  readonly instance: string;
  readonly reason: InstanceReason;
  readonly pod?: string;
  readonly node?: string;
  readonly revision?: string;
  readonly image?: string;
  readonly ready: boolean;
  readonly restarts: number;
  readonly sameNodeUsed: number;
  readonly otherNodesUsed: number;
  readonly lastExit?: string;
  readonly createdAt?: string;
  readonly podIP?: string;
  /** The pod that it is to take the place of. */
  readonly replaces?: string;
  readonly isDeleting: boolean;
}

export function instanceView({ number, reason, series, has }: Instance): InstanceView {
  const used = { sameNodeUsed: series?.sameNodeUsed ?? 0, otherNodesUsed: series?.otherNodesUsed ?? 0 };
  if (has === undefined) return { instance: number, reason, ready: false, restarts: 0, ...used, isDeleting: false };
  const { pod, facts, signal, replaces } = has;
  const lastExit = lastEnd(pod) ?? lastExitText(signal);
  const { creationTimestamp } = pod.metadata;
  const podIP = pod.status?.podIP;
  const image = pod.spec.containers[0]?.image;
  return {
    instance: number,
    reason,
    pod: pod.metadata.name,
    ...(facts.node !== undefined && { node: facts.node }),
    revision: facts.revision,
    ...(image !== undefined && { image }),
    ready: facts.readySince !== undefined,
    restarts: restartsOf(facts),
    ...used,
    ...(lastExit !== undefined && { lastExit }),
    ...(creationTimestamp !== undefined && { createdAt: creationTimestamp }),
    ...(podIP !== undefined && { podIP }),
    ...(replaces !== undefined && { replaces }),
    isDeleting: facts.isDeleting,
  };
}

/** How a container ended last. */
function lastEnd({ status }: Pod): string | undefined {
  const ends = (status?.containerStatuses ?? []).flatMap(({ state, lastState }) => state?.terminated ?? lastState?.terminated ?? []);
  const newest = ends.sort((a, b) => (parseTime(b.finishedAt) ?? 0) - (parseTime(a.finishedAt) ?? 0))[0];
  if (newest === undefined) return undefined;
  const { exitCode, reason = "" } = newest;
  return lastExitText({ exitCode, word: reason });
}
