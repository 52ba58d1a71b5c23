import { Agent, buildConnector, request } from "undici";
import type { TraceAttempt, TraceState } from "../api/trace.ts";
import type { Clock } from "../base/clock.ts";
import type { QueryKind } from "./query.ts";
import { parametersOf } from "./query-text.ts";
import { type AttemptQuery, type TracePage, TraceQueryError, TraceRefused, type TraceStore } from "./store.ts";

export interface HttpStoreOptions {
  /** The address of `nuptse trace`, without a path. */
  readonly url: string;
  readonly clock: Clock;
  /** Reads the bearer token; asked once a minute, since the kubelet renews it. Absent = none is sent. */
  readonly token?: () => Promise<string>;
  /** Reads the authorities that the server's certificate may come from, PEM; asked for each connection, since they are renewed. Absent = those of Node. */
  readonly ca?: () => Promise<string>;
}

const connections = 4;
const answerWithinMs = 20_000;
const tokenMs = 60_000;
const longestAnswer = 64 * 1024 * 1024;

/** A trace behind the HTTP service of `nuptse trace`, which keeps house itself. Nothing is connected before the first call. */
export function createHttpStore(options: HttpStoreOptions): TraceStore {
  const { clock } = options;
  const origin = new URL(options.url).origin;
  const agent = new Agent({
    connections,
    connect: connectorOf(options),
    headersTimeout: answerWithinMs,
    bodyTimeout: answerWithinMs,
    maxResponseSize: longestAnswer,
  });
  let token: { readonly value: string; readonly readAt: number } | undefined;

  async function authorization(): Promise<Record<string, string>> {
    if (options.token === undefined) return {};
    if (token === undefined || clock.monotonic() - token.readAt > tokenMs)
      token = { value: (await options.token()).trim(), readAt: clock.monotonic() };
    return { authorization: `Bearer ${token.value}` };
  }

  async function exchange(method: "GET" | "POST", path: string, body?: string): Promise<unknown> {
    const headers = { ...(await authorization()), ...(body !== undefined && { "content-type": "application/json" }) };
    const response = await request(origin + path, { method, headers, dispatcher: agent, ...(body !== undefined && { body }) });
    const text = await response.body.text();
    const answer = parse(text);
    if (response.statusCode === 200) return answer;
    // It may have been renewed before its minute was over.
    if (response.statusCode === 401) token = undefined;
    const message = (answer as { readonly error?: unknown } | undefined)?.error ?? text.slice(0, 200);
    const words = `${origin}: ${response.statusCode}: ${String(message)}`;
    if (response.statusCode === 400 || response.statusCode === 413)
      throw method === "POST" ? new TraceRefused(words) : new TraceQueryError(String(message));
    throw new Error(words);
  }

  const ask = async <Row>(kind: QueryKind, query: AttemptQuery) =>
    (await exchange("GET", `/v1/${kind}?${parametersOf(query).toString()}`)) as TracePage<Row>;

  return {
    async append(rows) {
      await exchange("POST", "/v1/rows", JSON.stringify({ rows }));
    },
    runs: (query) => ask<TraceState>("runs", query),
    states: (query) => ask<TraceState>("states", query),
    attempts: (query) => ask<TraceAttempt>("attempts", query),
    prune: () => Promise.resolve(0),
    close: () => agent.destroy(),
  };
}

function connectorOf({ ca }: HttpStoreOptions): buildConnector.connector {
  const timeout = 5000;
  if (ca === undefined) return buildConnector({ timeout });
  return (target, done) => {
    ca().then(
      (text) => buildConnector({ timeout, ca: text })(target, done),
      (error: Error) => done(error, null),
    );
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
