import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Logger } from "../../api/logger.ts";
import { listenOn } from "../../runtime/listening.ts";
import { readBody } from "../../runtime/request-body.ts";
import type { CallbackBoard } from "./board.ts";
import { answerBody, failureCode, readCallbacks, readRegistration, successCode, tokenHeader } from "./codec.ts";
import type { Registrations } from "./registrations.ts";

export interface XxlAdminServerOptions {
  readonly board: CallbackBoard;
  readonly registrations: Registrations;
  /** The tokens of all fleets of XXL-JOB's executors, as they are now. May reject: then nobody is let in. */
  readonly tokens: () => Promise<Iterable<string>>;
  readonly logger: Logger;
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
}

/** A server that listens. */
export interface XxlAdminServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Executors send up to 50 ends at once, of up to 50,000 characters each. */
const longestBody = 16 * 1024 * 1024;
/** Bodies in memory at once. */
const mostBodies = 8;
const mostConnections = 2000;
/** Executors wait for 3 s, and report again 30 s later what was not taken. */
const recordedWithinMs = 2000;

/**
 * What executors of XXL-JOB take for their admin, with and without the path that it has in versions before 3.4: `/api/registry`,
 * `/api/registryRemove` and `/api/callback`. An end is acknowledged when it stands in the status, not before: the executor keeps it until then. Rejects
 * when the address cannot be had.
 */
export async function startXxlAdminServer(options: XxlAdminServerOptions): Promise<XxlAdminServer> {
  const { board, registrations, tokens, logger } = options;
  let bodies = 0;

  const server = createServer((request, response) => {
    answerTo(request).then(
      (problem) => send(request, response, problem),
      (error: unknown) => {
        logger.warn("a call of an executor failed", { error, path: pathOf(request) });
        send(request, response, "the call failed");
      },
    );
  });
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  server.maxConnections = mostConnections;

  /** What is wrong; undefined = all is well. */
  async function answerTo(request: IncomingMessage): Promise<string | undefined> {
    const name = /^(?:\/xxl-job-admin)?\/api\/(registry|registryRemove|callback)$/.exec(pathOf(request))?.[1];
    if (request.method !== "POST") return "invalid request, HttpMethod not support.";
    if (name === undefined) return `invalid request, uri-mapping(${pathOf(request)}) not found.`;
    const token = request.headers[tokenHeader];
    if (typeof token !== "string" || !isOneOf(token, await tokens())) return "The access token is wrong.";
    if (bodies >= mostBodies) return "too many calls at once; call again";
    bodies++;
    let text: string | undefined;
    try {
      text = await readBody(request, longestBody);
    } finally {
      bodies--;
    }
    if (text === undefined) return `a call has at most ${longestBody} bytes`;
    return name === "callback" ? takeCallbacks(text, token) : takeRegistration(name === "registry", text, token);
  }

  function takeRegistration(stays: boolean, text: string, token: string): string | undefined {
    const registration = readRegistration(text);
    if (registration === undefined) return "the body must be JSON: {registryGroup, registryKey, registryValue}";
    if (stays) registrations.add(registration.appName, registration.address, token);
    else registrations.remove(registration.address, token);
    return undefined;
  }

  async function takeCallbacks(text: string, token: string): Promise<string | undefined> {
    const callbacks = readCallbacks(text);
    if (callbacks === undefined) return "the body must be JSON: a list of {logId, handleCode, handleMsg}, or that as callbackList";
    const verdicts = await Promise.all(callbacks.map((callback) => board.report(callback, token, recordedWithinMs)));
    if (verdicts.includes("forbidden")) {
      logger.warn("an executor reported the end of a task that another fleet has", { path: "callback" });
      return "The access token is wrong.";
    }
    return verdicts.includes("later") ? "not recorded yet; report it again" : undefined;
  }

  return {
    port: await listenOn(server, options.host, options.port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const pathOf = (request: IncomingMessage): string => (request.url ?? "/").split("?", 1)[0] ?? "/";

/** In a time that says nothing about how much of a token was right. */
function isOneOf(shown: string, tokens: Iterable<string>): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const given = digest(shown);
  let found = false;
  for (const token of tokens) found = timingSafeEqual(given, digest(token)) || found;
  return found;
}

/** Executors look at the code in the body; the status is always 200. */
function send(request: IncomingMessage, response: ServerResponse, problem: string | undefined): void {
  const text = answerBody(problem === undefined ? successCode : failureCode, problem ?? null);
  // A body that nobody read would be taken for the next request.
  response.writeHead(200, { "content-type": "application/json;charset=UTF-8", ...(!request.complete && { connection: "close" }) });
  response.end(text);
}
