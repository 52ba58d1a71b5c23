import type { SpecProblem } from "../api/problem.ts";
import { maxBelowGuarantee, overCommitmentProblem } from "../api/queue-problems.ts";
import type { TenantQueue } from "../api/tenant-queue.gen.ts";
import { exceedsWhole, formatPercentage, parsePercentage, shareOf, whole } from "../base/percentage.ts";
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
    const root = above?.spec.parent === undefined;
    const wasGranted = queue.status === undefined ? undefined : grantedOf(queue, resource);
    const shares = sharesProblem(resource, asked, wasGranted, others, parent, root);
    if (has === undefined) return shares;

    const units = unitsOf(asked, has);
    const text = "share" in asked ? `${formatPercentage(asked.share)} (${formatAmount(resource, units)})` : formatAmount(resource, units);
    const limit = amountOf(resource, max[resource]);
    const problems: SpecProblem[] = [];
    // Two quantities are compared without their surroundings.
    if ("share" in asked && limit !== undefined && "units" in limit && limit.units < units) {
      problems.push(maxBelowGuarantee(resource, formatAmount(resource, limit.units), text));
    }
    const before = wasGranted === undefined ? 0 : unitsOf(wasGranted, has);
    const taken = others.reduce((sum, other) => sum + unitsOf(other, has), 0);
    const amount = (value: number) => formatAmount(resource, value);
    if ((units > before || sharePart(asked) > sharePart(wasGranted)) && units + taken > has) {
      const most = amount(Math.max(0, has - taken));
      problems.push(
        overCommitmentProblem({ kind: "siblings", resource, parent, has: amount(has), root, asked: text, siblings: amount(taken), most }),
      );
    } else problems.push(...shares);
    if (units < before || sharePart(asked) < sharePart(wasGranted)) {
      const below = childrenOf(queue, world).flatMap((child) => grantedOf(child, resource) ?? []);
      const covered = below.reduce((sum, child) => sum + unitsOf(child, units), 0);
      if (covered > units) problems.push(overCommitmentProblem({ kind: "children", resource, asked: text, children: amount(covered) }));
    }
    return problems;
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

const unitsOf = (amount: Amount, has: number): number => ("share" in amount ? shareOf(has, amount.share) : amount.units);

/** The percentage that a guarantee was declared as, in thousandths; it is judged, too, since a parent may have nothing just now. */
const sharePart = (amount: Amount | undefined): number => (amount !== undefined && "share" in amount ? amount.share : 0);

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

/** Percentages that are more than the whole, whatever that is. */
function sharesProblem(
  resource: string,
  asked: Amount,
  before: Amount | undefined,
  others: readonly Amount[],
  parent: string,
  root: boolean,
): readonly SpecProblem[] {
  if (!("share" in asked) || asked.share <= sharePart(before)) return [];
  const taken = others.reduce((sum, other) => sum + sharePart(other), 0);
  if (!exceedsWhole(asked.share + taken)) return [];
  const text = formatPercentage;
  const most = text(Math.max(0, whole - taken));
  return [
    overCommitmentProblem({ kind: "siblings", resource, parent, has: "100%", root, asked: text(asked.share), siblings: text(taken), most }),
  ];
}
