import { Agent, errors, request } from "undici";
import { clip } from "../base/clip.ts";
import type { Clock } from "../base/clock.ts";

/** One request and its answer. */
export interface Exchange {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For all of it, from the connection to the last byte. */
  readonly withinMs: number;
  /** Of the answer's body; beyond that it counts as none. */
  readonly mostBytes: number;
}

/** What came of it. */
export type ExchangeOutcome =
  | { readonly kind: "answered"; readonly status: number; readonly text: string }
  /** There is no answer, or none that can be read. */
  | {
      readonly kind: "silent";
      readonly message: string;
      /** No connection came about. */
      readonly neverSent: boolean;
    };

/** Exchanges with executors. Connections are kept for a while; there is no bound on how many, since whoever calls bounds the tasks. */
export interface Exchanger {
  /** Never rejects. Redirects are not followed: they lead to addresses that nobody allowed. */
  send(exchange: Exchange, signal: AbortSignal): Promise<ExchangeOutcome>;
  /** Breaks off all that is under way. */
  close(): Promise<void>;
}

const connectMs = 5000;
const longestMessage = 300;

/** The answer is not what it must be; the message says how. */
class UnreadableAnswer extends Error {
  override readonly name = "UnreadableAnswer";
}

/** Builds the exchanger; nothing is connected before the first call. */
export function createExchanger({ clock }: { readonly clock: Clock }): Exchanger {
  // One time-out of ours stands for those of the parts: an answer that drips would pass them all.
  const dispatcher = new Agent({ connect: { timeout: connectMs }, headersTimeout: 0, bodyTimeout: 0, pipelining: 1, allowH2: false });

  return {
    async send({ method, url, headers, body, withinMs, mostBytes }, signal) {
      const late = new AbortController();
      const timer = clock.after(withinMs, () => late.abort());
      try {
        const answer = await request(url, {
          method,
          headers: { "user-agent": "nuptse", ...headers },
          ...(body !== undefined && { body }),
          dispatcher,
          signal: AbortSignal.any([late.signal, signal]),
        });
        return { kind: "answered", status: answer.statusCode, text: await textOf(answer.body, mostBytes) };
      } catch (error) {
        if (signal.aborted) return { kind: "silent", message: "nobody waits for it any more", neverSent: false };
        if (late.signal.aborted) return { kind: "silent", message: `no whole answer in ${withinMs / 1000} s`, neverSent: false };
        return { kind: "silent", message: describe(error), neverSent: isOfConnecting(error) };
      } finally {
        timer.cancel();
      }
    },
    close: () => dispatcher.destroy(),
  };
}

async function textOf(body: AsyncIterable<Buffer>, mostBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    // Leaving the loop breaks the connection, so that the rest does not come.
    if (length > mostBytes) throw new UnreadableAnswer(`an answer of more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

interface NodeError {
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly message?: unknown;
  /** Of an AggregateError: one for each address that was tried. */
  readonly errors?: readonly NodeError[];
}

function isOfConnecting(error: unknown): boolean {
  const { code, syscall } = firstOf(error);
  return code === "UND_ERR_CONNECT_TIMEOUT" || syscall === "connect" || syscall === "getaddrinfo";
}

function describe(error: unknown): string {
  if (error instanceof UnreadableAnswer) return error.message;
  const { code, message } = firstOf(error);
  const name = typeof code === "string" ? code : "";
  if (name === "UND_ERR_CONNECT_TIMEOUT") return `no connection in ${connectMs / 1000} s`;
  if (name === "ECONNREFUSED") return "the connection was refused";
  if (name === "UND_ERR_SOCKET" || name === "ECONNRESET" || name === "EPIPE") return "the connection broke off";
  if (error instanceof errors.HTTPParserError) return "what it answers is not HTTP";
  return clip(typeof message === "string" ? message : "the exchange failed", longestMessage);
}

const firstOf = (error: unknown): NodeError => {
  const outer = (error ?? {}) as NodeError;
  return outer.errors?.[0] ?? outer;
};
