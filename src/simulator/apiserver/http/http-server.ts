import { randomBytes, X509Certificate } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { dump } from "js-yaml";
import type { Clock } from "../../../base/clock.ts";
import { createAuthority, issueCertificate } from "../../../base/x509.ts";
import type { ServerCore } from "./core.ts";
import type { LogSource } from "./log-source.ts";
import type { StreamSource } from "./stream-source.ts";
import { createRequestHandler, createUpgradeHandler, type RequestRecord, type ServiceProxy } from "./request-handler.ts";

/** What the HTTPS front of an API server is made of. */
export interface HttpServerOptions {
  readonly server: ServerCore;
  readonly clock: Clock;
  /** 0, or absent = a free one. */
  readonly port?: number;
  /** Absent = made up. */
  readonly token?: string;
  /** Absent = made up, with `token`. */
  readonly identity?: ServerIdentity;
  /** How many seconds of `clock` pass in a second of the clients; absent = 1. */
  readonly speed?: number;
  /** An address or a name of this machine; absent = 127.0.0.1. */
  readonly host?: string;
  readonly logSource?: () => LogSource | undefined;
  readonly serviceProxy?: ServiceProxy;
  readonly streamSource?: () => StreamSource | undefined;
  readonly onRequest?: (record: RequestRecord) => void;
  /** Told of defects that became a 500. */
  readonly onError?: (error: unknown) => void;
}

/** How clients know a server, and how it knows its administrator. A server that has it again is the same one to them. */
export interface ServerIdentity {
  /** The authority that signed the certificate. */
  readonly caPem: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Of the administrator. */
  readonly token: string;
}

/** An API server that real clients can reach. */
export interface HttpServer {
  /** "https://host:port", without a slash at the end. */
  readonly url: string;
  /** The authority that signed the server's certificate. */
  readonly caPem: string;
  readonly token: string;
  /** A kubeconfig (YAML) with everything that a client needs, namespace "default". */
  kubeconfig(): string;
  /** Stops listening, and cuts all connections, watches and logs included. */
  close(): Promise<void>;
}

const CERTIFICATE_DAYS = 365;
const LOOPBACK = "127.0.0.1";

/**
 * Starts serving over HTTPS (HTTP/1.1) with an authority and a certificate of its own: kubectl sends no token to a server without TLS.
 * Rejects when the address cannot be listened on.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const host = options.host ?? LOOPBACK;
  const identity = options.identity ?? createIdentity(host, options.clock.now(), options.token);
  const { caPem, certificatePem, privateKeyPem, token } = identity;
  const parts = {
    server: options.server,
    clock: options.clock,
    token,
    user: { name: "nuptse-admin", groups: ["system:masters", "system:authenticated"] },
    logSource: options.logSource ?? (() => undefined),
    serviceProxy: options.serviceProxy,
    onRequest: options.onRequest,
    onError: options.onError,
    streamSource: options.streamSource ?? (() => undefined),
    speed: options.speed ?? 1,
  };
  // watches are silent for minutes, and a request's head and body have limits of their own
  const https = createServer(
    { cert: certificatePem, key: privateKeyPem, keepAlive: true, keepAliveTimeout: 120_000 },
    createRequestHandler(parts),
  );
  https.on("upgrade", createUpgradeHandler(parts));
  const sockets = new Set<Duplex>();
  https.on("connection", (socket: Duplex) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // a peer that goes away in the middle of a handshake is nobody's concern
    socket.on("error", () => socket.destroy());
  });
  https.on("clientError", (_error, socket: Duplex) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    else socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    https.once("error", reject);
    https.listen(options.port ?? 0, host, () => {
      https.off("error", reject);
      resolve();
    });
  });
  https.on("error", (error) => options.onError?.(error));

  const { port } = https.address() as AddressInfo;
  const url = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return {
    url,
    caPem,
    token,
    kubeconfig: () => kubeconfig(url, caPem, token),
    close: () =>
      new Promise((resolve) => {
        https.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Makes up an identity. @param now wall time in milliseconds, as the clients have it */
export function createIdentity(host: string, now: number, token = randomBytes(24).toString("base64url")): ServerIdentity {
  const authority = createAuthority({ commonName: "nuptse embedded cluster", validDays: CERTIFICATE_DAYS, now });
  const isAddress = /^[\d.]+$/.test(host) || host.includes(":");
  const certificate = issueCertificate(authority, {
    commonName: "nuptse embedded cluster",
    dnsNames: ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", ...(isAddress ? [] : [host])],
    ipAddresses: [...new Set([LOOPBACK, "::1", ...(isAddress ? [host] : [])])],
    usages: ["server"],
    validDays: CERTIFICATE_DAYS,
    now,
  });
  return { caPem: authority.certificatePem, ...certificate, token };
}

/** Whether clients will believe the certificate for a day yet. */
export function isCurrent({ certificatePem }: ServerIdentity, now: number): boolean {
  return new X509Certificate(certificatePem).validToDate.getTime() > now + 86_400_000;
}

function kubeconfig(server: string, caPem: string, token: string): string {
  const name = "nuptse";
  return dump({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server, "certificate-authority-data": Buffer.from(caPem).toString("base64") } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: "default" } }],
    "current-context": name,
  });
}
