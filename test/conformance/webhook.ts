import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createAuthority, issueCertificate } from "../../src/base/x509.ts";
import type { StoredBody } from "./api.ts";

/** What a webhook says to a request: the parts of its response beside the UID; undefined = a 500. */
export type Judge = (request: StoredBody) => Record<string, unknown> | undefined;

/** A webhook on loopback. */
export interface TestWebhook {
  /** As a configuration writes it. */
  readonly clientConfig: { readonly url: string; readonly caBundle: string };
  /** What it was asked, in order. */
  readonly requests: readonly StoredBody[];
  close(): Promise<void>;
}

/** Serves a webhook over HTTPS with a certificate of its own. */
export async function startWebhook(judge: Judge): Promise<TestWebhook> {
  const now = Date.now();
  const authority = createAuthority({ commonName: "a webhook", validDays: 1, now });
  const pair = issueCertificate(authority, {
    commonName: "a webhook",
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validDays: 1,
    now,
  });
  const requests: StoredBody[] = [];
  const server = createServer({ cert: pair.certificatePem, key: pair.privateKeyPem }, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const review = JSON.parse(Buffer.concat(chunks).toString());
    requests.push(review.request);
    const said = judge(review.request);
    if (said === undefined) {
      response.writeHead(500).end();
      return;
    }
    const answer = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: { uid: review.request.uid, ...said } };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    clientConfig: { url: `https://127.0.0.1:${port}/judge`, caBundle: Buffer.from(authority.certificatePem).toString("base64") },
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Operations as the response of a webhook carries them. */
export const patchOf = (operations: readonly object[]): Record<string, unknown> => ({
  allowed: true,
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
});
