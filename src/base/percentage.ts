/** Thousandths of a percent in a whole: percentages have at most three decimals, so that shares of whole numbers are exact. */
export const whole = 100_000;

/**
 * "50%", "12.5%" in thousandths of a percent; undefined for what is no percentage. Those over 100% are read, too: whoever checks them
 * wants to name them.
 */
export function parsePercentage(text: string): number | undefined {
  const match = /^(\d{1,6})(?:\.(\d{1,3}))?%$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * 1000 + Number((match[2] ?? "").padEnd(3, "0"));
}

/** "12.5%" */
export function formatPercentage(thousandths: number): string {
  return `${thousandths / 1000}%`;
}

/** Whether it is more than the whole. */
export const exceedsWhole = (thousandths: number): boolean => thousandths > whole;

/** The share of a whole number of units up to 2^53, rounded down and exact. */
export function shareOf(units: number, thousandths: number): number {
  const product = units * thousandths;
  if (product <= Number.MAX_SAFE_INTEGER) return Math.floor(product / whole);
  return Number((BigInt(units) * BigInt(thousandths)) / BigInt(whole));
}

/** units x part / total, rounded down and exact, for whole numbers up to 2^53; total is not 0. */
export function proportionOf(units: number, part: number, total: number): number {
  const product = units * part;
  if (product <= Number.MAX_SAFE_INTEGER) return Math.floor(product / total);
  return Number((BigInt(units) * BigInt(part)) / BigInt(total));
}
