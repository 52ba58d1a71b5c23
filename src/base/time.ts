/** "2026-11-21T16:00:00Z": whole seconds, as Kubernetes writes metadata. */
export function formatSeconds(instantMs: number): string {
  return `${new Date(instantMs).toISOString().slice(0, 19)}Z`;
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
