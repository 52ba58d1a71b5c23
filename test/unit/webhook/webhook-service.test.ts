import assert from "node:assert/strict";
import { request as httpsRequest } from "node:https";
import { silentLogger } from "../../../src/api/logger.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { settle, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import type { QueueWorld } from "../../../src/validation/queue-tree.ts";
import type { Secret } from "../../../src/webhook/certificate-record.ts";
import { startWebhooks } from "../../../src/webhook/webhook-service.ts";
import { failure, ok, scriptedTransport } from "../runtime/scripted-transport.ts";

const review = (username: string) =>
  JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "u",
      kind: { group: "", version: "v1", kind: "Pod" },
      operation: "CREATE",
      userInfo: { username },
      object: { metadata: { name: "p", labels: { "nuptse.dev/queue": "team" } }, spec: { containers: [] } },
    },
  });

/** One call; resolves with the status and, of an answer, with whether the pod was changed. */
function gate(port: number, authority: string, username: string): Promise<readonly [number, boolean]> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      { host: "127.0.0.1", port, path: "/gate", method: "POST", ca: authority, servername: "hook.ns.svc", agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve([response.statusCode ?? 0, text.includes('"patch"')]));
      },
    );
    request.on("error", reject);
    request.end(review(username));
  });
}

describe("webhook/webhook-service", () => {
  it("is ready once it has a certificate, its own name and filled caches; until then it says what it waits for", async () => {
    const clock = new VirtualClock(Date.now());
    let mayWrite = false;
    let mayAsk = false;
    let secret: Secret | undefined;
    let world: QueueWorld | undefined;
    const { transport } = scriptedTransport(({ method, path, body }) => {
      if (path.includes("selfsubjectreviews"))
        return mayAsk ? ok({ metadata: {}, status: { userInfo: { username: "the-operator" } } }, 201) : failure(500, "InternalError");
      if (!path.includes("/secrets")) return failure(404, "NotFound");
      if (method === "GET") return secret === undefined ? failure(404, "NotFound") : ok(secret);
      if (!mayWrite) return failure(403, "Forbidden");
      secret = { ...(body as Secret), metadata: { ...(body as Secret).metadata, resourceVersion: "1" } };
      return ok(secret, 201);
    });
    const service = await startWebhooks({
      client: createKubeClient(transport),
      cached: { queueWorld: () => world, job: () => undefined },
      clock,
      random: createSeededRandom(1),
      logger: silentLogger,
      metrics: noMetrics,
      now: () => clock.now(),
      host: "127.0.0.1",
      port: 0,
      namespace: "ns",
      service: "hook",
      hosts: [],
      secret: "certs",
      validatingConfiguration: "v",
      mutatingConfiguration: "m",
      times: { validMs: 7_200_000, renewMs: 3_600_000, overlapMs: 60_000 },
      onTrouble: () => undefined,
    });
    const pass = async (durationMs: number) => {
      const until = clock.now() + durationMs;
      for (let round = 0; round < 10; round++) await settle();
      while (clock.step(until)) for (let round = 0; round < 10; round++) await settle();
    };
    try {
      await pass(1000);
      assert.equal(service.notReady(), "waiting for the webhook's certificate");
      await assert.rejects(gate(service.port, "", "alice"));
      mayWrite = true;
      await pass(120_000);
      assert.equal(service.notReady(), "waiting to learn the operator's own user name");
      const authority = atob(secret?.data?.["ca.crt"] ?? "");
      assert.deepEqual(await gate(service.port, authority, "alice"), [503, false]);
      mayAsk = true;
      await pass(120_000);
      assert.equal(service.notReady(), "waiting for the caches that webhooks judge with");
      // It needs none of them.
      assert.deepEqual(await gate(service.port, authority, "alice"), [200, true]);
      assert.deepEqual(await gate(service.port, authority, "the-operator"), [200, false]);
      world = { queues: new Map(), complete: true };
      assert.equal(service.notReady(), undefined);
    } finally {
      await service.close();
    }
    await assert.rejects(gate(service.port, "", "alice"), /ECONNREFUSED/);
  });
});
