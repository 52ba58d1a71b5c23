/**
 * Compares two resource versions: below 0 when `a` is older. They are decimal numbers without leading zeros that may be larger than a
 * double holds exactly (Kubernetes calls them comparable since 1.35 and they are 64 bits wide), so the longer one is the newer.
 */
export function compareVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The newer of two resource versions, where undefined is older than all. */
export function laterVersion(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return compareVersions(a, b) >= 0 ? a : b;
}
