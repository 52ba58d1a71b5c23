import type { StoredObject } from "./json.ts";
import type { LabelRequirement } from "./selectors.ts";

/** One committed change. `object` of a DELETED is the last state with the version of the deletion. */
export interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly key: string;
  readonly object: StoredObject;
  readonly previous?: StoredObject;
  readonly revision: number;
}

/** "namespace/name", or "name": sorted as text, keys stand in the order in which etcd lists them. */
export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}

/**
 * All objects of one stored kind, with the changes of the recent past: enough to watch from an older version and to go on with a list
 * at the version at which it began. Label values that were asked for by equality are indexed from then on.
 */
export class Collection {
  readonly #objects = new Map<string, StoredObject>();
  readonly #keys: string[] = [];
  readonly #labelIndexes = new Map<string, Map<string, Set<string>>>();
  readonly #historyLength: number;
  #history: Change[] = [];
  /** Changes up to and including this version are forgotten. */
  #forgotten: number;

  /** @param historyLength how many changes are remembered; @param revision the version at which the kind began to be served */
  constructor(historyLength: number, revision: number) {
    this.#historyLength = historyLength;
    this.#forgotten = revision;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  /** In the order of the keys. */
  *all(): Iterable<StoredObject> {
    for (const key of this.#keys) yield this.#objects.get(key) as StoredObject;
  }

  /** Puts in an object that was stored before, without a change that a watch could tell of. */
  restore(key: string, object: StoredObject): void {
    this.#keys.splice(this.#position(key), 0, key);
    this.#objects.set(key, object);
  }

  record(change: Change): void {
    const { key } = change;
    if (change.type === "ADDED") this.#keys.splice(this.#position(key), 0, key);
    if (change.type === "DELETED") {
      this.#keys.splice(this.#position(key), 1);
      this.#objects.delete(key);
    } else this.#objects.set(key, change.object);
    if (this.#labelIndexes.size > 0) this.#reindex(change);
    this.#history.push(change);
    if (this.#history.length > this.#historyLength * 2) {
      const surplus = this.#history.length - this.#historyLength;
      this.#forgotten = (this.#history[surplus - 1] as Change).revision;
      this.#history = this.#history.slice(surplus);
    }
  }

  /** Forgets all changes up to a version, as a compaction does. */
  forget(revision: number): void {
    this.#history = this.#history.filter((change) => change.revision > revision);
    this.#forgotten = Math.max(this.#forgotten, revision);
  }

  /** The oldest version from which a watch can start. */
  get oldest(): number {
    return this.#forgotten;
  }

  /** The changes after a version, oldest first; undefined when some of them are forgotten. */
  changesAfter(revision: number): readonly Change[] | undefined {
    if (revision < this.#forgotten) return undefined;
    const history = this.#history;
    let low = 0;
    let high = history.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((history[middle] as Change).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low === history.length ? [] : history.slice(low);
  }

  /**
   * The objects of a namespace (or all) in the order of the keys, after `after` when given, as they were at a version; undefined when
   * that is forgotten. Without a version: as they are.
   */
  list(options: {
    readonly namespace?: string;
    readonly after?: string;
    readonly revision?: number;
    readonly labels?: readonly LabelRequirement[];
  }): readonly StoredObject[] | undefined {
    const changes = options.revision === undefined ? [] : this.changesAfter(options.revision);
    if (changes === undefined) return undefined;
    if (changes.length === 0) return this.#current(options);
    const then = new Map<string, StoredObject | undefined>();
    for (const change of changes) if (!then.has(change.key)) then.set(change.key, change.previous);
    const keys = new Set([...this.#keys, ...then.keys()]);
    const prefix = options.namespace === undefined ? "" : `${options.namespace}/`;
    const result: StoredObject[] = [];
    for (const key of [...keys].sort()) {
      if (!key.startsWith(prefix) || (options.after !== undefined && key <= options.after)) continue;
      const object = then.has(key) ? then.get(key) : this.#objects.get(key);
      if (object !== undefined) result.push(object);
    }
    return result;
  }

  #current(options: {
    readonly namespace?: string;
    readonly after?: string;
    readonly labels?: readonly LabelRequirement[];
  }): readonly StoredObject[] {
    const prefix = options.namespace === undefined ? "" : `${options.namespace}/`;
    const indexed = this.#indexed(options.labels ?? []);
    const result: StoredObject[] = [];
    if (indexed !== undefined) {
      for (const key of [...indexed].sort()) {
        if (key.startsWith(prefix) && (options.after === undefined || key > options.after))
          result.push(this.#objects.get(key) as StoredObject);
      }
      return result;
    }
    const keys = this.#keys;
    let at = options.after === undefined ? this.#position(prefix) : this.#position(options.after);
    if (keys[at] === options.after && options.after !== undefined) at++;
    for (; at < keys.length; at++) {
      const key = keys[at] as string;
      if (!key.startsWith(prefix)) break;
      result.push(this.#objects.get(key) as StoredObject);
    }
    return result;
  }

  /** The keys that the most selective equality can match; undefined when there is no equality. */
  #indexed(labels: readonly LabelRequirement[]): Iterable<string> | undefined {
    let best: Set<string> | undefined;
    for (const requirement of labels) {
      if (requirement.operator !== "in") continue;
      const index = this.#labelIndex(requirement.key);
      const found = new Set<string>();
      for (const value of requirement.values) for (const key of index.get(value) ?? []) found.add(key);
      if (best === undefined || found.size < best.size) best = found;
    }
    return best;
  }

  #labelIndex(label: string): Map<string, Set<string>> {
    let index = this.#labelIndexes.get(label);
    if (index === undefined) {
      index = new Map();
      for (const [key, object] of this.#objects) addToIndex(index, object.metadata.labels?.[label], key);
      this.#labelIndexes.set(label, index);
    }
    return index;
  }

  #reindex(change: Change): void {
    const before = change.previous?.metadata.labels;
    const after = change.type === "DELETED" ? undefined : change.object.metadata.labels;
    if (before === after) return;
    for (const [label, index] of this.#labelIndexes) {
      const left = before?.[label];
      const right = after?.[label];
      if (left === right) continue;
      if (left !== undefined) {
        const keys = index.get(left);
        keys?.delete(change.key);
        if (keys?.size === 0) index.delete(left);
      }
      addToIndex(index, right, change.key);
    }
  }

  /** Where a key is, or would be put. */
  #position(key: string): number {
    const keys = this.#keys;
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function addToIndex(index: Map<string, Set<string>>, value: string | undefined, key: string): void {
  if (value === undefined) return;
  const keys = index.get(value);
  if (keys === undefined) index.set(value, new Set([key]));
  else keys.add(key);
}
