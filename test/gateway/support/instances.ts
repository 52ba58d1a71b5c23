import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Instance } from "../../../src/haproxy/rules/published-service.ts";

/** A small HTTP server that says who it is. */
export interface TestInstance {
  readonly name: string;
  readonly port: number;
  /** Requests that came. */
  readonly requests: number;
  /** Connections that they came by; those of checks do not count. */
  readonly connections: number;
  /** Requests and connections that are there now. */
  readonly busy: number;
  /** Answers /healthz with 500. */
  failChecks: boolean;
  asInstance(state?: Instance["state"]): Instance;
  /** As a well-behaved server ends: what is under way is finished. */
  close(): Promise<void>;
  /** As a killed one: everything is cut at once. */
  kill(): void;
}

/**
 * Answers every request with its name, after `delayMs` of the query.
 * @param wantedPort absent = one that is free
 */
export async function startInstance(name: string, host = "127.0.0.1", wantedPort = 0): Promise<TestInstance> {
  let requests = 0;
  let connections = 0;
  const known = new WeakSet<Socket>();
  let busy = 0;
  let failChecks = false;
  const server: Server = createServer((request, response) => {
    requests++;
    if (!known.has(request.socket)) connections++;
    known.add(request.socket);
    busy++;
    response.on("close", () => busy--);
    if (failChecks && request.url === "/healthz") response.statusCode = 500;
    const delay = Number(new URL(request.url ?? "/", "http://test").searchParams.get("delayMs") ?? 0);
    request.resume();
    request.on("end", () => setTimeout(() => response.end(name), delay));
  });
  server.keepAliveTimeout = 60_000;
  server.listen(wantedPort, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const uid = `${Buffer.from(name).toString("hex").padEnd(8, "0").slice(0, 8)}-uid`;
  return {
    name,
    port,
    get requests() {
      return requests;
    },
    get connections() {
      return connections;
    },
    get busy() {
      return busy;
    },
    get failChecks() {
      return failChecks;
    },
    set failChecks(fail: boolean) {
      failChecks = fail;
    },
    asInstance: (state = "ready") => ({ uid, pod: name, address: host, port, state }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
    kill() {
      server.close();
      server.closeAllConnections();
    },
  };
}
