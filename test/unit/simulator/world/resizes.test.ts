import assert from "node:assert/strict";
import { pods } from "../../../../src/api/resource.ts";
import { createSeededRandom } from "../../../../src/base/random.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { createWorld } from "../../../../src/simulator/world/world.ts";
import { type Loose, SimulatedCluster } from "./simulated-cluster.ts";

const start = Date.parse("2026-11-20T16:00:00Z");

async function oneNode() {
  const clock = new VirtualClock(start);
  const cluster = new SimulatedCluster(clock);
  await createWorld({
    client: cluster.client,
    clock,
    random: createSeededRandom(1),
    nodes: [{ name: "n1", capacity: { cpu: "4" } }],
    kubelet: { kind: "stages", behaviour: () => ({ runMs: "forever" }) },
  });
  let seconds = 0;
  return {
    cluster,
    /** A pod that runs with so much cpu. */
    async add(name: string, cpu: string, container: object = {}) {
      const containers = [{ name: "main", image: "x", resources: { requests: { cpu } }, ...container }];
      await cluster.client.create(pods, { metadata: { namespace: "shop", name }, spec: { containers } } as never);
      await this.pass();
    },
    async resize(name: string, cpu: string) {
      const resources = { requests: { cpu } };
      const body = [{ op: "replace" as const, path: "/spec/containers/0/resources", value: resources }];
      await cluster.client.patch(pods, { namespace: "shop", name }, { type: "json", body }, { subresource: "resize" });
      await this.pass();
    },
    /** Lets five seconds go by. */
    async pass() {
      seconds += 5;
      await clock.runUntil(start + seconds * 1_000);
    },
    /** What a pod has, and what its resize waits for. */
    seen(name: string) {
      const { status } = cluster.object("pods", name, "shop") as Loose;
      const [container] = status.containerStatuses;
      const pending = status.conditions.find((condition: Loose) => condition.type === "PodResizePending");
      return {
        cpu: container.resources.requests.cpu,
        allocated: container.allocatedResources.cpu,
        restarts: container.restartCount,
        ...(pending === undefined ? {} : { pending: pending.reason, message: pending.message }),
      };
    },
  };
}

describe("a resize on a node", () => {
  it("is done at once where there is room, and without a restart", async () => {
    const node = await oneNode();
    await node.add("a", "1");
    assert.deepEqual(node.seen("a"), { cpu: "1", allocated: "1", restarts: 0 });
    await node.resize("a", "3");
    assert.deepEqual(node.seen("a"), { cpu: "3", allocated: "3", restarts: 0 });
  });

  it("restarts the container where its policy says so, and only for that resource", async () => {
    const node = await oneNode();
    await node.add("a", "1", { resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }] });
    await node.add("b", "1", { resizePolicy: [{ resourceName: "memory", restartPolicy: "RestartContainer" }] });
    await node.resize("a", "2");
    await node.resize("b", "2");
    assert.deepEqual(node.seen("a"), { cpu: "2", allocated: "2", restarts: 1 });
    assert.deepEqual(node.seen("b"), { cpu: "2", allocated: "2", restarts: 0 });
  });

  it("waits for room that others hold, and is done when it is free", async () => {
    const node = await oneNode();
    await node.add("a", "1");
    await node.add("b", "2");
    await node.resize("a", "3");
    assert.deepEqual(node.seen("a"), {
      cpu: "1",
      allocated: "1",
      restarts: 0,
      pending: "Deferred",
      message: "Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000",
    });
    await node.cluster.client.delete(pods, { namespace: "shop", name: "b" });
    for (let round = 0; round < 8; round++) await node.pass();
    assert.deepEqual(node.seen("a"), { cpu: "3", allocated: "3", restarts: 0 });
  });

  it("does not hold what it waits for", async () => {
    const node = await oneNode();
    await node.add("a", "1");
    await node.add("b", "2");
    await node.resize("a", "3");
    await node.resize("b", "3");
    assert.deepEqual(node.seen("b"), { cpu: "3", allocated: "3", restarts: 0 });
  });

  it("is infeasible beyond the node, until less is asked for", async () => {
    const node = await oneNode();
    await node.add("a", "1");
    await node.resize("a", "5");
    assert.deepEqual(node.seen("a"), {
      cpu: "1",
      allocated: "1",
      restarts: 0,
      pending: "Infeasible",
      message: "Node didn't have enough capacity: cpu, requested: 5000, capacity: 4000",
    });
    await node.resize("a", "2");
    assert.deepEqual(node.seen("a"), { cpu: "2", allocated: "2", restarts: 0 });
  });
});
