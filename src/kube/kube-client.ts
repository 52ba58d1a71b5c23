import type { KubeList, KubeObject, ObjectRef, Status } from "../api/meta.ts";
import { apiVersionOf, type Resource, resourcePath } from "../api/resource.ts";
import type {
  DeleteCollectionOptions,
  DeleteOptions,
  KubeClient,
  ListOptions,
  Patch,
  PatchOptions,
  ReadOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./client.ts";
import { errorFromResponse, ServerTimeout, TimedOutError, UnreachableError } from "./errors.ts";
import { describeRequest } from "./request-info.ts";
import type { Transport, TransportRequest, TransportResponse } from "./transport.ts";

/** Who wants to know about writes: stores, which must hold own writes at once and distrust themselves after lost ones (decision 2). */
export interface KubeClientOptions {
  /** An object as the server holds it after our write; never for dry runs, and never for what is not of the resource's own kind. */
  readonly onWrite?: (resource: Resource, object: KubeObject) => void;
  /** A write ended without an answer, or with one that does not say whether it was done. */
  readonly onLostWrite?: (resource: Resource, error: TimedOutError | UnreachableError | ServerTimeout) => void;
}

const patchTypes: Readonly<Record<Patch["type"], string>> = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

/** The API server leaves everything else out (meta/v1, PartialObjectMetadata). */
const metadataAlone = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/** The verbs over any transport: the network, or the embedded cluster. */
export function createKubeClient(transport: Transport, options: KubeClientOptions = {}): KubeClient {
  const send = async (request: TransportRequest): Promise<TransportResponse> => {
    const response = await transport.request(request);
    if (response.status >= 300) throw errorFromResponse(describeRequest(request), response);
    return response;
  };

  const write = async (resource: Resource, request: TransportRequest): Promise<unknown> => {
    try {
      const { body } = await send(request);
      if (request.query?.["dryRun"] === undefined && isOfKind(body, resource)) options.onWrite?.(resource, body);
      return body;
    } catch (error) {
      if (error instanceof TimedOutError || error instanceof UnreachableError || error instanceof ServerTimeout)
        options.onLostWrite?.(resource, error);
      throw error;
    }
  };

  return {
    async get<T extends KubeObject>(resource: Resource, ref: ObjectRef, read: ReadOptions = {}): Promise<T> {
      const path = resourcePath(resource, ref.namespace, ref.name);
      const query = queryOf({ resourceVersion: read.resourceVersion });
      return (await send({ method: "GET", path, query, ...(read.metadataOnly === true && { accept: metadataAlone }) })).body as T;
    },

    async list<T extends KubeObject>(resource: Resource, list: ListOptions = {}): Promise<KubeList<T>> {
      const { namespace, onContinue, ...query } = list;
      const onText = (text: string) => {
        const token = continueToken(text);
        if (token !== undefined) onContinue?.(token);
      };
      const path = resourcePath(resource, namespace);
      const { body } = await send({ method: "GET", path, query: queryOf(query), ...(onContinue !== undefined && { onText }) });
      return body as KubeList<T>;
    },

    async create<T extends KubeObject>(
      resource: Resource,
      object: T,
      how: WriteOptions & { readonly subresource?: string } = {},
    ): Promise<T> {
      const { name, namespace } = object.metadata;
      const path = resourcePath(resource, namespace, how.subresource === undefined ? undefined : name, how.subresource);
      const body = how.subresource === undefined ? typed(resource, object) : object;
      return (await write(resource, { method: "POST", path, query: writeQuery(how), body, ...guard(how) })) as T;
    },

    async replace<T extends KubeObject>(
      resource: Resource,
      object: T,
      how: WriteOptions & { readonly subresource?: string } = {},
    ): Promise<T> {
      const { name, namespace } = object.metadata;
      const path = resourcePath(resource, namespace, name, how.subresource);
      const body = how.subresource === "scale" ? object : typed(resource, object);
      return (await write(resource, { method: "PUT", path, query: writeQuery(how), body, ...guard(how) })) as T;
    },

    async patch<T extends KubeObject>(resource: Resource, ref: ObjectRef, patch: Patch, how: PatchOptions = {}): Promise<T> {
      if (patch.type === "apply" && how.fieldManager === undefined) throw new TypeError("server-side apply needs a fieldManager");
      return (await write(resource, {
        method: "PATCH",
        path: resourcePath(resource, ref.namespace, ref.name, how.subresource),
        query: { ...writeQuery(how), ...queryOf({ force: how.force }) },
        contentType: patchTypes[patch.type],
        body: patch.body,
        ...guard(how),
      })) as T;
    },

    async delete(resource: Resource, ref: ObjectRef, how: DeleteOptions = {}): Promise<KubeObject | Status> {
      const path = resourcePath(resource, ref.namespace, ref.name);
      return (await write(resource, { method: "DELETE", path, body: deleteBody(how), ...guard(how) })) as KubeObject | Status;
    },

    async deleteCollection(resource: Resource, how: DeleteCollectionOptions): Promise<number> {
      // without a selector it would delete everything there is
      if (how.labelSelector === "") throw new TypeError("deleteCollection needs a label selector");
      const body = await write(resource, {
        method: "DELETE",
        path: resourcePath(resource, how.namespace),
        query: queryOf({ labelSelector: how.labelSelector, limit: how.limit }),
        body: deleteBody(how),
        ...guard(how),
      });
      return (body as Partial<KubeList<KubeObject>> | undefined)?.items?.length ?? 0;
    },

    async watch<T extends KubeObject>(resource: Resource, watch: WatchOptions, signal: AbortSignal): Promise<AsyncIterable<WatchEvent<T>>> {
      const { namespace, allowBookmarks, ...query } = watch;
      const request: TransportRequest = {
        method: "GET",
        path: resourcePath(resource, namespace),
        query: queryOf({
          ...query,
          watch: true,
          allowWatchBookmarks: allowBookmarks,
          resourceVersionMatch: watch.sendInitialEvents ? "NotOlderThan" : undefined,
        }),
      };
      const { status, headers, lines } = await transport.stream(request, signal);
      if (status < 300) return lines as AsyncIterable<WatchEvent<T>>;
      throw errorFromResponse(describeRequest(request), { status, headers, body: await firstOf(lines) });
    },
  };
}

/** The metadata of a list stand first for built-in kinds, last for custom resources. */
const firstToken = /^\{"kind":"\w+","apiVersion":"[\w./]+","metadata":\{(?:"resourceVersion":"[^"]*",)?"continue":"([^"\\]+)"/;
const lastToken = /"metadata":\{"continue":"([^"\\]+)"[^{}]*\}\}\s*$/;
/** Tokens have some hundred characters. */
const longestMetadata = 4096;

/** The token of the next page in the text of a list, as far as it can be seen without parsing it. */
function continueToken(text: string): string | undefined {
  return (firstToken.exec(text.slice(0, longestMetadata)) ?? lastToken.exec(text.slice(-longestMetadata)))?.[1];
}

function queryOf(values: Readonly<Record<string, string | number | boolean | undefined>>): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) query[name] = String(value);
  }
  return query;
}

function writeQuery(options: WriteOptions): Record<string, string> {
  return queryOf({
    dryRun: options.dryRun ? "All" : undefined,
    fieldManager: options.fieldManager,
    fieldValidation: options.fieldValidation,
  });
}

function guard(options: Pick<WriteOptions, "fence" | "lane">): Pick<TransportRequest, "fence" | "lane"> {
  return { ...(options.fence ? { fence: options.fence } : {}), ...(options.lane ? { lane: options.lane } : {}) };
}

/** Lists leave kind and version out of their items, and the API server wants them in what it is sent. */
function typed(resource: Resource, object: KubeObject): KubeObject {
  if (object.apiVersion !== undefined && object.kind !== undefined) return object;
  return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
}

function deleteBody(options: DeleteOptions): unknown {
  const { uid, resourceVersion, gracePeriodSeconds, propagationPolicy } = options;
  const preconditions = { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  return {
    apiVersion: "v1",
    kind: "DeleteOptions",
    ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
  };
}

function isOfKind(body: unknown, resource: Resource): body is KubeObject {
  if (typeof body !== "object" || body === null) return false;
  const { kind, metadata } = body as Partial<KubeObject>;
  return kind === resource.kind && metadata?.resourceVersion !== undefined;
}

async function firstOf(lines: AsyncIterable<unknown>): Promise<unknown> {
  for await (const line of lines) return line;
  return undefined;
}
