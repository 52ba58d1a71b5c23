/** A text was not a quantity, or not one that may be counted; the message says what is wrong and what would be right. */
export class QuantityError extends Error {
  override readonly name = "QuantityError";
}

/** Where an amount lies between two units: a request is counted as the larger, capacity as the smaller, so that neither is ever too good. */
export type Rounding = "Up" | "Down";

/**
 * The largest amount of one quantity: 2^48 units (256 PiB of memory, 281 billion cores). Sums of it stay far below 2^53, where numbers cease
 * to be exact.
 */
export const largestAmount = 2 ** 48;

const shape = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE])([+-]?\d+)|([KMGTPE]i|[numkMGTPE]))?$/;
const longestText = 64;
/** Powers of ten beyond this are larger, or smaller, than anything that is counted. */
const largestExponent = 60;

const binary: Readonly<Record<string, bigint>> = {
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
};
const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** What is counted as one: `units / per` of the quantity 1. cpu is 1000/1 (milli), memory 1/1024 (KiB). */
export interface Unit {
  readonly units: number;
  readonly per: number;
}

/**
 * Reads a quantity as Kubernetes writes them (`500m`, `1.5`, `2Gi`, `1e3`, `.5`; a JSON number is taken as its text), exactly, in whole units.
 * Source of the grammar: k8s.io/apimachinery/pkg/api/resource/quantity.go.
 * @throws QuantityError when it is no quantity, is negative, or is more than `largestAmount` units.
 */
export function parseQuantity(value: string | number, unit: Unit, rounding: Rounding): number {
  const text = String(value);
  const match = text.length <= longestText ? shape.exec(text) : null;
  const whole = match?.[2] ?? "";
  const fraction = match?.[3] ?? "";
  if (match === null || whole + fraction === "") {
    throw new QuantityError(`${JSON.stringify(text.slice(0, longestText))} is not a quantity such as 500m, 1.5, 2Gi or 1e3`);
  }
  const mantissa = BigInt(whole + fraction);
  if (mantissa === 0n) return 0;
  if (match[1] === "-") throw new QuantityError(`"${text}" must not be negative`);
  const exponent = (match[5] === undefined ? (decimal[match[6] ?? ""] ?? 0) : Number(match[5])) - fraction.length;
  if (exponent > largestExponent) throw tooLarge(text);
  if (exponent < -largestExponent - longestText) return rounding === "Up" ? 1 : 0;
  const dividend = mantissa * (binary[match[6] ?? ""] ?? 1n) * 10n ** BigInt(Math.max(0, exponent)) * BigInt(unit.units);
  const divisor = 10n ** BigInt(Math.max(0, -exponent)) * BigInt(unit.per);
  const amount = (rounding === "Up" ? dividend + divisor - 1n : dividend) / divisor;
  if (amount > BigInt(largestAmount)) throw tooLarge(text);
  return Number(amount);
}

function tooLarge(text: string): QuantityError {
  return new QuantityError(`"${text}" is more than any cluster has`);
}
