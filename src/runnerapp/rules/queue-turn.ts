import { type Amounts, fleetPart, type PoolFields, type WorkloadWant } from "../../api/admission.ts";
import { parseTime } from "../../base/time.ts";
import { largerResources } from "../../quota/resource-vector.ts";
import { podRequest, type RequestingPod } from "../../quota/pod-request.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import type { ObservedApp } from "./observed.ts";
import { withOption } from "./resource-options.ts";
import type { RevisionData } from "./revision.ts";
import { needsGate } from "./service-gate.ts";
import { servesOn } from "./services/pod-fields.ts";

/** How the fleet stands with its queue. */
export interface QueueTurn {
  /** Absent = it is of none. */
  readonly queue?: string;
  readonly pool?: PoolFields;
  /** The size that it is to have at most; Infinity = what spec says. */
  readonly most: number;
  /** Pods that may be created now at most. */
  readonly mayCreate: number;
  /** What is granted, for status. */
  readonly admitted?: { readonly replicas: number; readonly surge: number };
  /** Why no more is granted. */
  readonly waits?: { readonly reason: string; readonly message: string; readonly never?: true };
  /** It was asked to give back more than it agreed to. */
  readonly declines: boolean;
  /** It was asked to shrink. */
  readonly isReduced: boolean;
}

const unlimited: QueueTurn = {
  most: Number.POSITIVE_INFINITY,
  mayCreate: Number.POSITIVE_INFINITY,
  declines: false,
  isReduced: false,
};

/**
 * Reads what was decided about the fleet. Until something is, it keeps what it has and grows by nothing. Asked back it shrinks as far as it agreed to.
 * @param existing pods of it that have not ended, those that are being deleted too: the share of each is free only when it is gone
 */
export function queueTurn({ app, admission }: ObservedApp, spec: EffectiveSpec, existing: number): QueueTurn {
  const choice = admission?.choice;
  if (choice === undefined) return unlimited;
  if (choice.kind === "refused") {
    const { reason, message } = choice;
    return { ...unlimited, mayCreate: 0, waits: { reason, message: `spec.queue.name: ${message}` } };
  }
  const { queue } = choice;
  const answer = admission?.answer;
  const { minCount } = spec.queue;
  if (answer === undefined) {
    // A new leader does not know yet what was decided. Taken for as large as its spec for a moment, what is held of a roll-out that stands still would be
    // another share.
    const kept = Math.max(existing, app.status?.admitted?.replicas ?? 0);
    return { ...unlimited, queue, mayCreate: 0, ...(kept > 0 && { most: kept }), ...recordedOf(app.status?.admitted) };
  }
  const { allowed, reclaim, waits, pool } = answer;
  const isReduced = reclaim !== undefined && allowed < spec.replicas;
  const declines = reclaim !== undefined && allowed < Math.min(minCount, spec.replicas);
  const replicas = Math.min(allowed, spec.replicas);
  return {
    queue,
    ...(pool !== undefined && { pool }),
    // Without being asked it never shrinks, whatever its share is.
    most: isReduced ? Math.max(minCount, allowed) : Math.max(allowed, existing),
    mayCreate: Math.max(0, allowed - existing),
    ...(allowed > 0 && { admitted: { replicas, surge: allowed - replicas } }),
    ...(waits !== undefined && { waits }),
    declines,
    isReduced,
  };
}

function recordedOf(admitted: { readonly replicas?: number; readonly surge?: number } | undefined): Pick<QueueTurn, "admitted"> {
  return admitted === undefined ? {} : { admitted: { replicas: admitted.replicas ?? 0, surge: admitted.surge ?? 0 } };
}

const defaultGraceSeconds = 30;

/**
 * What the fleet asks for: all that it is to be, and what it would make besides now if it could. Only a fleet that may shrink to nothing promises to
 * be gone soon (decision 9).
 */
export function wantOf(
  { app }: ObservedApp,
  spec: EffectiveSpec,
  queue: string,
  data: RevisionData,
  { existing, wanted }: { readonly existing: number; readonly wanted: number },
): WorkloadWant {
  const { priority, onReclaim, minCount } = spec.queue;
  const { template } = data;
  const drainSeconds = needsGate(app.spec) ? spec.evacuation.drainMs / 1000 : 0;
  const goneSeconds = drainSeconds + (servesOn(app, template.spec).terminationGracePeriodSeconds ?? defaultGraceSeconds);
  const admitted = app.status?.admitted;
  return {
    part: fleetPart,
    queue,
    priority,
    since: parseTime(app.metadata.creationTimestamp) ?? 0,
    item: requestOf(data),
    atLeast: Math.max(1, minCount),
    wanted,
    atWork: existing,
    recorded: (admitted?.replicas ?? 0) + (admitted?.surge ?? 0),
    onReclaim,
    promiseSeconds: onReclaim === "Stop" && minCount === 0 ? goneSeconds : Number.POSITIVE_INFINITY,
    resident: true,
  };
}

const requests = new WeakMap<object, Amounts>();

/** The most that any of its alternatives asks for. Revisions stay in the cache, so each is read once. */
function requestOf(data: RevisionData): Amounts {
  const known = requests.get(data);
  if (known !== undefined) return known;
  const { template, resourceOptions = [{}] } = data;
  const request = largerResources(
    ...resourceOptions.map((option) => podRequest({ spec: withOption(template.spec, option) } as RequestingPod)),
  );
  requests.set(data, request);
  return request;
}
