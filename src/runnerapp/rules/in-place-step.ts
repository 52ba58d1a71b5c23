import type { Action, MergeAction } from "../../api/action.ts";
import { annotations, labels } from "../../api/names.ts";
import { inPool } from "../../api/pod-fields.ts";
import { pods as podResource } from "../../api/resource.ts";
import { parseTime } from "../../base/time.ts";
import { parseAmount } from "../../quota/resource-vector.ts";
import { drainedAt } from "./drain.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import { type InPlaceChange, inPlaceChange, type InPlaceRecord, recordOf, type Resources } from "./in-place.ts";
import type { InstancePod } from "./instance.ts";
import type { ObservedApp } from "./observed.ts";
import { type PrefetchPod, stepPrefetch } from "./prefetch.ts";
import type { QueueTurn } from "./queue-turn.ts";
import { dataOf, type RevisionData } from "./revision.ts";
import { byWorth, type Standing } from "./victims.ts";

/** An instance that can get another revision in its own pod. */
export interface Candidate {
  readonly change: InPlaceChange;
  /** Its node has all images that it would be started from. */
  readonly isProven: boolean;
  /** When it is made anew instead, since its node does not take the pod that pulls them; absent = that is not to be feared. */
  readonly vainAt?: number;
}

/** Those of the instances that can, by pod. */
export type Candidates = ReadonlyMap<InstancePod, Candidate>;

export interface InPlaceContext {
  readonly observed: ObservedApp;
  readonly spec: EffectiveSpec;
  readonly turn: QueueTurn;
  /** The revision that is rolled out; absent = none is. */
  readonly goal?: string;
}

/**
 * Which instances can become the revision that is rolled out in their own pods: those that run and have the gate, where only what can change differs,
 * and no node and no API server has refused it. Of a queue, none whose resources differ: its share is granted for pods that are made.
 * @param isTaken it is to be made anew for another reason, or moves
 */
export function candidatesOf(context: InPlaceContext, pods: readonly InstancePod[], isTaken: (pod: InstancePod) => boolean): Candidates {
  const { observed, spec, turn, goal } = context;
  const { app, revisions, memory, prefetches, now } = observed;
  const to = dataOf(revisions, goal);
  if (app.spec.inPlace !== "IfPossible" || to === undefined) return new Map();
  const pulls = new Map(prefetches.filter(({ revision }) => revision === goal).map((pull) => [pull.node, pull]));
  const found = new Map<InstancePod, Candidate>();
  for (const pod of pods) {
    if (
      pod.gate === undefined ||
      pod.revision === goal ||
      pod.node === undefined ||
      isTaken(pod) ||
      memory.notInPlace.has(pod.metadata.uid as string)
    )
      continue;
    if (pod.readySince === undefined && !isDraining(pod)) continue;
    const from = dataOf(revisions, pod.revision);
    const change = from === undefined ? undefined : inPlaceChange(from, to);
    if (change === undefined || (change.resources.length > 0 && turn.queue !== undefined)) continue;
    const pull = pulls.get(pod.node);
    if (change.images.length > 0 && (memory.prefetchRefused || isVain(pull, spec, now))) continue;
    const isProven = change.images.length === 0 || pull?.state === "Proven";
    found.set(pod, { change, isProven, ...(!isProven && pull?.state === "Waiting" && { vainAt: pull.createdAt + spec.startTimeoutMs }) });
  }
  return found;
}

/** Taken out of service, and still able to go back into it. */
const isDraining = ({ gate }: InstancePod): boolean => gate?.closedAt !== undefined && gate.containersReady;

/** An image that cannot be pulled is waited for: the instances serve meanwhile. What the node does not take otherwise is not. */
function isVain(pull: PrefetchPod | undefined, { startTimeoutMs }: EffectiveSpec, now: number): boolean {
  if (pull === undefined || pull.isDeleting) return false;
  return pull.state === "Failed" || (pull.state === "Waiting" && now - pull.createdAt >= startTimeoutMs);
}

export interface InPlaceStep {
  /** Instances that are not deleted, since they are changed now or as soon as they can be. */
  readonly kept: ReadonlySet<InstancePod>;
  /** Those of them that are to be out of service. */
  readonly out: ReadonlySet<InstancePod>;
  readonly actions: readonly Action[];
  readonly wakeAt: number;
}

const never = Number.POSITIVE_INFINITY;

/**
 * What becomes of instances that would have to go and can be changed instead: out of service first, where containers start anew; when drained they
 * get images, labels and annotations in one patch, which makes them of the revision and records what is still to happen; then their resources.
 * @param leaving instances that the roll-out removes, the first ones first
 * @param most so many of them at most: what is missing of the revision
 */
export function stepChanges(
  context: InPlaceContext,
  candidates: Candidates,
  leaving: readonly InstancePod[],
  most: number,
  living: readonly InstancePod[],
): InPlaceStep {
  const { observed, goal, spec } = context;
  const { now, drain } = observed;
  const kept = leaving.filter((pod) => candidates.has(pod)).slice(0, most);
  const out = new Set<InstancePod>();
  const actions: Action[] = [];
  let wakeAt = never;
  for (const pod of kept) {
    const { change, isProven, vainAt = never } = candidates.get(pod) as Candidate;
    if (!isProven) {
      wakeAt = Math.min(wakeAt, vainAt);
      continue;
    }
    const restarts = change.restarts.length > 0;
    if (restarts) out.add(pod);
    if (restarts && pod.readySince !== undefined) continue;
    const at = restarts ? drainedAt(drain, pod.metadata.uid as string, pod.gate?.closedAt ?? 0, spec.evacuation.drainMs, now) : now;
    if (at > now) wakeAt = Math.min(wakeAt, at);
    else actions.push(changeOf(observed, pod, change, goal as string));
  }
  for (const pod of living) {
    if (pod.inPlace?.resize !== true) continue;
    const step = resizeStep(context, pod, pod.inPlace);
    if (step?.action !== undefined) actions.push(step.action);
    wakeAt = Math.min(wakeAt, step?.wakeAt ?? never);
  }
  return { kept: new Set(kept), out, actions, wakeAt };
}

const merge = ({ app }: ObservedApp, { metadata }: InstancePod, body: MergeAction["body"], subresource?: string): MergeAction => ({
  tag: "merge",
  resource: podResource,
  ref: { namespace: app.metadata.namespace as string, name: metadata.name },
  uid: metadata.uid as string,
  resourceVersion: metadata.resourceVersion as string,
  ...(subresource !== undefined && { subresource }),
  body,
});

function changeOf(observed: ObservedApp, pod: InstancePod, change: InPlaceChange, revision: string): MergeAction {
  const metadata = {
    labels: { ...change.labels, [labels.revision]: revision },
    annotations: { ...change.annotations, [annotations.inPlace]: JSON.stringify(recordOf(pod.facts, change)) },
  };
  return merge(observed, pod, { metadata, ...(change.images.length > 0 && { spec: { containers: change.images } }) });
}

interface ResizeStep {
  readonly action?: Action;
  readonly wakeAt?: number;
}

/** Asks for the resources until the spec has them and the kubelet has nothing against them; then that is forgotten, or it would fight with others. */
function resizeStep({ observed, spec }: InPlaceContext, pod: InstancePod, record: InPlaceRecord): ResizeStep | undefined {
  if (observed.memory.notInPlace.has(pod.metadata.uid as string)) return undefined;
  const wanted = wantedResources(dataOf(observed.revisions, pod.revision));
  const asked = new Map(pod.facts.spec.containers.map(({ name, resources }) => [name, resources]));
  const missing = wanted.filter(({ name, resources }) => !isMet(resources, asked.get(name)));
  if (missing.length > 0) return { action: merge(observed, pod, { spec: { containers: missing } }, "resize") };
  const pending = pendingSince(pod);
  if (pending !== undefined) return pending.reason === "Deferred" ? { wakeAt: pending.since + spec.startTimeoutMs } : undefined;
  const given = new Map(pod.facts.status?.containerStatuses?.map(({ name, resources }) => [name, resources]));
  if (!wanted.every(({ name, resources }) => isMet(resources, given.get(name)))) return undefined;
  const { resize: _, ...done } = record;
  return { action: merge(observed, pod, { metadata: { annotations: { [annotations.inPlace]: JSON.stringify(done) } } }) };
}

function wantedResources(data: RevisionData | undefined): readonly { readonly name: string; readonly resources: Resources }[] {
  return (data?.template.spec.containers ?? []).map(({ name, resources = {} }) => {
    const { requests = {}, limits = {} } = resources;
    return { name, resources: { requests: { ...limits, ...requests }, limits } };
  });
}

/** The API server writes quantities in its own way, so amounts are compared. */
function isMet(wanted: Resources, has: Resources = {}): boolean {
  return (["requests", "limits"] as const).every((half) =>
    Object.entries(wanted[half] ?? {}).every(([name, value]) => {
      const given = has[half]?.[name];
      return given !== undefined && parseAmount(name, given, "Up") === parseAmount(name, value, "Up");
    }),
  );
}

/** A resize that the kubelet has not done. */
function pendingSince({ facts, createdAt }: InstancePod): { readonly reason: string; readonly since: number } | undefined {
  const pending = facts.status?.conditions?.find(({ type, status }) => type === "PodResizePending" && status === "True");
  if (pending === undefined) return undefined;
  return { reason: pending.reason ?? "", since: parseTime(pending.lastTransitionTime) ?? createdAt };
}

/** Whether the resources of an instance that was changed in place were refused: it is made anew, within the budgets. */
export function isResizeRefused({ memory, now }: ObservedApp, { startTimeoutMs }: EffectiveSpec, pod: InstancePod): boolean {
  if (pod.inPlace?.resize !== true) return false;
  if (memory.notInPlace.has(pod.metadata.uid as string)) return true;
  const pending = pendingSince(pod);
  return pending !== undefined && (pending.reason === "Infeasible" || now - pending.since >= startTimeoutMs);
}

/**
 * Pulls images where instances are next to get them.
 * @param changing instances whose containers are about to start from them
 * @param others instances that do not have the revision
 * @param most so many instances are still to get the revision
 */
export function prefetchesFor(
  { observed, turn, goal }: InPlaceContext,
  candidates: Candidates,
  { changing, others }: { readonly changing: readonly InstancePod[]; readonly others: readonly InstancePod[] },
  most: number,
  standing: Standing,
): readonly Action[] {
  const { app, prefetches, revisions } = observed;
  const data = dataOf(revisions, goal);
  const next = [...candidates.keys()].sort(byWorth(standing)).slice(0, Math.max(0, most));
  if (data === undefined || goal === undefined) return stepPrefetch(app, prefetches, undefined);
  const nodesOf = (pods: readonly InstancePod[]) => pods.flatMap(({ node }) => node ?? []);
  const { spec } = data.template;
  return stepPrefetch(app, prefetches, {
    revision: goal,
    template: { ...spec, ...inPool(spec, turn.pool) },
    nodes: [...new Set(nodesOf(next.filter((pod) => candidates.get(pod)?.change.images.length !== 0)))],
    // Until its containers run, an image that they are started from must not be collected; and what was in vain stays known until all there have changed.
    kept: new Set(nodesOf(most > 0 ? [...changing, ...others] : changing)),
  });
}
