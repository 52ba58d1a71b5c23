import type { OnReclaim } from "../../api/admission.ts";
import type { ElasticJobSpec } from "../../api/elastic-job.gen.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import type { CompletionPolicy } from "./completion.ts";
import type { NodeRule } from "../../api/node-rule.ts";
import type { ShardingStrategy } from "./resident/strategies.ts";
import type { RetryRule } from "./retry-rule.ts";

/** A spec with every default filled in, as the CRD's schema fills them; durations in milliseconds. */
export interface EffectiveSpec {
  readonly suspend: boolean;
  readonly concurrencyPolicy: "Allow" | "Forbid" | "Replace" | "Enqueue";
  /** Runs that may wait under Enqueue. */
  readonly maxEnqueued: number;
  readonly misfire: MisfirePolicy;
  readonly after: readonly Dependency[];
  readonly dependencyTimeoutMs: number;
  readonly timeZone: string;
  readonly total: number;
  readonly disabledItems: IntervalSet;
  /** Infinity = all. */
  readonly parallelism: number;
  /** How items are dealt to the instances of a fleet; a run of pods has no use for it. */
  readonly strategy: ShardingStrategy;
  readonly retry: RetryPolicy;
  /** Pods of a node unreachable for so long are taken for dead; Infinity = never. */
  readonly unreachableMs: number;
  readonly completion: CompletionPolicy;
  readonly startTimeoutMs: number;
  /** Infinity = none. */
  readonly runTimeoutMs: number;
  /** Infinity = none. */
  readonly itemTimeoutMs: number;
  readonly nodeRules: readonly NodeRule[];
  readonly queue: QueueTerms;
  /** From the fire time plus jitter until a run is late; Infinity = never. */
  readonly deadlineMs: number;
  readonly resultBytes: number;
  readonly podRetention: { readonly succeeded: number; readonly failed: number; readonly minMs: number };
  readonly history: { readonly succeeded: number; readonly failed: number };
}

/** What runs ask of their queue, and agree to there. */
export interface QueueTerms {
  /** Absent = the default of the namespace. */
  readonly name?: string;
  readonly priority: number;
  readonly onReclaim: OnReclaim;
  /** Items that begin together. */
  readonly minCount: number;
}

export type MisfireAction = "Skip" | "FireOnce" | "FireAll";

export interface MisfirePolicy {
  readonly onDowntime: MisfireAction;
  readonly onOverlap: MisfireAction;
  readonly limit: number;
  /** Infinity = none. */
  readonly startingDeadlineMs: number;
}

/** A job that runs wait for. */
export interface Dependency {
  readonly job: string;
  readonly outcome: "Succeeded" | "Completed" | "Failed";
  readonly fireTime: "Same" | "Latest" | "AllInPeriod";
  /** Infinity = any. */
  readonly maxAgeMs: number;
}

export interface RetryPolicy {
  readonly sameNode: number;
  readonly otherNodes: number;
  /** How often an item may be lost without that counting. */
  readonly failoverLimit: number;
  readonly backoff: { readonly initialMs: number; readonly factor: number; readonly maxMs: number };
  /** An attempt at work for so long before it failed counts as the first one again; Infinity = none does. */
  readonly resetAfterMs: number;
  readonly rules: readonly RetryRule[];
}

const seconds = (value: number | undefined): number => (value === undefined ? Number.POSITIVE_INFINITY : value * 1000);

/**
 * Objects that were stored before a field had its default lack it, so the defaults stand here a second time; a test holds them against
 * the schema.
 * @throws IntervalSetError when disabledItems is no set.
 */
export function effectiveSpec(spec: ElasticJobSpec): EffectiveSpec {
  const backoff = spec.retry?.backoff;
  return {
    suspend: spec.suspend ?? false,
    concurrencyPolicy: spec.concurrencyPolicy ?? "Forbid",
    maxEnqueued: spec.maxEnqueued ?? 20,
    misfire: {
      onDowntime: spec.misfire?.onDowntime ?? "FireOnce",
      onOverlap: spec.misfire?.onOverlap ?? "Skip",
      limit: spec.misfire?.limit ?? 10,
      startingDeadlineMs: seconds(spec.misfire?.startingDeadlineSeconds),
    },
    after: (spec.after ?? []).map(({ job, outcome, fireTime, maxAgeSeconds }) => ({
      job,
      outcome: outcome ?? "Succeeded",
      fireTime: fireTime ?? "Same",
      maxAgeMs: seconds(maxAgeSeconds),
    })),
    dependencyTimeoutMs: seconds(spec.dependencyTimeoutSeconds ?? 86_400),
    timeZone: spec.schedule?.timeZone ?? "Etc/UTC",
    total: spec.sharding?.total ?? 1,
    disabledItems: IntervalSet.parse(spec.sharding?.disabledItems),
    parallelism: spec.sharding?.parallelism ?? Number.POSITIVE_INFINITY,
    strategy: spec.sharding?.strategy ?? "Average",
    retry: {
      sameNode: spec.retry?.sameNode ?? 0,
      otherNodes: spec.retry?.otherNodes ?? 0,
      failoverLimit: spec.failover?.limit ?? 3,
      backoff: {
        initialMs: (backoff?.initialSeconds ?? 10) * 1000,
        factor: backoff?.factor ?? 2,
        maxMs: (backoff?.maxSeconds ?? 300) * 1000,
      },
      resetAfterMs: seconds(spec.retry?.resetAfterSeconds),
      rules: spec.retry?.rules ?? [],
    },
    unreachableMs: seconds(spec.failover?.unreachableSeconds),
    completion: { maxFailedItems: spec.completion?.maxFailedItems ?? 0, failFast: spec.completion?.failFast ?? true },
    startTimeoutMs: seconds(spec.startTimeoutSeconds ?? 600),
    runTimeoutMs: seconds(spec.runTimeoutSeconds),
    itemTimeoutMs: seconds(spec.itemTimeoutSeconds),
    nodeRules: spec.nodeRules ?? [],
    queue: {
      ...(spec.queue?.name !== undefined && { name: spec.queue.name }),
      priority: spec.queue?.priority ?? 0,
      onReclaim: spec.queue?.onReclaim ?? "Finish",
      minCount: spec.queue?.minCount ?? 1,
    },
    deadlineMs: seconds(spec.deadlineSeconds),
    resultBytes: spec.results?.maxBytes ?? 1024,
    podRetention: {
      succeeded: spec.podRetention?.succeeded ?? 1,
      failed: spec.podRetention?.failed ?? 3,
      minMs: seconds(spec.podRetention?.minSeconds ?? 90),
    },
    history: { succeeded: spec.history?.succeeded ?? 3, failed: spec.history?.failed ?? 3 },
  };
}
