/** How the way up from a node ends: at a root, at a name that nobody has, or in a circle. */
export type Ancestry =
  | { readonly kind: "root"; readonly path: readonly string[] }
  /** `missing` is named by the last of the path. */
  | { readonly kind: "missing"; readonly path: readonly string[]; readonly missing: string }
  /** The members of the circle in the order of the way up, from the lowest name on, so that all of them tell the same. */
  | { readonly kind: "cycle"; readonly path: readonly string[]; readonly cycle: readonly string[] };

/**
 * The way up from a node, which is the first of `path`.
 * @param parentOf undefined = there is no node of that name; null = it is a root
 */
export function ancestryOf(name: string, parentOf: (name: string) => string | null | undefined): Ancestry {
  const path: string[] = [];
  const seen = new Map<string, number>();
  for (let at = name; ; ) {
    const before = seen.get(at);
    if (before !== undefined) return { kind: "cycle", path, cycle: fromLowest(path.slice(before)) };
    const parent = parentOf(at);
    if (parent === undefined) return { kind: "missing", path, missing: at };
    seen.set(at, path.length);
    path.push(at);
    if (parent === null) return { kind: "root", path };
    at = parent;
  }
}

function fromLowest(names: readonly string[]): readonly string[] {
  let lowest = 0;
  for (const [at, name] of names.entries()) if (name < (names[lowest] as string)) lowest = at;
  return [...names.slice(lowest), ...names.slice(0, lowest)];
}
