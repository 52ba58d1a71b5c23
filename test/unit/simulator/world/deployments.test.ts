import assert from "node:assert/strict";
import { deployments, pods, services } from "../../../../src/api/resource.ts";
import { createSeededRandom } from "../../../../src/base/random.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { createWorld } from "../../../../src/simulator/world/world.ts";
import { type Loose, SimulatedCluster } from "./simulated-cluster.ts";

const ports = [{ name: "http", containerPort: 8080 }];
const start = Date.parse("2026-11-20T16:00:00Z");

async function aCluster() {
  const clock = new VirtualClock(start);
  const cluster = new SimulatedCluster(clock);
  await createWorld({
    client: cluster.client,
    clock,
    random: createSeededRandom(1),
    nodes: [{ name: "n1" }, { name: "n2" }],
    kubelet: { kind: "stages", behaviour: () => ({ runMs: "forever" }) },
  });
  let at = start;
  const all = (group: string, plural: string): Loose[] => {
    const root = group === "" ? "/api/v1" : `/apis/${group}/v1`;
    return (cluster.server.handle({ method: "GET", path: `${root}/namespaces/shop/${plural}` }).body as Loose).items;
  };
  return {
    cluster,
    all,
    deployment: () => all("apps", "deployments")[0],
    /** Of each pod its image, "-" where it is going. */
    images: () =>
      all("", "pods")
        .map((pod) => (pod.metadata.deletionTimestamp === undefined ? pod.spec.containers[0].image : "-"))
        .sort(),
    async pass(seconds: number) {
      at += seconds * 1_000;
      await clock.runUntil(at);
    },
    async create(spec: object = {}) {
      const template = {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "main", image: "x:1", ports }] },
      };
      const body = {
        metadata: { namespace: "shop", name: "web" },
        spec: { replicas: 3, selector: { matchLabels: { app: "web" } }, template, ...spec },
      };
      await cluster.client.create(deployments, body as never);
    },
    async patch(body: object) {
      await cluster.client.patch(deployments, { namespace: "shop", name: "web" }, { type: "merge", body } as never);
    },
    image: (name: string) => ({ spec: { template: { spec: { containers: [{ name: "main", image: name, ports }] } } } }),
  };
}

const conditionsOf = (object: Loose) =>
  object.status.conditions.map((condition: Loose) => `${condition.type}=${condition.status}:${condition.reason}`);

describe("a Deployment", () => {
  it("has its pods, and says so", async () => {
    const cluster = await aCluster();
    await cluster.create();
    await cluster.pass(10);
    assert.deepEqual(cluster.images(), ["x:1", "x:1", "x:1"]);
    const { status, metadata } = cluster.deployment();
    assert.deepEqual(
      [status.observedGeneration, status.replicas, status.updatedReplicas, status.availableReplicas, status.unavailableReplicas],
      [metadata.generation, 3, 3, 3, undefined],
    );
    assert.deepEqual(conditionsOf(cluster.deployment()), [
      "Available=True:MinimumReplicasAvailable",
      "Progressing=True:NewReplicaSetAvailable",
    ]);
    assert.equal(metadata.annotations["deployment.kubernetes.io/revision"], "1");
  });

  it("makes again what is deleted, and deletes what is too much", async () => {
    const cluster = await aCluster();
    await cluster.create();
    await cluster.pass(10);
    const [first] = cluster.all("", "pods");
    await cluster.cluster.client.delete(pods, { namespace: "shop", name: first.metadata.name });
    await cluster.pass(60);
    assert.equal(cluster.all("", "pods").length, 3);
    await cluster.patch({ spec: { replicas: 1 } });
    await cluster.pass(60);
    assert.equal(cluster.all("", "pods").length, 1);
    assert.equal(cluster.deployment().status.replicas, 1);
  });

  it("rolls out a new template, never with fewer or more than it may", async () => {
    const cluster = await aCluster();
    await cluster.create({ replicas: 4, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } });
    await cluster.pass(10);
    let most = 0;
    let least = Number.POSITIVE_INFINITY;
    const ready = (pod: Loose) => pod.status.conditions?.some((one: Loose) => one.type === "Ready" && one.status === "True");
    const stop = cluster.cluster.server.onCommit(() => {
      const living = cluster.all("", "pods").filter((pod) => pod.metadata.deletionTimestamp === undefined);
      most = Math.max(most, living.length);
      least = Math.min(least, living.filter(ready).length);
    });
    await cluster.patch(cluster.image("x:2"));
    await cluster.pass(120);
    stop();
    assert.deepEqual(cluster.images(), ["x:2", "x:2", "x:2", "x:2"]);
    assert.deepEqual([most, least], [5, 4]);
    assert.equal(cluster.deployment().metadata.annotations["deployment.kubernetes.io/revision"], "2");
  });

  it("goes back to a template whose ReplicaSet is still there", async () => {
    const cluster = await aCluster();
    await cluster.create();
    await cluster.pass(10);
    for (const image of ["x:2", "x:1"]) {
      await cluster.patch(cluster.image(image));
      await cluster.pass(120);
    }
    assert.deepEqual(cluster.images(), ["x:1", "x:1", "x:1"]);
    const sets = cluster
      .all("apps", "replicasets")
      .map((set) => [set.metadata.annotations["deployment.kubernetes.io/revision"], set.spec.replicas]);
    assert.deepEqual(sets.sort(), [
      ["2", 0],
      ["3", 3],
    ]);
  });

  it("passes its annotations on to its newest ReplicaSet, but for those about itself", async () => {
    const cluster = await aCluster();
    const cause = "kubernetes.io/change-cause";
    const applied = "kubectl.kubernetes.io/last-applied-configuration";
    const sets = () =>
      cluster
        .all("apps", "replicasets")
        .map(({ metadata, spec }) => [spec.template.spec.containers[0].image, metadata.annotations])
        .sort();
    await cluster.create();
    await cluster.patch({ metadata: { annotations: { [cause]: "first", [applied]: "{}" } } });
    await cluster.pass(10);
    assert.deepEqual(sets(), [["x:1", { [cause]: "first", "deployment.kubernetes.io/revision": "1" }]]);
    await cluster.patch({ metadata: { annotations: { [cause]: "second" } }, ...cluster.image("x:2") });
    await cluster.pass(120);
    assert.deepEqual(sets(), [
      ["x:1", { [cause]: "first", "deployment.kubernetes.io/revision": "1" }],
      ["x:2", { [cause]: "second", "deployment.kubernetes.io/revision": "2" }],
    ]);
  });

  it("with Recreate ends all before it begins anew", async () => {
    const cluster = await aCluster();
    await cluster.create({ strategy: { type: "Recreate" } });
    await cluster.pass(10);
    let mixed = false;
    cluster.cluster.server.onCommit(() => {
      const images = new Set(cluster.images().filter((image) => image !== "-"));
      mixed ||= images.size > 1;
    });
    await cluster.patch(cluster.image("x:2"));
    await cluster.pass(120);
    assert.deepEqual([cluster.images(), mixed], [["x:2", "x:2", "x:2"], false]);
  });

  it("keeps only so many old ReplicaSets", async () => {
    const cluster = await aCluster();
    await cluster.create({ revisionHistoryLimit: 1 });
    for (const image of ["x:2", "x:3", "x:4"]) {
      await cluster.pass(60);
      await cluster.patch(cluster.image(image));
    }
    await cluster.pass(60);
    assert.equal(cluster.all("apps", "replicasets").length, 2);
  });

  it("takes its pods with it", async () => {
    const cluster = await aCluster();
    await cluster.create();
    await cluster.pass(10);
    await cluster.cluster.client.delete(deployments, { namespace: "shop", name: "web" });
    await cluster.pass(60);
    assert.deepEqual([cluster.all("apps", "replicasets"), cluster.all("", "pods")], [[], []]);
  });

  it("is reached by a Service's endpoints, by the number of a named port", async () => {
    const cluster = await aCluster();
    await cluster.create();
    const body = {
      metadata: { namespace: "shop", name: "web" },
      spec: { selector: { app: "web" }, ports: [{ name: "web", port: 80, targetPort: "http" }] },
    };
    await cluster.cluster.client.create(services, body as never);
    await cluster.pass(10);
    const [slice] = cluster.all("discovery.k8s.io", "endpointslices");
    assert.deepEqual(slice.ports, [{ name: "web", port: 8080, protocol: "TCP" }]);
    const addresses = cluster.all("", "pods").map((pod) => pod.status.podIP);
    assert.deepEqual(slice.endpoints.map((endpoint: Loose) => endpoint.addresses[0]).sort(), addresses.sort());
    assert.ok(slice.endpoints.every((endpoint: Loose) => endpoint.conditions.ready === true));
    await cluster.patch({ spec: { replicas: 0 } });
    await cluster.pass(60);
    const [after] = cluster.all("discovery.k8s.io", "endpointslices");
    assert.deepEqual([after.metadata.name, after.endpoints ?? []], [slice.metadata.name, []]);
  });
});
