import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import type { KubeClient } from "./client.ts";
import { type Projection, withKind, withoutManagedFields } from "./reflected-object.ts";
import { Reflector } from "./reflector.ts";
import { type Change, type IndexFunction, ObjectStore, type Store } from "./store.ts";

export interface InformerOptions<T extends KubeObject, Index extends string> {
  readonly client: KubeClient;
  readonly resource: Resource;
  /** Absent = all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Says the same as the selectors, of an own write; absent = `labelSelector`, if given, is the key of a label that they have. */
  readonly selects?: (object: T) => boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** By name. An object for which one throws is not found by it. */
  readonly indexes?: Readonly<Record<Index, IndexFunction<T>>>;
  /** What the store keeps of each object; absent = all but managedFields, which is also kept of one for which it throws. */
  readonly project?: Projection<T>;
  /** Told after the store has changed, own writes included. What it throws goes to `onError`. */
  readonly onChange?: (change: Change<T>) => void;
  /** A list or watch that failed (and is tried again with back-off), or what `onChange` threw. */
  readonly onError?: (error: unknown) => void;
  /** The list as the first events of a watch instead of pages; goes back to pages where the server refuses it. */
  readonly watchList?: boolean;
  /**
   * Objects of one page of a list; absent = 500. The API server answers the first page from memory and, when the kind has not changed for
   * some minutes, the others from etcd, where a custom resource costs it ten times as much.
   */
  readonly pageSize?: number;
}

const defaultPageSize = 500;

/** Keeps a store equal to what the API server holds of one kind. */
export interface Informer<T extends KubeObject, Index extends string = string> {
  readonly resource: Resource;
  readonly store: Store<T, Index>;
  /** Once. Ends when the signal aborts. */
  start(signal: AbortSignal): void;
  /** Resolves when the version that the first list tells of is settled, which is long before all of it is in; rejects like `synced`. */
  readonly fixed: Promise<void>;
  /** The version of the last list that came in. */
  readonly listVersion: string | undefined;
  /** Resolves when the first list is in; rejects when the informer ends before. */
  readonly synced: Promise<void>;
  /**
   * Resolves when a consistent list that began after the call is in; the watch goes on from it. Rejects when the informer ends before.
   * Whoever needs several kinds in an order awaits one after the other (decision 2: children before roots).
   */
  refill(): Promise<void>;
  /** The answer of an own write enters the store at once, if it is selected. `sentAt` as in {@link ObjectStore.observeWrite}. */
  observeWrite(object: T, sentAt?: number): void;
  /** What the store holds may be old: a write was lost, or the watch is silent. Lists anew by itself (decision 2). */
  markSuspect(): void;
  /** No act that cannot be undone may be planned from the store. */
  readonly suspect: boolean;
  /** When the server last gave a sign of life on this kind, in monotonic milliseconds. */
  readonly lastEventAt: number | undefined;
}

/** Makes an informer; nothing happens before `start`. */
export function createInformer<T extends KubeObject, Index extends string = never>(options: InformerOptions<T, Index>): Informer<T, Index> {
  const { resource, clock, random, client, onChange, onError } = options;
  const synced = Promise.withResolvers<void>();
  const fixed = Promise.withResolvers<void>();
  // nobody needs to wait for them
  for (const { promise } of [synced, fixed]) promise.catch(() => undefined);
  let refills: PromiseWithResolvers<void>[] = [];
  let suspect = false;
  let listVersion: string | undefined;
  let endReason: unknown;

  const report = (error: unknown) => {
    try {
      onError?.(error);
    } catch {
      // a reporter that fails has nobody to report to
    }
  };
  const project = (object: T): T => {
    try {
      return (options.project ?? withoutManagedFields)(object);
    } catch (error) {
      report(error);
      return withoutManagedFields(object);
    }
  };
  const indexes = Object.fromEntries(
    Object.entries<IndexFunction<T>>(options.indexes ?? {}).map(([name, valuesOf]) => [name, guardedIndex(valuesOf, report)]),
  ) as Record<Index, IndexFunction<T>>;
  const store = new ObjectStore<T, Index>(indexes);
  const tell = (changes: readonly Change<T>[]) => {
    if (onChange === undefined) return;
    for (const change of changes) {
      try {
        onChange(change);
      } catch (error) {
        report(error);
      }
    }
  };
  const markSuspect = () => {
    suspect = true;
    reflector.doubt();
  };

  const reflector = new Reflector<T>({
    client,
    clock,
    random,
    scope: {
      resource,
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
      ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
      ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
    },
    watchList: options.watchList ?? false,
    pageSize: options.pageSize ?? defaultPageSize,
    target: {
      collect: (object) => store.unchanged(object) ?? project(withKind(resource, object)),
      fixed: () => fixed.resolve(),
      swap(objects, version, settled) {
        const changes = store.swap(objects, version);
        listVersion = version;
        fixed.resolve();
        if (settled) {
          suspect = false;
          synced.resolve();
          for (const refill of refills) refill.resolve();
          refills = [];
        }
        tell(changes);
      },
      put: (object) => tell(store.put(project(object))),
      remove: (object) => tell(store.remove(project(object))),
      advance: (version) => store.advance(version),
      failed: report,
      silent: markSuspect,
    },
  });

  return {
    resource,
    store,
    synced: synced.promise,
    fixed: fixed.promise,
    get listVersion() {
      return listVersion;
    },
    start(signal) {
      const onEnd = () => {
        endReason = signal.reason;
        synced.reject(endReason);
        fixed.reject(endReason);
        for (const refill of refills) refill.reject(endReason);
        refills = [];
      };
      if (signal.aborted) {
        onEnd();
        return;
      }
      signal.addEventListener("abort", onEnd, { once: true });
      reflector.start(signal);
    },
    refill() {
      if (endReason !== undefined) return Promise.reject(endReason);
      const refill = Promise.withResolvers<void>();
      refills.push(refill);
      reflector.refill();
      return refill.promise;
    },
    observeWrite(object, sentAt) {
      const { labelSelector } = options;
      const hasLabel = ({ metadata }: T) => labelSelector === undefined || metadata.labels?.[labelSelector] !== undefined;
      if ((options.selects ?? hasLabel)(object)) tell(store.observeWrite(project(object), sentAt));
    },
    markSuspect,
    get suspect() {
      return suspect;
    },
    get lastEventAt() {
      return reflector.lastEventAt;
    },
  };
}

/** An object that an index function cannot read must not keep the others out of the store. */
function guardedIndex<T>(valuesOf: IndexFunction<T>, report: (error: unknown) => void): IndexFunction<T> {
  return (object) => {
    try {
      return valuesOf(object);
    } catch (error) {
      report(error);
      return [];
    }
  };
}
