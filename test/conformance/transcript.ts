/** Makes what two servers answered comparable: what must differ (UIDs, versions, times, names of namespaces) is replaced by what it stands for. */

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const uidPattern = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** What a real server adds to pods that the embedded one leaves out, as kubectl-needs.md section 7 decides. */
const podExtras = new Set(["tolerations", "priority", "preemptionPolicy", "serviceAccount", "serviceAccountName"]);

/** Collects the answers of one row and turns them into a value that can be compared. */
export class Transcript {
  readonly namespace: string;
  readonly #entries: unknown[] = [];
  readonly #uids = new Map<string, string>();
  readonly #versions = new Set<string>();

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  add(entry: unknown): void {
    this.#entries.push(entry);
  }

  /** How many entries there are. */
  get length(): number {
    return this.#entries.length;
  }

  /** Drops what was written down after so many entries: the looks of a wait. */
  cut(length: number): void {
    this.#entries.length = length;
  }

  /** Drops what was written down so far: a wait whose steps are not the same everywhere. */
  forget(): void {
    this.#entries.length = 0;
  }

  /** All entries; versions become their rank among those that were seen: "v1" < "v2". */
  result(): unknown {
    for (const entry of this.#entries) this.#collectVersions(entry);
    const ranks = new Map([...this.#versions].sort((a, b) => Number(a) - Number(b)).map((version, at) => [version, `v${at + 1}`]));
    return this.#entries.map((entry) => this.#normalise(entry as Json, [], ranks));
  }

  #collectVersions(value: unknown): void {
    if (Array.isArray(value)) for (const item of value) this.#collectVersions(item);
    else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        if (key.endsWith("resourceVersion") && typeof item === "string" && /^\d+$/.test(item)) this.#versions.add(item);
        else this.#collectVersions(item);
      }
    }
  }

  #normalise(value: Json, path: readonly string[], ranks: ReadonlyMap<string, string>): Json {
    if (typeof value === "string") return this.#text(value, path, ranks);
    if (Array.isArray(value)) {
      const items = value.map((item) => this.#normalise(item, path, ranks));
      return inNoOrder.has(path.at(-1) ?? "") ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
    }
    if (typeof value !== "object" || value === null) return value;
    const result: Record<string, Json> = {};
    for (const key of Object.keys(value).sort()) {
      const item = (value as Record<string, Json>)[key];
      if (item === undefined || (path.at(-1) === "spec" && podExtras.has(key) && item !== undefined && "containers" in value)) continue;
      result[this.#text(key, [], ranks)] = this.#normalise(item, [...path, key], ranks);
    }
    return result;
  }

  #text(text: string, path: readonly string[], ranks: ReadonlyMap<string, string>): string {
    if (path.at(-1)?.endsWith("resourceVersion") === true) return ranks.get(text) ?? text;
    if (timePattern.test(text) && !path.includes("spec")) return "<time>";
    const named = text
      .replaceAll(uidPattern, (uid) => {
        const known = this.#uids.get(uid) ?? `<uid-${this.#uids.size + 1}>`;
        this.#uids.set(uid, known);
        return known;
      })
      .replaceAll(this.namespace, "<namespace>");
    return path.at(-1) === "message" ? message(named) : named;
  }
}

/** Causes come in any order; the managers of fields by their times, which are whole seconds and may be equal or not. */
const inNoOrder: ReadonlySet<string> = new Set(["causes", "metadata.managedFields", "managedFields"]);

/** Lists of errors in no particular order, versions, the rest of a diff. */
function message(text: string): string {
  const single = text
    .replaceAll(/resource version: \d+ \(\d+\)/g, "resource version: <n> (<n>)")
    .replaceAll(/resource version: \d+, current: \d+/g, "resource version: <n>, current: <n>")
    .replaceAll(/(ResourceVersion in (?:the precondition|record)) \(\d+\)/g, "$1 (<n>)")
    .replace(/(pod updates may not change fields other than[^\n]*)\n[\s\S]*$/, "$1")
    .replaceAll(/StorageError: invalid object, Code: 4, Key: [^,]*, ResourceVersion: 0, AdditionalErrorMsg: /g, "");
  const list = /^(.* is invalid: )\[(.*)\]$/s.exec(single);
  return list === null
    ? single
    : `${list[1]}[${(list[2] ?? "")
        .split(/, (?=[a-z<][\w<>.[\]]*: )/)
        .sort()
        .join(", ")}]`;
}

/** The value at a dotted path; `a.*.b` maps over a list. A key with dots is given in brackets: `metadata.labels[a.b/c]`. */
export function pick(value: unknown, path: string): unknown {
  const parts = path.match(/\[[^\]]*\]|[^.[]+/g) ?? [];
  const walk = (current: unknown, at: number): unknown => {
    const part = parts[at];
    if (part === undefined) return current;
    if (part === "*") return Array.isArray(current) ? current.map((item) => walk(item, at + 1)) : undefined;
    const name = part.startsWith("[") ? part.slice(1, -1) : part;
    if (typeof current !== "object" || current === null) return undefined;
    return walk((current as Record<string, unknown>)[name], at + 1);
  };
  return walk(value, 0);
}
