import type { SpecProblem } from "../api/problem.ts";
import { maxBelowGuarantee, overCommitmentProblem } from "../api/queue-problems.ts";
import type { TenantQueue } from "../api/tenant-queue.gen.ts";
import { exceedsWhole, formatPercentage, parsePercentage, shareOf } from "../base/percentage.ts";
import { type GuaranteeParts, overCommitments } from "../quota/guarantee-edit.ts";
import { QuantityError } from "../quota/quantity.ts";
import { formatAmount, parseAmount } from "../quota/resource-vector.ts";
import { childrenOf, type QueueWorld, siblingsOf } from "./queue-tree.ts";

/**
 * Guarantees that promise more than there is. Where a queue has a status, what it was granted counts and not what its spec asks for; without
 * one the specs are compared. Of a parent whose amount is not known (nodes that are not counted yet) percentages are added up alone.
 */
export function guaranteeProblems(queue: TenantQueue, world: QueueWorld): readonly SpecProblem[] {
  const { parent, guaranteed = {}, max = {} } = queue.spec;
  if (parent === undefined) return [];
  const held = queue.status?.parent === parent ? Object.keys(queue.status.guaranteed ?? {}) : [];
  const above = world.queues.get(parent);
  const siblings = siblingsOf(queue, world);
  return [...new Set([...Object.keys(guaranteed), ...held])].flatMap((resource) => {
    const asked = guaranteed[resource] === undefined ? { units: 0 } : amountOf(resource, guaranteed[resource]);
    if (asked === undefined || ("share" in asked && exceedsWhole(asked.share))) return [];
    const has = above === undefined ? undefined : effectiveOf(above, resource, world, 0);
    const others = siblings.flatMap((sibling) => grantedOf(sibling, resource) ?? []);
    const wasGranted = queue.status === undefined ? undefined : grantedOf(queue, resource);
    const parts = partsOf(asked, has);
    const amount = formatAmount(resource, parts.units);
    const askedText = "share" in asked ? `${formatPercentage(asked.share)} (${amount})` : amount;
    const found = overCommitments({
      resource,
      parent,
      root: above?.spec.parent === undefined,
      has,
      asked: parts,
      askedText,
      before: partsOf(wasGranted, has),
      taken: sumOf(others, has),
      below: (units) =>
        sumOf(
          childrenOf(queue, world).flatMap((child) => grantedOf(child, resource) ?? []),
          units,
        ).units,
    }).map(overCommitmentProblem);
    const limit = amountOf(resource, max[resource]);
    // Two quantities are compared without their surroundings.
    const isLimited = "share" in asked && has !== undefined && limit !== undefined && "units" in limit && limit.units < parts.units;
    return isLimited ? [maxBelowGuarantee(resource, formatAmount(resource, limit.units), askedText), ...found] : found;
  });
}

type Amount = { readonly units: number } | { readonly share: number };

function amountOf(resource: string, value: string | number | undefined): Amount | undefined {
  if (value === undefined) return undefined;
  const share = parsePercentage(String(value));
  if (share !== undefined) return { share };
  try {
    return { units: parseAmount(resource, value, "Up") };
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}

/** A percentage of a parent whose amount is not known comes to no units that could be compared. */
function partsOf(amount: Amount | undefined, has: number | undefined): GuaranteeParts {
  if (amount === undefined) return { units: 0, share: 0 };
  return "share" in amount ? { units: shareOf(has ?? 0, amount.share), share: amount.share } : { units: amount.units, share: 0 };
}

function sumOf(amounts: readonly Amount[], has: number | undefined): GuaranteeParts {
  const parts = amounts.map((amount) => partsOf(amount, has));
  return { units: parts.reduce((sum, { units }) => sum + units, 0), share: parts.reduce((sum, { share }) => sum + share, 0) };
}

/** What status says that the queue was granted under its parent; of a queue without a status what it asks for. */
function grantedOf({ spec, status }: TenantQueue, resource: string): Amount | undefined {
  if (status?.parent === undefined) return amountOf(resource, spec.guaranteed?.[resource]);
  return status.parent === spec.parent ? amountOf(resource, status.guaranteed?.[resource]?.granted) : undefined;
}

/** Deeper than this there is a circle, which is told elsewhere. */
const mostDepth = 64;

/** What a queue is guaranteed of a resource, of a root its capacity; undefined where that is not known. */
function effectiveOf(queue: TenantQueue, resource: string, world: QueueWorld, depth: number): number | undefined {
  const { spec, status } = queue;
  if (spec.parent === undefined) {
    const fixed = spec.capacity?.resources;
    // A fixed capacity that does not name pods does not count them.
    if (fixed !== undefined && resource === "pods" && fixed[resource] === undefined) return undefined;
    const capacity = fixed ?? status?.capacity;
    return capacity === undefined ? undefined : quantityOf(resource, capacity[resource]);
  }
  if (status?.parent === spec.parent) return quantityOf(resource, status.guaranteed?.[resource]?.effective);
  const amount = amountOf(resource, spec.guaranteed?.[resource]);
  if (amount === undefined) return 0;
  if ("units" in amount) return amount.units;
  const above = world.queues.get(spec.parent);
  if (above === undefined || depth > mostDepth) return undefined;
  const has = effectiveOf(above, resource, world, depth + 1);
  return has === undefined ? undefined : shareOf(has, amount.share);
}

function quantityOf(resource: string, value: string | number | undefined): number {
  const amount = amountOf(resource, value);
  return amount !== undefined && "units" in amount ? amount.units : 0;
}
