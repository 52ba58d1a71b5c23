import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSeededRandom } from "../../../../src/base/random.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { createKubeClient } from "../../../../src/kube/kube-client.ts";
import { type ApiServer, createApiServer } from "../../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../../src/simulator/apiserver/in-process-transport.ts";
import { loadPlayground } from "../../../../src/simulator/harness/saved-world.ts";
import { writeStateFile } from "../../../../src/simulator/harness/state-file.ts";
import type { NodeSpec } from "../../../../src/simulator/world/node-life.ts";
import { createWorld } from "../../../../src/simulator/world/world.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look deep into objects
type Loose = any;

const start = Date.UTC(2026, 10, 22);
const identity = { caPem: "ca", certificatePem: "cert", privateKeyPem: "key", token: "secret" };
const podsPath = "/api/v1/namespaces/default/pods";

describe("a playground that is loaded", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "nuptse-saved-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const send = (server: ApiServer, method: "GET" | "POST", path: string, body?: unknown): Loose =>
    server.handle({ method, path, userAgent: "test", ...(body === undefined ? {} : { body }) }).body;
  const worldOf = (server: ApiServer, clock: VirtualClock, nodes: readonly NodeSpec[]) =>
    createWorld({
      client: createKubeClient(inProcessTransport(server, { userAgent: "world" })),
      clock,
      random: createSeededRandom(1),
      nodes,
      kubelet: { kind: "stages", behaviour: () => ({ runMs: "forever" }) },
    });

  it("has its nodes, all of them up, and containers begin as after a power cut", async () => {
    const clock = new VirtualClock(start);
    const server = createApiServer({ clock, random: createSeededRandom(1) });
    const capacity = { cpu: "2", memory: "4Gi", pods: "11", "ephemeral-storage": "1Gi" };
    const world = await worldOf(server, clock, [
      { name: "n1", capacity, labels: { disk: "ssd" }, taints: [{ key: "own", effect: "PreferNoSchedule" }] },
      { name: "n2" },
    ]);
    // somebody wrote this one down: no kubelet stands behind it
    send(server, "POST", "/api/v1/nodes", { metadata: { name: "paper" } });
    const lease = (name: string) => ({
      metadata: { name, namespace: "kube-system" },
      spec: { holderIdentity: "x", leaseDurationSeconds: 15 },
    });
    for (const name of ["nuptse-operator", "other"])
      send(server, "POST", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", lease(name));
    for (const restartPolicy of ["Always", "Never"]) {
      const metadata = { name: restartPolicy.toLowerCase() };
      send(server, "POST", podsPath, { metadata, spec: { nodeName: "n1", restartPolicy, containers: [{ name: "main", image: "x" }] } });
    }
    await clock.runUntil(start + 10_000);
    world.partitionNode("n1");
    await clock.runUntil(start + 60_000);
    assert.equal(send(server, "GET", "/api/v1/nodes/n1").spec.taints.length, 3);
    const path = join(folder, "lab.state");
    await writeStateFile(path, { state: server.state(), identity, savedAt: clock.now() }, "0.1.0");
    await world.close();
    server.close();

    const loaded = await loadPlayground(path, "0.1.0");
    assert.deepEqual([loaded.savedAt, loaded.identity], [start + 60_000, identity]);
    assert.deepEqual(
      loaded.nodes.map(({ name }) => name),
      ["n1", "n2"],
    );
    const again = createApiServer({ clock, random: createSeededRandom(2), state: loaded.state });
    const leases = send(again, "GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases").items;
    assert.deepEqual(
      leases.map(({ metadata }: Loose) => metadata.name),
      ["other"],
    );
    const second = await worldOf(again, clock, loaded.nodes);
    await clock.runUntil(clock.now() + 60_000);
    const node = send(again, "GET", "/api/v1/nodes/n1");
    assert.deepEqual(node.spec.taints, [{ key: "own", effect: "PreferNoSchedule" }]);
    assert.equal(node.status.conditions.find(({ type }: Loose) => type === "Ready").status, "True");
    assert.deepEqual([node.status.capacity, node.metadata.labels.disk], [capacity, "ssd"]);
    const always = send(again, "GET", `${podsPath}/always`).status;
    assert.deepEqual([always.phase, always.containerStatuses[0].restartCount], ["Running", 1]);
    assert.equal(send(again, "GET", `${podsPath}/never`).status.phase, "Failed");
    await second.close();
    again.close();
  });
});
