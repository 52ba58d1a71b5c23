/** Kubernetes quantities: exact to a billionth, compared and printed in the canonical form of apimachinery's resource.Quantity. */

const grammar = /^([+-]?)(\d*)(?:\.(\d*))?(?:(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)|[eE]([+-]?\d+))?$/;

const binary: Readonly<Record<string, bigint>> = {
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
  Ei: 2n ** 60n,
};
const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const binaryNames = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

export interface Quantity {
  /** Billionths. */
  readonly nano: bigint;
  readonly format: "binary" | "decimal" | "exponent";
}

/** undefined when the text is no quantity. Finer than a billionth is rounded up. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = grammar.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", suffix = "", exponent] = match;
  if (whole === "" && fraction === "") return undefined;
  const digits = BigInt(whole + fraction || "0");
  const factor = binary[suffix];
  // digits * 10^power, in billionths
  const power = (factor === undefined ? (exponent === undefined ? (decimal[suffix] ?? 0) : Number(exponent)) : 0) - fraction.length + 9;
  let nano = digits * (factor ?? 1n);
  if (power >= 0) nano *= 10n ** BigInt(power);
  else {
    const divisor = 10n ** BigInt(-power);
    nano = (nano + divisor - 1n) / divisor;
  }
  const format = factor !== undefined ? "binary" : exponent === undefined ? "decimal" : "exponent";
  return { nano: sign === "-" ? -nano : nano, format };
}

const billion = 1_000_000_000n;

/** The canonical text: no fraction, the largest suffix that needs none. */
export function printQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return "0";
  const sign = nano < 0n ? "-" : "";
  const size = nano < 0n ? -nano : nano;
  // below 1024, or with a fraction, a binary quantity is printed as a decimal one
  if (format === "binary" && size % billion === 0n && size / billion >= 1024n) {
    let value = size / billion;
    let at = 0;
    while (at < 6 && value % 1024n === 0n) {
      value /= 1024n;
      at++;
    }
    return `${sign}${value}${binaryNames[at]}`;
  }
  let value = size;
  let power = -9;
  while (power < 18 && value % 1000n === 0n) {
    value /= 1000n;
    power += 3;
  }
  if (format === "exponent") return `${sign}${value}${power === 0 ? "" : `e${power}`}`;
  const suffix = Object.keys(decimal).find((name) => decimal[name] === power) ?? "";
  return `${sign}${value}${suffix}`;
}
