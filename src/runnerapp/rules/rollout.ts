import { annotations } from "../../api/names.ts";
import type { RunnerAppStatus } from "../../api/runner-app.gen.ts";
import { formatSeconds } from "../../base/time.ts";
import type { InstancePod } from "./instance.ts";
import { availableFrom } from "./instance.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import type { ObservedApp } from "./observed.ts";
import type { RevisionStep } from "./revision.ts";

export type Canary = NonNullable<RunnerAppStatus["canary"]>;

/** Where a roll-out stands. */
export interface Rollout {
  /** The revision of the spec, or the last one that was accepted; absent = there is none yet. */
  readonly update?: string;
  /** The newest revision that all instances had and were available with; absent = there is none, so nothing is protected or healed. */
  readonly stable?: string;
  /** The revision that `count` instances are to have: `update`, or `stable` after a roll-back. */
  readonly goal?: string;
  readonly count: number;
  /** As it is to stand in status; absent = all instances are to have `update`, and nothing else is known. */
  readonly canary?: Canary;
  /** Instances of `update` that failed now and had not failed before. */
  readonly newlyFailed: readonly string[];
}

/** Phases in which nothing moves forward. */
export const isStanding = (phase: string | undefined): boolean => phase === "Paused" || phase === "AutoPaused" || phase === "RolledBack";

/**
 * Which revision is rolled out to how many instances. A pause by failure and a roll-back stand in status alone and hold for their revision: another
 * change ends them, or somebody who resumes them. A roll-back acts only once it is recorded (decision 6).
 * @param failed instances of a revision that failed by themselves, by number
 */
export function stepRollout(
  observed: ObservedApp,
  spec: EffectiveSpec,
  revision: RevisionStep,
  living: readonly InstancePod[],
  failed: (revision: string) => readonly string[],
): Rollout {
  const { app, revisions, now } = observed;
  const status = app.status ?? {};
  const exists = (name: string | undefined) => name !== undefined && revisions.some(({ metadata }) => metadata.name === name);
  const update = revision.kind === "ready" ? revision.name : exists(status.updateRevision) ? status.updateRevision : undefined;
  if (update === undefined) return { count: 0, newlyFailed: [] };
  const stable = exists(status.stableRevision) ? status.stableRevision : mostAvailable(observed, spec, living, update);
  const others = living.filter((pod) => pod.revision !== update).length;
  if (stable === update && spec.paused && others > 0) return standingBack(observed, update, spec.replicas, others);
  if (stable === undefined || stable === update)
    return { update, ...(stable !== undefined && { stable }), goal: update, count: spec.replicas, newlyFailed: [] };

  const before = status.canary?.revision === update ? status.canary : undefined;
  const wish = app.metadata.annotations?.[annotations.resume];
  const isResumed = wish?.startsWith(`${update}/`) === true && wish !== before?.resumed;
  const known = isResumed ? [] : (before?.failedInstances ?? []);
  const newlyFailed = spec.onFailure === undefined || isResumed ? [] : failed(update).filter((name) => !known.includes(name));
  const failedInstances = [...known, ...newlyFailed].slice(0, mostFailed);
  const updated = living.filter((pod) => pod.revision === update);
  const available = updated.filter((pod) => availableFrom(pod, spec.minReadyMs) <= now).length;
  const phase = phaseOf(spec, isResumed ? undefined : before?.phase, failedInstances.length, available);
  const isNew = phase !== before?.phase || isResumed;
  // Held while it stands still, whatever becomes of single instances; an instance of it that is lost comes back.
  const standing = isNew ? updated.length : (before?.target ?? updated.length);
  const held = Math.min(shareKept(standing, status.desiredReplicas, spec.replicas), spec.target);
  const target = phase === "Paused" || phase === "AutoPaused" ? held : phase === "RolledBack" ? 0 : spec.target;
  // Nothing that is there is taken for one that is missing: that would be an update.
  const count = phase === "Paused" ? Math.min(target, Math.max(updated.length, spec.replicas - others)) : target;
  const resumed = isResumed ? wish : before?.resumed;
  const reason = reasonOf(phase, failedInstances);
  const canary: Canary = {
    revision: update,
    phase,
    target,
    failed: failedInstances.length,
    ...(failedInstances.length > 0 && { failedInstances }),
    ...(reason !== undefined && { reason }),
    ...(resumed !== undefined && { resumed }),
    since: isNew ? formatSeconds(now) : (before?.since ?? formatSeconds(now)),
  };
  const isBack = phase === "RolledBack" && before?.phase === "RolledBack";
  if (isBack) return { update, stable, goal: stable, count: spec.replicas, canary, newlyFailed };
  return { update, stable, goal: update, count: phase === "RolledBack" ? held : count, canary, newlyFailed };
}

/** Paused on the way back to what was stable: nothing is taken back before somebody resumes it; what is missing is of the stable revision. */
function standingBack({ app, now }: ObservedApp, update: string, replicas: number, others: number): Rollout {
  const { canary: before, desiredReplicas: size = replicas } = app.status ?? {};
  const isKnown = before?.revision === update && before.phase === "Paused";
  const since = isKnown && before.since !== undefined ? before.since : formatSeconds(now);
  const standing = (isKnown ? before.target : undefined) ?? Math.max(0, Math.max(size, replicas) - others);
  const count = Math.max(shareKept(standing, size, replicas), replicas - others);
  return {
    update,
    stable: update,
    goal: update,
    count,
    canary: { revision: update, phase: "Paused", target: count, failed: 0, since },
    newlyFailed: [],
  };
}

/**
 * What of `held` instances is left when the fleet shrinks while its roll-out stands still: their share, as a Deployment scales its ReplicaSets
 * (k8s.io/kubernetes pkg/controller/deployment/util, GetReplicaSetProportion), and of both as long as there are two. Instances that are added are of the
 * revision before, so growing changes nothing.
 * @param size of the fleet when `held` was written down; absent = as large as now
 */
export function shareKept(held: number, size: number | undefined, replicas: number): number {
  if (size === undefined || size <= replicas || held <= 0) return held;
  if (held >= size) return Math.min(held, replicas);
  const part = Math.round((held * replicas) / size);
  return replicas <= 1 ? part : Math.max(1, Math.min(part, replicas - 1));
}

/**
 * The same when instances leave their nodes: while it stands still because of failures, one that has failed and leaves does not come back, but is
 * followed by one of the stable revision (research 5f). So many fewer are held from the plan on that records the move.
 * @param leaving instances whose move begins with this plan
 */
export function withoutLeaving(rollout: Rollout, leaving: readonly InstancePod[]): Rollout {
  const { canary, update } = rollout;
  if (canary?.phase !== "AutoPaused") return rollout;
  const failed = new Set(canary.failedInstances);
  const gone = leaving.filter(({ revision, instance }) => revision === update && failed.has(instance)).length;
  const count = Math.max(0, rollout.count - gone);
  return gone === 0 ? rollout : { ...rollout, count, canary: { ...canary, target: count } };
}

/** As many as maxFailed can be. */
const mostFailed = 1000;

function phaseOf(spec: EffectiveSpec, before: Canary["phase"], failed: number, available: number): NonNullable<Canary["phase"]> {
  if (before === "AutoPaused" || before === "RolledBack") return before;
  if (spec.onFailure !== undefined && failed >= spec.onFailure.maxFailed)
    return spec.onFailure.action === "Rollback" ? "RolledBack" : "AutoPaused";
  if (spec.paused) return "Paused";
  return spec.target < spec.replicas && available >= spec.target ? "Held" : "Rolling";
}

function reasonOf(phase: string, failed: readonly string[]): string | undefined {
  if (phase !== "AutoPaused" && phase !== "RolledBack") return undefined;
  const [first, ...others] = failed;
  return `instance ${first}${others.length === 0 ? "" : ` and ${others.length} more`} failed`;
}

/** Where status does not tell what was stable: the other revision of most instances that serve. */
function mostAvailable(
  { now, revisions }: ObservedApp,
  spec: EffectiveSpec,
  living: readonly InstancePod[],
  update: string,
): string | undefined {
  const serving = living.filter((pod) => pod.revision !== update && availableFrom(pod, spec.minReadyMs) <= now);
  const counted = [...Map.groupBy(serving, ({ revision }) => revision)].filter(([name]) =>
    revisions.some(({ metadata }) => metadata.name === name),
  );
  return counted.sort(([a, left], [b, right]) => right.length - left.length || (a < b ? -1 : 1))[0]?.[0];
}
