import type { Client } from "undici";
import { TimedOutError, UnreachableError } from "./errors.ts";
import { type Exchange, errorOf, isJson, parseBody, plainHeaders, tellServerDate } from "./exchange.ts";
import { LineStream } from "./line-stream.ts";
import type { TransportStream } from "./transport.ts";

/**
 * Opens an answer that is read line by line, on a connection of its own. `timeoutMs` of the exchange is for the head of the answer,
 * `silenceMs` for its body. Calls `end` once, when the connection is of no more use: `atOnce` to break it.
 * Rejects as {@link TransportStream}'s opener does, with the signal's reason when that is aborted first.
 */
export function openStream(
  client: Client,
  exchange: Exchange,
  signal: AbortSignal,
  end: (atOnce: boolean) => void,
): Promise<TransportStream> {
  return new Promise((resolve, reject) => {
    let started = false;
    let sentMs = 0;
    let opened: LineStream | undefined;
    let failedAnswer:
      | { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly chunks: Buffer[] }
      | undefined;

    const settle = () => {
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
    };
    const onAbort = () => {
      settle();
      opened?.stop();
      reject(signal.reason);
      end(true);
    };
    const fail = (error: Error) => {
      settle();
      opened?.fail(error);
      reject(error);
      end(true);
    };
    const timer = exchange.clock.after(exchange.timeoutMs, () => {
      const seconds = exchange.timeoutMs / 1000;
      const message = `${exchange.what}: no answer within ${seconds} s`;
      fail(started ? new TimedOutError(message) : new UnreachableError(message));
    });
    signal.addEventListener("abort", onAbort, { once: true });

    client.dispatch(
      {
        method: exchange.method,
        path: exchange.path,
        headers: exchange.headers,
        body: exchange.body ?? null,
        bodyTimeout: exchange.silenceMs ?? 0,
      },
      {
        onRequestStart() {
          started = true;
          sentMs = exchange.clock.now();
        },
        onResponseStart(controller, status, responseHeaders) {
          const headers = plainHeaders(responseHeaders);
          tellServerDate(exchange, headers, sentMs);
          if (status >= 300) {
            // an error is one document, whatever lines it is printed in
            failedAnswer = { status, headers, chunks: [] };
            return;
          }
          timer.cancel();
          opened = new LineStream(exchange.what, isJson(headers), {
            pause: () => controller.pause(),
            resume: () => controller.resume(),
            cancel: onAbortByReader,
          });
          resolve({ status, headers, lines: opened });
        },
        onResponseData(_controller, chunk) {
          if (failedAnswer === undefined) opened?.push(chunk);
          else failedAnswer.chunks.push(chunk);
        },
        onResponseEnd() {
          settle();
          opened?.end();
          if (failedAnswer !== undefined) {
            const { status, headers, chunks } = failedAnswer;
            resolve({ status, headers, lines: one(bodyOf(headers, chunks)) });
          }
          end(false);
        },
        onResponseError(_controller, error) {
          if (!signal.aborted) fail(errorOf(exchange, error, started));
        },
      },
    );

    function onAbortByReader(): void {
      settle();
      end(true);
    }
  });
}

function bodyOf(headers: Readonly<Record<string, string>>, chunks: readonly Buffer[]): unknown {
  try {
    return parseBody(headers, chunks);
  } catch {
    return Buffer.concat(chunks).toString("utf8");
  }
}

async function* one(value: unknown): AsyncIterable<unknown> {
  yield value;
}
