import type { KubeList, KubeObject } from "../../src/api/meta.ts";
import type { Transport, TransportRequest, TransportResponse, TransportStream } from "../../src/kube/transport.ts";

/** An object of a {@link FakeCollection}. */
export interface FakeObject extends KubeObject {
  readonly value: number;
}

interface LogEntry {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: FakeObject;
  readonly version: number;
}

type Failure = () => TransportResponse | Error;

/**
 * One collection of an API server, at the seam of the transport, with strings to pull. Only what reflectors ask for: lists in pages,
 * watches with a history, and errors on demand. Everything happens in microtasks.
 */
export class FakeCollection implements Transport {
  /** The queries of all requests, oldest first, with "list" or "watch" in front. */
  readonly requests: { readonly verb: "list" | "watch"; readonly query: Readonly<Record<string, string>> }[] = [];
  /** Watches accept a connection and then say nothing. */
  stalled = false;
  /** Lists tell their text before they are parsed, as over the network, and with a token that this makes of the true one. */
  tokenInText: ((token: string) => string) | undefined;
  /** Lists that were asked for while the answer of another one was being told. */
  askedAhead = 0;
  #version = 100;
  #objects = new Map<string, FakeObject>();
  #log: LogEntry[] = [];
  #oldest = 0;
  readonly #watches = new Set<FakeWatch>();
  readonly #failures: { readonly verb: "list" | "watch"; readonly failure: Failure }[] = [];

  get version(): string {
    return String(this.#version);
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  names(): readonly string[] {
    return [...this.#objects.keys()].sort();
  }

  /** Creates or changes an object; returns it as the server would answer. */
  write(name: string, value: number): FakeObject {
    const held = this.#objects.get(name);
    this.#version++;
    const object: FakeObject = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name,
        namespace: "shop",
        uid: held?.metadata.uid ?? `uid-${this.#version}`,
        resourceVersion: this.version,
        managedFields: [{ manager: "test" }],
      },
      value,
    };
    this.#objects.set(name, object);
    this.#append({ type: held === undefined ? "ADDED" : "MODIFIED", object, version: this.#version });
    return object;
  }

  delete(name: string): FakeObject {
    const held = this.#objects.get(name);
    if (held === undefined) throw new Error(`no object ${name}`);
    this.#version++;
    this.#objects.delete(name);
    const object = { ...held, metadata: { ...held.metadata, resourceVersion: this.version } };
    this.#append({ type: "DELETED", object, version: this.#version });
    return object;
  }

  /** The next request of this verb fails; several calls fail several. */
  failNext(verb: "list" | "watch", failure: Failure): void {
    this.#failures.push({ verb, failure });
  }

  /** Forgets the history: a watch from before is told 410. */
  compact(): void {
    this.#log = [];
    this.#oldest = this.#version;
  }

  bookmark(): void {
    for (const watch of this.#watches) watch.push({ type: "BOOKMARK", object: bookmarkOf(this.version) });
  }

  /** The server ends all watches in order. */
  endWatches(): void {
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
  }

  /** All connections of watches break. */
  breakWatches(): void {
    for (const watch of this.#watches) watch.end(new Error("other side closed"));
    this.#watches.clear();
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const query = request.query ?? {};
    this.requests.push({ verb: "list", query });
    await Promise.resolve();
    const failure = this.#failureFor("list");
    if (failure !== undefined) return failure;
    const [start = 0, at = this.#version] = (query["continue"] ?? "").split("@").filter(Boolean).map(Number);
    // pages after the first are of the first one's version, which is kept simply by not changing objects between pages in tests
    const items = [...this.#objects.values()].map(({ apiVersion: _, kind: __, ...item }) => item as FakeObject);
    const limit = Number(query["limit"] ?? items.length);
    const more = start + limit < items.length;
    const body: KubeList<FakeObject> = {
      apiVersion: "v1",
      kind: "PodList",
      metadata: { resourceVersion: String(at), ...(more ? { continue: `${start + limit}@${at}` } : {}) },
      items: items.slice(start, start + limit),
    };
    const { kind, apiVersion, metadata, items: page } = body;
    const told = { ...metadata, ...(metadata.continue !== undefined && { continue: this.tokenInText?.(metadata.continue) }) };
    const asked = this.requests.length;
    if (this.tokenInText !== undefined) request.onText?.(JSON.stringify({ kind, apiVersion, metadata: told, items: page }));
    this.askedAhead += this.requests.length - asked;
    return { status: 200, headers: { "content-type": "application/json" }, body };
  }

  async stream(request: TransportRequest, signal: AbortSignal): Promise<TransportStream> {
    const query = request.query ?? {};
    this.requests.push({ verb: "watch", query });
    await Promise.resolve();
    signal.throwIfAborted();
    const headers = { "content-type": "application/json" };
    const failure = this.#failureFor("watch");
    if (failure !== undefined) return { status: failure.status, headers: failure.headers, lines: once(failure.body) };
    const watch = new FakeWatch();
    signal.addEventListener("abort", () => {
      this.#watches.delete(watch);
      watch.end();
    });
    const from = Number(query["resourceVersion"] ?? 0);
    if (query["sendInitialEvents"] === "true") {
      for (const object of this.#objects.values()) watch.push({ type: "ADDED", object });
      watch.push({ type: "BOOKMARK", object: bookmarkOf(this.version, true) });
    } else if (from < this.#oldest) {
      watch.push({ type: "ERROR", object: expired });
      watch.end();
      return { status: 200, headers, lines: watch };
    } else if (!this.stalled) {
      for (const entry of this.#log.filter((each) => each.version > from)) watch.push({ type: entry.type, object: entry.object });
    }
    this.#watches.add(watch);
    return { status: 200, headers, lines: watch };
  }

  #append(entry: LogEntry): void {
    this.#log.push(entry);
    if (this.stalled) return;
    for (const watch of this.#watches) watch.push({ type: entry.type, object: entry.object });
  }

  #failureFor(verb: "list" | "watch"): TransportResponse | undefined {
    const index = this.#failures.findIndex((each) => each.verb === verb);
    if (index < 0) return undefined;
    const result = this.#failures.splice(index, 1)[0]?.failure();
    if (result instanceof Error) throw result;
    return result;
  }
}

/** The Status with which a server refuses something. */
export function refusal(code: number, reason: string, headers: Readonly<Record<string, string>> = {}): TransportResponse {
  const body = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: `refused: ${reason}`, reason, code };
  return { status: code, headers: { "content-type": "application/json", ...headers }, body };
}

const expired = {
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message: "too old resource version: 1 (4482)",
  reason: "Expired",
  code: 410,
};

function bookmarkOf(version: string, endsInitialEvents = false): unknown {
  const annotations = endsInitialEvents ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
  return { kind: "Pod", apiVersion: "v1", metadata: { resourceVersion: version, ...annotations }, spec: { containers: null }, status: {} };
}

class FakeWatch implements AsyncIterable<unknown> {
  #events: unknown[] = [];
  #ended: { readonly error?: Error } | undefined;
  #wake: (() => void) | undefined;

  push(event: unknown): void {
    this.#events.push(event);
    this.#wake?.();
  }

  end(error?: Error): void {
    this.#ended ??= error === undefined ? {} : { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<unknown> {
    for (;;) {
      yield* this.#events.splice(0);
      if (this.#events.length > 0) continue;
      if (this.#ended?.error !== undefined) throw this.#ended.error;
      if (this.#ended !== undefined) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

async function* once(value: unknown): AsyncIterable<unknown> {
  yield value;
}
