const dayMs = 86_400_000;
/** "2026-11-21T" by day since the epoch. A plan writes a hundred times of a few days. */
const datesOfDays = new Map<number, string>();
const mostDates = 1000;
const twoDigits = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, "0"));

/** "2026-11-21T16:00:00Z": whole seconds, as Kubernetes writes metadata. Throws RangeError for what is no time. */
export function formatSeconds(instantMs: number): string {
  const day = Math.floor(instantMs / dayMs);
  let date = datesOfDays.get(day);
  if (date === undefined) {
    const text = new Date(instantMs).toISOString();
    // Years of more than four digits are written longer, and are not asked for often.
    if (text.length !== 24) return `${text.slice(0, 19)}Z`;
    if (datesOfDays.size >= mostDates) datesOfDays.clear();
    date = text.slice(0, 11);
    datesOfDays.set(day, date);
  }
  const seconds = Math.floor((instantMs - day * dayMs) / 1000);
  const minutes = Math.floor(seconds / 60);
  return `${date}${twoDigits[Math.floor(minutes / 60)]}:${twoDigits[minutes % 60]}:${twoDigits[seconds % 60]}Z`;
}

/** "2026-11-21T16:00:00.250Z": what the operator measured itself. */
export function formatMillis(instantMs: number): string {
  return new Date(instantMs).toISOString();
}

/** "2026-11-21T16:00:00.250000Z": metav1.MicroTime, which the API server takes with six digits only. */
export function formatMicros(instantMs: number): string {
  return `${new Date(instantMs).toISOString().slice(0, 23)}000Z`;
}

/** Milliseconds since the epoch; undefined when absent or not a time. */
export function parseTime(text: string | null | undefined): number | undefined {
  if (text === undefined || text === null) return undefined;
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : instant;
}
