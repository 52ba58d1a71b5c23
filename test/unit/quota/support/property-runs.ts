/** How many runs a property of the quota tree gets: so many, or as many as NUPTSE_QUOTA_RUNS says. */
export function propertyRuns(usual: number): number {
  const wanted = Number(process.env.NUPTSE_QUOTA_RUNS ?? 0);
  return wanted > 0 ? wanted : usual;
}
