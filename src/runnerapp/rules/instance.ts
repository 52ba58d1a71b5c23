import type { Pod } from "../../api/core.ts";
import { controllerOf, identityOf, type KubeObject } from "../../api/meta.ts";
import { annotations, labels } from "../../api/names.ts";
import { parseTime } from "../../base/time.ts";
import { type InPlaceRecord, readRecord } from "./in-place.ts";
import { podTaken, type EvacuationCause } from "./node-taking.ts";
import { type Gate, gateOf } from "./service-gate.ts";
import { hasEnded } from "./signal.ts";

/** What the operator keeps of the pod of an instance. Instants are milliseconds since the epoch. */
export interface InstancePod extends KubeObject {
  /** The RunnerApp's name and UID; both empty when it is no instance of ours, though it carries our label. */
  readonly app: string;
  readonly appUid: string;
  readonly revision: string;
  /** The number of the instance, which the pods that follow each other keep. */
  readonly instance: string;
  /** UID of the pod that is to leave when this one serves. */
  readonly replaces?: string;
  /** How many of its revision's alternatives had been tried before it. */
  readonly tries: number;
  readonly createdAt: number;
  /** The restartedAt that it was created with. */
  readonly restartedAt?: number;
  /** Somebody wants it replaced. */
  readonly restart: boolean;
  /** Somebody wants it to leave its node. */
  readonly taken?: EvacuationCause;
  readonly queue?: string;
  readonly node?: string;
  /** The pod's IP. */
  readonly address?: string;
  /** Nodes that its affinity leaves out by name. */
  readonly leftOut: readonly string[];
  readonly isDeleting: boolean;
  /** Its phase is Failed or Succeeded: it will never serve again. */
  readonly hasEnded: boolean;
  /** How it was changed in place; absent = it never was. */
  readonly inPlace?: InPlaceRecord;
  /** Absent = it has no readiness gate of ours. */
  readonly gate?: Gate;
  readonly readySince?: number;
  /** Gateways have yet to take it in: it counts as available no sooner. */
  readonly upFrom?: number;
  /** What tells how it is: conditions, and its containers' statuses. */
  readonly facts: Pod;
}

/** Reads a pod. One that is not controlled by a RunnerApp is kept by its name alone, so that nothing is ever planned for it (rule 8). */
export function instancePod(pod: Pod): InstancePod {
  const { metadata, spec, status } = pod;
  const owner = controllerOf(metadata);
  const own = metadata.labels ?? {};
  if (owner?.kind !== "RunnerApp" || own[labels.app] !== owner.name) return foreignPod(pod);
  const notes = metadata.annotations ?? {};
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const ended = hasEnded(pod);
  const restartedAt = parseTime(notes[annotations.restartedAt]);
  const createdAt = parseTime(metadata.creationTimestamp) ?? 0;
  const taken = podTaken(pod);
  const inPlace = readRecord(notes[annotations.inPlace]);
  const gate = gateOf(pod);
  // What we have taken out of service is so from that moment on, whatever the kubelet still says.
  const isReady = ready?.status === "True" && !ended && gate?.isOpen !== false;
  return {
    metadata: identityOf(metadata),
    app: owner.name,
    appUid: owner.uid,
    revision: own[labels.revision] ?? "",
    instance: notes[annotations.instance] ?? metadata.name,
    ...(notes[annotations.replaces] !== undefined && { replaces: notes[annotations.replaces] }),
    tries: triesOf(notes[annotations.optionTries]),
    createdAt,
    ...(restartedAt !== undefined && { restartedAt }),
    restart: notes[annotations.restart] !== undefined,
    ...(taken !== undefined && { taken }),
    ...(own[labels.queue] !== undefined && { queue: own[labels.queue] }),
    ...(spec.nodeName !== undefined && { node: spec.nodeName }),
    ...(status?.podIP !== undefined && { address: status.podIP }),
    leftOut: leftOutBy(pod),
    isDeleting: metadata.deletionTimestamp !== undefined,
    hasEnded: ended,
    ...(inPlace !== undefined && { inPlace }),
    ...(gate !== undefined && { gate }),
    ...(isReady && { readySince: parseTime(ready.lastTransitionTime) ?? createdAt }),
    facts: factsOf(pod, gate !== undefined),
  };
}

const triesOf = (text = "0"): number => (/^[0-9]{1,6}$/.test(text) ? Number(text) : 0);

const nobody: readonly string[] = [];

function leftOutBy({ spec }: Pod): readonly string[] {
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const named = terms[0]?.matchFields?.filter(({ key, operator }) => key === "metadata.name" && operator === "NotIn") ?? [];
  return named.length === 0 ? nobody : named.flatMap(({ values }) => values ?? []).sort();
}

/**
 * Without what no rule reads: most of a pod is its spec.
 * @param changeable it may be changed in place: what its containers are to have is kept, too
 */
function factsOf({ metadata, spec, status }: Pod, changeable: boolean): Pod {
  const { name, namespace, uid, creationTimestamp, deletionTimestamp, generation } = metadata;
  const { phase, reason, message, conditions, containerStatuses, initContainerStatuses, observedGeneration } = status ?? {};
  return {
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(generation !== undefined && { generation }),
    },
    spec: {
      containers: spec.containers.map(({ name: of, resources }) => ({
        name: of,
        ...(changeable && resources !== undefined && { resources }),
      })),
      ...(spec.initContainers !== undefined && {
        initContainers: spec.initContainers.map(({ name: of, restartPolicy }) => ({
          name: of,
          ...(restartPolicy !== undefined && { restartPolicy }),
        })),
      }),
      ...(spec.nodeName !== undefined && { nodeName: spec.nodeName }),
    },
    status: {
      ...(phase !== undefined && { phase }),
      ...(reason !== undefined && { reason }),
      ...(message !== undefined && { message }),
      ...(conditions !== undefined && { conditions }),
      ...(containerStatuses !== undefined && { containerStatuses }),
      ...(initContainerStatuses !== undefined && { initContainerStatuses }),
      ...(observedGeneration !== undefined && { observedGeneration }),
    },
  };
}

/** A pod that carries our label and is not ours. */
function foreignPod({ metadata }: Pod): InstancePod {
  return {
    metadata: identityOf(metadata),
    app: "",
    appUid: "",
    revision: "",
    instance: "",
    tries: 0,
    createdAt: 0,
    restart: false,
    leftOut: nobody,
    isDeleting: false,
    hasEnded: false,
    facts: { metadata: { name: metadata.name }, spec: { containers: [] } },
  };
}

/** It exists, has not ended and is not being deleted. */
export const isLiving = (pod: InstancePod): boolean => !pod.isDeleting && !pod.hasEnded;

/** From when on it counts as available; Infinity while it is not ready. */
export const availableFrom = (pod: InstancePod, minReadyMs: number): number =>
  pod.readySince === undefined ? Number.POSITIVE_INFINITY : Math.max(pod.readySince + minReadyMs, pod.upFrom ?? 0);

/** How often its containers were started again. */
export const restartsOf = ({ facts: { status } }: InstancePod): number =>
  (status?.containerStatuses ?? []).reduce((sum, { restartCount = 0 }) => sum + restartCount, 0);
