import type { Action, DeleteAction, Premise } from "../../api/action.ts";
import { pods as podResource } from "../../api/resource.ts";
import { drainedAt } from "./drain.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import { isChanging } from "./in-place.ts";
import type { InstancePod } from "./instance.ts";
import type { ObservedApp } from "./observed.ts";
import { gateClosed, gateOpened } from "./service-gate.ts";

/** Who is to go, and who is to be in service. */
export interface ServiceContext {
  readonly observed: ObservedApp;
  readonly spec: EffectiveSpec;
  /** Pods that are not being deleted and have not ended. */
  readonly living: readonly InstancePod[];
  /** Pods that are to be deleted, those that have ended too. */
  readonly leaving: ReadonlySet<InstancePod>;
  /** Pods that stay, and are to be out of service. */
  readonly out: ReadonlySet<InstancePod>;
  /** By pods in whose stead others serve, those others, where they are to be looked at first. */
  readonly carriers: ReadonlyMap<InstancePod, InstancePod>;
}

export interface ServiceStep {
  readonly actions: readonly Action[];
  readonly wakeAt: number;
}

const never = Number.POSITIVE_INFINITY;

/**
 * Takes instances out of service and back, and deletes those that go (decision 8). What serves and has the gate is out of service first, and deleted
 * when it is drained; who is not to go any more comes back. The closed gate is the record of it (decision 6): whoever leads next goes on from there.
 * What takes a serving instance away holds only in the version of it, and of the instance that serves in its stead, that it was decided for, since the
 * cache may be old.
 */
export function stepService(context: ServiceContext): ServiceStep {
  const { observed, spec, living, leaving, out, carriers } = context;
  const { app, now } = observed;
  const namespace = app.metadata.namespace as string;
  const actions: Action[] = [];
  let wakeAt = never;
  const premiseOf = (pod: InstancePod) => {
    const carrier = carriers.get(pod);
    return carrier === undefined ? {} : { provided: [premise(namespace, carrier)] };
  };
  for (const pod of leaving) {
    if (pod.isDeleting) continue;
    const isServing = pod.readySince !== undefined;
    if (isServing && pod.gate !== undefined) {
      actions.push({ ...gateClosed(pod, "Leaving", now), ...premiseOf(pod) });
      continue;
    }
    const at = drainedFrom(observed, spec, pod);
    if (at > now) wakeAt = Math.min(wakeAt, at);
    else actions.push({ ...deletionOf(namespace, pod), ...(isServing && premiseOf(pod)) });
  }
  for (const pod of living) {
    const { gate } = pod;
    if (gate === undefined || leaving.has(pod)) continue;
    if (out.has(pod)) {
      if (pod.readySince !== undefined) actions.push({ ...gateClosed(pod, "Changing", now), ...premiseOf(pod) });
    } else if (!gate.isOpen && gate.containersReady && !isChanging(pod.facts, pod.inPlace)) actions.push(gateOpened(pod, now));
  }
  return { actions, wakeAt };
}

/** From when on a pod that does not serve may be deleted: what was taken out of service drains first. */
export function drainedFrom({ drain, now }: ObservedApp, { evacuation }: EffectiveSpec, { metadata, gate, hasEnded }: InstancePod): number {
  if (gate?.closedAt === undefined || !gate.containersReady || hasEnded) return now;
  return drainedAt(drain, metadata.uid as string, gate.closedAt, evacuation.drainMs, now);
}

function premise(namespace: string, { metadata }: InstancePod): Premise {
  const { name, uid, resourceVersion } = metadata;
  return { resource: podResource, ref: { namespace, name }, uid: uid as string, resourceVersion: resourceVersion as string };
}

/** One that lives goes only as it was seen: by a cache that is old it may not serve, or have no node, and serve. */
function deletionOf(namespace: string, { metadata, hasEnded }: InstancePod): DeleteAction {
  const { name, uid, resourceVersion } = metadata;
  return {
    tag: "delete",
    resource: podResource,
    ref: { namespace, name },
    uid: uid as string,
    ...(!hasEnded && resourceVersion !== undefined && { resourceVersion }),
  };
}
