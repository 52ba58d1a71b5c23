import { apiVersionOf } from "../../api/resource.ts";
import type { KubeList, KubeObject } from "../../api/meta.ts";
import { keyOf } from "./collection.ts";
import type { StoredObject } from "./json.ts";
import type { ApiRequest } from "./request-path.ts";
import { type ResourceType, shown } from "./resource-type.ts";
import { type FieldRequirement, matches, parseFieldSelector, parseLabelSelector, type Selector } from "./selectors.ts";
import {
  badRequest,
  expired,
  type FieldError,
  forbiddenField,
  invalid,
  notFound,
  tooLargeResourceVersion,
  unsupportedValue,
} from "./status.ts";
import type { WatchRequest } from "./watches.ts";

type Query = Readonly<Record<string, string>>;

const none: Query = {};

/** What a list or a watch selects. Throws ApiFailure 400 for what cannot be parsed or selected by. */
export function selectorOf(type: ResourceType, query: Query, name?: string): Selector {
  const labels = query.labelSelector === undefined ? [] : parseLabelSelector(query.labelSelector);
  const fields = query.fieldSelector === undefined ? [] : parseFieldSelector(query.fieldSelector);
  for (const { field } of fields) {
    if (!type.fieldReaders.has(field)) {
      // kinds that have no fields of their own to select by say it in other words
      if (!type.custom && type.fieldReaders.size <= 2) {
        throw badRequest(`${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`);
      }
      throw badRequest(`field label not supported: ${field}`);
    }
  }
  const named: readonly FieldRequirement[] =
    name === undefined ? fields : [...fields, { field: "metadata.name", equal: true, value: name }];
  return { labels, fields: named };
}

/** A version from a query; undefined when absent. Throws ApiFailure 400 when it is no number. */
function versionOf(query: Query): number | undefined {
  const text = query.resourceVersion;
  if (text === undefined || text === "") return undefined;
  if (!/^\d+$/.test(text)) {
    throw badRequest(`Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`);
  }
  return Number(text);
}

function checkOptions(query: Query, watch: boolean): void {
  const errors: FieldError[] = [];
  const match = query.resourceVersionMatch ?? "";
  const version = query.resourceVersion ?? "";
  const initial = query.sendInitialEvents;
  if (initial !== undefined && !watch) errors.push(forbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  if (watch && initial !== undefined) {
    if (match !== "NotOlderThan") {
      errors.push(forbiddenField("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
    }
  } else if (match !== "") {
    if (watch)
      errors.push(
        forbiddenField("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"),
      );
    if (version === "")
      errors.push(forbiddenField("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    if ((query.continue ?? "") !== "")
      errors.push(forbiddenField("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
    if (match !== "Exact" && match !== "NotOlderThan")
      errors.push(unsupportedValue("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]));
    if (match === "Exact" && version === "0")
      errors.push(forbiddenField("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (errors.length > 0) throw invalid("ListOptions", "meta.k8s.io", "", errors);
}

/** GET of one object. Throws ApiFailure 404, 504. */
export function readObject(
  type: ResourceType,
  namespace: string | undefined,
  name: string,
  query: Query = none,
  revision: number,
): StoredObject {
  const version = versionOf(query);
  if (version !== undefined && version > revision) throw tooLargeResourceVersion(String(version), String(revision));
  const object = type.collection.get(keyOf(namespace, name));
  if (object === undefined) throw notFound(type.resource, name);
  return shown(type, object);
}

interface ContinueToken {
  readonly v: "meta.k8s.io/v1";
  /** -1: go on with what is there now. */
  readonly rv: number;
  readonly start: string;
}

const encodeToken = (token: ContinueToken): string => Buffer.from(JSON.stringify(token)).toString("base64url");

function decodeToken(text: string): ContinueToken {
  try {
    const token = JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as ContinueToken;
    if (token.v === "meta.k8s.io/v1" && typeof token.rv === "number" && typeof token.start === "string") return token;
  } catch {
    // answered below like any other token that is none
  }
  throw badRequest("continue key is not valid: invalid character");
}

const continueExpired =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

const bareItems = new WeakMap<StoredObject, StoredObject>();

/** An item of a list of a built-in kind: without apiVersion and kind, as the real server sends it. */
function bareItem(object: StoredObject): StoredObject {
  let item = bareItems.get(object);
  if (item === undefined) {
    const { apiVersion: _apiVersion, kind: _kind, ...rest } = object;
    item = rest as unknown as StoredObject;
    bareItems.set(object, item);
  }
  return item;
}

/** The list of a kind from these objects. */
export function listOf(
  type: ResourceType,
  objects: readonly StoredObject[],
  metadata: KubeList<KubeObject>["metadata"],
): KubeList<KubeObject> {
  const items = objects.map((object) => {
    const form = shown(type, object);
    return type.itemsWithKind ? form : bareItem(form);
  });
  return { kind: type.listKind, apiVersion: apiVersionOf(type.resource), metadata, items };
}

/** The objects that a collection request selects, in the order of the keys. */
export function selectObjects(type: ResourceType, namespace: string | undefined, selector: Selector): readonly StoredObject[] {
  const found = type.collection.list({ ...(namespace === undefined ? {} : { namespace }), labels: selector.labels }) ?? [];
  if (selector.labels.length === 0 && selector.fields.length === 0) return found;
  return found.filter((object) => matches(object, selector, type.fieldReaders));
}

/** GET of a collection. Throws ApiFailure 400, 410, 422, 504. */
export function listObjects(
  type: ResourceType,
  namespace: string | undefined,
  query: Query = none,
  revision: number,
): KubeList<KubeObject> {
  checkOptions(query, false);
  const selector = selectorOf(type, query);
  const limit = query.limit === undefined ? 0 : Number(query.limit);
  const version = versionOf(query);
  const token = query.continue === undefined || query.continue === "" ? undefined : decodeToken(query.continue);
  if (token !== undefined && version !== undefined && version !== 0) {
    throw badRequest("specifying resource version is not allowed when using continue");
  }
  if (version !== undefined && version > revision) throw tooLargeResourceVersion(String(version), String(revision));
  let at: number | undefined;
  if (token !== undefined) at = token.rv < 0 ? undefined : token.rv;
  else if (version !== undefined && version > 0) {
    const exact = query.resourceVersionMatch === "Exact" || (query.resourceVersionMatch === undefined && limit > 0);
    if (exact) at = version;
  }
  const found = type.collection.list({
    ...(namespace === undefined ? {} : { namespace }),
    ...(token === undefined ? {} : { after: token.start }),
    ...(at === undefined || at === revision ? {} : { revision: at }),
    labels: selector.labels,
  });
  if (found === undefined) {
    if (token === undefined) throw expired("The resourceVersion for the provided list is too old.");
    throw expired(continueExpired, encodeToken({ v: "meta.k8s.io/v1", rv: -1, start: token.start }));
  }
  const selective = selector.labels.length > 0 || selector.fields.length > 0;
  const matching = selective ? found.filter((object) => matches(object, selector, type.fieldReaders)) : found;
  const listed = String(at ?? revision);
  if (limit <= 0 || matching.length <= limit) return listOf(type, matching, { resourceVersion: listed });
  const page = matching.slice(0, limit);
  const last = page.at(-1) as StoredObject;
  const next = encodeToken({ v: "meta.k8s.io/v1", rv: at ?? revision, start: keyOf(last.metadata.namespace, last.metadata.name) });
  return listOf(type, page, {
    resourceVersion: listed,
    continue: next,
    ...(selective ? {} : { remainingItemCount: matching.length - limit }),
  });
}

/** Reads the options of a watch. Throws ApiFailure 400, 422. */
export function watchRequestOf(
  type: ResourceType,
  namespace: string | undefined,
  name: string | undefined,
  request: ApiRequest,
  revision: number,
): WatchRequest {
  const query = request.query ?? none;
  checkOptions(query, true);
  const version = versionOf(query);
  const initial = query.sendInitialEvents === undefined ? undefined : query.sendInitialEvents === "true" || query.sendInitialEvents === "1";
  const bookmarks = query.allowWatchBookmarks === "true" || query.allowWatchBookmarks === "1";
  const fromNow = initial === undefined ? version === undefined || version === 0 : initial;
  // sendInitialEvents=false without a version means "from now on"
  const after = fromNow ? undefined : version === undefined || version === 0 ? revision : version;
  const timeoutSeconds = query.timeoutSeconds === undefined ? undefined : Number(query.timeoutSeconds);
  if (initial === true && version !== undefined && version > revision) throw tooLargeResourceVersion(String(version), String(revision));
  return {
    type,
    ...(namespace === undefined ? {} : { namespace }),
    selector: selectorOf(type, query, name),
    ...(after === undefined ? {} : { after }),
    markInitialEvents: bookmarks && (initial === true || (initial === undefined && version === undefined)),
    bookmarks,
    ...(timeoutSeconds === undefined || timeoutSeconds <= 0 ? {} : { timeoutSeconds }),
    userAgent: request.userAgent ?? "",
  };
}
