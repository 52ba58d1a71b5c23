import assert from "node:assert/strict";
import type { Taint } from "../../../../src/api/core.ts";
import type { TenantQueueSpec } from "../../../../src/api/tenant-queue.gen.ts";
import type { ResourceVector } from "../../../../src/quota/resource-vector.ts";
import { belongsTo, capacityOf, dealNodes, poolFields, poolNode } from "../../../../src/tenantqueue/rules/capacity.ts";
import { effectiveQueue } from "../../../../src/tenantqueue/rules/effective-spec.ts";
import { iso } from "../../../support/builders/elastic-job.ts";
import { makeNode, makeQueue } from "../../../support/builders/tenant-queue.ts";

type Capacity = TenantQueueSpec["capacity"];

const root = (name: string, capacity?: Capacity, createdAt = iso("08:00:00")) =>
  effectiveQueue(makeQueue(name, capacity === undefined ? {} : { capacity }, { createdAt }));

const nodes = (...made: readonly Parameters<typeof makeNode>[]) => made.map((each) => poolNode(makeNode(...each)));
const gpuTaint: Taint = { key: "nvidia.com/gpu", value: "present", effect: "NoSchedule" };

/** The capacity of one root alone. */
function capacity(source: Capacity, made: ReturnType<typeof nodes>, foreign: Readonly<Record<string, ResourceVector>> = {}) {
  const only = root("corp", source);
  const { nodes: dealt } = dealNodes([only], made);
  return capacityOf(only.capacity, dealt.get("corp") ?? [], (name) => foreign[name]);
}

const gib = 1024 * 1024;

describe("the nodes of a root", () => {
  const members: readonly {
    readonly name: string;
    readonly capacity?: Capacity;
    readonly node: Parameters<typeof makeNode>[1];
    readonly want: boolean;
  }[] = [
    { name: "without a capacity are all", node: {}, want: true },
    { name: "but those with a taint", node: { taints: [gpuTaint] }, want: false },
    {
      name: "a taint that only prefers others keeps nobody off",
      node: { taints: [{ ...gpuTaint, effect: "PreferNoSchedule" }] },
      want: true,
    },
    { name: "a cordoned one is none", node: { unschedulable: true }, want: false },
    { name: "a label that fits", capacity: { nodeSelector: { pool: "gpu" } }, node: { labels: { pool: "gpu", zone: "a" } }, want: true },
    { name: "a label that does not", capacity: { nodeSelector: { pool: "gpu" } }, node: { labels: { pool: "cpu" } }, want: false },
    {
      name: "one of two labels is not enough",
      capacity: { nodeSelector: { pool: "gpu", zone: "b" } },
      node: { labels: { pool: "gpu", zone: "a" } },
      want: false,
    },
    {
      name: "a taint that is tolerated by its value",
      capacity: { tolerations: [{ key: "nvidia.com/gpu", value: "present" }] },
      node: { taints: [gpuTaint] },
      want: true,
    },
    {
      name: "another value",
      capacity: { tolerations: [{ key: "nvidia.com/gpu", value: "absent" }] },
      node: { taints: [gpuTaint] },
      want: false,
    },
    {
      name: "any value",
      capacity: { tolerations: [{ key: "nvidia.com/gpu", operator: "Exists" }] },
      node: { taints: [gpuTaint] },
      want: true,
    },
    {
      name: "another effect",
      capacity: { tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoExecute" }] },
      node: { taints: [gpuTaint] },
      want: false,
    },
    {
      name: "every taint",
      capacity: { tolerations: [{ operator: "Exists" }] },
      node: { taints: [gpuTaint, { key: "x", effect: "NoExecute" }] },
      want: true,
    },
    {
      name: "one of two taints is not enough",
      capacity: { tolerations: [{ key: "x", operator: "Exists" }] },
      node: { taints: [gpuTaint, { key: "x", effect: "NoExecute" }] },
      want: false,
    },
    { name: "a fixed capacity has no nodes", capacity: { resources: { cpu: 1 } }, node: {}, want: false },
  ];
  for (const tc of members) {
    it(tc.name, () => assert.equal(belongsTo(poolNode(makeNode("n1", tc.node)), root("corp", tc.capacity).capacity), tc.want));
  }
});

describe("the capacity of a root", () => {
  it("is what its ready nodes have", () => {
    const made = nodes(
      ["n1"],
      ["n2"],
      ["n3", { ready: "False" }],
      ["n4", { ready: "Unknown" }],
      ["n5", { deletionTimestamp: iso("09:00:00") }],
    );
    assert.deepEqual(capacity(undefined, made), { cpu: 20_000, memory: 128 * gib, pods: 220 });
  });

  it("less what foreign pods and those of DaemonSets request there", () => {
    const foreign = { n1: { cpu: 1500, pods: 3 }, n2: { cpu: 500, memory: gib, pods: 2 } };
    assert.deepEqual(capacity(undefined, nodes(["n1"], ["n2"]), foreign), { cpu: 18_000, memory: 127 * gib, pods: 215 });
  });

  it("of a node that is over-full is nothing: another node does not make up for it", () => {
    const foreign = { n1: { cpu: 12_000, pods: 1 } };
    assert.deepEqual(capacity(undefined, nodes(["n1"], ["n2"]), foreign), { cpu: 10_000, memory: 128 * gib, pods: 219 });
  });

  it("what an autoscaler may still add counts, so that a pool at zero can grow", () => {
    const pool: Capacity = { nodeSelector: { pool: "gpu" }, provisionable: { cpu: 64, "nvidia.com/gpu": 8 } };
    assert.deepEqual(capacity(pool, nodes(["n1"])), { cpu: 64_000, "nvidia.com/gpu": 8 });
    const gpu = nodes(["g1", { labels: { pool: "gpu" }, allocatable: { cpu: "16", "nvidia.com/gpu": "2" } }]);
    assert.deepEqual(capacity(pool, gpu), { cpu: 80_000, "nvidia.com/gpu": 10 });
  });

  it("that is fixed is what it says, whatever nodes and pods there are", () => {
    const foreign = { n1: { cpu: 5000 } };
    const resources = { cpu: 7, memory: "3Gi", pods: 10, "nvidia.com/gpu": 0 };
    assert.deepEqual(capacity({ resources }, nodes(["n1"]), foreign), { cpu: 7000, memory: 3 * gib, pods: 10 });
  });

  it("that is fixed and does not name pods has room for all of them", () => {
    assert.deepEqual(capacity({ resources: { cpu: 7 } }, []), { cpu: 7000, pods: 2_147_483_648 });
    assert.deepEqual(capacity({ resources: { cpu: 7, pods: 0 } }, []), { cpu: 7000 });
  });

  it("takes no harm of a node that reports less than nothing", () => {
    assert.deepEqual(capacity(undefined, nodes(["n1", { allocatable: { cpu: "4", memory: "-100Mi" } }])), { cpu: 4000 });
  });
});

describe("overlapping roots", () => {
  const early = iso("07:00:00");
  const late = iso("09:00:00");
  const pool = (labels: Readonly<Record<string, string>>): Capacity => ({ nodeSelector: labels });

  it("the younger one is stalled, with the older one and a node named", () => {
    const made = nodes(["n2", { labels: { zone: "a" } }], ["n1", { labels: { zone: "a" } }], ["n3", { labels: { zone: "b" } }]);
    const { nodes: dealt, overlaps } = dealNodes([root("zone-a", pool({ zone: "a" }), late), root("all", undefined, early)], made);
    assert.deepEqual([...overlaps], [["zone-a", { holder: "all", node: "n1", count: 2 }]]);
    assert.deepEqual(
      dealt.get("all")?.map(({ name }) => name),
      ["n2", "n1", "n3"],
    );
    assert.equal(dealt.has("zone-a"), false);
  });

  it("pools apart do not overlap", () => {
    const made = nodes(["n1", { labels: { zone: "a" } }], ["n2", { labels: { zone: "b" } }]);
    const { nodes: dealt, overlaps } = dealNodes([root("a", pool({ zone: "a" })), root("b", pool({ zone: "b" }))], made);
    assert.equal(overlaps.size, 0);
    assert.deepEqual(
      [...dealt].map(([name, of]) => [name, of.map((node) => node.name)]),
      [
        ["a", ["n1"]],
        ["b", ["n2"]],
      ],
    );
  });

  it("a taint keeps a pool apart from the root of all other nodes", () => {
    const made = nodes(["n1"], ["g1", { labels: { pool: "gpu" }, taints: [gpuTaint] }]);
    const gpu: Capacity = { nodeSelector: { pool: "gpu" }, tolerations: [{ key: "nvidia.com/gpu", operator: "Exists" }] };
    assert.equal(dealNodes([root("all", undefined, early), root("gpu", gpu, late)], made).overlaps.size, 0);
  });

  it("a node that is not ready is contested all the same, so that roots do not come and go with it", () => {
    const made = nodes(["n1", { ready: "False" }]);
    const { nodes: dealt, overlaps } = dealNodes([root("all", undefined, early), root("more", undefined, late)], made);
    assert.deepEqual([...overlaps.keys()], ["more"]);
    assert.deepEqual(dealt.get("all"), []);
  });

  it("a stalled root holds nothing against a third", () => {
    const made = nodes(["n1", { labels: { x: "1" } }], ["n2", { labels: { x: "1", y: "1" } }], ["n3", { labels: { y: "1", z: "1" } }]);
    const roots = [root("x", pool({ x: "1" }), early), root("y", pool({ y: "1" }), iso("08:00:00")), root("z", pool({ z: "1" }), late)];
    const { overlaps, nodes: dealt } = dealNodes(roots, made);
    assert.deepEqual([...overlaps.keys()], ["y"]);
    assert.deepEqual(
      dealt.get("z")?.map(({ name }) => name),
      ["n3"],
    );
  });

  it("of the same age the lower name has the nodes, in whatever order they come", () => {
    const two = [root("b"), root("a")];
    for (const roots of [two, two.toReversed()]) assert.deepEqual([...dealNodes(roots, nodes(["n1"])).overlaps.keys()], ["b"]);
  });

  it("fixed capacities overlap with nobody", () => {
    assert.equal(dealNodes([root("a", { resources: { cpu: 1 } }), root("b")], nodes(["n1"])).overlaps.size, 0);
  });
});

describe("what an admitted pod gets of its pool", () => {
  it("is the node selector and the tolerations", () => {
    const source = root("corp", {
      nodeSelector: { pool: "gpu" },
      tolerations: [{ key: "x", operator: "Exists", effect: "NoSchedule" }],
    }).capacity;
    assert.deepEqual(poolFields(source), {
      nodeSelector: { pool: "gpu" },
      tolerations: [{ key: "x", operator: "Exists", value: "", effect: "NoSchedule" }],
    });
  });

  it("is nothing where the root has all nodes, or none", () => {
    assert.equal(poolFields(root("corp").capacity), undefined);
    assert.equal(poolFields(root("corp", { resources: { cpu: 1 } }).capacity), undefined);
  });
});
