import type { TransportRequest } from "./transport.ts";

/** What a request does to which objects, in Kubernetes' own words: what metrics and error messages name. */
export interface RequestInfo {
  /** get, list, watch, create, update, patch, delete or deletecollection. */
  readonly verb: string;
  /** "pods", "elasticjobs.nuptse.dev", with a subresource "pods/log"; for what is no resource the path. */
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
}

const verbs = { POST: "create", PUT: "update", PATCH: "patch" } as const;

/** Reads the address of a request as the API server does. */
export function requestInfo(request: Pick<TransportRequest, "method" | "path" | "query">): RequestInfo {
  const [, root, ...parts] = request.path.split("/");
  if (root !== "api" && root !== "apis") return { verb: request.method.toLowerCase(), resource: request.path };
  const group = root === "api" ? "" : (parts.shift() ?? "");
  parts.shift();
  // "namespaces/x" is an address of its own, "namespaces/x/pods" one of pods; "namespaces/x/status" is the only word that is both.
  const scoped = parts[0] === "namespaces" && parts.length > 2 && parts[2] !== "status" && parts[2] !== "finalize";
  const namespace = scoped ? parts[1] : undefined;
  const [plural, name, ...subresource] = scoped ? parts.slice(2) : parts;
  if (plural === undefined) return { verb: request.method.toLowerCase(), resource: request.path };
  return {
    verb: verbOf(request, name !== undefined),
    resource: [group === "" ? plural : `${plural}.${group}`, ...subresource].join("/"),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name: decodeURIComponent(name) }),
  };
}

/** "patch elasticjobs.nuptse.dev/status shop/nightly": the first words of every error of the client. */
export function describeRequest(request: Pick<TransportRequest, "method" | "path" | "query">): string {
  const info = requestInfo(request);
  const object = [info.namespace, info.name].filter((part) => part !== undefined).join("/");
  const scope = info.name === undefined && info.namespace !== undefined ? `in ${info.namespace}` : object;
  return `${info.verb} ${info.resource}${scope === "" ? "" : ` ${scope}`}`;
}

function verbOf(request: Pick<TransportRequest, "method" | "query">, named: boolean): string {
  if (request.method === "GET") return request.query?.["watch"] === "true" ? "watch" : named ? "get" : "list";
  if (request.method === "DELETE") return named ? "delete" : "deletecollection";
  return verbs[request.method];
}
