import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import type { ElasticJob } from "../../src/api/elastic-job.gen.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { elasticJobs, events, pods, tenantQueues } from "../../src/api/resource.ts";
import type { TenantQueue } from "../../src/api/tenant-queue.gen.ts";
import { Stage } from "../../src/simulator/harness/stage.ts";

const from = Date.UTC(2026, 10, 21, 12, 0, 0);
const gate = "nuptse.dev/queue";

interface PodWords {
  readonly queue?: string;
  readonly cpu?: string;
  /** It ends after so long; absent = never. */
  readonly runMs?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner?: { readonly kind: string; readonly name: string };
  readonly spec?: object;
}

/** A pod as the gate of the API server leaves it. */
function gated(namespace: string, name: string, words: PodWords = {}): KubeObject {
  const { queue = "red", cpu = "1", runMs, owner } = words;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      labels: { "nuptse.dev/queue": queue, ...words.labels },
      annotations: {
        "simulate.nuptse.dev/script": JSON.stringify({ runMs: runMs === undefined ? "forever" : [runMs, runMs], startMs: [100, 100] }),
        ...words.annotations,
      },
      ...(owner !== undefined && {
        // Of a group that is not served: the owner is not there, and would be missed by the garbage collector.
        ownerReferences: [{ apiVersion: "apps.example/v1", ...owner, uid: `uid-of-${owner.name}`, controller: true }],
      }),
    },
    spec: {
      restartPolicy: "Never",
      schedulingGates: [{ name: gate }],
      containers: [{ name: "main", image: "busybox:1.36", resources: { requests: { cpu } } }],
      ...words.spec,
    },
  } as KubeObject;
}

const queue = (name: string, spec: TenantQueue["spec"]): TenantQueue => ({
  apiVersion: "nuptse.dev/v1alpha1",
  kind: "TenantQueue",
  metadata: { name },
  spec,
});

const node = (name: string, cores: number) => ({
  name,
  capacity: { cpu: String(cores), memory: "64Gi", pods: "110", "ephemeral-storage": "100Gi" },
});

/** Ten cores; a queue "red" with a maximum, open to the namespace red. */
async function stageOf(terms: Partial<TenantQueue["spec"]> = {}): Promise<Stage> {
  const stage = await Stage.open({
    from,
    nodes: [node("n1", 5), node("n2", 5)],
    namespaces: [{ name: "red", labels: { team: "red" } }, { name: "blue" }],
  });
  await stage.create(tenantQueues, queue("corp", {}));
  await stage.create(tenantQueues, queue("red", { parent: "corp", namespaceSelector: { matchLabels: { team: "red" } }, ...terms }));
  return stage;
}

interface TellingEvent extends KubeObject {
  readonly reason?: string;
  readonly regarding?: { readonly name?: string };
}

/** Names of those that have been released, and run. */
async function running(stage: Stage, namespace = "red"): Promise<readonly string[]> {
  const all = await stage.list<Pod & KubeObject>(pods, { namespace });
  return all
    .filter(({ status }) => status?.phase === "Running")
    .map(({ metadata }) => metadata.name)
    .sort();
}

/** What people are told of pods, as `reason name`. */
async function told(stage: Stage, namespace = "red"): Promise<readonly string[]> {
  const all = await stage.list<TellingEvent>(events, { namespace });
  return all.map(({ reason, regarding }) => `${reason} ${regarding?.name}`).sort();
}

const usedBy = async (stage: Stage, name: string) =>
  (await stage.get<TenantQueue & KubeObject>(tenantQueues, { name })).status?.summary?.used;

describe("simulation of somebody else's pods in queues", function () {
  this.timeout(120_000);

  it("pods are released as long as their queue has room, the oldest first, and the next when one has ended", async () => {
    const stage = await stageOf({ max: { cpu: "2" } });
    for (const [at, name] of ["a", "b", "c"].entries()) {
      await stage.create(pods, gated("red", name, at === 0 ? { runMs: 30_000 } : {}));
      await stage.advance(1100);
    }
    await stage.advance(9_000);
    assert.deepEqual(await running(stage), ["a", "b"]);
    assert.deepEqual(await told(stage), ["QueuePending c"]);
    await stage.advance(25_000);
    assert.deepEqual(await running(stage), ["b", "c"]);
    assert.equal(await usedBy(stage, "red"), "cpu 2");
  });

  it("a workload that waits again is told of again", async () => {
    const stage = await stageOf({ max: { cpu: "1" } });
    const owner = { kind: "Job", name: "many" };
    await stage.create(pods, gated("red", "first", { runMs: 30_000 }));
    await stage.advance(1100);
    await stage.create(pods, gated("red", "second", { owner, runMs: 90_000 }));
    await stage.advance(40_000);
    assert.deepEqual([await running(stage), await told(stage)], [["second"], ["QueuePending second"]]);
    await stage.create(pods, gated("red", "third", { owner }));
    await stage.advance(40_000);
    assert.deepEqual(await told(stage), ["QueuePending second", "QueuePending third"]);
  });

  it("a pod of a queue that is not open to its namespace waits, is told why, and is released when it is opened", async () => {
    const stage = await stageOf();
    await stage.create(pods, gated("blue", "early"));
    await stage.advance(8_000);
    assert.deepEqual([await running(stage, "blue"), await told(stage, "blue")], [[], ["QueueNotAllowed early"]]);
    await stage.patchSpec(tenantQueues, { name: "red" }, { namespaceSelector: { matchLabels: null } });
    await stage.advance(2_000);
    assert.deepEqual(await running(stage, "blue"), ["early"]);
  });

  it("a pod that runs without having been admitted counts where its namespace may use the queue, and else takes from the capacity", async () => {
    const stage = await stageOf();
    const ungated = { spec: { schedulingGates: [] } };
    await stage.create(pods, gated("red", "before", ungated));
    await stage.create(pods, gated("blue", "stranger", { ...ungated, cpu: "3" }));
    await stage.advance(15_000);
    assert.equal(await usedBy(stage, "red"), "cpu 1");
    const corp = await stage.get<TenantQueue & KubeObject>(tenantQueues, { name: "corp" });
    assert.equal(corp.status?.capacity?.cpu, "7");
  });

  it("a group begins as a whole or not at all, and waits for all of its pods", async () => {
    const stage = await stageOf({ max: { cpu: "4" } });
    const group = { labels: { "nuptse.dev/pod-group": "mpi", "nuptse.dev/pod-group-total": "3" } };
    await stage.create(pods, gated("red", "other", { runMs: 60_000, cpu: "2" }));
    await stage.create(pods, gated("red", "lead", { ...group, cpu: "2" }));
    await stage.create(pods, gated("red", "w1", { ...group, cpu: "500m" }));
    await stage.advance(10_000);
    assert.deepEqual([await running(stage), await told(stage)], [["other"], ["PodGroupIncomplete lead"]]);
    await stage.create(pods, gated("red", "w2", { ...group, cpu: "500m" }));
    await stage.advance(10_000);
    assert.deepEqual(await running(stage), ["other"]);
    await stage.advance(45_000);
    assert.deepEqual(await running(stage), ["lead", "w1", "w2"]);
    assert.equal(await usedBy(stage, "red"), "cpu 3");
  });

  it("a new leader counts what runs, and releases nothing twice", async () => {
    const stage = await stageOf({ max: { cpu: "2" } });
    const owner = { kind: "Job", name: "many" };
    for (const name of ["a", "b", "c", "d"]) await stage.create(pods, gated("red", name, { owner }));
    await stage.advance(5_000);
    assert.equal((await running(stage)).length, 2);
    stage.killOperator();
    stage.startOperator();
    await stage.advance(60_000);
    assert.equal((await running(stage)).length, 2);
    assert.equal(await usedBy(stage, "red"), "cpu 2");
  });

  it("the place of a pod whose controller replaces it is kept for the new one", async () => {
    const stage = await stageOf({ max: { cpu: "2" } });
    const owner = { kind: "StatefulSet", name: "web" };
    await stage.create(pods, gated("red", "web-0", { owner }));
    await stage.create(pods, gated("red", "web-1", { owner }));
    await stage.advance(3_000);
    await stage.create(pods, gated("red", "waits"));
    await stage.delete(pods, { namespace: "red", name: "web-1" });
    await stage.advance(8_000);
    await stage.create(pods, gated("red", "web-1", { owner }));
    await stage.advance(5_000);
    assert.deepEqual(await running(stage), ["web-0", "web-1"]);
    await stage.delete(pods, { namespace: "red", name: "web-1" });
    await stage.advance(50_000);
    assert.deepEqual(await running(stage), ["waits", "web-0"]);
  });

  it("released pods are bound to the nodes of their tree", async () => {
    const stage = await stageOf();
    await stage.patchSpec(
      tenantQueues,
      { name: "corp" },
      {
        capacity: { nodeSelector: { "kubernetes.io/hostname": "n2" }, tolerations: [{ key: "pool", operator: "Exists" }] },
      },
    );
    await stage.advance(2_000);
    await stage.create(pods, gated("red", "bound"));
    await stage.create(pods, gated("red", "elsewhere", { spec: { nodeSelector: { "kubernetes.io/hostname": "n1" } } }));
    await stage.advance(8_000);
    assert.deepEqual([await running(stage), await told(stage)], [["bound"], ["PoolMismatch elsewhere"]]);
    const { spec } = await stage.get<Pod & KubeObject>(pods, { namespace: "red", name: "bound" });
    assert.deepEqual(spec.nodeSelector, { "kubernetes.io/hostname": "n2" });
    assert.ok(spec.tolerations?.some(({ key }) => key === "pool"));
  });

  it("what can never fit, and a priority that is none, are told at once and hold nobody else back", async () => {
    const stage = await stageOf({ max: { cpu: "2" } });
    await stage.create(pods, gated("red", "huge", { cpu: "3" }));
    await stage.create(pods, gated("red", "odd", { annotations: { "nuptse.dev/queue-priority": "high" } }));
    await stage.create(pods, gated("red", "fits"));
    await stage.advance(8_000);
    assert.deepEqual([await running(stage), await told(stage)], [["fits"], ["NeverFits huge", "PriorityInvalid odd"]]);
  });

  it("pods and jobs share a tree, and a guarantee that a job borrowed comes back", async () => {
    const stage = await stageOf({ guaranteed: { cpu: "50%" } });
    await stage.create(
      tenantQueues,
      queue("blue", {
        parent: "corp",
        guaranteed: { cpu: "50%" },
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "blue" } },
      }),
    );
    await stage.create(elasticJobs, {
      apiVersion: "nuptse.dev/v1alpha1",
      kind: "ElasticJob",
      metadata: { name: "borrower", namespace: "blue" },
      spec: {
        schedule: { crons: ["30 0 12 * * ?"] },
        sharding: { total: 10 },
        queue: { name: "blue", onReclaim: "Stop" },
        template: {
          metadata: { annotations: { "simulate.nuptse.dev/script": JSON.stringify({ runMs: "forever", startMs: [100, 100] }) } },
          spec: { containers: [{ name: "main", image: "busybox:1.36", resources: { requests: { cpu: "1" } } }] },
        },
      },
    } as ElasticJob);
    await stage.advance(60_000);
    assert.equal((await running(stage, "blue")).length, 10);
    const owner = { kind: "StatefulSet", name: "web" };
    for (const name of ["web-0", "web-1", "web-2", "web-3", "web-4"]) await stage.create(pods, gated("red", name, { owner }));
    await stage.advance(120_000);
    assert.equal((await running(stage)).length, 5);
    assert.equal((await running(stage, "blue")).length, 5);
  });
});
