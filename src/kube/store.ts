/**
 * What the API server holds of one kind, as far as we know it. One writer (the informer), many readers.
 *
 * Three sources feed it in any order: lists, watch events, and the answers of our own writes, which enter at once so that nobody plans
 * from before them (decision 2). An object replaces another of its name only when its resourceVersion is larger. What was deleted must
 * not come back with a late answer: a deletion leaves its version behind as a tombstone, the last list's version stands for all
 * deletions before it, and of the tombstones that had to be forgotten the newest version is kept.
 */
import type { KubeObject } from "../api/meta.ts";
import { Freshness } from "./freshness.ts";
import { compareVersions, laterVersion } from "./resource-version.ts";

/** Names the values under which an object is found in an index; none = not at all. */
export type IndexFunction<T> = (object: T) => readonly string[];

export type IndexFunctions<T> = Readonly<Record<string, IndexFunction<T>>>;

/** What readers see. Objects must not be changed. Nothing that is returned follows later changes, but for `all`. */
export interface Store<T extends KubeObject, Index extends string = string> {
  readonly size: number;
  /** A first consistent list is in. */
  readonly synced: boolean;
  /** The version up to which the last list, event or bookmark has brought us. */
  readonly resourceVersion: string | undefined;
  /** Monotonic milliseconds: all that happened until then is in, as our own writes have proved; undefined = nothing has proved anything. */
  readonly freshAt: number | undefined;
  /** `namespace` is undefined for cluster-scoped kinds. */
  get(namespace: string | undefined, name: string): T | undefined;
  /** In no order. To be read through before anything is awaited. */
  all(): IteratorObject<T>;
  /** In no order. Cheap: the same array until one of its objects changes. */
  byIndex(index: Index, value: string): readonly T[];
}

export interface Change<T> {
  readonly type: "added" | "modified" | "deleted";
  /** For deleted: the last state. */
  readonly object: T;
  readonly previous?: T;
}

interface Bucket<T> {
  readonly members: Map<string, T>;
  list: readonly T[] | undefined;
}

const nothing: readonly never[] = [];
const tombstoneLimit = 4096;

export class ObjectStore<T extends KubeObject, Index extends string = string> implements Store<T, Index> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, { readonly valuesOf: IndexFunction<T>; readonly buckets: Map<string, Bucket<T>> }>;
  /** Version of the deletion by key, oldest first. */
  readonly #tombstones = new Map<string, string>();
  /** Nothing up to this version that is absent can have been added since: it is a list's version, or of a forgotten tombstone. */
  #absentUpTo: string | undefined;
  #resourceVersion: string | undefined;
  #synced = false;
  readonly #freshness = new Freshness();

  constructor(indexes: Readonly<Record<Index, IndexFunction<T>>>) {
    const functions = Object.entries<IndexFunction<T>>(indexes);
    this.#indexes = new Map(functions.map(([name, valuesOf]) => [name, { valuesOf, buckets: new Map() }]));
  }

  get size(): number {
    return this.#objects.size;
  }

  get synced(): boolean {
    return this.#synced;
  }

  get resourceVersion(): string | undefined {
    return this.#resourceVersion;
  }

  get freshAt(): number | undefined {
    return this.#freshness.provenAt(this.#resourceVersion);
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(keyOf(namespace, name));
  }

  all(): IteratorObject<T> {
    return this.#objects.values();
  }

  byIndex(index: Index, value: string): readonly T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new RangeError(`the store has no index "${index}"`);
    const bucket = found.buckets.get(value);
    if (bucket === undefined) return nothing;
    bucket.list ??= [...bucket.members.values()];
    return bucket.list;
  }

  /** What is held when it is of this very version: saves projecting what a relist brings again. */
  unchanged(object: KubeObject): T | undefined {
    const held = this.get(object.metadata.namespace, object.metadata.name);
    return held !== undefined && versionOf(held) === versionOf(object) && held.metadata.uid === object.metadata.uid ? held : undefined;
  }

  /** An ADDED or MODIFIED event. */
  put(object: T): readonly Change<T>[] {
    this.#resourceVersion = laterVersion(this.#resourceVersion, versionOf(object));
    const deleted = this.#tombstones.get(objectKey(object));
    if (deleted !== undefined && compareVersions(versionOf(object), deleted) <= 0) return nothing;
    return this.#enter(object);
  }

  /** A DELETED event; `object` is the last state, in the version of its deletion. */
  remove(object: T): readonly Change<T>[] {
    const key = objectKey(object);
    const version = versionOf(object);
    this.#resourceVersion = laterVersion(this.#resourceVersion, version);
    this.#bury(key, version);
    const held = this.#objects.get(key);
    if (held === undefined || compareVersions(versionOf(held), version) > 0) return nothing;
    this.#drop(key, held);
    return [{ type: "deleted", object, previous: held }];
  }

  /** A bookmark: we have all there is up to this version. */
  advance(version: string): void {
    this.#resourceVersion = laterVersion(this.#resourceVersion, version);
  }

  /**
   * The answer of an own write. Only for objects that lists and watches of this store select.
   * @param sentAt when the write was sent that gave the object its version, in monotonic milliseconds; absent = that may be another one's
   */
  observeWrite(object: T, sentAt?: number): readonly Change<T>[] {
    if (sentAt !== undefined) this.#freshness.note(versionOf(object), sentAt);
    const key = objectKey(object);
    const deleted = this.#tombstones.get(key) ?? (this.#objects.has(key) ? undefined : this.#absentUpTo);
    if (deleted !== undefined && compareVersions(versionOf(object), deleted) <= 0) return nothing;
    return this.#enter(object);
  }

  /**
   * All there was at `version`, in place of all that is held but for what is newer. A version below that of what we have seen can only
   * come from a cluster that was restored from a backup: then nothing of what is held counts.
   */
  swap(objects: readonly T[], version: string): readonly Change<T>[] {
    const changes: Change<T>[] = [];
    const restored = this.#resourceVersion !== undefined && compareVersions(version, this.#resourceVersion) < 0;
    const listed = new Set<string>();
    for (const object of objects) listed.add(objectKey(object));
    for (const [key, held] of this.#objects) {
      const isGone = !listed.has(key) && compareVersions(versionOf(held), version) <= 0;
      if (!restored && !isGone) continue;
      this.#drop(key, held);
      changes.push({ type: "deleted", object: held, previous: held });
    }
    // every deletion that was seen is older than the list, so the list's version stands for all of them
    this.#tombstones.clear();
    for (const object of objects) changes.push(...this.#enter(object));
    this.#absentUpTo = version;
    this.#resourceVersion = version;
    this.#synced = true;
    return changes;
  }

  #enter(object: T): readonly Change<T>[] {
    const key = objectKey(object);
    const held = this.#objects.get(key);
    if (held === undefined) {
      this.#add(key, object);
      return [{ type: "added", object }];
    }
    if (compareVersions(versionOf(object), versionOf(held)) <= 0) return nothing;
    this.#drop(key, held);
    this.#add(key, object);
    if (held.metadata.uid === object.metadata.uid) return [{ type: "modified", object, previous: held }];
    return [
      { type: "deleted", object: held, previous: held },
      { type: "added", object },
    ];
  }

  #add(key: string, object: T): void {
    this.#objects.set(key, object);
    for (const { valuesOf, buckets } of this.#indexes.values()) {
      for (const value of valuesOf(object)) {
        const bucket = buckets.get(value);
        if (bucket === undefined) {
          buckets.set(value, { members: new Map([[key, object]]), list: undefined });
        } else {
          bucket.members.set(key, object);
          bucket.list = undefined;
        }
      }
    }
  }

  #drop(key: string, held: T): void {
    this.#objects.delete(key);
    for (const { valuesOf, buckets } of this.#indexes.values()) {
      for (const value of valuesOf(held)) {
        const bucket = buckets.get(value);
        if (bucket === undefined) continue;
        bucket.members.delete(key);
        bucket.list = undefined;
        if (bucket.members.size === 0) buckets.delete(value);
      }
    }
  }

  #bury(key: string, version: string): void {
    const known = this.#tombstones.get(key);
    if (known !== undefined && compareVersions(known, version) >= 0) return;
    this.#tombstones.delete(key);
    this.#tombstones.set(key, version);
    if (this.#tombstones.size <= tombstoneLimit) return;
    for (const [oldest, forgotten] of this.#tombstones) {
      this.#tombstones.delete(oldest);
      this.#absentUpTo = laterVersion(this.#absentUpTo, forgotten);
      return;
    }
  }
}

function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function objectKey(object: KubeObject): string {
  return keyOf(object.metadata.namespace, object.metadata.name);
}

/** Everything that comes from an API server has a version. */
function versionOf(object: KubeObject): string {
  return object.metadata.resourceVersion ?? "0";
}
