import type { Clock } from "../../base/clock.ts";
import type { KubeObject, Status } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import type { KubeClient } from "../../kube/client.ts";

/** A change as the mirror's listeners see it; `previous` is what the mirror held before. */
export type MirrorEvent<T> =
  | { readonly type: "set"; readonly object: T; readonly previous: T | undefined }
  | { readonly type: "gone"; readonly object: T };

export interface MirrorOptions {
  readonly client: KubeClient;
  readonly resource: Resource;
  readonly clock: Clock;
  /** Wait before a broken watch is opened anew, in milliseconds. */
  readonly retryMs?: number;
}

/**
 * The state of one kind as a client of the API sees it: a list, then a watch, then a list again when the watch fails. It is the only eye
 * of scheduler, kubelets and node controller, so that they work on any API server. A list anew reports what vanished meanwhile as gone.
 */
export class Mirror<T extends KubeObject> {
  readonly #options: MirrorOptions;
  readonly #objects = new Map<string, T>();
  readonly #listeners: ((event: MirrorEvent<T>) => void)[] = [];
  readonly #stopped = new AbortController();

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /** Listeners are called in the order of subscription, in the turn in which the event came. */
  subscribe(listener: (event: MirrorEvent<T>) => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves after the first list; the watch goes on until `stop`. */
  async start(): Promise<void> {
    const version = await this.#listUntilDone();
    void this.#run(version);
  }

  stop(): void {
    this.#stopped.abort();
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(keyOf(namespace, name));
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** Takes the answer of an own write, so that nobody here acts on what is already past. */
  observe(object: T): void {
    const held = this.#objects.get(keyOf(object.metadata.namespace, object.metadata.name));
    // An object that is not held may have been deleted meanwhile: only the watch may bring it in.
    if (held !== undefined && held.metadata.uid === object.metadata.uid) this.#set(object);
  }

  async #run(first: string | undefined): Promise<void> {
    let version = first;
    const { clock, retryMs = 1_000 } = this.#options;
    while (!this.#stopped.signal.aborted) {
      try {
        version = version === undefined ? await this.#listUntilDone() : await this.#watch(version);
      } catch {
        version = undefined;
      }
      if (this.#stopped.signal.aborted) return;
      await clock.sleep(retryMs, this.#stopped.signal).catch(() => undefined);
    }
  }

  async #listUntilDone(): Promise<string | undefined> {
    const { client, resource, clock, retryMs = 1_000 } = this.#options;
    for (;;) {
      try {
        const list = await client.list<T>(resource);
        const present = new Set<string>();
        for (const item of list.items) {
          present.add(keyOf(item.metadata.namespace, item.metadata.name));
          this.#set(item);
        }
        for (const [key, object] of [...this.#objects]) if (!present.has(key)) this.#drop(object);
        return list.metadata.resourceVersion;
      } catch (error) {
        if (this.#stopped.signal.aborted) return undefined;
        await clock.sleep(retryMs, this.#stopped.signal).catch(() => {
          throw error;
        });
      }
    }
  }

  /** Follows the watch to its end; the version to go on from, or undefined when a new list is needed. */
  async #watch(from: string): Promise<string | undefined> {
    const { client, resource } = this.#options;
    let version: string | undefined = from;
    const events = await client.watch<T>(resource, { resourceVersion: from, allowBookmarks: true }, this.#stopped.signal);
    for await (const event of events) {
      if (this.#stopped.signal.aborted) return undefined;
      if (event.type === "ERROR") {
        const status: Status = event.object;
        if (status.code !== undefined) return undefined;
        continue;
      }
      version = event.object.metadata.resourceVersion ?? version;
      if (event.type === "DELETED") this.#drop(event.object);
      else if (event.type !== "BOOKMARK") this.#set(event.object);
    }
    return version;
  }

  #set(object: T): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const held = this.#objects.get(key);
    if (held !== undefined) {
      if (held.metadata.uid === object.metadata.uid && !isNewer(object, held)) return;
      if (held.metadata.uid !== object.metadata.uid) this.#drop(held);
    }
    const previous = this.#objects.get(key);
    this.#objects.set(key, object);
    this.#emit({ type: "set", object, previous });
  }

  #drop(object: T): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const held = this.#objects.get(key);
    if (held === undefined || held.metadata.uid !== object.metadata.uid) return;
    this.#objects.delete(key);
    this.#emit({ type: "gone", object });
  }

  #emit(event: MirrorEvent<T>): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Whether `object` is a later version than `held`: resourceVersions compare as numbers, which may be too long for a double. */
export function isNewer(object: KubeObject, held: KubeObject): boolean {
  const left = object.metadata.resourceVersion ?? "";
  const right = held.metadata.resourceVersion ?? "";
  return left.length === right.length ? left > right : left.length > right.length;
}

function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}
