import assert from "node:assert/strict";
import { pods } from "../../../../src/api/resource.ts";
import { createSeededRandom } from "../../../../src/base/random.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import type { PodScript } from "../../../../src/simulator/world/pod-script.ts";
import { createWorld } from "../../../../src/simulator/world/world.ts";
import { type Loose, SimulatedCluster } from "./simulated-cluster.ts";

const start = Date.parse("2026-11-20T16:00:00Z");
const ref = { namespace: "shop", name: "a" };

/** A pod of one container that runs image web:1, after five seconds. */
async function onePod(spec: object = {}, script: PodScript = { runMs: "forever" }) {
  const clock = new VirtualClock(start);
  const cluster = new SimulatedCluster(clock);
  await createWorld({
    client: cluster.client,
    clock,
    random: createSeededRandom(1),
    nodes: [{ name: "n1", capacity: { cpu: "4" } }],
    kubelet: { kind: "stages", behaviour: () => script },
  });
  const pass = () => clock.runUntil(clock.now() + 5000);
  const containers = [{ name: "main", image: "web:1" }];
  await cluster.client.create(pods, { metadata: ref, spec: { containers, ...spec } } as never);
  await pass();
  const status = () => (cluster.object("pods", "a", "shop") as Loose).status;
  return {
    pass,
    async change(image: string) {
      const body = [{ op: "replace" as const, path: "/spec/containers/0/image", value: image }];
      await cluster.client.patch(pods, ref, { type: "json", body });
      await pass();
    },
    async write(conditions: readonly object[], waitMs = 5000) {
      const held = status().conditions.filter(({ type }: Loose) => !conditions.some((one: Loose) => one.type === type));
      await cluster.client.patch(
        pods,
        ref,
        { type: "merge", body: { status: { conditions: [...held, ...conditions] } } },
        { subresource: "status" },
      );
      await clock.runUntil(clock.now() + waitMs);
    },
    container: () => status().containerStatuses[0],
    ready() {
      const { status: is, reason, message } = status().conditions.find(({ type }: Loose) => type === "Ready");
      return [is, reason, message].filter((word) => word !== undefined).join(" ");
    },
  };
}

describe("an image that is changed in place", () => {
  it("ends the container and starts it anew in the same pod", async () => {
    const pod = await onePod();
    const before = pod.container();
    assert.deepEqual([before.image, before.restartCount], ["web:1", 0]);
    await pod.change("web:2");
    const after = pod.container();
    assert.deepEqual([after.image, after.imageID, after.restartCount, after.ready], ["web:2", "web:2", 1, true]);
    assert.notEqual(after.containerID, before.containerID);
    assert.equal(after.lastState.terminated.containerID, before.containerID);
  });

  it("does not count a restart before the new container runs", async () => {
    const pod = await onePod({ readinessGates: [{ conditionType: "example.com/open" }] }, { runMs: "forever", startMs: [8000, 8000] });
    await pod.pass();
    const { containerID } = pod.container();
    await pod.change("web:2");
    // Whoever writes a condition meanwhile makes the kubelet look again.
    await pod.write([{ type: "example.com/open", status: "True" }], 100);
    const { state, restartCount, containerID: now } = pod.container();
    assert.deepEqual([state.terminated?.exitCode, restartCount, now], [143, 0, containerID]);
    await pod.pass();
    assert.deepEqual([pod.container().restartCount, pod.container().ready], [1, true]);
  });

  it("takes a container out of its back-off, and the next failure begins a new one", async () => {
    const pod = await onePod({}, { runMs: [500, 500], exitCode: 1 });
    await pod.pass();
    assert.equal(pod.container().state.waiting?.reason, "CrashLoopBackOff");
    const { restartCount } = pod.container();
    await pod.change("web:2");
    assert.equal(pod.container().image, "web:2");
    assert.ok(pod.container().restartCount > restartCount);
  });

  it("of the same name changes nothing", async () => {
    const pod = await onePod();
    const { containerID } = pod.container();
    await pod.change("web:1");
    assert.equal(pod.container().containerID, containerID);
  });
});

describe("a readiness gate", () => {
  const gated = { readinessGates: [{ conditionType: "example.com/open" }] };

  it("keeps a pod from being ready until somebody says that it is", async () => {
    const pod = await onePod(gated);
    assert.equal(
      pod.ready(),
      'False ReadinessGatesNotReady corresponding condition of pod readiness gate "example.com/open" does not exist.',
    );
    await pod.write([{ type: "example.com/open", status: "True" }]);
    assert.equal(pod.ready(), "True");
    await pod.write([{ type: "example.com/open", status: "False" }]);
    assert.equal(pod.ready(), 'False ReadinessGatesNotReady the status of pod readiness gate "example.com/open" is not "True", but False');
  });

  it("does not make a pod ready whose containers are not", async () => {
    const pod = await onePod(gated, { startMs: [60_000, 60_000] });
    await pod.write([{ type: "example.com/open", status: "True" }]);
    assert.equal(pod.ready(), "False ContainersNotReady containers with unready status: [main]");
  });
});
