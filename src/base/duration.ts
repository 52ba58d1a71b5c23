const unitMs: Readonly<Record<string, number>> = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 };

/** "90s", "10m", "1h30m", "2d" or "1w" in milliseconds; undefined for everything else. A sum of parts, in any order. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d{1,9}[wdhms])+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([wdhms])/g)) sum += Number(count) * (unitMs[unit as string] as number);
  return sum;
}

/** The shortest text that parseDuration reads as these milliseconds, of at most two parts: what is less than a second, or below the second part, is left out. */
export function formatDuration(ms: number): string {
  const parts: string[] = [];
  let left = Math.floor(ms / 1000) * 1000;
  for (const unit of ["d", "h", "m", "s"]) {
    const length = unitMs[unit] as number;
    const count = Math.floor(left / length);
    left -= count * length;
    if (count > 0) parts.push(`${count}${unit}`);
    if (parts.length === 2 || (parts.length === 1 && count === 0)) break;
  }
  return parts.length === 0 ? "0s" : parts.join("");
}
