import type { ConfigMap } from "../api/core.ts";
import { identityOf, type KubeObject, type ObjectRef } from "../api/meta.ts";
import { configMaps } from "../api/resource.ts";
import { type BackoffPolicy, backoffDelay } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import { Forbidden, NotFound } from "../kube/errors.ts";
import { Reflector } from "../kube/reflector.ts";
import { compareVersions } from "../kube/resource-version.ts";
import { keyOf } from "../runtime/controller.ts";
import type { ConfigMapText } from "./rules/config-map-text.ts";

/** What is known of a ConfigMap that some job refers to. */
export type ReferencedConfigMap =
  /** Not read yet; whoever asked is told when it is. */
  | { readonly kind: "loading" }
  | { readonly kind: "missing" }
  /** The API server does not let the operator read it; the message is its word. */
  | { readonly kind: "unreadable"; readonly message: string }
  | { readonly kind: "present"; readonly configMap: ConfigMap };

/** What is known of its text under a key. */
export function textUnder(known: ReferencedConfigMap, key: string): ConfigMapText {
  return known.kind === "present" ? { kind: "present", text: known.configMap.data?.[key] } : known;
}

export interface ReferencedConfigMapsOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  /** A read that failed; it is tried again with back-off. */
  readonly onError: (error: unknown) => void;
  /** What is known of a ConfigMap has changed, and this root refers to it. */
  readonly onChange: (root: ObjectRef) => void;
}

/**
 * The ConfigMaps that jobs refer to, and no others: one watch over the kind, of which only what is referred to is kept. The watch begins
 * with the first reference, so a cluster in which no job has one pays nothing and needs no permission. It never holds up a leader's start:
 * a root whose ConfigMap is still `loading` is told when that is over.
 */
export interface ReferencedConfigMaps {
  readonly resource: typeof configMaps;
  /** Says which ConfigMaps a root refers to now, in place of all that it referred to before. Cheap when nothing differs. */
  refer(root: ObjectRef, names: readonly ObjectRef[]): void;
  /** Must be referred to by somebody, else it is `loading` for ever. Nothing that is returned changes later. */
  get(ref: ObjectRef): ReferencedConfigMap;
  /** Once; from then on references are followed, until the signal aborts. */
  start(signal: AbortSignal): void;
  /** Nobody waits for these caches to be filled. */
  readonly synced: Promise<void>;
  readonly fixed: Promise<void>;
  readonly listVersion: undefined;
  refill(): Promise<void>;
  /** References, for tests and metrics. */
  readonly size: number;
}

interface Entry {
  readonly ref: ObjectRef;
  /** By key. */
  readonly roots: Map<string, ObjectRef>;
  known: ReferencedConfigMap;
  /** The newest version that was seen of it, existing or deleted. */
  version: string | undefined;
}

const readBackoff: BackoffPolicy = { initialMs: 1000, factor: 2, maxMs: 60_000, jitter: 0.2 };
const loading: ReferencedConfigMap = { kind: "loading" };
const missing: ReferencedConfigMap = { kind: "missing" };

/** Nothing happens before `start`. */
export function createReferencedConfigMaps(options: ReferencedConfigMapsOptions): ReferencedConfigMaps {
  const { client, clock, random } = options;
  const entries = new Map<string, Entry>();
  const wantedBy = new Map<string, readonly ObjectRef[]>();
  let signal: AbortSignal | undefined;
  let watching = false;
  let listed = false;

  const report = (error: unknown) => {
    try {
      options.onError(error);
    } catch {
      // a reporter that fails has nobody to report to
    }
  };

  function learn(entry: Entry, known: ReferencedConfigMap): void {
    const before = entry.known;
    entry.known = known;
    if (before.kind === known.kind && known.kind !== "present" && known.kind !== "unreadable") return;
    if (known.kind === "unreadable" && before.kind === "unreadable" && before.message === known.message) return;
    for (const root of [...entry.roots.values()]) options.onChange(root);
  }

  function see(object: ConfigMap): void {
    const entry = entries.get(keyOf(object.metadata));
    if (entry === undefined || isOld(entry, versionOf(object))) return;
    entry.version = versionOf(object);
    learn(entry, { kind: "present", configMap: kept(object) });
  }

  function seeGone(entry: Entry, version: string | undefined): void {
    if (version !== undefined) {
      if (isOld(entry, version)) return;
      entry.version = version;
    }
    learn(entry, missing);
  }

  const reflector = new Reflector<ConfigMap>({
    client,
    clock,
    random,
    scope: { resource: configMaps },
    watchList: false,
    // Each may have a MiB.
    pageSize: 100,
    target: {
      // What nobody refers to leaves its name alone, so that a page is not held for what it contains.
      collect: (object) => (entries.has(keyOf(object.metadata)) ? kept(object) : nameOf(object)),
      swap(objects, version) {
        listed = true;
        const found = new Map(objects.map((object) => [keyOf(object.metadata), object]));
        for (const [key, entry] of entries) {
          const object = found.get(key);
          if (object === undefined) {
            if (entry.version === undefined || compareVersions(entry.version, version) <= 0) seeGone(entry, undefined);
          } else if (object.kind === unread) void read(entry, 0);
          else see(object);
        }
      },
      put: see,
      remove(object) {
        const entry = entries.get(keyOf(object.metadata));
        if (entry !== undefined) seeGone(entry, versionOf(object));
      },
      advance() {},
      fixed() {},
      failed(error) {
        report(error);
        if (!listed && error instanceof Forbidden)
          for (const entry of entries.values()) learn(entry, { kind: "unreadable", message: error.message });
      },
      silent: () => reflector.doubt(),
    },
  });

  /** Reads one object, for what the watch has passed already. */
  async function read(entry: Entry, failures: number): Promise<void> {
    if (signal?.aborted === true || entries.get(keyOf(entry.ref)) !== entry) return;
    const before = entry.version;
    try {
      see(await client.get<ConfigMap>(configMaps, entry.ref));
    } catch (error) {
      if (error instanceof NotFound) {
        // What the watch has shown meanwhile is newer.
        if (entry.version === before) seeGone(entry, undefined);
        return;
      }
      report(error);
      if (error instanceof Forbidden) learn(entry, { kind: "unreadable", message: error.message });
      clock.after(backoffDelay(readBackoff, failures + 1, random), () => void read(entry, failures + 1));
    }
  }

  function follow(): void {
    if (signal === undefined || signal.aborted || watching || entries.size === 0) return;
    watching = true;
    reflector.start(signal);
  }

  function add(key: string, root: ObjectRef, ref: ObjectRef): void {
    const name = keyOf(ref);
    const entry = entries.get(name);
    if (entry !== undefined) {
      entry.roots.set(key, root);
      return;
    }
    const made: Entry = { ref, roots: new Map([[key, root]]), known: loading, version: undefined };
    entries.set(name, made);
    if (listed) void read(made, 0);
  }

  return {
    resource: configMaps,
    synced: Promise.resolve(),
    fixed: Promise.resolve(),
    listVersion: undefined,
    refill: () => Promise.resolve(),
    refer(root, names) {
      const key = keyOf(root);
      const before = wantedBy.get(key) ?? [];
      if (before.length === names.length && before.every((ref, index) => keyOf(ref) === keyOf(names[index] as ObjectRef))) return;
      const now = new Set(names.map(keyOf));
      for (const ref of before) {
        const entry = entries.get(keyOf(ref));
        if (entry === undefined || now.has(keyOf(ref))) continue;
        entry.roots.delete(key);
        if (entry.roots.size === 0) entries.delete(keyOf(ref));
      }
      if (names.length === 0) wantedBy.delete(key);
      else wantedBy.set(key, names);
      for (const ref of names) add(key, root, ref);
      follow();
    },
    get: (ref) => entries.get(keyOf(ref))?.known ?? loading,
    start(given) {
      signal = given;
      follow();
    },
    get size() {
      return entries.size;
    },
  };
}

/** Marks an object of which only the name was kept. */
const unread = "unread";

const versionOf = (object: KubeObject): string => object.metadata.resourceVersion ?? "0";

function isOld(entry: Entry, version: string): boolean {
  return entry.version !== undefined && compareVersions(version, entry.version) <= 0;
}

function nameOf({ metadata: { name, namespace } }: ConfigMap): ConfigMap {
  return { kind: unread, metadata: { name, ...(namespace !== undefined && { namespace }) } };
}

/** Text alone: whoever refers to a ConfigMap reads lines of it. */
function kept({ metadata, data = {} }: ConfigMap): ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: identityOf(metadata),
    data,
  };
}
