import { parseQuantity, QuantityError, type Rounding, type Unit } from "./quantity.ts";

/**
 * Amounts by the name of a resource, in whole units, so that sums and comparisons are exact:
 * - `cpu`: thousandths of a core;
 * - `memory`, `ephemeral-storage`, `hugepages-<size>`: KiB;
 * - `pods` and every other (extended) resource: pieces.
 *
 * A resource that is absent is 0. No amount is negative; those made by the functions here that would be 0 are left out, so that equal
 * vectors are deeply equal.
 */
export type ResourceVector = Readonly<Record<string, number>>;

/** Quantities by the name of a resource, as in a pod's requests or a node's allocatable. */
export type Quantities = Readonly<Record<string, string | number>>;

const milli: Unit = { units: 1000, per: 1 };
const kibi: Unit = { units: 1, per: 1024 };
const piece: Unit = { units: 1, per: 1 };

/** The unit in which a resource is counted. */
export function unitOf(resource: string): Unit {
  if (resource === "cpu") return milli;
  return isBytes(resource) ? kibi : piece;
}

/**
 * One quantity of a resource in its whole units: rounded "Up" for what is asked for, "Down" for what there is.
 * @throws QuantityError naming the resource and what is wrong.
 */
export function parseAmount(resource: string, value: string | number, rounding: Rounding): number {
  try {
    return parseQuantity(value, unitOf(resource), rounding);
  } catch (error) {
    if (error instanceof QuantityError) throw new QuantityError(`${resource}: ${error.message}`);
    throw error;
  }
}

/**
 * Quantities as a vector: rounded "Up" for requests, guarantees and limits, "Down" for capacity.
 * @throws QuantityError naming the resource and what is wrong.
 */
export function parseResources(quantities: Quantities, rounding: Rounding): ResourceVector {
  const vector: Record<string, number> = {};
  for (const [resource, value] of Object.entries(quantities)) {
    const amount = parseAmount(resource, value, rounding);
    if (amount > 0) vector[resource] = amount;
  }
  return vector;
}

/** An amount as the shortest exact quantity: `2500m`, `3`, `6Gi`. */
export function formatAmount(resource: string, amount: number): string {
  if (resource === "cpu") return amount % 1000 === 0 ? String(amount / 1000) : `${amount}m`;
  if (!isBytes(resource) || amount === 0) return String(amount);
  let value = amount;
  let power = 0;
  while (value % 1024 === 0 && power < 5) {
    value /= 1024;
    power++;
  }
  return `${value}${["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power]}`;
}

/** A vector as quantities, by name in ascending order. */
export function formatResources(vector: ResourceVector): Readonly<Record<string, string>> {
  const names = Object.keys(vector).sort();
  return Object.fromEntries(names.map((name) => [name, formatAmount(name, vector[name] ?? 0)]));
}

/** The sum of vectors. */
export function addResources(...vectors: readonly ResourceVector[]): ResourceVector {
  const sum: Record<string, number> = {};
  for (const vector of vectors) for (const [name, amount] of Object.entries(vector)) if (amount > 0) sum[name] = (sum[name] ?? 0) + amount;
  return sum;
}

/** What is left of `vector` after `less`, never below 0. */
export function subtractResources(vector: ResourceVector, less: ResourceVector): ResourceVector {
  const rest: Record<string, number> = {};
  for (const [name, amount] of Object.entries(vector)) if (amount > (less[name] ?? 0)) rest[name] = amount - (less[name] ?? 0);
  return rest;
}

/** `count` times the vector: a gang of equal items is one vector. */
export function multiplyResources(vector: ResourceVector, count: number): ResourceVector {
  const product: Record<string, number> = {};
  for (const [name, amount] of Object.entries(vector)) if (amount * count > 0) product[name] = amount * count;
  return product;
}

/** The larger of each component. Usage = max(what is recorded, what pods exist), decision 25. */
export function largerResources(...vectors: readonly ResourceVector[]): ResourceVector {
  const larger: Record<string, number> = {};
  for (const vector of vectors) {
    for (const [name, amount] of Object.entries(vector)) if (amount > (larger[name] ?? 0)) larger[name] = amount;
  }
  return larger;
}

/** Whether no component of `vector` is over that of `bound`; a resource that `bound` does not name is 0 there. */
export function fitsWithin(vector: ResourceVector, bound: ResourceVector): boolean {
  return Object.entries(vector).every(([name, amount]) => amount <= (bound[name] ?? 0));
}

function isBytes(resource: string): boolean {
  return resource === "memory" || resource === "ephemeral-storage" || resource.startsWith("hugepages-");
}
