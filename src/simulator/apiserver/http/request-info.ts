/** What a request is about, as Kubernetes' audit log says it. */
export interface RequestInfo {
  /** get, list, watch, create, update, patch, delete, deletecollection; for paths that are no resource the HTTP method in lower case. */
  readonly verb: string;
  /** False for discovery, health, version and the like. */
  readonly isResource: boolean;
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** "" = none given: cluster-scoped, or all namespaces. */
  readonly namespace: string;
  /** "" for a collection. */
  readonly name: string;
}

const collectionVerbs: Readonly<Record<string, string>> = { GET: "list", POST: "create", DELETE: "deletecollection" };
const objectVerbs: Readonly<Record<string, string>> = { GET: "get", POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };

/** Takes a path (decoded segment by segment) and a query apart. Never throws: what is no resource is told by `isResource`. */
export function requestInfo(method: string, path: string, query: Readonly<Record<string, string>>): RequestInfo {
  const segments = path
    .split("/")
    .filter((segment) => segment !== "")
    .map(decode);
  const none = {
    verb: method.toLowerCase(),
    isResource: false,
    group: "",
    version: "",
    resource: "",
    subresource: "",
    namespace: "",
    name: "",
  };
  const core = segments[0] === "api" && segments.length > 2;
  const grouped = segments[0] === "apis" && segments.length > 3;
  if (!core && !grouped) return none;
  const [group, version, rest] = core
    ? ["", segments[1] ?? "", segments.slice(2)]
    : [segments[1] ?? "", segments[2] ?? "", segments.slice(3)];
  // /api/v1/namespaces/x alone is the namespace itself, and so are its own subresources
  const scoped = rest[0] === "namespaces" && rest.length > 2 && !(rest.length === 3 && (rest[2] === "status" || rest[2] === "finalize"));
  const [resource = "", name = "", ...subresource] = scoped ? rest.slice(2) : rest;
  const namespace = scoped ? (rest[1] ?? "") : "";
  const verb = verbOf(method, name, query);
  return { verb, isResource: true, group, version, resource, subresource: subresource.join("/"), namespace, name };
}

function verbOf(method: string, name: string, query: Readonly<Record<string, string>>): string {
  if (method === "GET" && isTrue(query["watch"])) return "watch";
  return (name === "" ? collectionVerbs : objectVerbs)[method] ?? method.toLowerCase();
}

/** How Kubernetes reads a flag of a query: present without a value counts too. */
export function isTrue(value: string | undefined): boolean {
  return value !== undefined && !["false", "0"].includes(value.toLowerCase());
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
