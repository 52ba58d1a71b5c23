import assert from "node:assert/strict";
import { pods } from "../../../../src/api/resource.ts";
import { createSeededRandom } from "../../../../src/base/random.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { evictPod } from "../../../../src/simulator/world/pod-write.ts";
import { simulateAnnotation } from "../../../../src/simulator/world/pod-script.ts";
import { createWorld } from "../../../../src/simulator/world/world.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";

const start = Date.parse("2026-11-20T16:00:00Z");

interface Case {
  readonly name: string;
  readonly spec?: Record<string, unknown>;
  readonly script?: unknown;
  /** What is done to the pod, and when, in milliseconds after its creation. */
  readonly act?: { readonly atMs: number; readonly do: (cluster: SimulatedCluster, clock: VirtualClock) => Promise<unknown> };
  readonly untilMs?: number;
  /** Every watch event of the pod, from ADDED on. Sequences: measured on a real node (research apiserver.md section 6). */
  readonly wantEvents: readonly string[];
}

const common = [
  "ADDED Pending",
  "MODIFIED Pending",
  "MODIFIED Pending unready:ContainersNotReady main:ContainerCreating",
  "MODIFIED Pending sandbox unready:ContainersNotReady main:ContainerCreating",
];
const running = [...common, "MODIFIED Running sandbox ready main:running"];
const main = { name: "main", image: "x" };
const remove = (cluster: SimulatedCluster, grace?: number) =>
  cluster.client.delete(pods, { namespace: "shop", name: "p" }, grace === undefined ? {} : { gracePeriodSeconds: grace });

const cases: readonly Case[] = [
  {
    name: "a plain run has six changes and reports the container's end before the phase",
    wantEvents: [
      ...running,
      "MODIFIED Running sandbox unready:PodCompleted main:Completed(0)",
      "MODIFIED Succeeded unready:PodCompleted main:Completed(0)",
    ],
  },
  {
    name: "exit code 1 ends as Failed",
    script: { exitCode: 1 },
    wantEvents: [...running, "MODIFIED Running sandbox unready:PodFailed main:Error(1)", "MODIFIED Failed unready:PodFailed main:Error(1)"],
  },
  {
    name: "the memory limit kills with 137",
    script: { outOfMemory: true },
    wantEvents: [
      ...running,
      "MODIFIED Running sandbox unready:PodFailed main:OOMKilled(137)",
      "MODIFIED Failed unready:PodFailed main:OOMKilled(137)",
    ],
  },
  {
    name: "OnFailure restarts at once the first time and stays Running",
    spec: { restartPolicy: "OnFailure" },
    script: { starts: [{ exitCode: 3 }, {}] },
    wantEvents: [
      ...running,
      "MODIFIED Running sandbox ready main:runningx1",
      "MODIFIED Running sandbox unready:PodCompleted main:Completed(0)x1",
      "MODIFIED Succeeded unready:PodCompleted main:Completed(0)x1",
    ],
  },
  {
    name: "a missing command never runs",
    script: { startError: "exec: nope" },
    wantEvents: [
      ...common,
      "MODIFIED Pending sandbox unready:PodFailed main:StartError(128)",
      "MODIFIED Failed unready:PodFailed main:StartError(128)",
    ],
  },
  {
    name: "a missing image waits for ever",
    script: { pullFailures: "forever" },
    untilMs: 9_000,
    wantEvents: [
      ...common,
      "MODIFIED Pending sandbox unready:ContainersNotReady main:ErrImagePull",
      "MODIFIED Pending sandbox unready:ContainersNotReady main:ImagePullBackOff",
    ],
  },
  {
    name: "a failed init container ends the pod and its main container never starts",
    spec: { initContainers: [{ name: "init", image: "x" }] },
    script: { containers: { init: { exitCode: 2 } } },
    wantEvents: [
      "ADDED Pending",
      "MODIFIED Pending",
      "MODIFIED Pending unready:ContainersNotReady init:PodInitializing main:PodInitializing",
      "MODIFIED Pending sandbox unready:ContainersNotReady init:PodInitializing main:PodInitializing",
      "MODIFIED Pending sandbox unready:ContainersNotReady init:running main:PodInitializing",
      "MODIFIED Pending sandbox unready:ContainersNotReady init:Error(2) main:PodInitializing",
      "MODIFIED Failed unready:PodFailed init:Error(2) main:PodInitializing",
    ],
  },
  {
    name: "of two containers the first exits 2 and the pod goes on until the second ends",
    spec: { containers: [main, { name: "side", image: "x" }] },
    script: {
      containers: { main: { exitCode: 2, runMs: 100, startMs: 50 }, side: { runMs: 5_000, startMs: 60 } },
    },
    wantEvents: [
      "ADDED Pending",
      "MODIFIED Pending",
      "MODIFIED Pending unready:ContainersNotReady main:ContainerCreating side:ContainerCreating",
      "MODIFIED Pending sandbox unready:ContainersNotReady main:ContainerCreating side:ContainerCreating",
      "MODIFIED Running sandbox unready:ContainersNotReady main:running side:ContainerCreating",
      "MODIFIED Running sandbox ready main:running side:running",
      "MODIFIED Running sandbox unready:ContainersNotReady main:Error(2) side:running",
      "MODIFIED Running sandbox unready:PodFailed main:Error(2) side:Completed(0)",
      "MODIFIED Failed unready:PodFailed main:Error(2) side:Completed(0)",
    ],
  },
  {
    name: "a sidecar gets TERM when the main container has ended, and its exit code does not matter",
    spec: { initContainers: [{ name: "mesh", image: "x", restartPolicy: "Always" }] },
    wantEvents: [
      "ADDED Pending",
      "MODIFIED Pending",
      "MODIFIED Pending unready:ContainersNotReady mesh:PodInitializing main:PodInitializing",
      "MODIFIED Pending sandbox unready:ContainersNotReady mesh:PodInitializing main:PodInitializing",
      "MODIFIED Pending sandbox unready:ContainersNotReady mesh:running main:PodInitializing",
      "MODIFIED Running sandbox ready mesh:running main:running",
      "MODIFIED Running sandbox unready:PodCompleted mesh:running main:Completed(0)",
      "MODIFIED Running sandbox unready:PodCompleted mesh:Error(143) main:Completed(0)",
      "MODIFIED Succeeded unready:PodCompleted mesh:Error(143) main:Completed(0)",
    ],
  },
  {
    name: "deleted and ignoring TERM it is killed after its grace, Failed, then gone",
    script: { runMs: "forever", onTerm: "ignores" },
    act: { atMs: 5_000, do: (cluster) => remove(cluster, 4) },
    wantEvents: [
      ...running,
      "MODIFIED Running deleting sandbox ready main:running",
      "MODIFIED Running deleting sandbox unready:PodFailed main:Error(137)",
      "MODIFIED Failed deleting unready:PodFailed main:Error(137)",
      // the deletion with grace 0 is a change of its own
      "MODIFIED Failed deleting unready:PodFailed main:Error(137)",
      "DELETED Failed deleting unready:PodFailed main:Error(137)",
    ],
  },
  {
    name: "deleted and exiting 0 on TERM it ends Succeeded",
    script: { runMs: "forever", onTerm: "exitsZero" },
    act: { atMs: 5_000, do: (cluster) => remove(cluster) },
    wantEvents: [
      ...running,
      "MODIFIED Running deleting sandbox ready main:running",
      "MODIFIED Running deleting sandbox unready:PodCompleted main:Completed(0)",
      "MODIFIED Succeeded deleting unready:PodCompleted main:Completed(0)",
      // the deletion with grace 0 is a change of its own
      "MODIFIED Succeeded deleting unready:PodCompleted main:Completed(0)",
      "DELETED Succeeded deleting unready:PodCompleted main:Completed(0)",
    ],
  },
  {
    name: "a force deletion takes the object at once, with the container still running",
    script: { runMs: "forever" },
    act: { atMs: 5_000, do: (cluster) => remove(cluster, 0) },
    wantEvents: [...running, "MODIFIED Running deleting sandbox ready main:running", "DELETED Running deleting sandbox ready main:running"],
  },
  {
    name: "an eviction marks the pod first",
    script: { runMs: "forever" },
    act: { atMs: 5_000, do: (cluster, clock) => evictPod(cluster.client, clock, cluster.object("pods", "p", "shop")) },
    wantEvents: [
      ...running,
      "MODIFIED Running disrupted:EvictionByEvictionAPI sandbox ready main:running",
      "MODIFIED Running deleting disrupted:EvictionByEvictionAPI sandbox ready main:running",
      "MODIFIED Running deleting disrupted:EvictionByEvictionAPI sandbox unready:PodFailed main:Error(143)",
      "MODIFIED Failed deleting disrupted:EvictionByEvictionAPI unready:PodFailed main:Error(143)",
      // the deletion with grace 0 is a change of its own
      "MODIFIED Failed deleting disrupted:EvictionByEvictionAPI unready:PodFailed main:Error(143)",
      "DELETED Failed deleting disrupted:EvictionByEvictionAPI unready:PodFailed main:Error(143)",
    ],
  },
  {
    name: "the active deadline shows as unready before the container ends, and as reason with the phase",
    spec: { activeDeadlineSeconds: 3 },
    script: { runMs: "forever", termMs: 2_000 },
    wantEvents: [
      ...running,
      "MODIFIED Running sandbox unready:PodFailed main:running",
      "MODIFIED Running sandbox unready:PodFailed main:Error(143)",
      "MODIFIED Failed unready:PodFailed main:Error(143) DeadlineExceeded",
    ],
  },
  {
    name: "a pod that the kubelet refuses is Failed without any container state",
    script: { reject: { reason: "UnexpectedAdmissionError", message: "no device" } },
    wantEvents: ["ADDED Pending", "MODIFIED Pending", "MODIFIED Failed UnexpectedAdmissionError"],
  },
  {
    name: "a deletion before anything started leaves an unknown container and ends",
    script: { sandboxMs: 60_000 },
    act: { atMs: 1_000, do: (cluster) => remove(cluster) },
    wantEvents: [
      "ADDED Pending",
      "MODIFIED Pending",
      "MODIFIED Pending unready:ContainersNotReady main:ContainerCreating",
      "MODIFIED Pending deleting unready:ContainersNotReady main:ContainerCreating",
      "MODIFIED Pending deleting unready:PodFailed main:ContainerStatusUnknown(137)",
      "MODIFIED Failed deleting unready:PodFailed main:ContainerStatusUnknown(137)",
      // the deletion with grace 0 is a change of its own
      "MODIFIED Failed deleting unready:PodFailed main:ContainerStatusUnknown(137)",
      "DELETED Failed deleting unready:PodFailed main:ContainerStatusUnknown(137)",
    ],
  },
];

describe("the life of a pod, played by stages", () => {
  for (const tc of cases) {
    it(tc.name, async () => {
      const clock = new VirtualClock(start);
      const cluster = new SimulatedCluster(clock);
      const world = await createWorld({
        client: cluster.client,
        clock,
        random: createSeededRandom(1),
        nodes: [{ name: "n1" }],
        kubelet: { kind: "stages" },
      });
      const annotations = { [simulateAnnotation]: JSON.stringify(tc.script ?? {}) };
      const spec = { restartPolicy: "Never", containers: [main], ...tc.spec };
      await cluster.client.create(pods, { metadata: { namespace: "shop", name: "p", annotations }, spec } as never);
      const { act } = tc;
      if (act !== undefined) clock.after(act.atMs, () => void act.do(cluster, clock));
      await clock.runUntil(start + (tc.untilMs ?? 120_000));
      assert.deepEqual(cluster.log, tc.wantEvents);
      await world.close();
    });
  }

  it("tells what really ran, by the instant, to the ledger", async () => {
    const clock = new VirtualClock(start);
    const cluster = new SimulatedCluster(clock);
    const world = await createWorld({
      client: cluster.client,
      clock,
      random: createSeededRandom(1),
      nodes: [{ name: "n1" }],
      kubelet: { kind: "stages", behaviour: () => ({ startMs: 100, runMs: 2_000 }) },
      timing: { admitMs: 0, sandboxMs: 400 },
      schedulerDelayMs: 10,
    });
    const labels = { "nuptse.dev/job-uid": "j", "nuptse.dev/run": "20261120t160000z", "nuptse.dev/item": "3", "nuptse.dev/attempt": "1" };
    await cluster.client.create(pods, {
      metadata: { namespace: "shop", name: "p", labels },
      spec: { restartPolicy: "Never", containers: [main] },
    } as never);
    await clock.runUntil(start + 60_000);
    const [record] = world.ledger.startsOf("j", "20261120t160000z", 3);
    const { fireTime, item, attempt, node, startedAt, endedAt, outcome } = record ?? {};
    assert.deepEqual(
      { fireTime, item, attempt, node, startedAt, endedAt, outcome },
      // 10 ms to the binding, 400 to the sandbox, 100 to the start, 2,000 at work
      { fireTime: start, item: 3, attempt: 1, node: "n1", startedAt: start + 510, endedAt: start + 2_510, outcome: "Succeeded" },
    );
  });
});
