import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { Logger } from "../api/logger.ts";
import type { Clock } from "../base/clock.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { type AdmissionAnswer, type AdmissionRequest, readReview, ReviewError, reviewOf } from "./admission-review.ts";
import type { ServingCertificate } from "./certificate-record.ts";
import { NotReadyError } from "./judge.ts";

/** What one webhook says, and what it is counted as. */
export interface CountedAnswer {
  readonly verdict: string;
  readonly answer: AdmissionAnswer;
}

export interface WebhookServerOptions {
  /** By path without the slash, which is also what they are counted under. */
  readonly webhooks: Readonly<Record<string, (request: AdmissionRequest) => Promise<CountedAnswer>>>;
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** A server that listens. */
export interface WebhookServer {
  readonly port: number;
  /** From now on, for new connections; before the first one nobody can connect. */
  serve(certificate: Pick<ServingCertificate, "certificatePem" | "privateKeyPem">): void;
  /** Takes no new connections, and resolves when what is under way is answered, at the latest after `closeMs`. */
  close(): Promise<void>;
}

/** An object and what it was before, each of at most 3 MiB (the API server's limit for a request), and what stands around them. */
const longestBody = 8 * 1024 * 1024;
/** Of all bodies in memory together. */
const mostBytes = 64 * 1024 * 1024;
/** Calls under way at once; the API server has given up those behind before their turn would come. */
const mostCalls = 256;
/** A body comes from a server in the same cluster. */
const bodyMs = 10_000;
/**
 * The API server keeps idle connections for 90 s, also one over which nothing came yet, and a POST that meets a connection that is just
 * being closed fails for good. So it must be the one that closes.
 */
const idleMs = 120_000;
const closeMs = 5000;

interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly verdict: string;
}

/** Serves AdmissionReviews over HTTPS; rejects when the address cannot be had. */
export async function startWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  const { webhooks, clock, logger, metrics } = options;
  let bytes = 0;
  let calls = 0;

  const server = createServer({ minVersion: "TLSv1.2" }, (request, response) => {
    const name = (request.url ?? "/").split("?", 1)[0]?.slice(1) ?? "";
    const answer = Object.hasOwn(webhooks, name) ? webhooks[name] : undefined;
    if (answer === undefined) {
      send(request, response, {
        status: 404,
        body: {
          error: `there are ${Object.keys(webhooks)
            .map((each) => `/${each}`)
            .join(" and ")}`,
        },
      });
      return;
    }
    const since = clock.monotonic();
    void replyTo(request, answer).then((reply) => {
      send(request, response, reply);
      metrics.count("nuptse_webhook_requests_total", { webhook: name, verdict: reply.verdict });
      metrics.observe("nuptse_webhook_request_seconds", { webhook: name }, (clock.monotonic() - since) / 1000);
    });
  });
  server.requestTimeout = idleMs;
  server.headersTimeout = idleMs;
  server.keepAliveTimeout = idleMs;
  // Whoever does not trust us yet says so by hanging up; it is counted where it matters, at the API server.
  server.on("tlsClientError", () => undefined);

  async function replyTo(request: IncomingMessage, answer: (request: AdmissionRequest) => Promise<CountedAnswer>): Promise<Reply> {
    if (request.method !== "POST") return failure(405, "malformed", "a webhook takes POST only");
    if (calls >= mostCalls) return failure(503, "busy", "too many calls at once");
    calls++;
    try {
      const body = await readBody(request);
      if (body === "too long") return failure(413, "malformed", `a review has at most ${longestBody} bytes`);
      if (body === "cut off") return failure(400, "malformed", `the review did not come in whole within ${bodyMs / 1000} s`);
      if (body === "too many") return failure(503, "busy", "too much is being read at once");
      const review = readReview(body.text);
      const { verdict, answer: said } = await answer(review);
      return { status: 200, verdict, body: reviewOf(review, said) };
    } catch (error) {
      if (error instanceof ReviewError) return failure(400, "malformed", error.message);
      if (error instanceof NotReadyError) return failure(503, "not_ready", error.message);
      // Not a word on the object: what was to be admitted may hold what is nobody's business.
      logger.warn("an admission request could not be judged; what becomes of it is for the failurePolicy to say", { error });
      return failure(500, "failed", "the request could not be judged; the operator's log says why");
    } finally {
      calls--;
    }
  }

  async function readBody(request: IncomingMessage): Promise<{ readonly text: string } | "too long" | "too many" | "cut off"> {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = clock.after(bodyMs, () => request.destroy());
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        length += chunk.length;
        bytes += chunk.length;
        if (length > longestBody) return "too long";
        if (bytes > mostBytes) return "too many";
        chunks.push(chunk);
      }
      return { text: Buffer.concat(chunks).toString("utf8") };
    } catch {
      // Whoever asked has given up, or was too slow.
      return "cut off";
    } finally {
      timer.cancel();
      bytes -= length;
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    serve: ({ certificatePem, privateKeyPem }) =>
      server.setSecureContext({ cert: certificatePem, key: privateKeyPem, minVersion: "TLSv1.2" }),
    close: () =>
      new Promise((resolve) => {
        const timer = clock.after(closeMs, () => server.closeAllConnections());
        server.close(() => {
          timer.cancel();
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

const failure = (status: number, verdict: string, error: string): Reply => ({ status, verdict, body: { error } });

function send(request: IncomingMessage, response: ServerResponse, { status, body }: Pick<Reply, "status" | "body">): void {
  // A body that nobody read would be taken for the next request.
  response.writeHead(status, { "content-type": "application/json", ...(!request.complete && { connection: "close" }) });
  response.end(`${JSON.stringify(body)}\n`);
}
