import type { Clock, Timer } from "../base/clock.ts";
import { type Random, randomInteger } from "../base/random.ts";
import type { KubeList, KubeObject } from "../api/meta.ts";
import { type Resource, resourceName } from "../api/resource.ts";
import type { KubeClient, WatchEvent } from "./client.ts";
import { ApiError, errorFromStatus, Forbidden, Gone, NotFound, Throttled, Unauthorized } from "./errors.ts";
import { type ReflectorEffect, type ReflectorInput, type ReflectorProblem, type ReflectorState, stepReflector } from "./reflector-state.ts";

/** What a reflector watches. */
export interface ReflectorScope {
  readonly resource: Resource;
  /** Absent = all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** Where what it sees goes to. None of these may throw. */
export interface ReflectorTarget<T> {
  /** The server has begun to answer a list: which version it tells of is settled. */
  fixed(): void;
  /** What is to be kept of an object from a list; called page by page, so that whole pages need not be kept. */
  collect(object: T): T;
  /** `settled` = the list began after the last doubt. */
  swap(objects: readonly T[], version: string, settled: boolean): void;
  put(object: T): void;
  remove(object: T): void;
  advance(version: string): void;
  /** A list or a watch failed, and will be tried again. */
  failed(error: unknown): void;
  /** Nothing has come for so long that what is held may be old; the reflector does nothing about it by itself. */
  silent(): void;
}

export interface ReflectorOptions<T> {
  readonly client: KubeClient;
  readonly scope: ReflectorScope;
  readonly target: ReflectorTarget<T>;
  readonly clock: Clock;
  readonly random: Random;
  /** Ask for the list as the first events of a watch. */
  readonly watchList: boolean;
  /** Objects of one page of a list. */
  readonly pageSize: number;
}

/** Bookmarks come about once a minute; 121 s of silence were measured on a healthy watch. */
const silenceLimitMs = 150_000;
const watchSeconds = { least: 300, spread: 300 };
const initialEventsEnd = "k8s.io/initial-events-end";

/** Something under way whose results count only as long as it is the current one. */
interface Operation {
  readonly abort: AbortController;
  timer?: Timer;
}

/** The next page of a list, asked for while the one before it was being parsed. */
interface PageAhead<T> {
  readonly token: string;
  readonly page: Promise<KubeList<T>>;
}

type Subject<T> = { readonly event: WatchEvent<T> } | { readonly items: readonly T[] } | undefined;

/** Drives {@link stepReflector} with a client and a clock. */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  #state: ReflectorState = { phase: "stopped" };
  #operation: Operation | undefined;
  #collected = new Map<string, T>();
  #ahead: PageAhead<T> | undefined;
  #lastEventAt: number | undefined;
  #startedAt = 0;
  #silence: Timer | undefined;
  readonly #inputs: { readonly input: ReflectorInput; readonly subject: Subject<T> }[] = [];
  #stepping = false;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
  }

  /** When the server last gave a sign of life on this kind, in monotonic milliseconds. */
  get lastEventAt(): number | undefined {
    return this.#lastEventAt;
  }

  /** Once. Ends when the signal aborts. */
  start(signal: AbortSignal): void {
    if (signal.aborted) return;
    signal.addEventListener("abort", () => this.#stop(), { once: true });
    this.#startedAt = this.#options.clock.monotonic();
    this.#watchSilence();
    this.#step({ type: "start", watchList: this.#options.watchList });
  }

  /** Lists anew, at once. */
  refill(): void {
    this.#step({ type: "refill" });
  }

  /** Lists anew, as soon as the server can be reached. */
  doubt(): void {
    this.#step({ type: "doubt" });
  }

  #stop(): void {
    this.#silence?.cancel();
    this.#step({ type: "stop" });
    this.#collected = new Map();
  }

  /** An input that a target gives while it is told something (a doubt, a stop) waits until the effects of the present one are done. */
  #step(input: ReflectorInput, subject?: Subject<T>): void {
    this.#inputs.push({ input, subject });
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        const { clock, random } = this.#options;
        const { state, effects } = stepReflector(this.#state, next.input, { now: clock.monotonic(), random });
        this.#state = state;
        for (const effect of effects) this.#run(effect, next.subject);
      }
    } finally {
      this.#stepping = false;
    }
  }

  #run(effect: ReflectorEffect, subject: Subject<T>): void {
    const { target } = this.#options;
    switch (effect.type) {
      case "list":
        this.#collected = new Map();
        this.#begin((operation) => this.#fetchPage(operation, undefined));
        break;
      case "nextPage":
        this.#begin((operation) => this.#fetchPage(operation, effect.continueToken));
        break;
      case "watch":
        this.#collected = new Map();
        this.#begin((operation) => this.#watch(operation, effect.version));
        break;
      case "wait": {
        const operation = this.#begin();
        operation.timer = this.#options.clock.after(effect.delayMs, () => this.#ifCurrent(operation, { type: "timer" }));
        break;
      }
      case "cancel":
        this.#end();
        break;
      case "collect":
        this.#collect(subject);
        break;
      case "swap": {
        const objects = [...this.#collected.values()];
        this.#collected = new Map();
        target.swap(objects, effect.version, effect.settled);
        break;
      }
      case "apply":
        if (subject === undefined || !("event" in subject)) break;
        if (subject.event.type === "DELETED") target.remove(subject.event.object);
        else if (subject.event.type === "ADDED" || subject.event.type === "MODIFIED") target.put(subject.event.object);
        break;
      case "advance":
        target.advance(effect.version);
        break;
    }
  }

  #collect(subject: Subject<T>): void {
    if (subject === undefined) return;
    const { target } = this.#options;
    if ("items" in subject) {
      for (const item of subject.items) this.#collected.set(keyOf(item), target.collect(item));
    } else if (subject.event.type === "DELETED") {
      this.#collected.delete(keyOf(subject.event.object));
    } else if (subject.event.type === "ADDED" || subject.event.type === "MODIFIED") {
      this.#collected.set(keyOf(subject.event.object), target.collect(subject.event.object));
    }
  }

  async #fetchPage(operation: Operation, continueToken: string | undefined): Promise<void> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const page = await (continueToken !== undefined && ahead?.token === continueToken ? ahead.page : this.#askForPage(continueToken));
    this.#sawLife();
    if (operation === this.#operation) this.#options.target.fixed();
    const version = page.metadata.resourceVersion ?? "";
    const next = page.metadata.continue;
    this.#ifCurrent(operation, { type: "page", version, ...(next ? { continueToken: next } : {}) }, { items: page.items });
  }

  /** The answer's token is enough to ask for the page after it, so that server and client are at work at the same time. */
  #askForPage(token: string | undefined): Promise<KubeList<T>> {
    const { resource, ...selection } = this.#options.scope;
    const list = this.#collected;
    return this.#options.client.list<T>(resource, {
      ...selection,
      limit: this.#options.pageSize,
      ...(token === undefined ? {} : { continue: token }),
      onContinue: (next) => {
        // one page ahead is enough, and bounds what is held
        if (list !== this.#collected || this.#ahead !== undefined) return;
        this.#options.target.fixed();
        const page = this.#askForPage(next);
        // whoever takes it up hears of a failure
        page.catch(() => undefined);
        this.#ahead = { token: next, page };
      },
    });
  }

  async #watch(operation: Operation, version: string | undefined): Promise<void> {
    const { resource, ...selection } = this.#options.scope;
    const options = {
      ...selection,
      allowBookmarks: true,
      timeoutSeconds: watchSeconds.least + randomInteger(this.#options.random, watchSeconds.spread),
      ...(version === undefined ? { sendInitialEvents: true } : { resourceVersion: version }),
    };
    const events = await this.#options.client.watch<T>(resource, options, operation.abort.signal);
    this.#sawLife();
    this.#ifCurrent(operation, { type: "opened" });
    for await (const event of events) {
      if (operation !== this.#operation) return;
      this.#sawLife();
      if (event.type === "ERROR") throw errorFromStatus(`watch ${resourceName(resource)}`, event.object);
      const { resourceVersion = "", annotations } = event.object.metadata;
      const input: ReflectorInput =
        event.type === "BOOKMARK"
          ? { type: "bookmark", version: resourceVersion, endsInitialEvents: annotations?.[initialEventsEnd] === "true" }
          : { type: "object", version: resourceVersion };
      this.#step(input, { event });
    }
    this.#ifCurrent(operation, { type: "ended" });
  }

  /** Ends what is under way and begins the next; a failure of `work` is an input. */
  #begin(work?: (operation: Operation) => Promise<void>): Operation {
    this.#end();
    const operation: Operation = { abort: new AbortController() };
    this.#operation = operation;
    work?.(operation).catch((error: unknown) => {
      if (operation !== this.#operation) return;
      this.#options.target.failed(error);
      // whoever was told may have ended it
      this.#ifCurrent(operation, failureOf(error));
    });
    return operation;
  }

  #end(): void {
    const operation = this.#operation;
    this.#operation = undefined;
    operation?.timer?.cancel();
    operation?.abort.abort();
  }

  #ifCurrent(operation: Operation, input: ReflectorInput, subject?: Subject<T>): void {
    if (operation === this.#operation) this.#step(input, subject);
  }

  #sawLife(): void {
    this.#lastEventAt = this.#options.clock.monotonic();
  }

  /** One timer for all events: when it fires, it is set again for what is left since the last one. */
  #watchSilence(): void {
    const { clock, target } = this.#options;
    const arm = (delayMs: number) => {
      this.#silence = clock.after(delayMs, () => {
        const left = (this.#lastEventAt ?? this.#startedAt) + silenceLimitMs - clock.monotonic();
        if (left > 0) {
          arm(left);
          return;
        }
        arm(silenceLimitMs);
        target.silent();
      });
    };
    arm(silenceLimitMs);
  }
}

function failureOf(error: unknown): ReflectorInput {
  if (!(error instanceof ApiError)) return { type: "failed", problem: "other" };
  const wait = error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs };
  return { type: "failed", problem: problemOf(error), ...wait };
}

function problemOf(error: ApiError): ReflectorProblem {
  if (error instanceof Gone) return "gone";
  const mayPass = error instanceof Unauthorized || error instanceof Forbidden || error instanceof Throttled;
  if (error instanceof NotFound) return "absent";
  return !mayPass && error.status >= 400 && error.status < 500 ? "refused" : "other";
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}
