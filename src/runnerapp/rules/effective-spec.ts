import type { OnReclaim } from "../../api/admission.ts";
import type { NodeRule } from "../../api/node-rule.ts";
import type { RetryRule } from "../../api/retry-rule.ts";
import type { RunnerAppSpec } from "../../api/runner-app.gen.ts";
import { parseTime } from "../../base/time.ts";
import type { EvacuationBudget } from "./disruption-budget.ts";
import type { EvacuationPolicy } from "./evacuation.ts";
import { budgets, canaryTarget, scaled } from "./fleet-arithmetic.ts";
import type { ExclusionPolicy } from "./node-exclusion.ts";
import type { RunnerRetryAction, RunnerRetryPolicy } from "./retry-series.ts";

/** A spec with every default filled in, as the CRD's schema fills them; durations in milliseconds, shares resolved. */
export interface EffectiveSpec {
  /** 0 while suspended. */
  readonly replicas: number;
  readonly suspend: boolean;
  readonly paused: boolean;
  readonly minReadyMs: number;
  readonly progressDeadlineMs: number;
  readonly revisionHistoryLimit: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  /** How many instances get a change. */
  readonly target: number;
  /** Absent = nothing stops a roll-out by itself. */
  readonly onFailure?: { readonly maxFailed: number; readonly action: "Pause" | "Rollback" };
  /** Instances with an earlier restartedAt are replaced; absent = none is. */
  readonly restartedAt?: number;
  readonly startTimeoutMs: number;
  readonly retry: RunnerRetryPolicy;
  readonly exclusion: ExclusionPolicy;
  readonly nodeRules: readonly NodeRule[];
  /** So long may a pod find no node before the next alternative is tried. */
  readonly optionTimeoutMs: number;
  readonly evacuation: EvacuationPolicy & { readonly budget: EvacuationBudget };
  readonly queue: QueueTerms;
}

/** What instances ask of their queue, and agree to there. */
export interface QueueTerms {
  /** Absent = the default of the namespace. */
  readonly name?: string;
  readonly priority: number;
  readonly onReclaim: OnReclaim;
  /** The size that the fleet never shrinks below when asked. */
  readonly minCount: number;
}

/**
 * Objects that were stored before a field had its default lack it, so the defaults stand here a second time; a test holds them against
 * the schema.
 * @param most instances that there may be at most, so that all shares are of what there can be; absent = no limit
 */
export function effectiveSpec(spec: RunnerAppSpec, most = Number.POSITIVE_INFINITY): EffectiveSpec {
  const suspend = spec.suspend ?? false;
  const replicas = suspend ? 0 : Math.min(spec.replicas ?? 1, most);
  const { maxSurge, maxUnavailable } = spec.strategy?.rollingUpdate ?? {};
  const restartedAt = parseTime(spec.restartedAt);
  const { canary, queue, evacuation } = spec;
  return {
    replicas,
    suspend,
    paused: spec.paused ?? false,
    minReadyMs: (spec.minReadySeconds ?? 0) * 1000,
    progressDeadlineMs: (spec.progressDeadlineSeconds ?? 600) * 1000,
    revisionHistoryLimit: spec.revisionHistoryLimit ?? 10,
    ...budgets(replicas, maxSurge ?? "25%", maxUnavailable ?? "25%"),
    target: canaryTarget(replicas, canary?.replicas ?? "100%"),
    ...(canary !== undefined && {
      onFailure: { maxFailed: canary.onFailure?.maxFailed ?? 1, action: canary.onFailure?.action ?? "Pause" },
    }),
    ...(restartedAt !== undefined && { restartedAt }),
    startTimeoutMs: (spec.startTimeoutSeconds ?? 600) * 1000,
    retry: retryOf(spec.retry),
    exclusion: {
      failures: spec.nodeExclusion?.failures ?? 3,
      windowMs: (spec.nodeExclusion?.windowSeconds ?? 1800) * 1000,
      ttlMs: (spec.nodeExclusion?.ttlSeconds ?? 3600) * 1000,
      maxNodes: spec.nodeExclusion?.maxNodes ?? "20%",
    },
    nodeRules: (spec.nodeRules ?? []) as readonly NodeRule[],
    optionTimeoutMs: (spec.optionTimeoutSeconds ?? 300) * 1000,
    evacuation: {
      budget: evacuation?.budget ?? "Budget",
      maxSurge: Math.max(1, scaled(evacuation?.maxSurge ?? "10%", replicas, Math.ceil)),
      drainMs: (evacuation?.connectionDrainSeconds ?? 30) * 1000,
      timeoutMs: (evacuation?.timeoutSeconds ?? 3600) * 1000,
    },
    queue: {
      ...(queue?.name !== undefined && { name: queue.name }),
      priority: queue?.priority ?? 0,
      onReclaim: queue?.onReclaim ?? "Refuse",
      minCount: queue?.minCount ?? 0,
    },
  };
}

function retryOf(retry: RunnerAppSpec["retry"]): RunnerRetryPolicy {
  const { backoff, storm } = retry ?? {};
  return {
    sameNode: retry?.sameNode ?? 3,
    otherNodes: retry?.otherNodes ?? 5,
    backoff: {
      initialMs: (backoff?.initialSeconds ?? 10) * 1000,
      factor: backoff?.factor ?? 2,
      maxMs: (backoff?.maxSeconds ?? 300) * 1000,
    },
    resetAfterMs: (retry?.resetAfterSeconds ?? 600) * 1000,
    rules: (retry?.rules ?? []) as readonly RetryRule<RunnerRetryAction>[],
    storm: { moves: storm?.moves ?? 5, windowMs: (storm?.windowSeconds ?? 600) * 1000 },
  };
}
