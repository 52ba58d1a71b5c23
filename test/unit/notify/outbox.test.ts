import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { silentLogger } from "../../../src/api/logger.ts";
import type { Notification } from "../../../src/api/notification.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { settle, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { httpPost } from "../../../src/notify/http-post.ts";
import { createOutbox, type Outbox, type OutboxOptions, type Post } from "../../../src/notify/outbox.ts";
import type { Receiver } from "../../../src/notify/receiver.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";

const notification = (differs: Partial<Notification> = {}): Notification => ({
  receiver: "ops",
  event: "Failed",
  of: { kind: "ElasticJob", namespace: "tenant", name: "report", uid: "u1" },
  run: { id: "20261121t120000z", fireTime: 0 },
  at: Date.now(),
  reason: "ItemsFailed",
  message: "run failed",
  consecutiveFailures: 1,
  quietMs: 0,
  ...differs,
});

/** Counts by "receiver result". */
function counting(): { readonly counts: Record<string, number>; readonly metrics: OutboxOptions["metrics"] } {
  const counts: Record<string, number> = {};
  const count = (_name: string, labels: object, by = 1) => {
    const key = Object.values(labels).join(" ");
    counts[key] = (counts[key] ?? 0) + by;
  };
  return { counts, metrics: { ...noMetrics, count: count as OutboxOptions["metrics"]["count"] } };
}

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe("the outbox, with a real HTTP server", () => {
  const clock = createSystemClock({ background: true });
  let server: Server;
  let url: string;
  let received: Received[];
  /** What the server answers, in turn; the last one stays. */
  let answers: ((response: ServerResponse) => void)[];
  let outbox: Outbox | undefined;

  beforeEach(async () => {
    received = [];
    answers = [(response) => response.writeHead(200).end("ok")];
    server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        received.push({ headers: request.headers, body });
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        answer?.(response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  });
  afterEach(async () => {
    outbox?.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function open(differs: Partial<Receiver> = {}, more: readonly Receiver[] = []) {
    const { counts, metrics } = counting();
    const receiver: Receiver = { name: "ops", format: "JSON", url, timeoutMs: 5000, perMinute: 6000, ...differs };
    outbox = createOutbox({
      receivers: [receiver, ...more],
      allowedHosts: ["127.0.0.1"],
      post: httpPost,
      readSecret: async (path) => (path === "/url" ? url : `secret of ${path}`),
      clock,
      random: createSeededRandom(1),
      metrics,
      logger: silentLogger,
      backoff: { initialMs: 5, factor: 1, maxMs: 5 },
    });
    return { outbox, counts };
  }

  async function until(holds: () => boolean): Promise<void> {
    for (let round = 0; round < 500 && !holds(); round++) await clock.sleep(10);
    assert.ok(holds(), "waited in vain");
  }

  it("posts the body, signed so that the receiver can check it", async () => {
    const { outbox, counts } = open({ signingKeyFile: "/key", bearerTokenFile: "/token" });
    outbox.offer(notification());
    await until(() => counts["ops sent"] === 1);
    const [{ headers, body }] = received as [Received];
    assert.equal(JSON.parse(body).event, "Failed");
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["idempotency-key"], "u1/20261121t120000z/Failed");
    assert.equal(headers.authorization, "Bearer secret of /token");
    const [, time, sum] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers["nuptse-signature"] as string) ?? [];
    assert.equal(sum, createHmac("sha256", "secret of /key").update(`${time}.${body}`).digest("hex"));
  });

  it("takes the address from a file", async () => {
    const { url: _none, ...rest } = { name: "ops", format: "Slack", urlFile: "/url", timeoutMs: 5000, perMinute: 60, url: "" } as const;
    const { counts } = open({}, [{ ...rest, name: "chat" }]);
    outbox?.offer(notification({ receiver: "chat" }));
    await until(() => counts["chat sent"] === 1);
    assert.match(JSON.parse(received[0]?.body ?? "").text, /^\*tenant\/report\*/);
  });

  it("tries again what the server could not take, and gives up after five tries", async () => {
    answers = [
      (response) => response.writeHead(503).end(),
      (response) => response.writeHead(429).end(),
      (response) => response.writeHead(204).end(),
    ];
    const { outbox, counts } = open();
    outbox.offer(notification());
    await until(() => counts["ops sent"] === 1);
    assert.equal(received.length, 3);
    answers = [(response) => response.writeHead(500).end()];
    outbox.offer(notification());
    await until(() => counts["ops failed"] === 1);
    assert.equal(received.length, 8);
  });

  it("does not try again what the server will never take, and follows no redirect", async () => {
    answers = [
      (response) => response.writeHead(400).end(),
      (response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
    ];
    const { outbox, counts } = open();
    outbox.offer(notification());
    outbox.offer(notification());
    await until(() => counts["ops failed"] === 2);
    assert.equal(received.length, 2);
  });

  it("a receiver that hangs is given up by its time-out and holds up no other one", async () => {
    answers = [() => undefined];
    const quick: Receiver = { name: "quick", format: "JSON", url: url.replace("127.0.0.1", "127.0.0.1"), timeoutMs: 5000, perMinute: 6000 };
    const { outbox, counts } = open({ timeoutMs: 30 }, [quick]);
    outbox.offer(notification());
    await until(() => received.length === 1);
    answers = [(response) => response.writeHead(200).end()];
    outbox.offer(notification({ receiver: "quick" }));
    await until(() => counts["quick sent"] === 1 && counts["ops sent"] === 1);
  });
});

describe("the outbox on virtual time", () => {
  const receiver: Receiver = { name: "ops", format: "JSON", url: "https://alerts.example.com/", timeoutMs: 10_000, perMinute: 60 };

  function open(post: Post, differs: Partial<Receiver> = {}) {
    const clock = new VirtualClock(Date.UTC(2026, 10, 21, 12));
    const { counts, metrics } = counting();
    const outbox = createOutbox({
      receivers: [{ ...receiver, ...differs }],
      allowedHosts: ["alerts.example.com"],
      post,
      readSecret: async () => "",
      clock,
      random: createSeededRandom(1),
      metrics,
      logger: silentLogger,
    });
    const offer = (more: Partial<Notification> = {}) => outbox.offer(notification({ at: clock.now(), ...more }));
    const pass = async (ms: number) => {
      await settle();
      await clock.runUntil(clock.now() + ms);
      await settle();
    };
    return { outbox, counts, offer, pass };
  }

  it("quietSeconds: the same event of the job is told once in that time, another event at once", async () => {
    const { offer, counts, pass } = open(async () => ({ status: 200 }));
    offer({ quietMs: 60_000 });
    offer({ quietMs: 60_000 });
    offer({ quietMs: 60_000, event: "Recovered" });
    await pass(61_000);
    offer({ quietMs: 60_000 });
    await pass(1000);
    assert.deepEqual(counts, { "ops quiet": 1, "ops sent": 3 });
  });

  it("no more than perMinute, after a burst", async () => {
    const { offer, counts, pass } = open(async () => ({ status: 200 }), { perMinute: 6 });
    for (let count = 0; count < 20; count++) offer();
    await pass(1);
    assert.equal(counts["ops sent"], 6);
    await pass(60_000);
    assert.equal(counts["ops sent"], 12);
  });

  it("a receiver that never answers keeps a hundred waiting, and the oldest are dropped and counted", async () => {
    const { offer, counts, pass, outbox } = open(() => new Promise(() => undefined));
    for (let count = 0; count < 150; count++) offer();
    await pass(1000);
    // One is under way.
    assert.equal(counts["ops dropped"], 49);
    outbox.close();
  });

  it("what is an hour old is not told any more", async () => {
    const { offer, counts, pass } = open(async () => ({ status: 200 }));
    offer({ at: Date.UTC(2026, 10, 21, 10, 59) });
    await pass(1000);
    assert.deepEqual(counts, { "ops expired": 1 });
  });

  it("a receiver that the configuration lacks is counted and said", () => {
    const { offer, counts } = open(async () => ({ status: 200 }));
    offer({ receiver: "nobody" });
    assert.deepEqual(counts, { "unknown unknown_receiver": 1 });
  });
});
