import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** What came in, in order. */
export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Answer = (request: ReceivedRequest, response: ServerResponse, socket: Socket) => void;

/** A server on loopback that answers by script: a real socket, for what only sockets do. */
export interface HttpDouble {
  readonly url: string;
  readonly received: readonly ReceivedRequest[];
  /** How many connections were ever opened. */
  readonly connections: number;
  /** How many requests are being answered, and the most there ever were. */
  readonly inFlight: number;
  readonly mostInFlight: number;
  close(): Promise<void>;
}

/** With a certificate it speaks TLS. */
export async function startHttpDouble(answer: Answer, tls?: { readonly cert: string; readonly key: string }): Promise<HttpDouble> {
  const received: ReceivedRequest[] = [];
  let connections = 0;
  let inFlight = 0;
  let mostInFlight = 0;
  const listener: RequestListener = (request, response) => {
    inFlight++;
    mostInFlight = Math.max(mostInFlight, inFlight);
    response.on("close", () => inFlight--);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const entry = { method, url, headers, body: Buffer.concat(chunks).toString("utf8") };
      received.push(entry);
      answer(entry, response, request.socket);
    });
    request.on("error", () => undefined);
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on(tls === undefined ? "connection" : "secureConnection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http${tls === undefined ? "" : "s"}://127.0.0.1:${port}`,
    received,
    get connections() {
      return connections;
    },
    get inFlight() {
      return inFlight;
    },
    get mostInFlight() {
      return mostInFlight;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** Answers with JSON. */
export function answerJson(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}
