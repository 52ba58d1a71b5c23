import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Pod } from "../../../api/core.ts";
import type { Status } from "../../../api/meta.ts";
import type { Clock } from "../../../base/clock.ts";
import type { ApiReply } from "../reply.ts";
import type { User } from "../authorization/rbac.ts";
import type { ApiRequest } from "../request-path.ts";
import type { ServedResource } from "../served-resource.ts";
import { authenticator, authorized } from "./access.ts";
import type { ServerCore } from "./core.ts";
import { groupVersions } from "./discovery.ts";
import { answerDocument } from "./documents.ts";
import type { LogSource } from "./log-source.ts";
import { negotiate } from "./negotiation.ts";
import { sendLog } from "./pod-log.ts";
import { refuseUpgrade, streamPod, type Upgrade } from "./pod-stream.ts";
import { forwardPorts } from "./port-forward.ts";
import { destinationOf, isProxied, passOn } from "./proxy.ts";
import { readBody, skipBody } from "./request-body.ts";
import { type RequestInfo, requestInfo } from "./request-info.ts";
import { sendJson, sendReply } from "./send.ts";
import { includeObject, isObject, shapeEvents, shaper } from "./shape.ts";
import { failure, Refusal } from "./status.ts";
import type { StreamSource } from "./stream-source.ts";
import { streamWatch } from "./watch-stream.ts";

/** What happened to one request; told once, when its answer begins. */
export interface RequestRecord extends RequestInfo {
  /** When the request's head was read, in milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly method: string;
  /** With the query. */
  readonly url: string;
  readonly code: number;
  readonly userAgent: string;
  /** "" when it was not authenticated. */
  readonly user: string;
}

/**
 * Answers a GET that came to a Service through the proxy of the API server; undefined = there is no such Service. As in Kubernetes it never sees
 * the Authorization header: authentication takes it away.
 */
export type ServiceProxy = (
  service: { readonly namespace: string; readonly name: string },
  url: string,
) => Promise<{ readonly status: number; readonly body: unknown }> | undefined;

/** What the handler of requests is made of. */
export interface HandlerParts {
  readonly server: ServerCore;
  readonly clock: Clock;
  readonly token: string;
  readonly user: User;
  /** Asked at every request for a log, since kubelets may come later than the server. */
  readonly logSource: () => LogSource | undefined;
  /** What answers behind services/proxy. */
  readonly serviceProxy?: ServiceProxy | undefined;
  /** Asked at every exec, attach and port-forward. */
  readonly streamSource: () => StreamSource | undefined;
  /** How many seconds of `clock` pass in a second of the clients. */
  readonly speed: number;
  readonly onRequest?: ((record: RequestRecord) => void) | undefined;
  /** Told of defects: what is no refusal, but was thrown on the way to an answer. The client got a 500. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** One request on its way through the front. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly info: RequestInfo;
  /** In whose name it is answered. */
  user: User;
}

/** Paths that tell nothing and are open to everybody, as in Kubernetes. */
const publicPaths = /^\/(version|healthz|livez|readyz)(\/|$)/;
/** Parts of a pod that are streams in both directions: their requests are upgrades. */
const streamedPodParts = new Set(["exec", "attach", "portforward"]);
const unsupportedPodParts = new Set(["ephemeralcontainers"]);
/** Who reads what is open to all. */
const nobody: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };
/** For watches that name no time-out: a server may choose. */
const usualWatchSeconds = 3_600;
const coreMethods = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"]);

/** Returns what answers a request. It never throws and never rejects: whatever goes wrong becomes an answer, or a closed connection. */
export function createRequestHandler(parts: HandlerParts): (request: IncomingMessage, response: ServerResponse) => void {
  const authenticate = authenticator(parts.server, parts.token, parts.user);
  return (request, response) => {
    const exchange = parseExchange(request, response);
    const sender = authenticate(request.headers);
    observe(parts, exchange, sender);
    response.on("error", () => response.destroy());
    answer(parts, exchange, sender).catch((error: unknown) => answerFailure(parts, exchange, error));
  };
}

/** Returns what answers a request that asks to go on as something else than HTTP. It never throws and never rejects either. */
export function createUpgradeHandler(parts: HandlerParts): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const authenticate = authenticator(parts.server, parts.token, parts.user);
  return (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    answerUpgrade(parts, authenticate(request.headers), { request, socket, head }).catch((error: unknown) => {
      if (!(error instanceof Refusal)) parts.onError?.(error);
      refuseUpgrade(socket, error instanceof Refusal ? error.status : failure(500, `Internal error occurred: ${messageOf(error)}`));
    });
  };
}

async function answerUpgrade(parts: HandlerParts, sender: User | undefined, upgrade: Upgrade): Promise<void> {
  const { request } = upgrade;
  const { path, info } = targetOf(request);
  if (sender === undefined) throw Refusal.of(401, "Unauthorized");
  const user = authorized(parts.server, sender, request.headers, { ...info, verb: "create" }, path);
  if (info.group !== "" || info.resource !== "pods" || !streamedPodParts.has(info.subresource))
    throw Refusal.of(400, `${info.subresource === "" ? path : `pods/${info.subresource}`} is not supported by this server as a stream`);
  const pod = await readPod(parts, info, request, user);
  if (pod.status !== 200) throw new Refusal(pod.body as Status);
  const [, search = ""] = (request.url ?? "").split("?", 2);
  parts.onRequest?.({
    ...info,
    receivedAt: parts.clock.now(),
    method: request.method ?? "",
    url: request.url ?? "",
    code: 101,
    userAgent: request.headers["user-agent"] ?? "",
    user: sender.name,
  });
  if (info.subresource === "portforward") return forwardPorts(pod.body as Pod, upgrade, parts.streamSource());
  await streamPod(pod.body as Pod, info.subresource as "exec" | "attach", new URLSearchParams(search), upgrade, parts.streamSource());
}

/** The pod that a part of a path belongs to. */
async function readPod(parts: HandlerParts, info: RequestInfo, request: IncomingMessage, user: User): Promise<ApiReply> {
  const path = `/api/v1/namespaces/${encodeURIComponent(info.namespace)}/pods/${encodeURIComponent(info.name)}`;
  return parts.server.respond({ method: "GET", path, ...identity(request, user) });
}

async function answer(parts: HandlerParts, exchange: Exchange, sender: User | undefined): Promise<void> {
  const { request, response, path } = exchange;
  if (sender === undefined && !publicPaths.test(path)) throw Refusal.of(401, "Unauthorized");
  if (sender !== undefined) exchange.user = authorized(parts.server, sender, request.headers, exchange.info, path);
  const resources = parts.server.resources();
  if (!exchange.info.isResource) {
    await skipBody(request);
    const address = request.headers.host ?? "";
    answerDocument({ request, response, path, groupVersions: () => groupVersions(resources), address });
    return;
  }
  if (isProxied(exchange.info)) return answerFromBehind(parts, exchange);
  const resource = resources.find(
    ({ group, version, plural }) => group === exchange.info.group && version === exchange.info.version && plural === exchange.info.resource,
  );
  if (resource === undefined) await answerUnknown(parts, exchange);
  else if (resource.plural === "pods" && resource.group === "" && exchange.info.subresource !== "")
    await answerPodPart(parts, exchange, resource);
  else await answerFromCore(parts, exchange, resource);
}

/** What nobody serves: the core knows whether its group is one that tells so in a Status or in plain text. */
async function answerUnknown(parts: HandlerParts, { request, response, path, query, user }: Exchange): Promise<void> {
  // asked before the body is read: by then the kind may be served
  const asked = parts.server.respond({ method: "GET", path, query, ...identity(request, user) });
  await skipBody(request);
  sendReply(response, await asked, "json");
}

async function answerPodPart(parts: HandlerParts, exchange: Exchange, resource: ServedResource): Promise<void> {
  const { response, info, query, request } = exchange;
  const [part = ""] = info.subresource.split("/");
  if (streamedPodParts.has(part)) throw Refusal.of(400, `pods/${part} needs an upgrade of the connection`);
  if (unsupportedPodParts.has(part)) throw Refusal.of(405, `pods/${part} is not supported by this server`);
  if (part !== "log") return answerFromCore(parts, exchange, resource);
  if (info.verb !== "get") throw Refusal.of(405, "the server does not allow this method on the requested resource");
  const reply = await readPod(parts, info, request, exchange.user);
  if (reply.status !== 200) return sendReply(response, reply, "json");
  await sendLog(reply.body as Pod, query, response, { source: parts.logSource(), clock: parts.clock });
}

/** A request to a Service or a pod through this server: answered by something in this process, or by whoever listens there. */
async function answerFromBehind(parts: HandlerParts, { request, response, info }: Exchange): Promise<void> {
  const { namespace, name, subresource } = info;
  const query = (request.url ?? "").split("?", 2)[1];
  const path = `/${subresource.slice("proxy/".length)}${query === undefined ? "" : `?${query}`}`;
  const own = info.resource === "services" && request.method === "GET" ? parts.serviceProxy?.({ namespace, name }, path) : undefined;
  if (own === undefined) {
    const read = async (what: string, query?: Readonly<Record<string, string>>) =>
      parts.server.respond({ method: "GET", path: what, ...(query === undefined ? {} : { query }), userAgent: "kube-apiserver/embedded" });
    const destination = await destinationOf(info, read);
    return passOn(request, response, { ...destination, path });
  }
  await skipBody(request);
  const { status, body } = await own;
  sendJson(response, status, body);
}

async function answerFromCore(parts: HandlerParts, exchange: Exchange, resource: ServedResource): Promise<void> {
  const { request, response, path, query, info } = exchange;
  const method = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
  if (!coreMethods.has(method)) throw Refusal.of(405, "the server does not allow this method on the requested resource");
  const form = negotiate(request.headers.accept, ["json", "table", "metadata"]);
  const body = await readBody(request);
  const coreRequest: ApiRequest = {
    method: method as ApiRequest["method"],
    path,
    query,
    ...(body.contentType === undefined ? {} : { contentType: body.contentType }),
    ...(body.value === undefined ? {} : { body: body.value }),
    ...(body.bytes === undefined ? {} : { bodyBytes: body.bytes }),
    ...identity(request, exchange.user),
  };
  const shape = shaper(form, resource, parts.clock, includeObject(query));
  if (info.verb !== "watch") {
    const reply = await parts.server.respond(coreRequest);
    const shaped = reply.status < 300 && isObject(reply.body) ? { ...reply, body: shape(reply.body) } : reply;
    return sendReply(response, shaped, form);
  }
  const watch = parts.server.watch({ ...coreRequest, query: inServerTime(query, parts.speed) });
  if ("status" in watch) return sendReply(response, watch, form);
  if (response.destroyed) return watch.close();
  streamWatch(watch, response, shapeEvents(form, resource, parts.clock, query));
}

/** Clients count the time-out of a watch in their own seconds. */
function inServerTime(query: Exchange["query"], speed: number): Exchange["query"] {
  const seconds = Number(query.timeoutSeconds ?? usualWatchSeconds);
  return speed === 1 || Number.isNaN(seconds) ? query : { ...query, timeoutSeconds: String(Math.ceil(seconds * speed)) };
}

function identity(request: IncomingMessage, user: User): Pick<ApiRequest, "userAgent" | "user" | "groups"> {
  return { userAgent: request.headers["user-agent"] ?? "", user: user.name, groups: user.groups };
}

function parseExchange(request: IncomingMessage, response: ServerResponse): Exchange {
  return { request, response, ...targetOf(request), user: nobody };
}

function targetOf(request: IncomingMessage): Pick<Exchange, "path" | "query" | "info"> {
  const [rawPath = "/", rawQuery = ""] = (request.url ?? "/").split("?", 2);
  const path = rawPath === "/" ? rawPath : rawPath.replace(/\/+$/, "");
  const query = Object.fromEntries(new URLSearchParams(rawQuery));
  const method = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
  return { path, query, info: requestInfo(method, path, query) };
}

/** Tells the listener of every request once its code is known, also when it was refused or is a stream. */
function observe(parts: HandlerParts, { request, response, info }: Exchange, sender: User | undefined): void {
  const { onRequest } = parts;
  if (onRequest === undefined) return;
  const receivedAt = parts.clock.now();
  const writeHead = response.writeHead.bind(response) as (...head: readonly unknown[]) => ServerResponse;
  response.writeHead = ((code: number, ...rest: readonly unknown[]) => {
    onRequest({
      ...info,
      receivedAt,
      method: request.method ?? "",
      url: request.url ?? "",
      code,
      userAgent: request.headers["user-agent"] ?? "",
      user: sender?.name ?? "",
    });
    return writeHead(code, ...rest);
  }) as ServerResponse["writeHead"];
}

function answerFailure(parts: HandlerParts, { response, request }: Exchange, error: unknown): void {
  const lost = response.destroyed || request.destroyed;
  if (!(error instanceof Refusal) && !lost) parts.onError?.(error);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const status = error instanceof Refusal ? error.status : failure(500, `Internal error occurred: ${messageOf(error)}`);
  // the rest of a body that is too long must not be taken for the next request
  if (status.code === 413) response.setHeader("connection", "close");
  sendJson(response, status.code ?? 500, status);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
