import type { JsonPatchOperation } from "../api/json-patch.ts";
import type { KubeList, KubeObject, ObjectRef, Status } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import type { RequestLane } from "./transport.ts";

/**
 * The verbs of the Kubernetes API, typed by the caller. Every failure is one of the classes of errors.ts. Objects that are returned
 * must not be changed: stores and the embedded cluster share them.
 */
export interface KubeClient {
  get<T extends KubeObject>(resource: Resource, ref: ObjectRef, options?: ReadOptions): Promise<T>;
  /** One page; `limit` absent = all in one answer. */
  list<T extends KubeObject>(resource: Resource, options?: ListOptions): Promise<KubeList<T>>;
  /** With a subresource (`binding`, `eviction`) the object is posted to that of the object of its name; the answer is then a Status. */
  create<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions & { readonly subresource?: string }): Promise<T>;
  /** PUT: replaces the whole object. */
  replace<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions & { readonly subresource?: string }): Promise<T>;
  patch<T extends KubeObject>(resource: Resource, ref: ObjectRef, patch: Patch, options?: PatchOptions): Promise<T>;
  /** The deleted object when it lives on for its grace or its finalizers, else a Status. */
  delete(resource: Resource, ref: ObjectRef, options?: DeleteOptions): Promise<KubeObject | Status>;
  /** Deletes what the selectors match when it executes (not when it was sent); at most `limit`. Returns how many were deleted. */
  deleteCollection(resource: Resource, options: DeleteCollectionOptions): Promise<number>;
  /** Resolves once the server has answered; the events come until the server ends the stream, the signal aborts or the stream throws. */
  watch<T extends KubeObject>(resource: Resource, options: WatchOptions, signal: AbortSignal): Promise<AsyncIterable<WatchEvent<T>>>;
}

export interface ReadOptions {
  /** Absent = a consistent read. */
  readonly resourceVersion?: string;
  /** Of the object only its metadata is needed; a transport may bring all of it. */
  readonly metadataOnly?: boolean;
}

export interface ListOptions {
  /** Absent = all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: "Exact" | "NotOlderThan";
  /**
   * Told the token of the next page while this page is not parsed yet, so that the server can be at work on that one meanwhile. Not told
   * by every transport, and no promise: the token in the page itself decides.
   */
  readonly onContinue?: (token: string) => void;
}

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: "Ignore" | "Warn" | "Strict";
  /** See {@link TransportRequest.fence}. */
  readonly fence?: () => boolean;
  readonly lane?: RequestLane;
}

export type Patch =
  | { readonly type: "merge"; readonly body: unknown }
  | { readonly type: "json"; readonly body: readonly JsonPatchOperation[] }
  | { readonly type: "strategic"; readonly body: unknown }
  | { readonly type: "apply"; readonly body: unknown };

export interface PatchOptions extends WriteOptions {
  readonly subresource?: string;
  /** Server-side apply: take fields from other managers. */
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly fence?: () => boolean;
}

export interface DeleteCollectionOptions {
  readonly namespace: string;
  readonly labelSelector: string;
  readonly limit?: number;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly fence?: () => boolean;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly allowBookmarks?: boolean;
  /** The present state first, as ADDED events, ended by a bookmark annotated `k8s.io/initial-events-end`; needs `allowBookmarks`. */
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly object: KubeObject }
  | { readonly type: "ERROR"; readonly object: Status };
