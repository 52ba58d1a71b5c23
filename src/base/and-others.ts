/** " and 3 others", or nothing: what follows a list that names only some. */
export function andOthers(count: number): string {
  return count <= 0 ? "" : ` and ${count} ${count === 1 ? "other" : "others"}`;
}
