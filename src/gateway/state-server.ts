import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { GatewayQuestion } from "../api/gateway-state.ts";
import type { Logger } from "../api/logger.ts";
import { listenOn } from "../runtime/listening.ts";
import type { TokenAccess } from "../runtime/token-access.ts";
import type { StateWatch } from "./state-watch.ts";

export interface StateServerOptions {
  readonly watch: StateWatch;
  readonly access: TokenAccess<"read">;
  readonly logger: Logger;
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
  /** PEM; absent = plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface StateServer {
  readonly port: number;
  renewTls(tls: { readonly cert: string; readonly key: string }): void;
  close(): Promise<void>;
}

/** Serves what HAProxy has, to whoever may know. */
export async function startStateServer(options: StateServerOptions): Promise<StateServer> {
  const { watch, access, logger, tls } = options;

  async function answerTo(request: IncomingMessage, gone: AbortSignal): Promise<{ readonly status: number; readonly body: unknown }> {
    const url = new URL(request.url ?? "/", "http://gateway");
    if (url.pathname !== "/v1/state") return { status: 404, body: { error: "there is /v1/state" } };
    if (request.method !== "GET") return { status: 405, body: { error: "/v1/state takes GET only" } };
    const token = /^Bearer +(\S{1,16384})$/i.exec(request.headers.authorization ?? "")?.[1];
    if (token === undefined) return { status: 401, body: { error: "a bearer token of the cluster is needed" } };
    const verdict = await access(token, "read");
    if (verdict === "unauthenticated") return { status: 401, body: { error: "the API server does not know this token" } };
    if (verdict === "forbidden")
      return { status: 403, body: { error: "this account is not among those that may read the state of the gateway" } };
    const question = questionOf(url.searchParams);
    if (typeof question === "string") return { status: 400, body: { error: question } };
    return { status: 200, body: await watch.answer(question, gone) };
  }

  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const send = (status: number, body: unknown) => {
      response.writeHead(status, {
        "content-type": "application/json",
        ...(status === 401 && { "www-authenticate": 'Bearer realm="nuptse gateway"' }),
      });
      response.end(`${JSON.stringify(body)}\n`);
    };
    answerTo(request, gone.signal).then(
      ({ status, body }) => send(status, body),
      (error: unknown) => {
        logger.warn("a request for the state failed", { error });
        send(503, { error: "the state cannot be told now" });
      },
    );
  };
  const tlsServer = tls === undefined ? undefined : createTlsServer({ ...tls, minVersion: "TLSv1.2" }, listener);
  const server = tlsServer ?? createServer(listener);
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  const port = await listenOn(server, options.host, options.port);
  return {
    port,
    renewTls: (renewed) => tlsServer?.setSecureContext(renewed),
    close: () =>
      new Promise((resolve) => {
        watch.close();
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

/** What is asked, or what is wrong with it. */
function questionOf(query: URLSearchParams): GatewayQuestion | string {
  const after = query.get("after");
  if (after !== null && !/^\d{1,15}$/.test(after)) return "after must be a version from an earlier answer";
  const figures = query.get("figures");
  if (figures !== null && !/^(?:\*|[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)$/.test(figures))
    return "figures must be a namespace, or * for all";
  return { ...(after !== null && { after: Number(after) }), ...(figures !== null && { figures }) };
}
