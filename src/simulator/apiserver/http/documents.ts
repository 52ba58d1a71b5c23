import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { aggregatedDiscovery, coreVersions, type GroupVersion, groupList, groupOf, resourceList } from "./discovery.ts";
import { contentTypeOf, type Form, negotiate } from "./negotiation.ts";
import { documentPath, openApiDocument, openApiIndex } from "./openapi.ts";
import { Refusal } from "./status.ts";

/** The version that clients compare with their own: kubectl warns when the minor versions differ by more than one. */
const version = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.3+nuptse",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: "linux/amd64",
};

/** A request for what is no resource. */
export interface DocumentRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly groupVersions: () => readonly GroupVersion[];
  /** Host and port at which the client reached the server. */
  readonly address: string;
}

interface Document {
  readonly body: string;
  readonly contentType: string;
}

/**
 * Answers what a server tells of itself: version, health, discovery in both forms, OpenAPI. An ETag saves clients what they know.
 * Throws a Refusal for another method than GET and HEAD, or a form that is not offered; an unknown path is answered with a plain 404.
 */
export function answerDocument(asked: DocumentRequest): void {
  const { request, response } = asked;
  if (request.method !== "GET" && request.method !== "HEAD")
    throw Refusal.of(405, "the server does not allow this method on the requested path");
  const document = documentOf(asked);
  if (document === undefined) {
    response.writeHead(404, { "content-type": "text/plain; charset=utf-8" });
    response.end("404 page not found\n");
    return;
  }
  const etag = `"${createHash("sha256").update(document.body).digest("hex").toUpperCase()}"`;
  const headers = { etag, vary: "Accept", "content-type": document.contentType };
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304, headers);
    response.end();
    return;
  }
  response.writeHead(200, { ...headers, "content-length": String(Buffer.byteLength(document.body)) });
  response.end(document.body);
}

function documentOf(asked: DocumentRequest): Document | undefined {
  const [first = "", ...rest] = asked.path.split("/").slice(1);
  switch (first) {
    case "":
      return json({ paths: ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"] });
    case "version":
      return rest.length === 0 ? json(version) : undefined;
    case "healthz":
    case "livez":
    case "readyz":
      return { body: "ok", contentType: "text/plain; charset=utf-8" };
    case "api":
    case "apis":
      return discovery(asked, first, rest);
    case "openapi":
      return openApi(asked, rest);
    default:
      return undefined;
  }
}

function discovery(asked: DocumentRequest, root: "api" | "apis", rest: readonly string[]): Document | undefined {
  const all = asked.groupVersions();
  if (rest.length === 0) {
    const form = negotiate(asked.request.headers.accept, ["json", "discovery"]);
    if (form === "discovery") return json(aggregatedDiscovery(all, `/${root}`), form);
    return json(root === "api" ? coreVersions(asked.address) : groupList(all));
  }
  if (root === "apis" && rest.length === 1) return jsonOrNone(groupOf(all, rest[0] ?? ""));
  const [group, wanted] = root === "api" ? ["", rest[0]] : rest;
  const found = all.find((each) => each.group === group && each.version === wanted);
  return found === undefined ? undefined : json(resourceList(found));
}

function openApi(asked: DocumentRequest, [wanted, ...rest]: readonly string[]): Document | undefined {
  // an empty protobuf message: kubectl then goes on with what it knows, where a 404 would stop it
  if (wanted === "v2" && rest.length === 0) return { body: "", contentType: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf" };
  if (wanted !== "v3") return undefined;
  const all = asked.groupVersions();
  if (rest.length === 0) return json(openApiIndex(all));
  const found = all.find((each) => documentPath(each) === rest.join("/"));
  return found === undefined ? undefined : json(openApiDocument(found));
}

function jsonOrNone(body: unknown): Document | undefined {
  return body === undefined ? undefined : json(body);
}

function json(body: unknown, form: Form = "json"): Document {
  return { body: JSON.stringify(body), contentType: contentTypeOf(form) };
}
