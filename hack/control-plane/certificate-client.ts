import { Agent, request } from "undici";
import type { IssuedCertificate } from "../../src/base/x509.ts";

/** One request to the API server. */
export interface PlainRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With the query, such as "/api/v1/namespaces?limit=5". */
  readonly path: string;
  /** Sent as JSON, or as it is if it is text. */
  readonly body?: unknown;
  /** "application/json" if absent. */
  readonly contentType?: string;
  readonly userAgent?: string;
}

/** A reply, whatever its code. */
export interface PlainReply {
  readonly status: number;
  readonly text: string;
}

/** The least client that tests of the control plane itself need, who it is told by a certificate; it knows nothing of src/kube, so that neither covers up for the other. */
export class CertificateClient {
  readonly #server: string;
  readonly #agent: Agent;

  constructor(server: string, authorityPem: string, client: IssuedCertificate) {
    this.#server = server;
    this.#agent = new Agent({ connect: { ca: authorityPem, cert: client.certificatePem, key: client.privateKeyPem } });
  }

  /** Sends the request. Throws where no reply came. */
  async send(call: PlainRequest): Promise<PlainReply> {
    const { method = "GET", path, body, contentType = "application/json", userAgent = "nuptse-control-plane" } = call;
    const response = await request(`${this.#server}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: { "content-type": contentType, "user-agent": userAgent },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    return { status: response.statusCode, text: await response.body.text() };
  }

  /** The text of a reply that must be one of success. Throws with the reply otherwise. */
  async text(call: PlainRequest): Promise<string> {
    const reply = await this.send(call);
    if (reply.status >= 300) throw new Error(`${call.method ?? "GET"} ${call.path}: ${reply.status} ${reply.text.trim().slice(0, 500)}`);
    return reply.text;
  }

  /** A GET of a URL of any component. Throws where no reply came. */
  async get(url: string): Promise<PlainReply> {
    const response = await request(url, { dispatcher: this.#agent });
    return { status: response.statusCode, text: await response.body.text() };
  }

  /** Drops its connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
