import type { Clock, Timer } from "../../base/clock.ts";
import type { KubeObject, Status } from "../../api/meta.ts";
import type { Random } from "../../base/random.ts";
import { apiVersionOf } from "../../api/resource.ts";
import type { Change } from "./collection.ts";
import { type StoredObject, withMetadata } from "./json.ts";
import { type ResourceType, shown } from "./resource-type.ts";
import { matches, type Selector } from "./selectors.ts";
import { failureStatus } from "./status.ts";

/** One event of a watch as it goes over the wire. */
export interface WatchEventOut {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject | Status;
}

/** Where the events of one watch go. */
export interface WatchListener {
  event(event: WatchEventOut): void;
  /** The server ended the watch: no more events follow. */
  end(): void;
}

/** An open watch. */
export interface WatchHandle {
  /** Calls the listener with what there is at once, then with every further event. To be called once. */
  subscribe(listener: WatchListener): void;
  close(): void;
}

/** What a world may know of a watch, to delay, drop or repeat its events. */
export interface WatchInfo {
  readonly id: number;
  readonly type: ResourceType;
  readonly namespace?: string;
  readonly userAgent: string;
  /** Ends the watch as the server would: cleanly. */
  close(): void;
}

/** Stands between the server and the reader of one watch. `deliver` may be called later, never, or twice. */
export type WatchChannel = (event: WatchEventOut, deliver: (event: WatchEventOut) => void) => void;

/** Asked once a watch; undefined = its events are delivered as they come. */
export type WatchInterceptor = (watch: WatchInfo) => WatchChannel | undefined;

export interface WatchRequest {
  readonly type: ResourceType;
  readonly namespace?: string;
  readonly selector: Selector;
  /** The version after which to begin; undefined = with an ADDED for everything that exists. */
  readonly after?: number;
  /** The end of the initial events is to be marked. */
  readonly markInitialEvents: boolean;
  readonly bookmarks: boolean;
  readonly timeoutSeconds?: number;
  readonly userAgent: string;
}

const bookmarkMs = 60_000;
/** How long before its time-out a watch gets its last bookmark. */
const lastBookmarkMs = 2_000;

/** All open watches of a server: feeds them, sends bookmarks, ends them in time. */
export class Watches {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #revision: () => number;
  readonly #open = new Map<ResourceType, Set<OpenWatch>>();
  #interceptor: WatchInterceptor | undefined;
  #bookmarkTimer: Timer | undefined;
  #nextId = 1;

  constructor(clock: Clock, random: Random, revision: () => number) {
    this.#clock = clock;
    this.#random = random;
    this.#revision = revision;
  }

  intercept(interceptor: WatchInterceptor | undefined): void {
    this.#interceptor = interceptor;
  }

  /** What is watched now. */
  list(): readonly WatchInfo[] {
    return [...this.#open.values()].flatMap((watches) => [...watches].map((watch) => watch.info));
  }

  open(request: WatchRequest): WatchHandle {
    const watch: OpenWatch = new OpenWatch(request, this.#nextId++, () => this.#close(watch));
    return {
      subscribe: (listener) => this.#start(watch, listener),
      close: () => {
        watch.abandon();
        this.#close(watch);
      },
    };
  }

  /** Tells the watches of a kind of a change. */
  publish(type: ResourceType, change: Change): void {
    const watches = this.#open.get(type);
    if (watches === undefined) return;
    for (const watch of [...watches]) watch.offer(change);
  }

  /** Ends all watches of a kind that is served no more. */
  closeAll(type: ResourceType): void {
    for (const watch of [...(this.#open.get(type) ?? [])]) {
      watch.end();
      this.#close(watch);
    }
  }

  #start(watch: OpenWatch, listener: WatchListener): void {
    const { request } = watch;
    watch.begin(listener, this.#interceptor?.(watch.info));
    const collection = request.type.collection;
    if (request.after !== undefined) {
      const missed = collection.changesAfter(request.after);
      if (missed === undefined) {
        watch.send({
          type: "ERROR",
          object: failureStatus(410, "Expired", `too old resource version: ${request.after} (${collection.oldest})`),
        });
        watch.end();
        return;
      }
      for (const change of missed) watch.offer(change);
    } else {
      for (const object of collection.list({
        ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
        labels: request.selector.labels,
      }) ?? []) {
        if (matches(object, request.selector, request.type.fieldReaders))
          watch.send({ type: "ADDED", object: shown(request.type, object) });
      }
      if (request.markInitialEvents) watch.send(bookmarkOf(request.type, this.#revision(), true));
    }
    if (watch.ended) return;
    let watches = this.#open.get(request.type);
    if (watches === undefined) {
      watches = new Set();
      this.#open.set(request.type, watches);
    }
    watches.add(watch);
    this.#armEnd(watch);
    if (request.bookmarks) this.#armBookmarks();
  }

  /** A server that was given no time-out chooses 30 to 60 minutes. */
  #armEnd(watch: OpenWatch): void {
    const seconds = watch.request.timeoutSeconds ?? 1_800 * (1 + this.#random.next());
    watch.timers.push(
      this.#clock.after(seconds * 1_000, () => {
        watch.end();
        this.#close(watch);
      }),
    );
    if (!watch.request.bookmarks) return;
    const last = Math.max(0, seconds * 1_000 - lastBookmarkMs);
    watch.timers.push(this.#clock.after(last, () => watch.send(bookmarkOf(watch.request.type, this.#revision(), false))));
  }

  #armBookmarks(): void {
    if (this.#bookmarkTimer !== undefined) return;
    this.#bookmarkTimer = this.#clock.after(bookmarkMs, () => {
      this.#bookmarkTimer = undefined;
      let wanted = false;
      for (const [type, watches] of this.#open) {
        for (const watch of [...watches]) {
          if (!watch.request.bookmarks) continue;
          wanted = true;
          watch.send(bookmarkOf(type, this.#revision(), false));
        }
      }
      if (wanted) this.#armBookmarks();
    });
  }

  #close(watch: OpenWatch): void {
    for (const timer of watch.timers) timer.cancel();
    watch.timers.length = 0;
    const watches = this.#open.get(watch.request.type);
    watches?.delete(watch);
    if (watches?.size === 0) this.#open.delete(watch.request.type);
    if (this.#open.size > 0) return;
    // A timer that nobody waits for would keep the process alive.
    this.#bookmarkTimer?.cancel();
    this.#bookmarkTimer = undefined;
  }
}

class OpenWatch {
  readonly request: WatchRequest;
  readonly info: WatchInfo;
  readonly timers: Timer[] = [];
  ended = false;
  #listener: WatchListener | undefined;
  #channel: WatchChannel | undefined;

  constructor(request: WatchRequest, id: number, close: () => void) {
    this.request = request;
    this.info = {
      id,
      type: request.type,
      ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
      userAgent: request.userAgent,
      close: () => {
        this.end();
        close();
      },
    };
  }

  begin(listener: WatchListener, channel: WatchChannel | undefined): void {
    this.#listener = listener;
    this.#channel = channel;
  }

  /** Turns a change into what a reader with this selector sees of it. */
  offer(change: Change): void {
    const { type, namespace, selector, after } = this.request;
    if (after !== undefined && change.revision <= after) return;
    if (namespace !== undefined && change.object.metadata.namespace !== namespace) return;
    const readers = type.fieldReaders;
    const matchedBefore = change.previous !== undefined && matches(change.previous, selector, readers);
    const matchesNow = change.type !== "DELETED" && matches(change.object, selector, readers);
    if (matchesNow) this.send({ type: matchedBefore ? "MODIFIED" : "ADDED", object: shown(type, change.object) });
    else if (matchedBefore) {
      const last = change.type === "DELETED" ? change.object : atRevision(change.previous as StoredObject, change.revision);
      this.send({ type: "DELETED", object: shown(type, last) });
    }
  }

  send(event: WatchEventOut): void {
    if (this.ended) return;
    if (this.#channel === undefined) this.#listener?.event(event);
    else this.#channel(event, (late) => this.#deliver(late));
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.#listener?.end();
  }

  /** The reader went away: it hears nothing more, not even of the end. */
  abandon(): void {
    this.ended = true;
  }

  #deliver(event: WatchEventOut): void {
    if (!this.ended) this.#listener?.event(event);
  }
}

/** An object that left the view of a watch carries the version at which it did. */
function atRevision(object: StoredObject, revision: number): StoredObject {
  return withMetadata(object, { resourceVersion: String(revision) });
}

function bookmarkOf(type: ResourceType, revision: number, initial: boolean): WatchEventOut {
  const annotations = initial ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
  const object = {
    kind: type.resource.kind,
    apiVersion: apiVersionOf(type.resource),
    metadata: { resourceVersion: String(revision), ...annotations },
  };
  return { type: "BOOKMARK", object: object as unknown as KubeObject };
}
