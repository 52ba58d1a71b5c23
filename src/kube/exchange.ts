import type { Client } from "undici";
import type { Clock } from "../base/clock.ts";
import { FencedError, TimedOutError, UnreachableError } from "./errors.ts";
import type { ServerDate } from "./server-time.ts";
import type { TransportRequest, TransportResponse } from "./transport.ts";

/** A request as it goes onto the wire. */
export interface Exchange {
  /** Verb and object, for errors. */
  readonly what: string;
  readonly method: TransportRequest["method"];
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly timeoutMs: number;
  /** A stream breaks when nothing has come for so long; absent = it may be silent for ever, as a log is. */
  readonly silenceMs?: number;
  readonly fence: (() => boolean) | undefined;
  readonly clock: Clock;
  readonly onServerDate: ((date: ServerDate) => void) | undefined;
  /** See {@link TransportRequest.onText}. */
  readonly onText?: (text: string) => void;
}

export type ExchangeOutcome = (
  | { readonly response: TransportResponse }
  | { readonly error: TimedOutError | UnreachableError | FencedError }
) & {
  /** The request may still hang unsent on the connection, which must be destroyed and not be used again. */
  readonly connectionUnusable: boolean;
};

/** Sends a request on a connection that the caller holds, and reads the answer whole. Never rejects. */
export function runExchange(client: Client, exchange: Exchange): Promise<ExchangeOutcome> {
  const { clock } = exchange;
  return new Promise((resolve) => {
    let started = false;
    let abort: ((reason: Error) => void) | undefined;
    let sentMs = 0;
    let status = 0;
    let headers: Readonly<Record<string, string>> = {};
    const chunks: Buffer[] = [];

    const finish = (outcome: ExchangeOutcome) => {
      timer.cancel();
      resolve(outcome);
    };
    const fail = (error: Error) => finish({ error: errorOf(exchange, error, started), connectionUnusable: !started });
    const timer = clock.after(exchange.timeoutMs, () => {
      const seconds = exchange.timeoutMs / 1000;
      const error = started
        ? new TimedOutError(`${exchange.what}: no whole answer within ${seconds} s; it may have happened`)
        : new UnreachableError(`${exchange.what}: no connection to the API server within ${seconds} s`);
      fail(error);
      abort?.(error);
    });

    client.dispatch(
      {
        method: exchange.method,
        path: exchange.path,
        headers: exchange.headers,
        body: exchange.body ?? null,
        // Else undici closes the connection behind every DELETE with a body, which ours all have: a handshake costs both sides more than the request.
        reset: false,
      },
      {
        // undici writes the request in the same tick, directly after this call, and not at all when it was aborted in it
        onRequestStart(controller) {
          abort = (reason) => controller.abort(reason);
          if (exchange.fence?.() === false) {
            controller.abort(new FencedError(exchange.what));
            return;
          }
          started = true;
          sentMs = clock.now();
        },
        onResponseStart(_controller, statusCode, responseHeaders) {
          status = statusCode;
          headers = plainHeaders(responseHeaders);
          tellServerDate(exchange, headers, sentMs);
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk);
        },
        onResponseEnd() {
          try {
            const text = textOf(chunks);
            if (status < 300) exchange.onText?.(text);
            finish({ response: { status, headers, body: parseText(headers, text) }, connectionUnusable: false });
          } catch (error) {
            const message = `${exchange.what}: the answer (${status}) is not the JSON that it says it is; it may have happened`;
            finish({ error: new TimedOutError(message, { cause: error }), connectionUnusable: false });
          }
        },
        onResponseError(_controller, error) {
          fail(error);
        },
      },
    );
  });
}

/** Header names are lower-case already; of repeated ones all values, joined by commas. */
export function plainHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Readonly<Record<string, string>> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name] = typeof value === "string" ? value : value.join(", ");
  }
  return plain;
}

/** What an error of undici means: before the first byte was written nothing happened, and after it anything may have. */
export function errorOf(exchange: Exchange, error: Error, started: boolean): TimedOutError | UnreachableError | FencedError {
  if (error instanceof TimedOutError || error instanceof UnreachableError || error instanceof FencedError) return error;
  const doubt = exchange.method === "GET" ? "" : "; it may have happened";
  return started
    ? new TimedOutError(`${exchange.what}: the connection broke (${reasonOf(error)})${doubt}`, { cause: error })
    : new UnreachableError(`${exchange.what}: cannot connect to the API server: ${reasonOf(error)}`, { cause: error });
}

/** Hands on what the answer says of the server's clock. */
export function tellServerDate(exchange: Exchange, headers: Readonly<Record<string, string>>, sentMs: number): void {
  const date = headers["date"];
  if (exchange.onServerDate === undefined || date === undefined) return;
  const serverMs = Date.parse(date);
  if (!Number.isNaN(serverMs)) exchange.onServerDate({ serverMs, sentMs, receivedMs: exchange.clock.now() });
}

/** Whether an answer says that it is JSON. */
export function isJson(headers: Readonly<Record<string, string>>): boolean {
  return /^application\/([a-z.+-]+\+)?json\b/.test(headers["content-type"] ?? "");
}

/** Throws SyntaxError for what calls itself JSON and is not. */
export function parseBody(headers: Readonly<Record<string, string>>, chunks: readonly Buffer[]): unknown {
  return parseText(headers, textOf(chunks));
}

function textOf(chunks: readonly Buffer[]): string {
  return (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString("utf8");
}

function parseText(headers: Readonly<Record<string, string>>, text: string): unknown {
  return isJson(headers) && text !== "" ? JSON.parse(text) : text;
}

/** Failed connections to several addresses come as an AggregateError without a message of its own. */
function reasonOf(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join(", ");
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
