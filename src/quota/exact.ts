/** Relative error of two products of whole numbers below 2^53, each rounded once, with room to spare. */
const certain = 2 ** -50;

/**
 * The sign of a x b - c x d for whole numbers from 0 to 2^53, exactly. Fractions a/d and c/b compare so without dividing. Only products that
 * differ by less than the error of floating point are made with BigInt.
 */
export function compareProducts(a: number, b: number, c: number, d: number): number {
  const left = a * b;
  const right = c * d;
  const difference = left - right;
  if (left <= Number.MAX_SAFE_INTEGER && right <= Number.MAX_SAFE_INTEGER) return signOf(difference);
  if (Math.abs(difference) > Math.max(left, right) * certain) return signOf(difference);
  return signOf(BigInt(a) * BigInt(b) - BigInt(c) * BigInt(d));
}

/** a < b < ... of names, by code units: the same on every machine. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The sign of a x b x c - d x e x f, as above. */
export function compareTriples(a: number, b: number, c: number, d: number, e: number, f: number): number {
  const left = a * b * c;
  const right = d * e * f;
  const difference = left - right;
  if (Math.abs(difference) > Math.max(left, right) * certain) return signOf(difference);
  return signOf(BigInt(a) * BigInt(b) * BigInt(c) - BigInt(d) * BigInt(e) * BigInt(f));
}

/** A small number: it costs no memory, where a large difference would be an object. */
function signOf(difference: number | bigint): number {
  return difference > 0 ? 1 : difference < 0 ? -1 : 0;
}
