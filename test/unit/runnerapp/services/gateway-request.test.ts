import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issueCertificate } from "../../../../src/base/x509.ts";
import { createGatewayRequest } from "../../../../src/runnerapp/services/gateway-request.ts";

const state = { version: 7, lagSeconds: 0, servers: [] };
const validity = { now: Date.now(), validDays: 1 };

describe("asking a gateway", () => {
  let folder: string;
  let server: Server;
  let port = 0;
  let answer = { status: 200, body: JSON.stringify(state) };
  const asked: string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "nuptse-ask-"));
    const authority = createAuthority({ commonName: "gateways", ...validity });
    const other = createAuthority({ commonName: "others", ...validity });
    const issued = issueCertificate(authority, {
      commonName: "nuptse-gateway",
      dnsNames: ["nuptse-gateway"],
      usages: ["server"],
      ...validity,
    });
    await writeFile(join(folder, "ca.pem"), authority.certificatePem);
    await writeFile(join(folder, "other.pem"), other.certificatePem);
    await writeFile(join(folder, "token"), "secret\n");
    server = createServer({ cert: issued.certificatePem, key: issued.privateKeyPem }, (request, response) => {
      asked.push(`${request.url} ${request.headers.authorization}`);
      response.writeHead(answer.status);
      response.end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
  });
  after(async () => {
    server?.close();
    server?.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  });

  const ask = (ca = "ca.pem", serverName = "nuptse-gateway", after?: number) =>
    createGatewayRequest({ port, caFile: join(folder, ca), serverName, tokenFile: join(folder, "token") })(
      "127.0.0.1",
      after === undefined ? {} : { after },
      new AbortController().signal,
    );

  it("at its address, by the name of its certificate, with the token", async () => {
    assert.deepEqual(await ask(), state);
    assert.deepEqual(await ask("ca.pem", "nuptse-gateway", 7), state);
    assert.deepEqual(asked, ["/v1/state Bearer secret", "/v1/state?after=7 Bearer secret"]);
  });

  it("whose certificate is another's is told no token", async () => {
    const before = asked.length;
    await assert.rejects(ask("other.pem"), /unable to verify|self-signed|certificate/i);
    await assert.rejects(ask("ca.pem", "somebody-else"), /altname|somebody-else/i);
    assert.equal(asked.length, before);
  });

  for (const wrong of [
    { name: "a refusal", answer: { status: 403, body: "no" }, words: /answered 403: no/ },
    { name: "something else than JSON", answer: { status: 200, body: "<html>" }, words: /JSON/ },
    { name: "something else than a state", answer: { status: 200, body: "{}" }, words: /is no state/ },
  ])
    it(`that answers with ${wrong.name} has not told its state`, async () => {
      answer = wrong.answer;
      await assert.rejects(ask(), wrong.words);
    });
});
