import type { TenantQueueStatusSummary } from "../../api/tenant-queue.gen.ts";
import type { ResourceVector } from "../../quota/resource-vector.ts";

/** The vectors of which the columns of `kubectl get` tell. */
export interface SummarizedVectors {
  readonly guaranteed: ResourceVector;
  readonly used: ResourceVector;
  readonly fairShare: ResourceVector;
  readonly lent: ResourceVector;
  readonly borrowed: ResourceVector;
  /** Units by resource; 0 is a limit. */
  readonly max: Readonly<Record<string, number>>;
}

/**
 * Short texts for people, such as "cpu 512". All tell of one resource, so that they can be compared: the one of whose capacity the queue uses
 * the largest part, or while it uses nothing is guaranteed the largest. A column in which that resource does not occur tells of its own largest.
 * @param capacity of the root
 */
export function summaryOf(vectors: SummarizedVectors, capacity: ResourceVector): TenantQueueStatusSummary {
  const resource = largest(vectors.used, capacity) ?? largest(vectors.guaranteed, capacity);
  const text = (vector: Readonly<Record<string, number>>): string | undefined => {
    const shown = resource !== undefined && vector[resource] !== undefined ? resource : largest(vector, capacity);
    return shown === undefined ? undefined : `${shown} ${shortAmount(shown, vector[shown] ?? 0)}`;
  };
  const guaranteed = text(vectors.guaranteed);
  const fairShare = text(vectors.fairShare);
  const max = text(vectors.max);
  const lent = text(vectors.lent);
  const borrowed = text(vectors.borrowed);
  return {
    ...(guaranteed !== undefined && { guaranteed }),
    used: text(vectors.used) ?? "0",
    ...(fairShare !== undefined && { fairShare }),
    ...(max !== undefined && { max }),
    ...(lent !== undefined && { lent }),
    ...(borrowed !== undefined && { borrowed }),
  };
}

/** The resource of which the vector has the largest part of the capacity; pods only where there is nothing else. Ties go to the lower name. */
function largest(vector: Readonly<Record<string, number>>, capacity: ResourceVector): string | undefined {
  let found: { readonly name: string; readonly part: number } | undefined;
  for (const name of Object.keys(vector).sort()) {
    const of = capacity[name] ?? 0;
    const part = name === "pods" ? -1 : of === 0 ? 0 : (vector[name] ?? 0) / of;
    if (found === undefined || part > found.part) found = { name, part };
  }
  return found?.name;
}

const binarySuffixes = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/** An amount with at most three digits that count: "12.5", "1.25Ti", "400"; whole numbers are never shortened. */
export function shortAmount(resource: string, units: number): string {
  if (resource === "cpu") return digits(units / 1000);
  if (resource !== "memory" && resource !== "ephemeral-storage" && !resource.startsWith("hugepages-")) return String(units);
  if (units === 0) return "0";
  let value = units;
  let power = 0;
  while (value >= 1024 && power < binarySuffixes.length - 1) {
    value /= 1024;
    power++;
  }
  return `${digits(value)}${binarySuffixes[power]}`;
}

function digits(value: number): string {
  if (Number.isInteger(value) || value >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
