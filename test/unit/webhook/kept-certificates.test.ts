import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { silentLogger } from "../../../src/api/logger.ts";
import { secrets } from "../../../src/api/resource.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { settle, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import { createApiServer } from "../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../src/simulator/apiserver/in-process-transport.ts";
import type { Secret } from "../../../src/webhook/certificate-record.ts";
import { keepCertificates } from "../../../src/webhook/kept-certificates.ts";

const namespace = "kube-system";

describe("webhook/kept-certificates", () => {
  it("makes each Secret for its names, and renews it with an authority that was told of before", async () => {
    const clock = new VirtualClock(Date.UTC(2026, 10, 22));
    const random = createSeededRandom(1);
    const server = createApiServer({ clock, random });
    const client = createKubeClient(inProcessTransport(server, { userAgent: "operator" }));
    const minuteMs = 60_000;
    const end = keepCertificates({
      client,
      clock,
      random,
      logger: silentLogger,
      metrics: noMetrics,
      now: () => clock.now(),
      namespace,
      certificates: [
        { secret: "trace-tls", names: ["trace.ns.svc"] },
        { secret: "gateway-tls", names: ["gateway"] },
      ],
      times: { validMs: 240 * minuteMs, renewMs: 60 * minuteMs, overlapMs: 10 * minuteMs },
      onTrouble: ({ note }) => assert.fail(note),
    });
    const pass = async (durationMs: number) => {
      const until = clock.now() + durationMs;
      for (let round = 0; round < 20; round++) await settle();
      while (clock.step(until)) for (let round = 0; round < 20; round++) await settle();
      await clock.runUntil(until);
    };
    const read = async (name: string) => {
      const { data = {} } = await client.get<Secret>(secrets, { namespace, name });
      const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
      return { certificate: new X509Certificate(text("tls.crt")), authorities: text("ca.crt") };
    };
    await pass(1000);
    const first = await read("trace-tls");
    assert.equal(first.certificate.checkHost("trace.ns.svc"), "trace.ns.svc");
    assert.equal((await read("gateway-tls")).certificate.checkHost("gateway"), "gateway");

    // Whoever served the first one when the second came was trusted before by all who read ca.crt up to ten minutes ago.
    let before = first.authorities;
    for (let passedMs = 0; passedMs < 200 * minuteMs; passedMs += minuteMs) {
      await pass(minuteMs);
      const now = await read("trace-tls");
      const trusted = before.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
      assert.ok(trusted.some((pem) => now.certificate.verify(new X509Certificate(pem).publicKey)));
      before = now.authorities;
    }
    assert.notEqual((await read("trace-tls")).certificate.serialNumber, first.certificate.serialNumber);
    await end();
  });
});
