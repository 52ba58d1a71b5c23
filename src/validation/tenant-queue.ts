import type { SpecProblem } from "../api/problem.ts";
import { maxBelowGuarantee } from "../api/queue-problems.ts";
import type { TenantQueue, TenantQueueSpec } from "../api/tenant-queue.gen.ts";
import { exceedsWhole, parsePercentage } from "../base/percentage.ts";
import { parseQuantity, QuantityError } from "../quota/quantity.ts";
import { formatAmount, unitOf } from "../quota/resource-vector.ts";
import { guaranteeProblems } from "./queue-guarantees.ts";
import { placeProblems, type QueueWorld, roleProblems, roleProblemsOfAll } from "./queue-tree.ts";

/**
 * What is wrong with a queue that is created or edited, as far as the CRD's schema cannot say it; empty when it is right. The queue is judged
 * as it would be in `world`, whatever that holds under its name.
 */
export function tenantQueueProblems(queue: TenantQueue, world: QueueWorld): readonly SpecProblem[] {
  const own = tenantQueueSpecProblems(queue.spec);
  const wrong = new Set(own.map(({ path }) => path));
  return [
    ...own,
    ...placeProblems(queue, world),
    ...roleProblems(queue, world),
    // An amount that is none is not added up.
    ...guaranteeProblems(queue, world).filter(({ path }) => !wrong.has(path)),
  ];
}

/**
 * What is wrong with each stored queue that has problems, for its conditions. Places, overlaps and guarantees are left to the rules that
 * decide them by what is there (tenantqueue/rules).
 */
export function standingProblems(world: QueueWorld): ReadonlyMap<string, readonly SpecProblem[]> {
  const found = new Map<string, readonly SpecProblem[]>();
  const roles = roleProblemsOfAll(world);
  for (const [name, { spec }] of world.queues) {
    const problems = [...tenantQueueSpecProblems(spec), ...(roles.get(name) ?? [])];
    if (problems.length > 0) found.set(name, problems);
  }
  return found;
}

/** What is wrong with a spec by itself. */
export function tenantQueueSpecProblems(spec: TenantQueueSpec): readonly SpecProblem[] {
  return [
    ...amountProblems(spec.guaranteed, "spec.guaranteed", true),
    ...amountProblems(spec.max, "spec.max"),
    ...amountProblems(spec.capacity?.resources, "spec.capacity.resources"),
    ...amountProblems(spec.capacity?.provisionable, "spec.capacity.provisionable"),
    ...maxProblems(spec),
  ];
}

type Amounts = Readonly<Record<string, string | number>> | undefined;

function amountProblems(amounts: Amounts, path: string, percentages = false): readonly SpecProblem[] {
  return Object.entries(amounts ?? {}).flatMap(([resource, value]) => {
    const message = resourceProblem(resource) ?? amountProblem(resource, value, percentages);
    return message === undefined ? [] : [{ path: `${path}.${resource}`, message }];
  });
}

function amountProblem(resource: string, value: string | number, percentages: boolean): string | undefined {
  const share = parsePercentage(String(value));
  if (share !== undefined) {
    if (!percentages) return `is the percentage ${value}; only guarantees may be one: give a quantity`;
    return exceedsWhole(share) ? `is ${value}; must be at most 100%, the whole of what the parent has` : undefined;
  }
  try {
    const most = parseQuantity(value, unitOf(resource), "Up");
    const isPieces = resource !== "cpu" && formatAmount(resource, 1) === "1";
    if (!isPieces || most === parseQuantity(value, unitOf(resource), "Down")) return undefined;
    return `is ${value}; ${resource} is counted in whole pieces`;
  } catch (error) {
    if (error instanceof QuantityError) return error.message;
    throw error;
  }
}

const coreResources = new Set(["cpu", "memory", "ephemeral-storage", "pods"]);
const qualifiedName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/**
 * Why nothing can be requested under this name; undefined when it can. Which extended resources there are depends on the nodes, so any name
 * with a domain is taken. Source: ValidateResourceName and IsExtendedResourceName of Kubernetes.
 */
export function resourceProblem(resource: string): string | undefined {
  if (coreResources.has(resource) || /^hugepages-[0-9]+(Ki|Mi|Gi)?$/.test(resource)) return undefined;
  const known = "cpu, memory, ephemeral-storage, pods, hugepages-<size>, or an extended resource with its domain such as nvidia.com/gpu";
  const asQuota = /^(?:requests|limits)\.(.+)$/.exec(resource);
  if (asQuota?.[1] !== undefined) return `there is no resource ${resource}; give ${asQuota[1]}, which is what pods request`;
  if (!resource.includes("/")) return `there is no resource ${resource}; there are ${known}`;
  if (!qualifiedName.test(resource)) return `${resource} cannot be the name of a resource; there are ${known}`;
  const domain = resource.slice(0, resource.indexOf("/"));
  if (/(^|\.)kubernetes\.io$/.test(domain) || domain === "nuptse.dev") {
    return `there is no resource ${resource}, since ${domain} is reserved; there are ${known}`;
  }
  return undefined;
}

/** A limit below the guarantee, where both are quantities; percentages are resolved where the parent is known. */
function maxProblems({ guaranteed, max }: TenantQueueSpec): readonly SpecProblem[] {
  return Object.entries(max ?? {}).flatMap(([resource, value]) => {
    const limit = unitsOf(resource, value);
    const least = unitsOf(resource, guaranteed?.[resource]);
    return limit === undefined || least === undefined || limit >= least
      ? []
      : [maxBelowGuarantee(resource, formatAmount(resource, limit), formatAmount(resource, least))];
  });
}

function unitsOf(resource: string, value: string | number | undefined): number | undefined {
  if (value === undefined) return undefined;
  try {
    return parseQuantity(value, unitOf(resource), "Up");
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}
