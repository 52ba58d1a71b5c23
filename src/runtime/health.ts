import { createServer } from "node:http";
import { listenOn } from "./listening.ts";
import type { ScrapedMetrics } from "./metrics.ts";

/** undefined = all is well, else a short sentence that says what is not. Must not throw. */
export type HealthCheck = () => string | undefined;

export interface HealthOptions {
  /** What must be well lest the process be restarted. */
  readonly alive: Readonly<Record<string, HealthCheck>>;
  /** What must be well for the process to count as ready. A standby is ready once its caches are. */
  readonly ready: Readonly<Record<string, HealthCheck>>;
  readonly metrics: Pick<ScrapedMetrics, "contentType" | "text">;
}

export interface HealthAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** What to answer to a GET of this path: /healthz, /readyz (also /livez) or /metrics. */
export async function healthAnswer(options: HealthOptions, path: string): Promise<HealthAnswer> {
  switch (path) {
    case "/healthz":
    case "/livez":
      return verdict(options.alive);
    case "/readyz":
      return verdict(options.ready);
    case "/metrics":
      return { status: 200, contentType: options.metrics.contentType, body: await options.metrics.text() };
    default:
      return json(404, { error: "not found", paths: ["/healthz", "/readyz", "/metrics"] });
  }
}

/** A server that listens; its port is the one that was asked for, or a free one for 0. */
export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves health and metrics over plain HTTP. Rejects when the address cannot be had. */
export async function startHealthServer(options: HealthOptions & { readonly host: string; readonly port: number }): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const asked = request.method === "GET" || request.method === "HEAD";
    const answer = asked ? healthAnswer(options, path) : Promise.resolve(json(405, { error: "only GET is served" }));
    answer.then(
      ({ status, contentType, body }) => {
        response.writeHead(status, { "content-type": contentType });
        response.end(request.method === "HEAD" ? undefined : body);
      },
      (error: unknown) => {
        response.writeHead(500, { "content-type": "text/plain" });
        response.end(String(error));
      },
    );
  });
  return {
    port: await listenOn(server, options.host, options.port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function verdict(checks: Readonly<Record<string, HealthCheck>>): HealthAnswer {
  const failing: Record<string, string> = {};
  for (const [name, check] of Object.entries(checks)) {
    const problem = check();
    if (problem !== undefined) failing[name] = problem;
  }
  const ok = Object.keys(failing).length === 0;
  return json(ok ? 200 : 503, ok ? { ok } : { ok, failing });
}

function json(status: number, value: unknown): HealthAnswer {
  return { status, contentType: "application/json", body: `${JSON.stringify(value)}\n` };
}
