import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../src/api/logger.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createAuthority, issueCertificate } from "../../src/base/x509.ts";
import type { TraceAccess } from "../../src/trace/access.ts";
import { startTraceServer, type TraceServer } from "../../src/trace/http-server.ts";
import { createHttpStore } from "../../src/trace/http-store.ts";
import { createSqliteStore } from "../../src/trace/sqlite-store.ts";
import { TraceRefused, type TraceStore } from "../../src/trace/store.ts";
import { makeTraceAttempt } from "../support/builders/trace-row.ts";

const clock = createSystemClock();
const access: TraceAccess = (token, verb) =>
  token === "broken"
    ? Promise.reject(new Error("the API server is away"))
    : Promise.resolve(token === "both" || token === verb ? "allowed" : token === "nobody" ? "unauthenticated" : "forbidden");

/** On loopback, with a SQLite file behind it. */
describe("the server of nuptse trace", () => {
  const folder = mkdtempSync(join(tmpdir(), "nuptse-trace-server-"));
  let store: TraceStore;
  let server: TraceServer;

  before(async () => {
    store = createSqliteStore({ path: join(folder, "trace.db"), clock });
    server = await startTraceServer({ store, access, logger: silentLogger, host: "127.0.0.1", port: 0 });
  });
  after(async () => {
    await server.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  const bad = { ...makeTraceAttempt(), item: "one" };
  const cases: readonly {
    readonly name: string;
    readonly path: string;
    readonly token?: string;
    readonly body?: string;
    readonly want: number;
    readonly says?: RegExp;
  }[] = [
    { name: "no token", path: "/v1/runs", want: 401, says: /bearer token/ },
    { name: "a token that nobody knows", path: "/v1/runs", token: "nobody", want: 401 },
    { name: "a writer who reads", path: "/v1/runs", token: "write", want: 403, says: /may read/ },
    { name: "a reader who writes", path: "/v1/rows", token: "read", body: "{}", want: 403, says: /may write/ },
    { name: "an API server that cannot be asked", path: "/v1/runs", token: "broken", want: 503, says: /the API server is away/ },
    { name: "a path that is not there", path: "/v2", token: "both", want: 404, says: /\/v1\/runs/ },
    { name: "a GET where rows go", path: "/v1/rows", token: "both", want: 405 },
    { name: "a POST where rows come from", path: "/v1/runs", token: "both", body: "{}", want: 405 },
    { name: "a parameter that is not known", path: "/v1/runs?jobs=etl", token: "both", want: 400, says: /jobs is not known/ },
    { name: "a limit beyond the bound", path: "/v1/runs?limit=5000", token: "both", want: 400, says: /limit must be/ },
    { name: "a body that is not JSON", path: "/v1/rows", token: "both", body: "rows", want: 400, says: /must be JSON/ },
    {
      name: "a row that is wrong, of which none of its batch is kept",
      path: "/v1/rows",
      token: "both",
      body: JSON.stringify({ rows: [makeTraceAttempt(), bad] }),
      want: 400,
      says: /rows\[1\]\.item: must be a whole number/,
    },
    { name: "a question for its health, by anybody", path: "/healthz", want: 200 },
    { name: "a question that is right", path: "/v1/attempts?from=2026-01-01T00:00:00Z", token: "read", want: 200, says: /"rows":\[\]/ },
  ];
  for (const tc of cases) {
    it(`answers ${tc.want} to ${tc.name}`, async () => {
      const response = await fetch(`http://127.0.0.1:${server.port}${tc.path}`, {
        method: tc.body === undefined ? "GET" : "POST",
        headers: tc.token === undefined ? {} : { authorization: `Bearer ${tc.token}` },
        ...(tc.body !== undefined && { body: tc.body }),
      });
      assert.equal(response.status, tc.want);
      assert.match(await response.text(), tc.says ?? /./);
    });
  }

  it("its client tells rows that are refused from a server that is in trouble", async () => {
    const url = `http://127.0.0.1:${server.port}`;
    const client = (token: string) => createHttpStore({ url, clock, token: () => Promise.resolve(token) });
    const [right, broken] = [client("both"), client("broken")];
    await assert.rejects(right.append([bad as never]), TraceRefused);
    await assert.rejects(broken.append([makeTraceAttempt()]), (error) => error instanceof Error && !(error instanceof TraceRefused));
    await Promise.all([right.close(), broken.close()]);
  });

  it("speaks TLS with a certificate that is renewed while it runs, and only with those who trust it", async () => {
    const now = Date.now();
    const authority = createAuthority({ commonName: "first", validDays: 1, now });
    const second = createAuthority({ commonName: "second", validDays: 1, now });
    const tlsOf = (from: typeof authority) => {
      const issued = issueCertificate(from, {
        commonName: "trace",
        ipAddresses: ["127.0.0.1"],
        usages: ["server"],
        validDays: 1,
        now,
      });
      return { cert: issued.certificatePem, key: issued.privateKeyPem };
    };
    const secure = await startTraceServer({ store, access, logger: silentLogger, host: "127.0.0.1", port: 0, tls: tlsOf(authority) });
    const ask = async (ca?: string) => {
      const url = `https://127.0.0.1:${secure.port}`;
      const client = createHttpStore({
        url,
        clock,
        token: () => Promise.resolve("both"),
        ...(ca !== undefined && { ca: () => Promise.resolve(ca) }),
      });
      try {
        return (await client.attempts({ job: "none" })).rows.length;
      } finally {
        await client.close();
      }
    };
    assert.equal(await ask(authority.certificatePem), 0);
    await assert.rejects(ask(second.certificatePem));
    await assert.rejects(ask());
    secure.renewTls(tlsOf(second));
    assert.equal(await ask(second.certificatePem), 0);
    await secure.close();
  });
});
