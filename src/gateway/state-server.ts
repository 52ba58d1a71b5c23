import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { GatewayState, ServerReport } from "../api/gateway-state.ts";
import type { Logger } from "../api/logger.ts";
import type { Clock } from "../base/clock.ts";
import { listenOn } from "../runtime/listening.ts";
import type { TokenAccess } from "../runtime/token-access.ts";

export interface StateServerOptions {
  readonly read: () => Promise<readonly ServerReport[]>;
  readonly lagSeconds: () => number;
  readonly access: TokenAccess<"read">;
  readonly clock: Clock;
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

/** HAProxy is looked at again so often while somebody waits for a change. */
const lookEveryMs = 250;
const longestWaitMs = 25_000;

/** Serves what HAProxy has, to whoever may know; `?after=<version>` waits until it is another one. */
export async function startStateServer(options: StateServerOptions): Promise<StateServer> {
  const { read, lagSeconds, access, clock, logger, tls } = options;
  const ending = new AbortController();
  let version = clock.now();
  let last = "";
  let servers: readonly ServerReport[] = [];
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const found = await read();
    const text = JSON.stringify(found);
    if (text === last) return;
    last = text;
    servers = found;
    version++;
  }
  /** All who wait share one look. */
  const lookOnce = (): Promise<void> => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };

  async function stateAfter(after: number | undefined, gone: AbortSignal): Promise<GatewayState> {
    const until = clock.monotonic() + longestWaitMs;
    await lookOnce();
    while (version === after && clock.monotonic() < until && !gone.aborted && !ending.signal.aborted) {
      await clock.sleep(lookEveryMs, ending.signal).catch(() => undefined);
      await lookOnce();
    }
    return { version, lagSeconds: Math.round(lagSeconds() * 1000) / 1000, servers };
  }

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
    const after = url.searchParams.get("after");
    if (after !== null && !/^\d{1,15}$/.test(after))
      return { status: 400, body: { error: "after must be a version from an earlier answer" } };
    return { status: 200, body: await stateAfter(after === null ? undefined : Number(after), gone) };
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
        ending.abort();
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}
