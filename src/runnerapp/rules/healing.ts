import type { Pod } from "../../api/core.ts";
import { excludedNodes, nodeRulesAt } from "../../api/node-rule.ts";
import { roleStatuses } from "./container-end.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import { availableFrom, type InstancePod, isLiving } from "./instance.ts";
import { type ExclusionPlan, planExclusions } from "./node-exclusion.ts";
import type { ObservedApp } from "./observed.ts";
import type { Records } from "./records.ts";
import { mayUseNode } from "./resource-options.ts";
import { countRestarts } from "./restart-count.ts";
import { planRetries, type RetryPlan } from "./retry-plan.ts";
import { hasFailedThere, isTroubled } from "./retry-series.ts";
import type { RetryContext, RetryInstance } from "./retry-step.ts";
import { type Signal, signalOf } from "./signal.ts";

/** So long may a node be unheard of before what is on it counts as lost; the node controller waits for 50 s already. */
export const nodeLostMs = 60_000;

/** Signals by pod. */
export type Signals = ReadonlyMap<InstancePod, Signal>;

/** Most of a fleet serves: what a pod tells that does is read once, as long as the pod stays as it is. */
const serving = new WeakMap<Pod, Signal>();
const flawless = new WeakMap<Pod, boolean>();

export function signalsOf({ nodes, now }: ObservedApp, pods: readonly InstancePod[], spec: EffectiveSpec): Signals {
  const { startTimeoutMs } = spec;
  return new Map(
    pods.map((pod) => {
      const lostSince = pod.node === undefined ? undefined : nodes.get(pod.node)?.lostSince;
      if (lostSince !== undefined) return [pod, signalOf(pod.facts, { now, startTimeoutMs, nodeLostMs, nodeLostSince: lostSince })];
      const known = serving.get(pod.facts);
      if (known !== undefined) return [pod, known];
      const signal = signalOf(pod.facts, { now, startTimeoutMs, nodeLostMs });
      // No time ends that.
      if (signal.kind === "Serving") serving.set(pod.facts, signal);
      return [pod, signal];
    }),
  );
}

/** None of its containers has ever ended. */
function isFlawless({ facts }: InstancePod): boolean {
  const known = flawless.get(facts);
  if (known !== undefined) return known;
  const is = countRestarts(roleStatuses(facts), []).seen.length === 0;
  flawless.set(facts, is);
  return is;
}

export interface Healing {
  readonly retries: RetryPlan;
  readonly exclusion: ExclusionPlan;
  /** Pods to be replaced that do not serve: at once. */
  readonly gone: ReadonlySet<InstancePod>;
  /** Pods to be replaced that do serve: within the budgets. */
  readonly due: ReadonlySet<InstancePod>;
  /** Instances of the revision that failed by themselves: no failure of a node. */
  failed(revision: string): readonly string[];
}

/** What follows from failures: instances that are replaced, and nodes that are left out (rules 3.4). */
export function stepHealing(
  observed: ObservedApp,
  pods: readonly InstancePod[],
  signals: Signals,
  spec: EffectiveSpec,
  records: Records,
): Healing {
  const { now } = observed;
  const existing = pods.filter((pod) => !pod.isDeleting);
  const instances = instancesOf(existing, signals, spec, records);
  const retries = planRetries(records, instances, spec.retry, contextOf(observed, existing, spec, records));
  const exclusion = stepExclusion(observed, existing, spec, records, retries);
  const byUid = new Map(existing.map((pod) => [pod.metadata.uid as string, pod]));
  const acts = retries.acts.flatMap((act) => {
    const pod = byUid.get(act.pod);
    return pod === undefined ? [] : [{ pod, serving: act.serving }];
  });
  return {
    retries,
    exclusion,
    gone: new Set(acts.filter(({ serving }) => !serving).map(({ pod }) => pod)),
    due: new Set(acts.filter(({ serving }) => serving).map(({ pod }) => pod)),
    failed: (revision) => {
      const broken = existing.filter((pod) => pod.revision === revision && isBroken(signals.get(pod), spec, now));
      const exhausted = retries.series.filter(
        (series) => series.revision === revision && (series.sameNodeUsed > spec.retry.sameNode || series.exhaustedAt !== undefined),
      );
      return [...new Set([...exhausted.map(({ instance }) => instance), ...broken.map(({ instance }) => instance)])].sort();
    },
  };
}

/** Does not start, or is not ready in time, through no fault of its node. */
function isBroken(signal: Signal | undefined, { progressDeadlineMs, startTimeoutMs }: EffectiveSpec, now: number): boolean {
  const since = signal?.since ?? now;
  if (signal?.kind === "ImagePullTimeout") return true;
  if (signal?.kind === "ConfigError") return now - since >= startTimeoutMs;
  return signal?.kind === "NotReady" && now - since >= progressDeadlineMs;
}

/**
 * All instances with their newest pods, and those without one of which something is remembered, while instances are missing. An instance that serves,
 * and has never failed, is left out: nothing follows from it.
 */
function instancesOf(existing: readonly InstancePod[], signals: Signals, spec: EffectiveSpec, records: Records): readonly RetryInstance[] {
  const uids = new Set(existing.map(({ metadata }) => metadata.uid));
  const origin = spec.restartedAt === undefined ? {} : { restartedAt: spec.restartedAt };
  const known = new Set(records.series.map(({ instance }) => instance));
  const isSound = (pod: InstancePod, { kind, changesAt }: Signal) =>
    kind === "Serving" && changesAt === undefined && pod.inPlace === undefined && !known.has(pod.instance) && isFlawless(pod);
  const found = new Map<string, RetryInstance>();
  for (const pod of existing.toSorted((a, b) => a.createdAt - b.createdAt)) {
    // One that moves is told by its old pod until that is gone.
    if (pod.replaces !== undefined && uids.has(pod.replaces)) continue;
    const signal = signals.get(pod) as Signal;
    if (isSound(pod, signal)) {
      found.delete(pod.instance);
      continue;
    }
    const { node, createdAt, revision, hasEnded } = pod;
    const statuses = roleStatuses(pod.facts);
    const uid = pod.metadata.uid as string;
    const asked = pod.inPlace === undefined ? undefined : new Map(pod.inPlace.containers.map((one) => [one.name, one.ends]));
    const retryPod = {
      uid,
      ...(node !== undefined && { node }),
      createdAt,
      statuses,
      signal,
      ended: hasEnded,
      ...(asked !== undefined && { asked }),
    };
    found.set(pod.instance, { name: pod.instance, revision, ...origin, pod: retryPod });
  }
  const missing = existing.filter(isLiving).length < spec.replicas;
  const remembered = missing ? records.series.filter(({ instance }) => !found.has(instance)) : [];
  return [...found.values(), ...remembered.map(({ instance, revision }) => ({ name: instance, revision, ...origin }))];
}

function contextOf({ nodes, now }: ObservedApp, existing: readonly InstancePod[], spec: EffectiveSpec, records: Records): RetryContext {
  const left = new Set([
    ...excludedNodes(nodeRulesAt(spec.nodeRules, now)),
    ...records.exclusion.exclusions.flatMap(({ node, until }) => (until > now ? node : [])),
  ]);
  return {
    now,
    mayReuse(name) {
      const node = nodes.get(name);
      return node?.isReady === true && node.taken === undefined && !left.has(name);
    },
    hasMemoryPressure: (name) => nodes.get(name)?.hasMemoryPressure ?? false,
    pulledElsewhere: (revision, name) =>
      existing.some(
        (pod) =>
          pod.revision === revision &&
          pod.node !== name &&
          pod.facts.status?.containerStatuses?.some(({ containerID = "" }) => containerID !== "") === true,
      ),
  };
}

/** So long serves an instance on its node before it speaks for its revision: in a crash loop it is Ready for seconds, again and again. */
export const provenMs = 60_000;

function stepExclusion(
  { nodes, pinned, now }: ObservedApp,
  existing: readonly InstancePod[],
  spec: EffectiveSpec,
  records: Records,
  { blames, series }: RetryPlan,
): ExclusionPlan {
  const { exclusion } = records;
  if (exclusion.blames.length + exclusion.exclusions.length + blames.length === 0) return { state: exclusion, added: [] };
  const { template, resourceOptions } = pinned.data;
  const usable = [...nodes.all()].filter((node) => mayUseNode(template.spec, resourceOptions, node.labels));
  const known = new Map(series.map((each) => [each.instance, each]));
  const mayProve = existing.filter((pod) => isLiving(pod) && pod.node !== undefined && !hasFailedThere(known.get(pod.instance)));
  const provenFrom = (pod: InstancePod) => availableFrom(pod, Math.max(spec.minReadyMs, provenMs));
  const proven = mayProve.filter((pod) => provenFrom(pod) <= now);
  const isSound = ({ instance }: InstancePod) => !isTroubled(known.get(instance));
  const plan = planExclusions(exclusion, blames, spec.exclusion, {
    now,
    nodes: usable.map(({ name }) => name).sort(),
    provenOn: (revision) => new Set(proven.flatMap((pod) => (pod.revision === revision ? (pod.node as string) : []))),
    isOpen: (revision) => [...proven, ...mayProve.filter(isSound)].some((pod) => pod.revision === revision),
  });
  const nextProof = Math.min(...mayProve.map(provenFrom).filter((at) => at > now));
  const wakeAt = Math.min(plan.wakeAt ?? Number.POSITIVE_INFINITY, plan.state.blames.length > 0 ? nextProof : Number.POSITIVE_INFINITY);
  return { ...plan, ...(Number.isFinite(wakeAt) && { wakeAt }) };
}
