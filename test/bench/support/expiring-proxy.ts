import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { clientCertificate, kubeconfigText } from "../../../hack/control-plane/credentials.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createAuthority, issueCertificate } from "../../../src/base/x509.ts";
import { loadCredentials } from "../../../src/kube/credentials.ts";

const gone = { kind: "Status", apiVersion: "v1", status: "Failure", message: "too old resource version", reason: "Expired", code: 410 };

/** A watch that passes through. */
interface OpenWatch {
  readonly path: string;
  readonly reply: ServerResponse;
  /** Whether what was passed on so far ends with a line's end. */
  atLineStart: boolean;
}

/**
 * Stands between a client and the API server, over TLS on both sides, and passes everything on, under the certificate of the user whose
 * kubeconfig it was given. On demand it ends watches as the API server does when it has forgotten their version: nothing else forces one
 * client to list anew while the server serves everybody.
 */
export class ExpiringProxy {
  /** The text of a kubeconfig for the client. */
  readonly kubeconfigContent: string;
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #watches: Set<OpenWatch>;

  private constructor(server: Server, agent: Agent, watches: Set<OpenWatch>, kubeconfigContent: string) {
    this.#server = server;
    this.#agent = agent;
    this.#watches = watches;
    this.kubeconfigContent = kubeconfigContent;
  }

  static async start(kubeconfig: string): Promise<ExpiringProxy> {
    const { server: target, tls } = await loadCredentials({ clock: createSystemClock(), kubeconfig });
    const agent = new Agent({ ...tls, keepAlive: true, maxSockets: 256 });
    const now = Date.now();
    const authority = createAuthority({ commonName: "bench proxy", validDays: 2, now });
    const certificate = issueCertificate(authority, {
      commonName: "bench-proxy",
      dnsNames: ["localhost"],
      ipAddresses: ["127.0.0.1"],
      usages: ["server"],
      validDays: 2,
      now,
    });
    const watches = new Set<OpenWatch>();
    const server = createServer({ cert: certificate.certificatePem, key: certificate.privateKeyPem }, (incoming, reply) =>
      passOn(target, agent, watches, incoming, reply),
    );
    server.keepAliveTimeout = 90_000;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const text = kubeconfigText(url, authority, "bench", clientCertificate(authority, "bench", []));
    return new ExpiringProxy(server, agent, watches, text);
  }

  /** Ends the watches of a collection, such as "/api/v1/pods", with 410; returns how many there were. */
  expire(path: string): number {
    let count = 0;
    for (const watch of this.#watches) {
      if (watch.path !== path || !watch.atLineStart) continue;
      watch.reply.end(`${JSON.stringify({ type: "ERROR", object: gone })}\n`);
      count += 1;
    }
    return count;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
  }
}

function passOn(target: string, agent: Agent, watches: Set<OpenWatch>, incoming: IncomingMessage, reply: ServerResponse): void {
  const { method, url = "/" } = incoming;
  const { host: _host, connection: _connection, ...headers } = incoming.headers;
  const onward = request(new URL(url, target), { agent, headers, ...(method === undefined ? {} : { method }) }, (answer) => {
    const { connection: _kept, "transfer-encoding": _coding, ...answered } = answer.headers;
    reply.writeHead(answer.statusCode ?? 502, answered);
    reply.flushHeaders();
    const { pathname, searchParams } = new URL(url, target);
    if (searchParams.get("watch") === "true") {
      const watch: OpenWatch = { path: pathname, reply, atLineStart: true };
      watches.add(watch);
      reply.on("close", () => watches.delete(watch));
      answer.on("data", (chunk: Buffer) => {
        watch.atLineStart = chunk.at(-1) === 0x0a;
      });
    }
    answer.on("error", () => reply.destroy());
    answer.pipe(reply);
  });
  onward.on("error", () => reply.destroy());
  reply.on("close", () => onward.destroy());
  incoming.pipe(onward);
}
