import type { KubeObject } from "../../src/api/meta.ts";
import { type Resource, resourcePath } from "../../src/api/resource.ts";
import type { Transport, TransportResponse } from "../../src/kube/transport.ts";
import { Transcript, pick } from "./transcript.ts";

/** What a step shows of a success besides its status code: dotted paths, or "all". Failures are shown whole, but with "reason" only by reason and fields: where words differ and nobody reads them. */
export type Show = readonly string[] | "all" | "nothing" | "reason";

export interface StepOptions {
  readonly query?: Readonly<Record<string, string>>;
  readonly show?: Show;
  /** Absent = the row's own namespace, where the kind is namespaced. */
  readonly namespace?: string;
  readonly subresource?: string;
  readonly contentType?: string;
}

type Body = Record<string, unknown>;

export interface Reply<T = StoredBody> extends TransportResponse {
  readonly body: T;
}

/** An object as steps read it: loosely, since rows look into what kinds differ in. */
// biome-ignore lint/suspicious/noExplicitAny: rows reach into bodies of many kinds
export type StoredBody = any;

const patience = 10_000;

/** How a row talks to a server. Every step adds one entry to the transcript, unless it shows "nothing" and succeeds. */
export class Api {
  readonly namespace: string;
  readonly transcript: Transcript;
  readonly #transport: Transport;
  readonly #watches: AbortController[] = [];

  constructor(transport: Transport, namespace: string) {
    this.namespace = namespace;
    this.transcript = new Transcript(namespace);
    this.#transport = transport;
  }

  /** Any request at all. */
  async request(
    label: string,
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    body?: unknown,
    options: StepOptions = {},
  ): Promise<Reply> {
    const contentType = options.contentType ?? (body === undefined ? undefined : "application/json");
    const reply = (await this.#transport
      .request({
        method,
        path,
        ...(options.query === undefined ? {} : { query: options.query }),
        ...(contentType === undefined ? {} : { contentType }),
        ...(body === undefined ? {} : { body }),
      })
      .catch((error: unknown) => asReply(error))) as Reply;
    this.#record(label, reply, options.show ?? []);
    return reply;
  }

  #record(label: string, reply: Reply, show: Show): void {
    const failed = reply.status >= 400;
    if (!failed && show === "nothing") return;
    const shown: Body = {};
    if (failed) {
      const { reason, message, details } = reply.body as Body;
      if (typeof reply.body === "string") shown.text = reply.body;
      else if (show === "reason") Object.assign(shown, { reason, fields: pick(details, "causes.*.field") ?? null });
      else Object.assign(shown, { reason, message, details });
    } else if (show === "all") shown.body = reply.body;
    else if (show !== "nothing" && show !== "reason") for (const path of show) shown[path] = pick(reply.body, path) ?? null;
    const { warning } = reply.headers;
    this.transcript.add({ step: label, status: reply.status, ...(warning === undefined ? {} : { warning }), ...shown });
  }

  #path(resource: Resource, name: string | undefined, options: StepOptions): string {
    return resourcePath(resource, resource.namespaced ? (options.namespace ?? this.namespace) : undefined, name, options.subresource);
  }

  create(resource: Resource, body: Body, options: StepOptions = {}): Promise<Reply> {
    return this.request("create", "POST", this.#path(resource, undefined, options), addressed(resource, body), options);
  }

  get(resource: Resource, name: string, options: StepOptions = {}): Promise<Reply> {
    return this.request("get", "GET", this.#path(resource, name, options), undefined, options);
  }

  list(resource: Resource, options: StepOptions = {}): Promise<Reply> {
    return this.request("list", "GET", this.#path(resource, undefined, options), undefined, options);
  }

  replace(resource: Resource, name: string, body: Body, options: StepOptions = {}): Promise<Reply> {
    return this.request("replace", "PUT", this.#path(resource, name, options), addressed(resource, body), options);
  }

  merge(resource: Resource, name: string, body: unknown, options: StepOptions = {}): Promise<Reply> {
    return this.request("merge", "PATCH", this.#path(resource, name, options), body, {
      ...options,
      contentType: "application/merge-patch+json",
    });
  }

  json(resource: Resource, name: string, body: unknown, options: StepOptions = {}): Promise<Reply> {
    return this.request("json patch", "PATCH", this.#path(resource, name, options), body, {
      ...options,
      contentType: "application/json-patch+json",
    });
  }

  /** Server-side apply as a manager. */
  apply(
    resource: Resource,
    name: string,
    manager: string,
    body: Body,
    options: StepOptions & { readonly force?: boolean } = {},
  ): Promise<Reply> {
    const { metadata, ...rest } = body;
    const config = { ...addressed(resource, rest), metadata: { name, ...((metadata as Body) ?? {}) } };
    const query = { ...options.query, fieldManager: manager, ...(options.force === true ? { force: "true" } : {}) };
    return this.request(`apply ${manager}`, "PATCH", this.#path(resource, name, options), config, {
      ...options,
      query,
      contentType: "application/apply-patch+yaml",
    });
  }

  delete(resource: Resource, name: string, body?: Body, options: StepOptions = {}): Promise<Reply> {
    return this.request(
      "delete",
      "DELETE",
      this.#path(resource, name, options),
      body && { kind: "DeleteOptions", apiVersion: "v1", ...body },
      options,
    );
  }

  deleteCollection(resource: Resource, options: StepOptions & { readonly body?: Body } = {}): Promise<Reply> {
    return this.request(
      "delete collection",
      "DELETE",
      this.#path(resource, undefined, options),
      options.body && { kind: "DeleteOptions", apiVersion: "v1", ...options.body },
      options,
    );
  }

  /** Opens a watch in the row's namespace. */
  async watch(
    resource: Resource,
    query: Readonly<Record<string, string>> = {},
    options: { readonly allNamespaces?: boolean } = {},
  ): Promise<WatchReader> {
    const abort = new AbortController();
    this.#watches.push(abort);
    const path = resourcePath(resource, options.allNamespaces === true || !resource.namespaced ? undefined : this.namespace);
    try {
      const stream = await this.#transport.stream({ method: "GET", path, query: { watch: "1", ...query } }, abort.signal);
      return new WatchReader(this.transcript, stream.lines, stream.status);
    } catch (error) {
      const reply = asReply(error);
      this.#record("watch", reply as Reply, []);
      return new WatchReader(this.transcript, (async function* () {})(), reply.status);
    }
  }

  /** Repeats a silent read until it holds; throws after ten seconds. */
  async until(what: string, read: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + patience;
    while (!(await read())) {
      if (performance.now() > end) throw new Error(`${what} did not come about`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** A read that leaves no entry. */
  async peek(resource: Resource, name: string, options: StepOptions = {}): Promise<Reply> {
    return (await this.#transport
      .request({
        method: "GET",
        path: this.#path(resource, name, options),
        ...(options.query === undefined ? {} : { query: options.query }),
      })
      .catch((error: unknown) => asReply(error))) as Reply;
  }

  /** A list that leaves no entry. */
  async peekList(resource: Resource, query: Readonly<Record<string, string>>): Promise<{ readonly items: readonly StoredBody[] }> {
    const reply = await this.#transport.request({ method: "GET", path: this.#path(resource, undefined, {}), query });
    return reply.body as { readonly items: readonly StoredBody[] };
  }

  /** Puts a value into the transcript. */
  note(label: string, value: unknown): void {
    this.transcript.add({ note: label, value });
  }

  close(): void {
    for (const abort of this.#watches) abort.abort();
  }
}

/** The transport of kube rejects for refusals in none of its methods; anything else is a defect of the row. */
function asReply(error: unknown): TransportResponse {
  const status = (error as { readonly statusObject?: { readonly code?: number } }).statusObject;
  if (status?.code !== undefined) return { status: status.code, headers: {}, body: status };
  throw error;
}

function addressed(resource: Resource, body: Body): Body {
  return { apiVersion: resource.group === "" ? resource.version : `${resource.group}/${resource.version}`, kind: resource.kind, ...body };
}

export interface SeenEvent {
  readonly type: string;
  readonly object: StoredBody;
}

/** Reads a watch and writes down what came. */
export class WatchReader {
  /** The HTTP status with which the watch was opened. */
  readonly status: number;
  readonly #transcript: Transcript;
  readonly #events: SeenEvent[] = [];
  #ended = false;
  #wake: () => void = () => {};

  constructor(transcript: Transcript, lines: AsyncIterable<unknown>, status: number) {
    this.#transcript = transcript;
    this.status = status;
    void this.#read(lines);
  }

  async #read(lines: AsyncIterable<unknown>): Promise<void> {
    try {
      for await (const line of lines) {
        this.#events.push(line as SeenEvent);
        this.#wake();
      }
    } catch {
      // the row is over, or the server cut the stream: both are an end
    }
    this.#ended = true;
    this.#wake();
  }

  /** Waits for so many events and writes them down, each with what is asked for. Bookmarks count only if `bookmarks` is set. */
  async take(
    count: number,
    show: readonly string[] = ["metadata.name"],
    options: { readonly bookmarks?: boolean } = {},
  ): Promise<readonly SeenEvent[]> {
    const wanted = (event: SeenEvent): boolean => options.bookmarks === true || event.type !== "BOOKMARK";
    const end = performance.now() + patience;
    while (this.#events.filter(wanted).length < count && !this.#ended) {
      if (performance.now() > end) {
        const seen = this.#events.map((event) => `${event.type} ${(event.object as KubeObject).metadata?.name}`).join(", ");
        throw new Error(`waited for ${count} events, saw: ${seen}`);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 100);
      });
    }
    const taken: SeenEvent[] = [];
    while (taken.length < count) {
      const event = this.#events.shift();
      if (event === undefined) break;
      if (wanted(event)) taken.push(event);
    }
    this.#transcript.add({
      events: taken.map((event) => ({
        type: event.type,
        ...Object.fromEntries(show.map((path) => [path, pick(event.object, path) ?? null])),
      })),
    });
    return taken;
  }

  /** Waits for the server to end the stream; says how many bookmarks were among what came (at least one, or none). */
  async end(): Promise<void> {
    const end = performance.now() + patience;
    while (!this.#ended && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 25));
    this.#transcript.add({
      ended: this.#ended,
      bookmarks: this.#events.some((event) => event.type === "BOOKMARK"),
      others: this.#events.filter((event) => event.type !== "BOOKMARK").length,
    });
  }
}
