import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Logger } from "../api/logger.ts";
import { listenOn } from "../runtime/listening.ts";
import { readBody } from "../runtime/request-body.ts";
import { bearerToken } from "../runtime/token-review.ts";
import type { TraceAccess, TraceVerb } from "./access.ts";
import { queryOf } from "./query-text.ts";
import { checkedRows, rowProblem } from "./row-check.ts";
import { TraceQueryError, TraceRefused, type TraceStore } from "./store.ts";

export interface TraceServerOptions {
  readonly store: TraceStore;
  readonly access: TraceAccess;
  readonly logger: Logger;
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
  /** PEM; absent = plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A server that listens. */
export interface TraceServer {
  readonly port: number;
  /** From now on, for new connections. */
  renewTls(tls: { readonly cert: string; readonly key: string }): void;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A batch of 500 rows with the longest causes, each character escaped. */
const longestBody = 16 * 1024 * 1024;
/** Batches in memory at once. */
const mostBodies = 8;

/** Serves a store over HTTP; rejects when the address cannot be had. */
export async function startTraceServer(options: TraceServerOptions): Promise<TraceServer> {
  const { store, access, logger, tls } = options;
  let bodies = 0;

  const listener = (request: IncomingMessage, response: ServerResponse) => {
    answerTo(request).then(
      (answer) => send(request, response, answer),
      (error: unknown) => {
        logger.warn("a request for the trace failed", { error, path: request.url });
        send(request, response, { status: 503, body: { error: error instanceof Error ? error.message : String(error) } });
      },
    );
  };
  const tlsServer = tls === undefined ? undefined : createTlsServer({ ...tls, minVersion: "TLSv1.2" }, listener);
  const server = tlsServer ?? createServer(listener);
  server.requestTimeout = 60_000;
  server.headersTimeout = 10_000;

  async function answerTo(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? "/", "http://trace");
    if (url.pathname === "/healthz" || url.pathname === "/readyz") return { status: 200, body: { ok: true } };
    const kind = /^\/v1\/(runs|attempts|states|rows)$/.exec(url.pathname)?.[1];
    if (kind === undefined)
      return { status: 404, body: { error: "there are /v1/runs, /v1/attempts and /v1/states to read, and /v1/rows to write" } };
    const writes = kind === "rows";
    if (request.method !== (writes ? "POST" : "GET"))
      return { status: 405, body: { error: `${url.pathname} takes ${writes ? "POST" : "GET"} only` } };
    const refused = await refusal(request, writes ? "write" : "read");
    if (refused !== undefined) return refused;
    if (writes) return take(request);
    try {
      const page = await store[kind as "runs" | "attempts" | "states"](queryOf(url.searchParams));
      return { status: 200, body: page };
    } catch (error) {
      if (error instanceof TraceQueryError) return { status: 400, body: { error: error.message } };
      throw error;
    }
  }

  async function refusal(request: IncomingMessage, verb: TraceVerb): Promise<Answer | undefined> {
    const token = bearerToken(request.headers.authorization);
    if (token === undefined) return { status: 401, body: { error: "a bearer token of the cluster is needed" } };
    switch (await access(token, verb)) {
      case "unauthenticated":
        return { status: 401, body: { error: "the API server does not know this token" } };
      case "forbidden":
        return { status: 403, body: { error: `this account is not among those that may ${verb} the trace` } };
      case "allowed":
        return undefined;
    }
  }

  async function take(request: IncomingMessage): Promise<Answer> {
    if (bodies >= mostBodies) return { status: 503, body: { error: "too many batches at once" } };
    bodies++;
    try {
      const text = await readBody(request, longestBody);
      if (text === undefined) return { status: 413, body: { error: `a batch has at most ${longestBody} bytes` } };
      const rows = rowsOf(text);
      if (rows === undefined) return { status: 400, body: { error: 'the body must be JSON: {"rows": [...]}' } };
      const problem = rowProblem(rows);
      if (problem !== undefined) return { status: 400, body: { error: problem } };
      await store.append(checkedRows(rows));
      return { status: 200, body: { stored: rows.length } };
    } catch (error) {
      if (error instanceof TraceRefused) return { status: 400, body: { error: error.message } };
      throw error;
    } finally {
      bodies--;
    }
  }

  return {
    port: await listenOn(server, options.host, options.port),
    renewTls: (renewed) => tlsServer?.setSecureContext(renewed),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

function send(request: IncomingMessage, response: ServerResponse, { status, body }: Answer): void {
  // A body that nobody read would be taken for the next request.
  const unread = request.method === "POST" && !request.complete;
  response.writeHead(status, {
    "content-type": "application/json",
    ...(status === 401 && { "www-authenticate": 'Bearer realm="nuptse trace"' }),
    ...(unread && { connection: "close" }),
  });
  response.end(`${JSON.stringify(body)}\n`);
}

function rowsOf(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const rows = (value as { readonly rows?: unknown } | null)?.rows;
    return Array.isArray(rows) ? rows : undefined;
  } catch {
    return undefined;
  }
}
