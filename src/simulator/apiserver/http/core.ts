import type { CustomResourceVersion } from "../../../api/core.ts";
import type { KubeObject, Status } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";

/** A request as the core of the server takes it: parsed, authenticated, its body a JSON value. */
export interface CoreRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** The media type of the body without parameters: a patch is told by it. */
  readonly contentType?: string;
  readonly body?: unknown;
  readonly userAgent?: string;
  readonly user?: string;
}

/** The core's answer. The body is shared with the store and must not be changed. */
export interface CoreReply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A JSON value, or a text for the few answers that are not JSON. */
  readonly body: unknown;
}

/** One line of a watch. */
export interface CoreWatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject | Status;
}

/** Where the events of one watch go. */
export interface CoreWatchListener {
  event(event: CoreWatchEvent): void;
  /** The server ended the watch: no more events follow. */
  end(): void;
}

/** An open watch. Events may come within the call that opens it. */
export interface CoreWatch {
  /** Calls the listener with what there is at once, then with every further event. To be called once. */
  subscribe(listener: CoreWatchListener): void;
  close(): void;
}

/** A kind that the server serves, as discovery, OpenAPI and tables need it. */
export interface ServedResource extends Resource {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly subresources: readonly ServedSubresource[];
  /** What the CRD says of this version; absent for built-in kinds. */
  readonly custom?: CustomResourceVersion;
}

export interface ServedSubresource {
  readonly name: string;
  readonly kind: string;
  /** Absent = those of the resource itself. */
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
}

/** What the HTTP front asks of the API server's core. */
export interface ServerCore {
  /** Everything but watches. Refusals are replies too: it throws only on a defect. */
  handle(request: CoreRequest): CoreReply | Promise<CoreReply>;
  /** Opens a watch, or answers why not. */
  watch(request: CoreRequest): CoreWatch | CoreReply;
  /** All kinds that are served now, CRDs included, in a stable order. */
  resources(): readonly ServedResource[];
}
