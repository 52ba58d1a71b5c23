import assert from "node:assert/strict";
import { Agent, request as httpsRequest } from "node:https";
import { createSystemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/api/logger.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import { allowed, type AdmissionRequest } from "../../../src/webhook/admission-review.ts";
import { issueServing, type ServingCertificate } from "../../../src/webhook/certificate-record.ts";
import { NotReadyError } from "../../../src/webhook/judge.ts";
import { startWebhookServer, type WebhookServer } from "../../../src/webhook/webhook-server.ts";

const first = issueServing(["hook.test"], Date.now(), 3_600_000);
const second = issueServing(["hook.test"], Date.now(), 3_600_000);

const review = JSON.stringify({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: { uid: "u1", kind: { group: "", version: "v1", kind: "Pod" }, operation: "CREATE", userInfo: { username: "a" } },
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly connection: string | undefined;
}

describe("webhook/webhook-server", () => {
  let server: WebhookServer;
  const verdicts: string[] = [];
  let say: (request: AdmissionRequest) => Promise<{ verdict: string; answer: typeof allowed }>;

  /** One call as the API server makes it; rejects when the certificate is not of that authority. */
  function call(
    path: string,
    body: string,
    options: { method?: string; trusts?: ServingCertificate; agent?: Agent } = {},
  ): Promise<Answer> {
    const { method = "POST", trusts = first, agent } = options;
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        {
          host: "127.0.0.1",
          port: server.port,
          path,
          method,
          ca: trusts.authorityPem,
          servername: "hook.test",
          ...(agent === undefined ? { agent: false } : { agent }),
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text, connection: response.headers.connection }));
        },
      );
      request.on("error", reject);
      request.end(body);
    });
  }

  before(async () => {
    server = await startWebhookServer({
      webhooks: { validate: (request) => say(request) },
      host: "127.0.0.1",
      port: 0,
      clock: createSystemClock({ background: true }),
      logger: silentLogger,
      metrics: { ...noMetrics, count: (_name, labels) => void verdicts.push(JSON.stringify(labels)) },
    });
  });
  beforeEach(() => {
    verdicts.length = 0;
    say = async () => ({ verdict: "allowed", answer: allowed });
  });
  after(() => server.close());

  it("lets nobody connect before it has a certificate", async () => {
    await assert.rejects(call("/validate", review));
  });

  it("answers a review, and counts what it said", async () => {
    server.serve(first);
    const { status, body } = await call("/validate?timeout=5s", review);
    assert.deepEqual([status, JSON.parse(body).response], [200, { uid: "u1", allowed: true }]);
    assert.deepEqual(verdicts, ['{"webhook":"validate","verdict":"allowed"}']);
  });

  const failures = [
    { name: "another path", path: "/", want: 404 },
    { name: "a name that every object has", path: "/constructor", want: 404 },
    { name: "another method", method: "PUT", want: 405, counted: "malformed" },
    { name: "a body that is no review", body: "{}", want: 400, counted: "malformed" },
    { name: "a review of more than 8 MiB", body: review + " ".repeat(8 * 1024 * 1024), want: 413, counted: "malformed" },
    { name: "a request before it can be judged", thrown: new NotReadyError("wait"), want: 503, counted: "not_ready" },
    { name: "a request that cannot be judged", thrown: new TypeError("secret-value is not iterable"), want: 500, counted: "failed" },
  ];
  for (const { name, path = "/validate", method = "POST", body = review, thrown, want, counted } of failures) {
    it(`answers ${want} to ${name}, and tells nothing of what went wrong inside`, async () => {
      if (thrown !== undefined) say = () => Promise.reject(thrown);
      const answer = await call(path, body, { method }).catch((error: NodeJS.ErrnoException) => {
        // It hung up while we were still writing, which is as good.
        assert.ok(want === 413 && ["EPIPE", "ECONNRESET"].includes(error.code ?? ""), String(error));
        return undefined;
      });
      if (answer !== undefined) assert.equal(answer.status, want);
      assert.doesNotMatch(answer?.body ?? "", /secret-value/);
      assert.deepEqual(verdicts, counted === undefined ? [] : [`{"webhook":"validate","verdict":"${counted}"}`]);
    });
  }

  it("forgets a review whose sender gives up, and goes on", async () => {
    await new Promise<void>((resolve) => {
      const request = httpsRequest({
        ...{ host: "127.0.0.1", port: server.port, path: "/validate", method: "POST" },
        ...{ ca: first.authorityPem, servername: "hook.test", agent: false, headers: { "content-length": "1000" } },
      });
      request.on("error", () => resolve());
      request.write("{", () => request.destroy());
    });
    while (verdicts.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(verdicts, ['{"webhook":"validate","verdict":"malformed"}']);
    assert.equal((await call("/validate", review)).status, 200);
  });

  it("serves another certificate to new connections, while old ones go on", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      server.serve(first);
      assert.equal((await call("/validate", review, { agent })).status, 200);
      server.serve(second);
      assert.equal((await call("/validate", review, { agent })).status, 200);
      assert.equal((await call("/validate", review, { trusts: second })).status, 200);
      await assert.rejects(call("/validate", review, { trusts: first }), /certificate/);
    } finally {
      agent.destroy();
    }
  });

  it("answers what is under way before it closes", async () => {
    const other = await startWebhookServer({
      webhooks: {
        validate: async () => {
          entered.resolve();
          await leave.promise;
          return { verdict: "allowed", answer: allowed };
        },
      },
      host: "127.0.0.1",
      port: 0,
      clock: createSystemClock({ background: true }),
      logger: silentLogger,
      metrics: noMetrics,
    });
    const entered = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    other.serve(second);
    const mine = server;
    server = other;
    const answer = call("/validate", review, { trusts: second });
    server = mine;
    await entered.promise;
    const closed = other.close();
    leave.resolve();
    assert.equal((await answer).status, 200);
    await closed;
  });
});
