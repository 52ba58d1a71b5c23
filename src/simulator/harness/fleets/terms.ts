import type { Pod } from "../../../api/core.ts";
import { controllerOf, type KubeObject } from "../../../api/meta.ts";
import { annotations, labels } from "../../../api/names.ts";
import type { RunnerApp, RunnerAppSpec } from "../../../api/runner-app.gen.ts";
import { parseTime } from "../../../base/time.ts";

/** The readiness gate by which the operator takes instances out of service. */
export const inServiceGate = "nuptse.dev/in-service";

/** What a spec says in numbers, worked out here a second time and from the documents alone: the judge must not err with the rules that it judges. */
export interface FleetTerms {
  readonly uid: string;
  /** 0 while suspended. */
  readonly wanted: number;
  /** The queue that spec names. */
  readonly queue?: string;
  /** The same for every smaller size that a queue may leave it; empty without a queue. */
  readonly lower: readonly FleetTerms[];
  /** The smallest of these sizes. */
  readonly floor: number;
  /** So many are to be available, as far as it is up to us. */
  readonly least: number;
  /** So many may live at a time, surges of all sorts included. */
  readonly most: number;
  /** So many may have what spec says while there is something else to keep. */
  readonly target: number;
  readonly minReadyMs: number;
  /** By what a revision is told: every change of a template brings another one. */
  readonly image: string;
  readonly paused: boolean;
  readonly restartedAt?: number;
  readonly moves: number;
  readonly windowMs: number;
  /** Where the roll-out stands by what the operator has recorded. */
  readonly phase?: string;
  readonly held: number;
}

/** All that an app says, at its full size and at those that its queue may leave it: all shares are of what there can be. */
export function termsOf(app: RunnerApp): FleetTerms {
  const { spec, status } = app;
  const wanted = spec.suspend === true ? 0 : (spec.replicas ?? 1);
  const floor = Math.min(wanted, floorOf(spec, status?.desiredReplicas ?? wanted));
  const full = termsAt(app, wanted);
  const lower = Array.from({ length: wanted - floor }, (_, index) => termsAt(app, floor + index));
  return { ...full, least: lower[0]?.least ?? full.least, lower, floor };
}

/** A fleet that agreed to it may be asked for all but minCount; another one that waits for its share has so many as status says. */
function floorOf({ queue }: RunnerAppSpec, desired: number): number {
  if (queue === undefined) return Number.POSITIVE_INFINITY;
  return queue.onReclaim === "Stop" ? Math.min(desired, queue.minCount ?? 0) : desired;
}

/** A Deployment's arithmetic: shares of a surge are rounded up, shares of what may be missing down. */
function termsAt(app: RunnerApp, wanted: number): FleetTerms {
  const { spec, status, metadata } = app;
  const { maxSurge = "25%", maxUnavailable = "25%" } = spec.strategy?.rollingUpdate ?? {};
  const surge = Math.ceil(partOf(maxSurge, wanted));
  const missing = Math.min(wanted, Math.floor(partOf(maxUnavailable, wanted)));
  const moving = Math.max(1, Math.ceil(partOf(spec.evacuation?.maxSurge ?? "10%", wanted)));
  const restartedAt = parseTime(spec.restartedAt);
  return {
    uid: metadata.uid as string,
    wanted,
    lower: [],
    floor: wanted,
    ...(spec.queue?.name !== undefined && { queue: spec.queue.name }),
    least: wanted - (surge === 0 && missing === 0 ? 1 : missing),
    most: wanted + Math.max(surge, moving),
    target: targetOf(spec, wanted),
    minReadyMs: (spec.minReadySeconds ?? 0) * 1000,
    image: spec.template?.spec.containers[0]?.image ?? "",
    paused: spec.paused === true,
    ...(restartedAt !== undefined && { restartedAt }),
    moves: spec.retry?.storm?.moves ?? 5,
    windowMs: (spec.retry?.storm?.windowSeconds ?? 600) * 1000,
    ...(status?.canary?.phase !== undefined && { phase: status.canary.phase }),
    held: status?.canary?.target ?? 0,
  };
}

/** newTarget of runnerapp.md 3.3: at least 1 for a share above nothing, at most all but one for a share below all. */
function targetOf({ canary }: RunnerAppSpec, wanted: number): number {
  const share = canary?.replicas ?? "100%";
  const exact = partOf(share, wanted);
  const isAll = typeof share === "number" ? share >= wanted : Number.parseInt(share, 10) >= 100;
  if (isAll || wanted === 0) return wanted;
  return exact <= 0 ? 0 : Math.max(1, Math.min(Math.ceil(exact), wanted - 1));
}

const partOf = (value: number | string, of: number): number =>
  typeof value === "number" ? value : (Number.parseInt(value, 10) * of) / 100;

export const imageOf = ({ spec }: Pod): string => spec.containers[0]?.image ?? "";

export const instanceOf = ({ metadata }: Pod): string | undefined => metadata.annotations?.[annotations.instance];

/** It is not being deleted and has not ended. */
export const isLiving = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined && status?.phase !== "Failed" && status?.phase !== "Succeeded";

/** A pod of an app, and no helper of its instances. */
export function isInstance({ metadata }: KubeObject): boolean {
  const owner = controllerOf(metadata);
  return owner?.kind === "RunnerApp" && metadata.labels?.[labels.app] === owner.name;
}

/** Since when a living pod is Ready; undefined = it is not, or it was taken out of service. */
export function readySince(pod: Pod): number | undefined {
  const conditions = pod.status?.conditions ?? [];
  if (!isLiving(pod) || conditions.some(({ type, status }) => type === inServiceGate && status === "False")) return undefined;
  const ready = conditions.find(({ type }) => type === "Ready");
  return ready?.status === "True" ? parseTime(ready.lastTransitionTime) : undefined;
}

/** It is out of service for good: it drains, and is deleted then. */
export const isDraining = ({ status }: Pod): boolean =>
  status?.conditions?.some((each) => each.type === inServiceGate && each.status === "False" && each.reason === "Leaving") === true;

/** Whether one of its containers has ended once. */
export const hasFailed = ({ status }: Pod): boolean =>
  [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].some(
    ({ restartCount = 0, state, lastState }) => restartCount > 0 || state?.terminated !== undefined || lastState?.terminated !== undefined,
  );

/** Made before the instant that all are to be restarted for, which has come. */
export function isToRestart(pod: Pod, { restartedAt }: FleetTerms, now: number): boolean {
  const { metadata } = pod;
  if (metadata.annotations?.[annotations.restart] !== undefined) return true;
  if (restartedAt === undefined || restartedAt > now) return false;
  const made = parseTime(metadata.annotations?.[annotations.restartedAt]) ?? Number.NEGATIVE_INFINITY;
  return made < restartedAt && (parseTime(metadata.creationTimestamp) ?? 0) < restartedAt;
}

/** Pods that are one instance: one that moves, and those that were made in its place. */
export function instancesOf(pods: readonly Pod[]): readonly (readonly Pod[])[] {
  const byUid = new Map(pods.map((pod) => [pod.metadata.uid as string, pod]));
  const rootOf = (pod: Pod): Pod => {
    const before = byUid.get(pod.metadata.annotations?.[annotations.replaces] ?? "");
    return before === undefined || before === pod ? pod : rootOf(before);
  };
  return [...Map.groupBy(pods, rootOf).values()];
}
