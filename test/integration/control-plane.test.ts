import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { type AuditEvent, countWrites } from "../../hack/control-plane/audit.ts";
import { CertificateClient } from "../../hack/control-plane/certificate-client.ts";
import { installCrds } from "../../hack/control-plane/objects.ts";
import { ownControlPlane } from "./control-plane-fixture.ts";

const userAgent = "control-plane-test/1";

async function collect(events: AsyncIterable<AuditEvent>): Promise<readonly AuditEvent[]> {
  return await Array.fromAsync(events);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the real control plane", () => {
  const controlPlane = ownControlPlane();

  it("tells who wrote what and when, in the audit log, as soon as the reply is there", async () => {
    const plane = controlPlane();
    const from = await plane.auditPosition();
    const started = Date.now();
    const body = { metadata: { name: "audited" } };
    const created = await plane.client.send({ method: "POST", path: "/api/v1/namespaces", body, userAgent });
    assert.equal(created.status, 201, created.text);
    const again = await plane.client.send({ method: "POST", path: "/api/v1/namespaces", body, userAgent });
    assert.equal(again.status, 409);

    const events = await collect(plane.auditEvents({ fromByte: from, userAgentPrefix: userAgent, verbs: ["create"] }));
    assert.deepEqual(
      events.map(({ verb, user, objectRef, responseStatus }) => ({ verb, user, objectRef, responseStatus })),
      [201, 409].map((code) => ({
        verb: "create",
        user: "nuptse-admin",
        objectRef: { apiGroup: "", apiVersion: "v1", resource: "namespaces", subresource: "", namespace: "", name: "audited" },
        responseStatus: { code },
      })),
    );
    const [first] = events;
    assert.ok(first !== undefined && first.requestReceivedTimestamp >= started && first.stageTimestamp >= first.requestReceivedTimestamp);
    assert.deepEqual(await countWrites(events, userAgent), { total: 2, refused: 1, byRequest: new Map([["create namespaces", 2]]) });
  });

  it("holds an ordinary user by RBAC", async () => {
    const plane = controlPlane();
    const path = await plane.kubeconfigFor("alice", ["developers"]);
    const config = new KubeConfig();
    config.loadFromFile(path);
    const { certData = "", keyData = "" } = config.getCurrentUser() ?? {};
    const decoded = (data: string) => Buffer.from(data, "base64").toString();
    const certificate = { certificatePem: decoded(certData), privateKeyPem: decoded(keyData) };
    const alice = new CertificateClient(config.getCurrentCluster()?.server ?? "", plane.authorityPem, certificate);
    try {
      const self = await alice.text({ method: "POST", path: "/apis/authentication.k8s.io/v1/selfsubjectreviews", body: {} });
      const { username, groups } = JSON.parse(self).status.userInfo;
      assert.deepEqual([username, groups], ["alice", ["developers", "system:authenticated"]]);
      assert.equal((await alice.send({ path: "/api/v1/pods" })).status, 403);
    } finally {
      await alice.close();
    }
  });

  it("serves our CRDs once they are installed", async () => {
    const plane = controlPlane();
    for (const name of await installCrds(plane.client)) {
      const [plural = "", ...group] = name.split(".");
      const { groups } = JSON.parse(await plane.client.text({ path: "/apis" }));
      assert.ok(
        groups.some((served: { name: string }) => served.name === group.join(".")),
        plural,
      );
    }
  });

  it("keeps what was written when the API server is killed and started again", async () => {
    const plane = controlPlane();
    const before = plane.pids()["kube-apiserver"];
    await plane.restartApiserver();
    assert.notEqual(plane.pids()["kube-apiserver"], before);
    assert.equal((await plane.client.send({ path: "/api/v1/namespaces/audited" })).status, 200);
  });

  it("leaves no process and no folder behind", async () => {
    const plane = controlPlane();
    const pids = Object.values(plane.pids());
    assert.equal(pids.length, 2);
    await plane.stop();
    assert.deepEqual(
      pids.filter((pid) => isAlive(pid)),
      [],
    );
    assert.equal(existsSync(dirname(plane.kubeconfig)), false);
  });
});
