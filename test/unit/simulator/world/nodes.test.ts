import assert from "node:assert/strict";
import type { Pod } from "../../../../src/api/core.ts";
import { nodes, pods } from "../../../../src/api/resource.ts";
import { createSeededRandom } from "../../../../src/base/random.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { createWorld, type World, type WorldOptions } from "../../../../src/simulator/world/world.ts";
import { type Loose, SimulatedCluster } from "./simulated-cluster.ts";

const start = Date.parse("2026-11-20T16:00:00Z");
const at = (seconds: number) => start + seconds * 1_000;
const onNode = (name: string) => ({ nodeSelector: { "kubernetes.io/hostname": name } });

async function makeWorld(options: Partial<WorldOptions> = {}) {
  const clock = new VirtualClock(start);
  const cluster = new SimulatedCluster(clock);
  const world = await createWorld({
    client: cluster.client,
    clock,
    random: createSeededRandom(1),
    nodes: [{ name: "n1" }, { name: "n2" }],
    kubelet: { kind: "stages", behaviour: () => ({ runMs: "forever" }) },
    ...options,
  });
  return { clock, cluster, world };
}

async function addPod(cluster: SimulatedCluster, name: string, spec: Record<string, unknown> = {}): Promise<void> {
  const labels = {
    "nuptse.dev/job-uid": "j",
    "nuptse.dev/run": "20261120t160000z",
    "nuptse.dev/item": "0",
    "nuptse.dev/attempt": name.slice(1),
  };
  const containers = [{ name: "main", image: "x" }];
  await cluster.client.create(pods, {
    metadata: { namespace: "shop", name, labels },
    spec: { restartPolicy: "Never", containers, ...spec },
  } as never);
}

const taintsOf = (cluster: SimulatedCluster, node: string) =>
  (cluster.object("nodes", node).spec.taints ?? []).map(
    (taint: { key: string; effect: string }) => `${taint.key.split("/")[1]}:${taint.effect}`,
  );
const readyOf = (object: Loose) => object.status.conditions.find((condition: Loose) => condition.type === "Ready")?.status;
const seconds = (milliseconds: number) => Math.round((milliseconds - start) / 1_000);

describe("the life of nodes", () => {
  it("a silent node is given up at the first look after 40 s, and 300 s later its pods are marked and stay Terminating", async () => {
    const { clock, cluster, world } = await makeWorld();
    await addPod(cluster, "p0", onNode("n1"));
    await clock.runUntil(at(10));
    world.partitionNode("n1");
    await clock.runUntil(at(50));
    assert.deepEqual([taintsOf(cluster, "n1"), readyOf(cluster.object("pods", "p0", "shop"))], [[], "True"]);
    await clock.runUntil(at(56));
    assert.deepEqual(taintsOf(cluster, "n1"), ["unreachable:NoSchedule", "unreachable:NoExecute"]);
    assert.deepEqual([readyOf(cluster.object("nodes", "n1")), readyOf(cluster.object("pods", "p0", "shop"))], ["Unknown", "False"]);
    // Pods of the embedded API server have no tolerations of their own: 300 s as admission would give them.
    await clock.runUntil(at(354));
    assert.equal(cluster.object("pods", "p0", "shop").metadata.deletionTimestamp, undefined);
    await clock.runUntil(at(600));
    const pod = cluster.object("pods", "p0", "shop");
    assert.equal(pod.status.conditions.find((each: Loose) => each.type === "DisruptionTarget").reason, "DeletionByTaintManager");
    assert.notEqual(pod.metadata.deletionTimestamp, undefined);
    assert.equal(pod.status.phase, "Running");
    assert.equal(world.ledger.records()[0]?.endedAt, undefined, "its program goes on");
  });

  it("a node that returns ends what was deleted meanwhile, and is clean again", async () => {
    const { clock, cluster, world } = await makeWorld();
    await addPod(cluster, "p0", onNode("n1"));
    await clock.runUntil(at(10));
    world.partitionNode("n1");
    await clock.runUntil(at(600));
    await world.returnNode("n1");
    await clock.runUntil(at(660));
    assert.deepEqual([taintsOf(cluster, "n1"), readyOf(cluster.object("nodes", "n1"))], [[], "True"]);
    assert.equal(cluster.object("pods", "p0", "shop"), undefined);
    assert.equal(cluster.log.at(-2), "MODIFIED Failed deleting disrupted:DeletionByTaintManager unready:PodFailed main:Error(143)");
    assert.equal(seconds(world.ledger.records()[0]?.endedAt ?? 0), 600);
  });

  it("a node that returns before the tolerations are over goes on as if nothing had been, and its pods are ready again", async () => {
    const { clock, cluster, world } = await makeWorld();
    await addPod(cluster, "p0", onNode("n1"));
    await clock.runUntil(at(10));
    world.partitionNode("n1");
    await clock.runUntil(at(100));
    assert.equal(readyOf(cluster.object("pods", "p0", "shop")), "False");
    await world.returnNode("n1");
    await clock.runUntil(at(600));
    const pod = cluster.object("pods", "p0", "shop");
    assert.deepEqual([readyOf(pod), pod.status.phase, pod.metadata.deletionTimestamp], ["True", "Running", undefined]);
  });

  it("a node that is back before it was given up has lost nothing", async () => {
    const { clock, cluster, world } = await makeWorld();
    await addPod(cluster, "p0", onNode("n1"));
    await clock.runUntil(at(10));
    const before = cluster.log.length;
    world.partitionNode("n1");
    await clock.runUntil(at(40));
    await world.returnNode("n1");
    await clock.runUntil(at(200));
    assert.deepEqual([taintsOf(cluster, "n1"), cluster.log.length], [[], before]);
  });

  it("NoExecute never comes while no other node is healthy", async () => {
    const { clock, cluster, world } = await makeWorld({ nodes: [{ name: "n1" }] });
    await clock.runUntil(at(10));
    world.partitionNode("n1");
    await clock.runUntil(at(600));
    assert.deepEqual(taintsOf(cluster, "n1"), ["unreachable:NoSchedule"]);
  });

  it("a machine that dies takes its programs at once, and its pods are Failed when it is up again", async () => {
    const { clock, cluster, world } = await makeWorld();
    await addPod(cluster, "p0", onNode("n1"));
    await clock.runUntil(at(10));
    world.loseNode("n1");
    assert.equal(world.ledger.records()[0]?.outcome, "NodeDied");
    await clock.runUntil(at(100));
    assert.equal(cluster.object("pods", "p0", "shop").status.phase, "Running");
    await world.returnNode("n1");
    await clock.runUntil(at(110));
    assert.equal(cluster.object("pods", "p0", "shop").status.phase, "Failed");
    assert.equal(cluster.object("pods", "p0", "shop").status.containerStatuses[0].state.terminated.exitCode, 255);
  });

  it("PodGC ends the pods of a deleted node after its quarantine", async () => {
    const { clock, cluster, world } = await makeWorld();
    await addPod(cluster, "p0", onNode("n1"));
    await clock.runUntil(at(10));
    await world.deleteNode("n1");
    // gone at 10 s, quarantined for 40 s: the looks at 20 and 40 s come too early, the one at 60 s does not
    await clock.runUntil(at(59));
    assert.notEqual(cluster.object("pods", "p0", "shop"), undefined);
    await clock.runUntil(at(61));
    assert.equal(cluster.object("pods", "p0", "shop"), undefined);
    assert.match(cluster.log.at(-1) ?? "", /^DELETED Failed deleting disrupted:DeletionByPodGC /);
  });

  it("out-of-service lets PodGC take the Terminating pods of a silent node, though they may run on", async () => {
    const { clock, cluster, world } = await makeWorld();
    await addPod(cluster, "p0", onNode("n1"));
    await clock.runUntil(at(10));
    world.partitionNode("n1");
    await clock.runUntil(at(100));
    await world.markOutOfService("n1");
    await clock.runUntil(at(125));
    assert.equal(cluster.object("pods", "p0", "shop"), undefined);
    await addPod(cluster, "p1", onNode("n2"));
    await clock.runUntil(at(140));
    const overlaps = world.ledger.itemsAtWorkTwice();
    assert.deepEqual(
      overlaps.map(({ first, second, unknowable }) => [first.pod, second.pod, unknowable]),
      [["p0", "p1", true]],
    );
    await world.returnNode("n1");
    await clock.runUntil(at(200));
    assert.equal(seconds(world.ledger.records()[0]?.endedAt ?? 0), 140);
  });

  it("PodGC keeps the newest finished pods up to its threshold", async () => {
    const { clock, cluster } = await makeWorld({
      kubelet: { kind: "stages", behaviour: () => ({ runMs: 100 }) },
      podGc: { threshold: 2 },
    });
    for (const name of ["p0", "p1", "p2", "p3"]) {
      await addPod(cluster, name);
      await clock.runUntil(clock.now() + 2_000);
    }
    await clock.runUntil(at(60));
    assert.deepEqual(
      (await cluster.client.list<Pod>(pods)).items.map((pod) => pod.metadata.name),
      ["p2", "p3"],
    );
  });
});

interface SchedulingCase {
  readonly name: string;
  readonly spec: Record<string, unknown>;
  readonly wantNode?: string;
  /** The message of PodScheduled=False, without its sentence about preemption. */
  readonly wantMessage?: string;
}

const requests = (cpu: string, memory = "1Mi") => ({
  containers: [{ name: "main", image: "x", resources: { requests: { cpu, memory } } }],
});
const affinity = (term: unknown) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } } },
});
const expression = (key: string, operator: string, ...values: string[]) => affinity({ matchExpressions: [{ key, operator, values }] });

const schedulingCases: readonly SchedulingCase[] = [
  { name: "goes where there is most room", spec: requests("1"), wantNode: "big" },
  { name: "is bound by nodeSelector", spec: { nodeSelector: { zone: "a" } }, wantNode: "small" },
  { name: "In", spec: expression("zone", "In", "x", "a"), wantNode: "small" },
  { name: "NotIn holds where the label is absent", spec: expression("zone", "NotIn", "a"), wantNode: "big" },
  { name: "Exists", spec: expression("zone", "Exists"), wantNode: "small" },
  { name: "DoesNotExist", spec: expression("zone", "DoesNotExist"), wantNode: "big" },
  { name: "Gt compares whole numbers", spec: expression("rank", "Gt", "9"), wantNode: "big" },
  { name: "Lt compares whole numbers", spec: expression("rank", "Lt", "10"), wantNode: "small" },
  {
    name: "matchFields names a node",
    spec: affinity({ matchFields: [{ key: "metadata.name", operator: "In", values: ["small"] }] }),
    wantNode: "small",
  },
  {
    name: "a tolerated taint is no hindrance",
    spec: { tolerations: [{ key: "gpu", operator: "Exists" }], nodeSelector: { gpu: "yes" } },
    wantNode: "gpu",
  },
  {
    name: "says why it fits nowhere, a reason a node",
    spec: requests("9"),
    wantMessage: "0/3 nodes are available: 1 node(s) had untolerated taint {gpu: }, 2 Insufficient cpu.",
  },
  {
    name: "names a selector that nothing matches",
    spec: { nodeSelector: { zone: "z" } },
    wantMessage: "0/3 nodes are available: 1 node(s) had untolerated taint {gpu: }, 2 node(s) didn't match Pod's node affinity/selector.",
  },
  {
    name: "says Insufficient memory",
    spec: requests("1", "1Ti"),
    wantMessage: "0/3 nodes are available: 1 node(s) had untolerated taint {gpu: }, 2 Insufficient memory.",
  },
];

describe("the scheduler", () => {
  const threeNodes = [
    { name: "small", capacity: { cpu: "2", memory: "1Gi" }, labels: { zone: "a", rank: "2" } },
    { name: "big", capacity: { cpu: "8", memory: "8Gi" }, labels: { rank: "10" } },
    { name: "gpu", labels: { gpu: "yes" }, taints: [{ key: "gpu", effect: "NoSchedule" as const }] },
  ];
  for (const tc of schedulingCases) {
    it(tc.name, async () => {
      const { clock, cluster } = await makeWorld({ nodes: threeNodes });
      await addPod(cluster, "p0", tc.spec);
      await clock.runUntil(at(5));
      const pod = cluster.object("pods", "p0", "shop");
      const message: string | undefined = pod.status.conditions.find((each: Loose) => each.reason === "Unschedulable")?.message;
      assert.deepEqual([pod.spec.nodeName, message?.replace(/ preemption: .*/, "")], [tc.wantNode, tc.wantMessage]);
    });
  }

  it("spreads equal pods over equal nodes", async () => {
    const { clock, cluster } = await makeWorld({ nodes: ["a", "b", "c"].map((name) => ({ name })) });
    for (const name of ["p0", "p1", "p2", "p3", "p4", "p5"]) await addPod(cluster, name);
    await clock.runUntil(at(5));
    const perNode = Object.groupBy((await cluster.client.list<Pod>(pods)).items, (pod) => pod.spec.nodeName ?? "none");
    assert.deepEqual(
      Object.entries(perNode)
        .map(([node, list]) => [node, list?.length])
        .sort(),
      [
        ["a", 2],
        ["b", 2],
        ["c", 2],
      ],
    );
  });

  it("leaves gated pods alone until the gate is gone", async () => {
    const { clock, cluster } = await makeWorld();
    await addPod(cluster, "p0", { schedulingGates: [{ name: "nuptse.dev/queue" }] });
    await clock.runUntil(at(5));
    assert.deepEqual(cluster.log, ["ADDED Pending"]);
    await cluster.client.patch(pods, { namespace: "shop", name: "p0" }, { type: "merge", body: { spec: { schedulingGates: null } } });
    await clock.runUntil(at(10));
    assert.notEqual(cluster.object("pods", "p0", "shop").spec.nodeName, undefined);
  });

  it("an unschedulable pod is bound when a node is uncordoned or another pod ends, and is written to only once before", async () => {
    const { clock, cluster, world } = await makeWorld({ nodes: [{ name: "n1", capacity: { pods: "1" } }] });
    await world.cordonNode("n1", true);
    await addPod(cluster, "p0");
    await clock.runUntil(at(5));
    assert.equal(cluster.log.length, 2);
    await world.cordonNode("n1", false);
    await clock.runUntil(at(10));
    assert.equal(cluster.object("pods", "p0", "shop").status.phase, "Running");
    await addPod(cluster, "p1");
    await clock.runUntil(at(15));
    assert.match(cluster.object("pods", "p1", "shop").status.conditions[0].message, /^0\/1 nodes are available: 1 Too many pods\./);
    await cluster.client.delete(pods, { namespace: "shop", name: "p0" });
    await clock.runUntil(at(25));
    assert.equal(cluster.object("pods", "p1", "shop").status.phase, "Running");
  });

  it("binding goes on after a node was added", async () => {
    const { clock, cluster, world } = await makeWorld({ nodes: [] });
    await addPod(cluster, "p0");
    await clock.runUntil(at(5));
    assert.equal(cluster.object("pods", "p0", "shop").status.conditions[0].message, "no nodes available to schedule pods");
    await world.addNode({ name: "late" });
    await clock.runUntil(at(10));
    assert.equal(cluster.object("pods", "p0", "shop").spec.nodeName, "late");
    assert.equal((await cluster.client.list(nodes)).items.length, 1);
  });
});

describe("the same seed", () => {
  it("gives the same world again", async () => {
    const play = async (): Promise<readonly string[]> => {
      const { clock, cluster, world }: { clock: VirtualClock; cluster: SimulatedCluster; world: World } = await makeWorld({
        random: createSeededRandom(7),
        kubelet: { kind: "stages" },
      });
      for (let pod = 0; pod < 20; pod++) await addPod(cluster, `p${pod}`);
      clock.after(300, () => world.loseNode("n2"));
      await clock.runUntil(at(900));
      return [...cluster.log, ...world.ledger.records().map((record) => JSON.stringify(record))];
    };
    assert.deepEqual(await play(), await play());
  });
});
