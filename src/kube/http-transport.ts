/**
 * HTTP/1.1 to one API server.
 *
 * Each request holds one connection of a pool (its own pool for leases), so it is written as soon as it holds it; watches and logs have
 * a connection each. HTTP/1.1, since with undici's HTTP/2 a hung stream can stop all others. What can fail before a byte was written is
 * UnreachableError, and after it TimedOutError. Answers of any status are returned, but for two that are surely not executed and are
 * repeated here: 401 once with credentials read anew, and 429 a few times after the wait that it asks for. A GET whose connection
 * breaks is repeated once, since servers close connections that are idle just when they are used again.
 */
import { buildConnector, Client } from "undici";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { ClusterTls } from "./cluster-access.ts";
import { ConnectionPool, endQuietly } from "./connection-pool.ts";
import type { Credentials } from "./credentials.ts";
import { FencedError, retryAfterMs, TimedOutError, UnreachableError } from "./errors.ts";
import { type Exchange, runExchange } from "./exchange.ts";
import { describeRequest, requestInfo } from "./request-info.ts";
import type { ServerDate } from "./server-time.ts";
import { openStream } from "./stream-exchange.ts";
import type { Transport, TransportRequest, TransportResponse, TransportStream } from "./transport.ts";

/** One exchange, for metrics. */
export interface RequestReport {
  readonly verb: string;
  /** "pods", "elasticjobs.nuptse.dev/status". */
  readonly resource: string;
  /** The HTTP status, or "timeout", "unreachable" or "fenced". */
  readonly code: string;
  /** From holding a connection to the last byte of the answer, for streams to the first. */
  readonly seconds: number;
}

export interface HttpTransportOptions {
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly random: Random;
  /** "nuptse/<version> (<component>)". */
  readonly userAgent: string;
  /** Requests in flight at once; absent = 32, more only adds waiting at an API server of two cores. */
  readonly connections?: number;
  /** Absent = 60 s, which is what the API server gives itself. */
  readonly requestTimeoutMs?: number;
  readonly onRequest?: (report: RequestReport) => void;
  readonly onServerDate?: (date: ServerDate) => void;
}

export interface HttpTransport extends Transport {
  /** How many requests wait for a connection. */
  readonly waiting: number;
  /** Breaks what is under way. */
  close(): void;
}

const defaultConnections = 32;
const leaseConnections = 2;
const defaultTimeoutMs = 60_000;
const connectTimeoutMs = 10_000;
/** The API server closes idle connections after 90 s; ours must go first, or a write is lost in between. */
const keepAliveMs = 55_000;
/** The net below the reflector's own limit of 150 s; healthy watches were silent for 121 s. */
const watchSilenceMs = 170_000;
const throttleRetries = 3;
const throttleWaitMs = 1000;

/** Opens no connection before the first request. */
export function createHttpTransport(options: HttpTransportOptions): HttpTransport {
  const { credentials, clock } = options;
  const timeoutMs = options.requestTimeoutMs ?? defaultTimeoutMs;
  let tls = credentials.tls;
  let make = connectionFactory(credentials.server, tls);
  const normal = new ConnectionPool(options.connections ?? defaultConnections, () => make());
  const lease = new ConnectionPool(leaseConnections, () => make());
  const streams = new Set<Client>();
  // a server may stand below a path, as behind a proxy
  const basePath = new URL(credentials.server).pathname.replace(/\/$/, "");

  const identify = async (): Promise<Readonly<Record<string, string>>> => {
    const identity = await credentials.headers();
    if (credentials.tls !== tls) {
      tls = credentials.tls;
      make = connectionFactory(credentials.server, tls);
      normal.renew();
      lease.renew();
    }
    return identity;
  };

  const exchangeFor = (request: TransportRequest, accept: string, identity: Readonly<Record<string, string>>): Exchange => {
    return {
      what: describeRequest(request),
      method: request.method,
      path: basePath + request.path + queryString(request.query),
      headers: {
        accept: request.accept ?? accept,
        "user-agent": options.userAgent,
        ...(request.body === undefined ? {} : { "content-type": request.contentType ?? "application/json" }),
        ...identity,
      },
      body: request.body === undefined ? undefined : JSON.stringify(request.body),
      timeoutMs: request.timeoutMs ?? timeoutMs,
      ...(request.query?.["watch"] === "true" ? { silenceMs: watchSilenceMs } : {}),
      fence: request.fence,
      clock,
      onServerDate: options.onServerDate,
      ...(request.onText !== undefined && { onText: request.onText }),
    };
  };

  const once = async (request: TransportRequest): Promise<TransportResponse> => {
    const pool = request.lane === "lease" ? lease : normal;
    const identity = await identify();
    const client = await pool.acquire(request.lane === "prompt");
    let broken = false;
    const startedAt = clock.monotonic();
    try {
      const exchange = exchangeFor(request, "application/json", identity);
      if (request.fence?.() === false) throw new FencedError(exchange.what);
      const outcome = await runExchange(client, exchange);
      broken = outcome.connectionUnusable;
      if ("error" in outcome) throw outcome.error;
      report(options, request, String(outcome.response.status), startedAt);
      return outcome.response;
    } catch (error) {
      report(options, request, codeOf(error), startedAt);
      throw error;
    } finally {
      pool.release(client, broken);
    }
  };

  const request = async (request: TransportRequest): Promise<TransportResponse> => {
    const waitLimit = request.timeoutMs ?? timeoutMs;
    let throttled = 0;
    let waited = 0;
    let mayRepeatRead = request.method === "GET";
    let mayRefresh = true;
    for (;;) {
      let response: TransportResponse;
      try {
        response = await once(request);
      } catch (error) {
        if (!mayRepeatRead || !isBrokenConnection(error)) throw error;
        mayRepeatRead = false;
        continue;
      }
      if (response.status === 401 && mayRefresh) {
        mayRefresh = false;
        await credentials.refresh();
        continue;
      }
      if (response.status !== 429 || throttled === throttleRetries || isDisruptionBudget(response)) return response;
      throttled++;
      // all that were refused in the same second are told the same wait
      const wait = (retryAfterMs(response.headers["retry-after"]) ?? throttleWaitMs) * (1 + options.random.next() / 2);
      waited += wait;
      if (waited > waitLimit) return response;
      await clock.sleep(wait);
    }
  };

  const stream = async (request: TransportRequest, signal: AbortSignal): Promise<TransportStream> => {
    for (let mayRefresh = true; ; mayRefresh = false) {
      signal.throwIfAborted();
      const startedAt = clock.monotonic();
      const exchange = exchangeFor(request, "application/json, */*;q=0.8", await identify());
      const client = make();
      streams.add(client);
      const end = (atOnce: boolean) => {
        streams.delete(client);
        endQuietly(client, atOnce);
      };
      try {
        const opened = await openStream(client, exchange, signal, end);
        report(options, request, String(opened.status), startedAt);
        if (opened.status !== 401 || !mayRefresh) return opened;
        end(true);
        await credentials.refresh();
      } catch (error) {
        end(true);
        if (!signal.aborted) report(options, request, codeOf(error), startedAt);
        throw error;
      }
    }
  };

  return {
    request,
    stream,
    get waiting() {
      return normal.waiting;
    },
    close() {
      normal.close();
      lease.close();
      for (const client of streams) endQuietly(client, true);
      streams.clear();
    },
  };
}

/** All connections share one connector, and with it the TLS sessions that make a second handshake cheap. */
function connectionFactory(server: string, tls: ClusterTls): () => Client {
  const connect = buildConnector({ ...tls, allowH2: false, timeout: connectTimeoutMs });
  const { origin } = new URL(server);
  return () =>
    new Client(origin, {
      connect,
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: keepAliveMs,
      // time-outs are ours: one for a whole exchange, and for streams by the bytes that come
      headersTimeout: 0,
      bodyTimeout: 0,
    });
}

function queryString(query: Readonly<Record<string, string>> | undefined): string {
  const text = query === undefined ? "" : new URLSearchParams(query).toString();
  return text === "" ? "" : `?${text}`;
}

/** An eviction that a disruption budget refuses: waiting is the caller's decision. */
function isDisruptionBudget(response: TransportResponse): boolean {
  return typeof response.body === "object" && JSON.stringify(response.body).includes('"DisruptionBudget"');
}

function isBrokenConnection(error: unknown): boolean {
  return error instanceof TimedOutError && error.cause !== undefined;
}

function codeOf(error: unknown): string {
  if (error instanceof FencedError) return "fenced";
  return error instanceof UnreachableError ? "unreachable" : "timeout";
}

function report(options: HttpTransportOptions, request: TransportRequest, code: string, startedAt: number): void {
  if (options.onRequest === undefined) return;
  const { verb, resource } = requestInfo(request);
  options.onRequest({ verb, resource, code, seconds: (options.clock.monotonic() - startedAt) / 1000 });
}
