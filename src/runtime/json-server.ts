import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Logger } from "../api/logger.ts";
import { listenOn } from "./listening.ts";

/** What is asked of an endpoint. */
export interface JsonRequest {
  readonly method: string;
  /** With the query. */
  readonly url: string;
  /** The header of that name. */
  readonly authorization?: string;
}

/** A status of HTTP, and what is told as JSON. */
export interface JsonAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Answers requests without a body. May reject: that is a 503. */
export type JsonEndpoint = (request: JsonRequest) => Promise<JsonAnswer>;

/** A server that listens. */
export interface JsonServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface JsonServerOptions {
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
  readonly endpoint: JsonEndpoint;
  readonly logger: Logger;
}

const mostConnections = 200;

/** Serves an endpoint over plain HTTP. Rejects when the address cannot be had. */
export async function startJsonServer({ host, port, endpoint, logger }: JsonServerOptions): Promise<JsonServer> {
  const server = createServer((request, response) => {
    const { method = "GET", url = "/" } = request;
    const { authorization } = request.headers;
    endpoint({ method, url, ...(authorization !== undefined && { authorization }) }).then(
      (answer) => send(request, response, answer),
      (error: unknown) => {
        // Without the query: a UID in it is a proof.
        logger.warn("a question could not be answered", { error, path: url.split("?", 1)[0] });
        send(request, response, { status: 503, body: { error: "the answer cannot be found out now" } });
      },
    );
  });
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  server.maxConnections = mostConnections;
  return {
    port: await listenOn(server, host, port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(request: IncomingMessage, response: ServerResponse, { status, body }: JsonAnswer): void {
  // A body that nobody read would be taken for the next request.
  const unread = request.method !== "GET" && !request.complete;
  response.writeHead(status, {
    "content-type": "application/json",
    "cache-control": "no-store",
    ...(status === 401 && { "www-authenticate": 'Bearer realm="nuptse"' }),
    ...(unread && { connection: "close" }),
  });
  response.end(`${JSON.stringify(body)}\n`);
}
