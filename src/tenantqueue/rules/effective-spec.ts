import type { LabelSelector } from "../../api/label-selector.ts";
import type { TenantQueue, TenantQueueSpec } from "../../api/tenant-queue.gen.ts";
import { exceedsWhole, parsePercentage } from "../../base/percentage.ts";
import { parseTime } from "../../base/time.ts";
import { QuantityError } from "../../quota/quantity.ts";
import { parseAmount, type ResourceVector } from "../../quota/resource-vector.ts";

/** A guarantee as it was declared: so many units, or a share of what the parent is guaranteed, in thousandths of a percent. */
export type Guarantee = { readonly units: number } | { readonly share: number };

/** Guarantees by resource; zero is left out. */
export type Guarantees = Readonly<Record<string, Guarantee & { readonly text: string }>>;

/** One toleration of a root. */
export interface PoolToleration {
  readonly key?: string;
  readonly operator: "Exists" | "Equal";
  readonly value: string;
  readonly effect?: string;
}

/** What a root has to share: fixed resources, or those of its nodes. */
export type CapacitySource =
  | { readonly kind: "fixed"; readonly resources: ResourceVector }
  | {
      readonly kind: "nodes";
      readonly nodeSelector: Readonly<Record<string, string>>;
      readonly tolerations: readonly PoolToleration[];
      readonly provisionable: ResourceVector;
    };

export type StopPolicy = "None" | "Hold" | "HoldAndDrain";

/** A queue with every default filled in, as the CRD's schema fills them. Durations in milliseconds; Infinity = no limit. */
export interface EffectiveQueue {
  readonly name: string;
  readonly createdAt: number;
  /** Absent = a root. */
  readonly parent?: string;
  readonly weight: number;
  readonly guaranteed: Guarantees;
  /** Units by resource; a resource that is not named has no limit, and 0 is a limit. */
  readonly max: Readonly<Record<string, number>>;
  /** Of a root; that of other queues is not used. */
  readonly capacity: CapacitySource;
  /** Absent = no namespace. */
  readonly namespaceSelector?: LabelSelector;
  readonly defaultQueue: boolean;
  readonly ordering: "PriorityFIFO" | "FIFO";
  readonly lendMaxSeconds: number;
  readonly waitingLimit: number;
  readonly runningLimit: number;
  readonly unschedulableMs: number;
  readonly maxPriority: number;
  readonly reclaimGraceMs: number;
  readonly stopPolicy: StopPolicy;
}

/**
 * Reads a queue. Objects that were stored before a field had its default lack it, so the defaults stand here a second time; a test holds
 * them against the schema. An amount that cannot be read is left out: validation names it.
 */
export function effectiveQueue({ metadata, spec }: TenantQueue): EffectiveQueue {
  return {
    name: metadata.name,
    createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    ...(spec.parent !== undefined && { parent: spec.parent }),
    weight: spec.weight ?? 1,
    guaranteed: readGuarantees(spec.guaranteed),
    max: readAmounts(spec.max, "Up"),
    capacity: readCapacity(spec.capacity),
    ...(spec.namespaceSelector !== undefined && { namespaceSelector: spec.namespaceSelector }),
    defaultQueue: spec.defaultQueue ?? false,
    ordering: spec.ordering ?? "PriorityFIFO",
    lendMaxSeconds: spec.lend?.maxSeconds ?? 3600,
    waitingLimit: spec.limits?.waiting ?? Number.POSITIVE_INFINITY,
    runningLimit: spec.limits?.running ?? Number.POSITIVE_INFINITY,
    unschedulableMs: (spec.limits?.unschedulableSeconds ?? 900) * 1000,
    maxPriority: spec.maxPriority ?? 1000,
    reclaimGraceMs: (spec.reclaim?.graceSeconds ?? 600) * 1000,
    stopPolicy: spec.stopPolicy ?? "None",
  };
}

/** Guarantees as they are declared, or as status keeps them. Percentages are kept as such; what cannot be read, is over 100% or is zero is left out. */
export function readGuarantees(declared: Readonly<Record<string, string | number>> | undefined): Guarantees {
  const guarantees: Record<string, Guarantee & { readonly text: string }> = {};
  for (const [resource, value] of Object.entries(declared ?? {})) {
    const guarantee = readGuarantee(resource, value);
    if (guarantee !== undefined) guarantees[resource] = { ...guarantee, text: String(value) };
  }
  return guarantees;
}

function readGuarantee(resource: string, value: string | number): Guarantee | undefined {
  const share = parsePercentage(String(value));
  if (share !== undefined) return share > 0 && !exceedsWhole(share) ? { share } : undefined;
  const units = readAmount(resource, value, "Up");
  return units === undefined || units === 0 ? undefined : { units };
}

function readAmounts(
  declared: Readonly<Record<string, string | number>> | undefined,
  rounding: "Up" | "Down",
): Readonly<Record<string, number>> {
  const amounts: Record<string, number> = {};
  for (const [resource, value] of Object.entries(declared ?? {})) {
    const units = readAmount(resource, value, rounding);
    if (units !== undefined) amounts[resource] = units;
  }
  return amounts;
}

function readAmount(resource: string, value: string | number, rounding: "Up" | "Down"): number | undefined {
  try {
    return parseAmount(resource, value, rounding);
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}

function readCapacity(capacity: TenantQueueSpec["capacity"]): CapacitySource {
  if (capacity?.resources !== undefined) return { kind: "fixed", resources: readAmounts(capacity.resources, "Down") };
  return {
    kind: "nodes",
    nodeSelector: capacity?.nodeSelector ?? {},
    tolerations: (capacity?.tolerations ?? []).map(({ key, operator, value, effect }) => ({
      ...(key !== undefined && { key }),
      operator: operator ?? "Equal",
      value: value ?? "",
      ...(effect !== undefined && { effect }),
    })),
    provisionable: readAmounts(capacity?.provisionable, "Down"),
  };
}
