import type {
  TenantQueue,
  TenantQueueStatus,
  TenantQueueStatusCoolOff,
  TenantQueueStatusDebt,
  TenantQueueStatusReclaim,
} from "../../api/tenant-queue.gen.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import { formatAmount, formatResources, type ResourceVector } from "../../quota/resource-vector.ts";
import { uncountedPods } from "./capacity.ts";
import { isOpen, type QueueState, queueConditions } from "./conditions.ts";
import type { EffectiveQueue } from "./effective-spec.ts";
import { readGuarantees } from "./effective-spec.ts";
import type { GrantRecord, QueueGuarantee } from "./guarantees.ts";
import { summaryOf } from "./summary.ts";

/** What the admission cycle knows of a queue at one instant. */
export interface QueueSnapshot {
  readonly used: ResourceVector;
  /** What the rule of admission would give now. */
  readonly fairShare: ResourceVector;
  readonly borrowed: ResourceVector;
  readonly lent: ResourceVector;
  readonly admitted: number;
  readonly waiting: number;
  /** Wall time in milliseconds; absent while nobody waits. */
  readonly oldestWaitSince?: number;
  /** The next workload, and why it waits; since in milliseconds. */
  readonly head?: { readonly reason: string; readonly message: string; readonly since: number };
  readonly reclaims: readonly TenantQueueStatusReclaim[];
  readonly debts: readonly TenantQueueStatusDebt[];
  readonly coolOffs: readonly TenantQueueStatusCoolOff[];
}

/** Everything that a queue's status is made of. */
export interface ObservedQueue {
  readonly queue: TenantQueue;
  readonly spec: EffectiveQueue;
  readonly state: Omit<QueueState, "name" | "generation" | "reclaims">;
  /** Of its root; absent while that is not known. */
  readonly capacity?: ResourceVector;
  readonly snapshot: QueueSnapshot;
}

/** Reclaims, debts and cool-offs that a status holds of each (decision 25). */
export const mostRecords = 16;

/**
 * The status as of now, whole: the same snapshot always gives the same text, so that what did not change is not written. What was granted
 * stays in it while the queue has no place, or the capacity of its root is not known.
 */
export function nextQueueStatus({ queue, spec, state, capacity, snapshot }: ObservedQueue, now: number): TenantQueueStatus {
  const { metadata, status: before } = queue;
  const { guarantee } = state;
  const isRoot = spec.parent === undefined;
  const reclaims = keepReclaims(snapshot.reclaims);
  const debts = keepNewest(snapshot.debts, now);
  const coolOffs = keepNewest(snapshot.coolOffs, now);
  const conditions = queueConditions(
    { ...state, name: metadata.name, generation: metadata.generation ?? 1, reclaims },
    before?.conditions ?? [],
    now,
  );
  const granted = isRoot ? {} : guarantee === undefined ? keptGrant(before) : grantOf(spec.parent, guarantee);
  const guaranteed = isRoot ? {} : (guarantee?.effective ?? {});
  return {
    observedGeneration: metadata.generation ?? 1,
    summary: summaryOf({ ...snapshot, guaranteed, max: spec.max }, capacity ?? {}),
    ...granted,
    ...(isRoot && capacity !== undefined && { capacity: formatResources(counted(capacity)) }),
    used: formatResources(snapshot.used),
    fairShare: formatResources(snapshot.fairShare),
    borrowed: formatResources(snapshot.borrowed),
    lent: formatResources(snapshot.lent),
    admitted: snapshot.admitted,
    waiting: snapshot.waiting,
    ...(snapshot.oldestWaitSince !== undefined && { oldestWaitSince: formatSeconds(snapshot.oldestWaitSince) }),
    ...(snapshot.head !== undefined && { head: { ...snapshot.head, since: formatSeconds(snapshot.head.since) } }),
    ...(reclaims.length > 0 && { reclaims }),
    ...(debts.length > 0 && { debts }),
    ...(coolOffs.length > 0 && { coolOffs }),
    conditions,
  };
}

/** What status has kept of what a queue was granted; undefined for one that was never placed. */
export function grantRecordOf({ status }: TenantQueue): GrantRecord | undefined {
  if (status?.parent === undefined) return undefined;
  const granted = Object.entries(status.guaranteed ?? {}).map(([resource, guarantee]) => [resource, guarantee.granted]);
  return { parent: status.parent, granted: readGuarantees(Object.fromEntries(granted)) };
}

function counted({ pods = 0, ...others }: ResourceVector): ResourceVector {
  return pods < uncountedPods ? { ...others, ...(pods > 0 && { pods }) } : others;
}

type GrantFields = Pick<TenantQueueStatus, "parent" | "guaranteed">;

function keptGrant(before: TenantQueueStatus | undefined): GrantFields {
  return {
    ...(before?.parent !== undefined && { parent: before.parent }),
    ...(before?.guaranteed !== undefined && { guaranteed: before.guaranteed }),
  };
}

function grantOf(parent: string | undefined, { granted, effective }: QueueGuarantee): GrantFields {
  const names = Object.keys(granted).sort();
  const guaranteed = names.map((name) => [
    name,
    { granted: granted[name]?.text ?? "", effective: formatAmount(name, effective[name] ?? 0) },
  ]);
  return { ...(parent !== undefined && { parent }), ...(names.length > 0 && { guaranteed: Object.fromEntries(guaranteed) }) };
}

/** Open requests before ended ones, the newest of those; then by id, so that the order of the snapshot does not matter. */
function keepReclaims(reclaims: readonly TenantQueueStatusReclaim[]): readonly TenantQueueStatusReclaim[] {
  const rank = (reclaim: TenantQueueStatusReclaim) =>
    isOpen(reclaim.state) ? Number.POSITIVE_INFINITY : (parseTime(reclaim.updatedAt) ?? 0);
  return reclaims
    .toSorted((left, right) => compare(rank(right), rank(left)) || compare(left.id, right.id))
    .slice(0, mostRecords)
    .sort((left, right) => compare(left.id, right.id));
}

/** Those that are not over, the longest first. */
function keepNewest<T extends { readonly until: string; readonly id?: string; readonly ref?: string; readonly part?: string }>(
  records: readonly T[],
  now: number,
): readonly T[] {
  const name = ({ id, ref, part }: T) => id ?? `${ref}/${part}`;
  return records
    .filter(({ until }) => (parseTime(until) ?? 0) > now)
    .sort((left, right) => compare(parseTime(right.until) ?? 0, parseTime(left.until) ?? 0) || compare(name(left), name(right)))
    .slice(0, mostRecords)
    .sort((left, right) => compare(name(left), name(right)));
}

function compare<T extends string | number>(left: T, right: T): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
