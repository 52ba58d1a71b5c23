import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { createAuthority, issueCertificate } from "../../../src/base/x509.ts";
import type { ClusterTls } from "../../../src/kube/cluster-access.ts";
import type { Credentials } from "../../../src/kube/credentials.ts";
import { FencedError, TimedOutError, UnreachableError } from "../../../src/kube/errors.ts";
import {
  createHttpTransport,
  type HttpTransport,
  type HttpTransportOptions,
  type RequestReport,
} from "../../../src/kube/http-transport.ts";
import type { ServerDate } from "../../../src/kube/server-time.ts";
import type { TransportRequest } from "../../../src/kube/transport.ts";
import { type Answer, answerJson, type HttpDouble, startHttpDouble } from "../../support/http-double.ts";

const create: TransportRequest = { method: "POST", path: "/api/v1/namespaces/shop/pods", body: { kind: "Pod" } };
const read: TransportRequest = { method: "GET", path: "/api/v1/namespaces/shop/pods/a" };
const watch: TransportRequest = { method: "GET", path: "/api/v1/pods", query: { watch: "true" } };

/** Credentials whose token and certificates a test changes. */
class FakeCredentials implements Credentials {
  readonly server: string;
  tls: ClusterTls;
  token = "one";
  refreshed = 0;

  constructor(server: string, tls: ClusterTls = {}) {
    this.server = server;
    this.tls = tls;
  }

  async headers(): Promise<Readonly<Record<string, string>>> {
    return { authorization: `Bearer ${this.token}` };
  }

  async refresh(): Promise<void> {
    this.refreshed++;
    this.token = "two";
  }
}

describe("kube/http-transport", () => {
  let server: HttpDouble;
  let transport: HttpTransport;
  let credentials: FakeCredentials;
  let reports: RequestReport[];
  let dates: ServerDate[];

  async function setUp(answer: Answer, options: Partial<HttpTransportOptions> & { readonly url?: string } = {}): Promise<void> {
    server = await startHttpDouble(answer);
    credentials = new FakeCredentials(options.url ?? server.url);
    reports = [];
    dates = [];
    transport = createHttpTransport({
      credentials,
      clock: createSystemClock(),
      random: createSeededRandom(1),
      userAgent: "nuptse/0.1.0 (test)",
      onRequest: (report) => reports.push(report),
      onServerDate: (date) => dates.push(date),
      ...options,
    });
  }

  afterEach(async () => {
    transport.close();
    await server.close();
  });

  it("sends method, path, query, body and headers, and parses a JSON answer", async () => {
    await setUp((_, response) => answerJson(response, 201, { kind: "Pod", metadata: { name: "a" } }));
    const response = await transport.request({ ...create, query: { fieldManager: "nuptse", dryRun: "All" } });
    assert.equal(response.status, 201);
    assert.deepEqual(response.body, { kind: "Pod", metadata: { name: "a" } });
    const [received] = server.received;
    assert.equal(received?.url, "/api/v1/namespaces/shop/pods?fieldManager=nuptse&dryRun=All");
    assert.equal(received?.body, '{"kind":"Pod"}');
    assert.equal(received?.headers["content-type"], "application/json");
    assert.equal(received?.headers["accept"], "application/json");
    assert.equal(received?.headers["authorization"], "Bearer one");
    assert.equal(received?.headers["user-agent"], "nuptse/0.1.0 (test)");
    assert.deepEqual({ ...reports[0], seconds: 0 }, { verb: "create", resource: "pods", code: "201", seconds: 0 });
    assert.equal(dates.length, 1);
    const [date] = dates;
    assert.ok(
      date !== undefined && date.serverMs <= date.receivedMs && date.serverMs + 1000 >= date.sentMs && date.sentMs <= date.receivedMs,
    );
  });

  it("keeps the path of a server that stands below one", async () => {
    await setUp((_, response) => answerJson(response, 200, {}));
    credentials = new FakeCredentials(`${server.url}/clusters/one`);
    transport = createHttpTransport({ credentials, clock: createSystemClock(), random: createSeededRandom(1), userAgent: "nuptse" });
    await transport.request(read);
    assert.equal(server.received[0]?.url, "/clusters/one/api/v1/namespaces/shop/pods/a");
  });

  it("gives text that is no JSON as text", async () => {
    await setUp((_, response) => {
      response.writeHead(404, { "content-type": "text/plain; charset=utf-8" });
      response.end("404 page not found");
    });
    const response = await transport.request(read);
    assert.deepEqual([response.status, response.body], [404, "404 page not found"]);
  });

  it("uses connections again, and never more than it may", async () => {
    const open: (() => void)[] = [];
    await setUp((_, response) => open.push(() => answerJson(response, 200, {})), { connections: 4 });
    let answered = 0;
    const all = Array.from({ length: 50 }, () => transport.request(create).then(() => answered++));
    while (answered < 50) {
      if (open.length === Math.min(4, 50 - answered)) for (const answer of open.splice(0)) answer();
      await setImmediate();
    }
    await Promise.all(all);
    assert.equal(server.received.length, 50);
    assert.equal(server.mostInFlight, 4);
    assert.equal(server.connections, 4);
  });

  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"] as const)
    it(`uses a connection again after ${method}`, async () => {
      await setUp((_, response) => answerJson(response, 200, {}), { connections: 1 });
      const request = { ...read, method, ...(method !== "GET" && { body: { kind: "DeleteOptions" } }) };
      for (let turn = 0; turn < 3; turn++) await transport.request(request);
      assert.deepEqual([server.received.length, server.connections], [3, 1]);
    });

  it("gives the next free connection to what somebody waits for", async () => {
    const open: (() => void)[] = [];
    await setUp((_, response) => open.push(() => answerJson(response, 200, {})), { connections: 1 });
    const ended: string[] = [];
    const ask = (name: string, lane: "normal" | "prompt") => transport.request({ ...create, lane }).then(() => ended.push(name));
    const all = [
      ask("first", "normal"),
      ask("second", "normal"),
      ask("edit", "prompt"),
      ask("third", "normal"),
      ask("other edit", "prompt"),
    ];
    for (let answered = 0; answered < all.length; answered++) {
      while (open.length === 0) await setImmediate();
      open.shift()?.();
    }
    await Promise.all(all);
    assert.deepEqual(ended, ["first", "edit", "other edit", "second", "third"]);
    assert.equal(transport.waiting, 0);
  });

  it("asks the fence when a connection is held, not before: what waits when it falls is never sent", async () => {
    const open: (() => void)[] = [];
    await setUp((_, response) => open.push(() => answerJson(response, 201, {})), { connections: 1 });
    let allowed = true;
    const fence = () => allowed;
    const first = transport.request({ ...create, fence });
    const second = transport.request({ ...create, fence });
    while (open.length === 0) await setImmediate();
    assert.equal(transport.waiting, 1);
    allowed = false;
    open[0]?.();
    await first;
    await assert.rejects(second, FencedError);
    assert.equal(server.received.length, 1);
    allowed = true;
    const third = transport.request({ ...create, fence });
    while (open.length === 1) await setImmediate();
    open[1]?.();
    assert.equal((await third).status, 201);
  });

  it("asks the fence again in the tick in which the bytes are written", async () => {
    await setUp((_, response) => answerJson(response, 201, {}));
    let asked = 0;
    // true while the connection is opened, false when it is there
    await assert.rejects(transport.request({ ...create, fence: () => ++asked === 1 }), FencedError);
    assert.equal(asked, 2);
    assert.equal(server.received.length, 0);
    assert.equal(reports.at(-1)?.code, "fenced");
    assert.equal((await transport.request(create)).status, 201);
  });

  it("gives leases a connection of their own", async () => {
    const open: (() => void)[] = [];
    await setUp(
      (request, response) => {
        if (request.url.includes("leases")) answerJson(response, 200, {});
        else open.push(() => answerJson(response, 200, {}));
      },
      { connections: 1 },
    );
    const blocked = [transport.request(create), transport.request(create)];
    const lease = await transport.request({
      method: "PATCH",
      path: "/apis/coordination.k8s.io/v1/namespaces/a/leases/b",
      body: {},
      lane: "lease",
    });
    assert.equal(lease.status, 200);
    while (open.length === 0) await setImmediate();
    open[0]?.();
    while (open.length === 1) await setImmediate();
    open[1]?.();
    await Promise.all(blocked);
  });

  it("says that a refused connection surely sent nothing", async () => {
    await setUp((_, response) => answerJson(response, 200, {}));
    const dead = await startHttpDouble(() => undefined);
    await dead.close();
    transport = createHttpTransport({
      credentials: new FakeCredentials(dead.url),
      clock: createSystemClock(),
      random: createSeededRandom(1),
      userAgent: "nuptse",
      onRequest: (report) => reports.push(report),
    });
    await assert.rejects(
      transport.request(create),
      (error: Error) => error instanceof UnreachableError && /^create pods in shop: cannot connect .*ECONNREFUSED/.test(error.message),
    );
    assert.equal(reports[0]?.code, "unreachable");
  });

  it("says that a write whose connection breaks may have happened, and does not repeat it", async () => {
    await setUp((_request, _response, socket) => socket.destroy());
    await assert.rejects(
      transport.request(create),
      (error: Error) => error instanceof TimedOutError && error.message.startsWith("create pods in shop: the connection broke"),
    );
    assert.equal(server.received.length, 1);
    assert.equal(reports[0]?.code, "timeout");
  });

  it("repeats a read once whose connection breaks", async () => {
    let times = 0;
    await setUp((_, response, socket) => {
      if (++times === 1) socket.destroy();
      else answerJson(response, 200, { kind: "Pod" });
    });
    assert.deepEqual((await transport.request(read)).body, { kind: "Pod" });
    assert.equal(server.received.length, 2);
  });

  it("gives up after the time-out, and goes on with another connection", async () => {
    let silent = true;
    await setUp(
      (_, response) => {
        if (!silent) answerJson(response, 200, {});
      },
      { connections: 1 },
    );
    await assert.rejects(
      transport.request({ ...create, timeoutMs: 30 }),
      (error: Error) =>
        error instanceof TimedOutError && error.message === "create pods in shop: no whole answer within 0.03 s; it may have happened",
    );
    silent = false;
    assert.equal((await transport.request(create)).status, 200);
  });

  it("gives up on an answer that begins and does not end", async () => {
    await setUp((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"kind":');
    });
    await assert.rejects(transport.request({ ...read, timeoutMs: 30 }), TimedOutError);
  });

  it("takes half a JSON answer for a lost one", async () => {
    await setUp((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end('{"kind":');
    });
    await assert.rejects(transport.request(create), TimedOutError);
  });

  it("reads credentials anew after 401, once", async () => {
    await setUp((request, response) => {
      const known = request.headers.authorization === "Bearer two";
      answerJson(response, known ? 200 : 401, { kind: known ? "Pod" : "Status" });
    });
    assert.equal((await transport.request(create)).status, 200);
    credentials.token = "three";
    credentials.refresh = async () => undefined;
    assert.equal((await transport.request(create)).status, 401);
    assert.equal(server.received.length, 4);
    assert.deepEqual(
      reports.map((report) => report.code),
      ["401", "200", "401", "401"],
    );
  });

  it("waits as 429 asks and tries again, but not for ever", async () => {
    let refusals = 2;
    await setUp((_, response) => {
      if (refusals-- <= 0) {
        answerJson(response, 201, {});
        return;
      }
      response.writeHead(429, { "content-type": "text/plain", "retry-after": "0" });
      response.end("Too many requests, please try again later.");
    });
    assert.equal((await transport.request(create)).status, 201);
    assert.equal(server.received.length, 3);
    refusals = 100;
    const refused = await transport.request(create);
    assert.deepEqual([refused.status, refused.body], [429, "Too many requests, please try again later."]);
    assert.equal(server.received.length, 3 + 4);
  });

  it("does not wait longer than the request may take", async () => {
    await setUp((_, response) => answerJson(response, 429, {}, { "retry-after": "30" }));
    assert.equal((await transport.request({ ...create, timeoutMs: 1000 })).status, 429);
    assert.equal(server.received.length, 1);
  });

  it("does not repeat an eviction that a disruption budget holds back", async () => {
    const status = { kind: "Status", reason: "TooManyRequests", details: { causes: [{ reason: "DisruptionBudget" }] } };
    await setUp((_, response) => answerJson(response, 429, status, { "retry-after": "0" }));
    assert.equal((await transport.request(create)).status, 429);
    assert.equal(server.received.length, 1);
  });

  it("gives a stream line by line, whatever its chunks", async () => {
    await setUp((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const bytes = Buffer.from('{"n":1}\n{"n":"größer"}\n\n{"n":3}\n');
      // cuts in the middle of a line and of a letter
      for (const [from, to] of [
        [0, 3],
        [3, 19],
        [19, 20],
        [20, bytes.length],
      ] as const)
        response.write(bytes.subarray(from, to));
      response.end();
    });
    const { status, lines } = await transport.stream(watch, new AbortController().signal);
    assert.equal(status, 200);
    assert.deepEqual(await Array.fromAsync(lines), [{ n: 1 }, { n: "größer" }, { n: 3 }]);
  });

  it("gives text lines of a log, blank ones too, and a last one without an end", async () => {
    await setUp((_, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      response.end("one\n\ntwo");
    });
    const { lines } = await transport.stream({ ...read, path: `${read.path}/log` }, new AbortController().signal);
    assert.deepEqual(await Array.fromAsync(lines), ["one", "", "two"]);
  });

  it("gives a refused stream as one element, parsed", async () => {
    await setUp((_, response) => {
      response.writeHead(410, { "content-type": "application/json" });
      response.end(JSON.stringify({ kind: "Status", code: 410 }, null, 2));
    });
    const { status, lines } = await transport.stream(watch, new AbortController().signal);
    assert.deepEqual([status, await Array.fromAsync(lines)], [410, [{ kind: "Status", code: 410 }]]);
  });

  it("ends a stream quietly when its signal aborts", async () => {
    await setUp((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"n":1}\n');
    });
    const abort = new AbortController();
    const { lines } = await transport.stream(watch, abort.signal);
    const seen: unknown[] = [];
    for await (const line of lines) {
      seen.push(line);
      abort.abort();
    }
    assert.deepEqual(seen, [{ n: 1 }]);
    while (server.inFlight > 0) await setImmediate();
  });

  it("ends the connection of a stream whose reader stops", async () => {
    await setUp((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"n":1}\n{"n":2}\n');
    });
    const { lines } = await transport.stream(watch, new AbortController().signal);
    for await (const line of lines) {
      assert.deepEqual(line, { n: 1 });
      break;
    }
    while (server.inFlight > 0) await setImmediate();
  });

  it("rejects with the signal's reason when a stream is aborted before its answer", async () => {
    await setUp(() => undefined);
    const abort = new AbortController();
    const opening = transport.stream(watch, abort.signal);
    while (server.received.length === 0) await setImmediate();
    abort.abort(new Error("no more"));
    await assert.rejects(opening, /no more/);
    await assert.rejects(transport.stream(watch, abort.signal), /no more/);
  });

  it("throws at the reader when a stream breaks, after what had come", async () => {
    await setUp((_, response, socket) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"n":1}\n', () => socket.resetAndDestroy());
    });
    const { lines } = await transport.stream(watch, new AbortController().signal);
    const seen: unknown[] = [];
    await assert.rejects(async () => {
      for await (const line of lines) seen.push(line);
    }, TimedOutError);
    assert.deepEqual(seen, [{ n: 1 }]);
  });

  it("throws at the reader for a line that is not JSON", async () => {
    await setUp((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end('{"n":1}\n{"n":');
    });
    const { lines } = await transport.stream(watch, new AbortController().signal);
    await assert.rejects(Array.fromAsync(lines), /watch pods: the answer holds a line that is not JSON/);
  });

  it("holds a fast server back for a slow reader, and loses nothing", async () => {
    const count = 20_000;
    await setUp((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      for (let n = 0; n < count; n++) response.write(`{"n":${n},"text":"${"x".repeat(100)}"}\n`);
      response.end();
    });
    const { lines } = await transport.stream(watch, new AbortController().signal);
    let next = 0;
    for await (const line of lines) {
      assert.equal((line as { readonly n: number }).n, next++);
      if (next % 1000 === 0) await setImmediate();
    }
    assert.equal(next, count);
  });

  it("rejects what waits when it is closed", async () => {
    await setUp(() => undefined, { connections: 1 });
    const first = transport.request(create);
    const second = transport.request(create);
    while (server.received.length === 0) await setImmediate();
    transport.close();
    const [firstEnd, secondEnd] = await Promise.allSettled([first, second]);
    assert.ok(firstEnd.status === "rejected" && firstEnd.reason instanceof TimedOutError);
    assert.ok(secondEnd.status === "rejected" && secondEnd.reason instanceof UnreachableError);
    await assert.rejects(transport.request(create), UnreachableError);
  });
});

describe("kube/http-transport over TLS", () => {
  const now = Date.now();
  const authority = createAuthority({ commonName: "test authority", validDays: 1, now });
  const issued = issueCertificate(authority, { commonName: "server", usages: ["server"], ipAddresses: ["127.0.0.1"], validDays: 1, now });
  const tls = { cert: issued.certificatePem, key: issued.privateKeyPem };

  it("trusts only the given authority, and takes another one when the credentials change", async () => {
    const server = await startHttpDouble((_, response) => answerJson(response, 200, {}), tls);
    const other = createAuthority({ commonName: "another authority", validDays: 1, now });
    const credentials = new FakeCredentials(server.url, { ca: other.certificatePem });
    const transport = createHttpTransport({ credentials, clock: createSystemClock(), random: createSeededRandom(1), userAgent: "nuptse" });
    try {
      await assert.rejects(transport.request(create), UnreachableError);
      assert.equal(server.received.length, 0);
      credentials.tls = { ca: authority.certificatePem };
      assert.equal((await transport.request(create)).status, 200);
      assert.equal((await transport.request(create)).status, 200);
      assert.equal(server.connections, 1);
      credentials.tls = { ca: authority.certificatePem };
      assert.equal((await transport.request(create)).status, 200);
      assert.equal(server.connections, 2);
    } finally {
      transport.close();
      await server.close();
    }
  });
});
