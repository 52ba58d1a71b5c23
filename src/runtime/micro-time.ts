/** RFC 3339 with exactly six digits of a second, the only form that the API server takes for a MicroTime. `ms` since the epoch. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
