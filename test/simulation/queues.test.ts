import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import type { ElasticJob } from "../../src/api/elastic-job.gen.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { elasticJobs, pods, tenantQueues } from "../../src/api/resource.ts";
import type { TenantQueue } from "../../src/api/tenant-queue.gen.ts";
import { Stage } from "../../src/simulator/harness/stage.ts";

const from = Date.UTC(2026, 10, 21, 12, 0, 0);
const minuteMs = 60_000;

function queue(name: string, spec: TenantQueue["spec"]): TenantQueue {
  return { apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name }, spec };
}

interface JobWords {
  readonly items: number;
  readonly runMs: number | "forever";
  readonly cron?: string;
  readonly queue?: object;
  readonly spec?: object;
}

/** One core an item. */
function job(namespace: string, name: string, words: JobWords): ElasticJob {
  const runMs = words.runMs === "forever" ? "forever" : [words.runMs, words.runMs];
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name, namespace },
    spec: {
      schedule: { crons: [words.cron ?? "0 1 12 * * ?"] },
      sharding: { total: words.items },
      ...(words.queue !== undefined && { queue: words.queue }),
      template: {
        metadata: { annotations: { "simulate.nuptse.dev/script": JSON.stringify({ runMs, startMs: [100, 100] }) } },
        spec: { containers: [{ name: "main", image: "busybox:1.36", resources: { requests: { cpu: "1" } } }] },
      },
      ...words.spec,
    },
  } as ElasticJob;
}

/** Of a namespace: pods that have not ended, by job. */
async function atWork(stage: Stage, namespace: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const pod of await stage.list<Pod & KubeObject>(pods, { namespace })) {
    if (pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") continue;
    const name = pod.metadata.labels?.["nuptse.dev/job"] ?? pod.metadata.name;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

const red = { name: "red", labels: { team: "red" } };
const blue = { name: "blue", labels: { team: "blue" } };
const selects = (team: string) => ({ namespaceSelector: { matchLabels: { team } }, defaultQueue: true });

/** Ten cores; two tenants with half of it each. */
async function halves(terms: object = {}): Promise<Stage> {
  const stage = await Stage.open({ from, nodes: [node("n1", 5), node("n2", 5)], namespaces: [red, blue] });
  await stage.create(tenantQueues, queue("corp", {}));
  await stage.create(tenantQueues, queue("red", { parent: "corp", guaranteed: { cpu: "50%" }, ...selects("red"), ...terms }));
  await stage.create(tenantQueues, queue("blue", { parent: "corp", guaranteed: { cpu: "50%" }, ...selects("blue"), ...terms }));
  return stage;
}

function node(name: string, cores: number) {
  return { name, capacity: { cpu: String(cores), memory: "64Gi", pods: "110", "ephemeral-storage": "100Gi" } };
}

describe("simulation of queues", function () {
  this.timeout(120_000);

  it("a run waits for its share, says so, and begins when others have ended", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "first", { items: 10, runMs: 300_000, queue: { onReclaim: "Stop" } }));
    await stage.advance(minuteMs + 10_000);
    assert.deepEqual(await atWork(stage, "red"), { first: 10 });
    await stage.create(elasticJobs, job("red", "second", { items: 4, runMs: 1000, cron: "0 2 12 * * ?" }));
    await stage.advance(minuteMs);
    assert.deepEqual(await atWork(stage, "red"), { first: 10 });
    const waiting = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "second" });
    assert.deepEqual(
      waiting.status?.active?.map(({ phase, reason }) => ({ phase, reason })),
      [{ phase: "Waiting", reason: "QueuePending" }],
    );
    const told = await stage.get<TenantQueue & KubeObject>(tenantQueues, { name: "red" });
    assert.equal(told.status?.summary?.used, "cpu 10");
    assert.equal(told.status?.waiting, 1);
    await stage.advance(6 * minuteMs);
    const done = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "second" });
    assert.deepEqual(
      done.status?.history?.map(({ phase, queue: of }) => ({ phase, of })),
      [{ phase: "Succeeded", of: "red" }],
    );
  });

  it("a queue that comes with its job, or after it, is waited for before the job is said to be stalled", async () => {
    const stage = await Stage.open({ from, nodes: [node("n1", 5)], namespaces: [red] });
    await stage.create(elasticJobs, job("red", "early", { items: 1, runMs: 1000, queue: { name: "red" } }));
    const conditions = async () => {
      const { status } = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "early" });
      return status?.conditions?.map((condition) => `${condition.type}=${condition.status}: ${condition.reason}`);
    };
    await stage.advance(4_000);
    assert.deepEqual(await conditions(), ["Ready=False: Progressing"]);
    await stage.create(tenantQueues, queue("red", { ...selects("red") }));
    await stage.advance(2_000);
    assert.deepEqual(await conditions(), ["Ready=True: Armed"]);
    await stage.create(elasticJobs, job("red", "wrong", { items: 1, runMs: 1000, queue: { name: "rde" } }));
    await stage.advance(6_000);
    const wrong = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "wrong" });
    assert.deepEqual(
      wrong.status?.conditions?.map(({ type, status, reason }) => ({ type, status, reason })),
      [
        { type: "Ready", status: "False", reason: "QueueNotFound" },
        { type: "Stalled", status: "True", reason: "QueueNotFound" },
      ],
    );
  });

  it("a guarantee that was lent comes back by consent: Stop stops as many items as were asked for", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "borrower", { items: 10, runMs: "forever", queue: { onReclaim: "Stop" } }));
    await stage.advance(minuteMs + 10_000);
    assert.deepEqual(await atWork(stage, "red"), { borrower: 10 });
    await stage.create(
      elasticJobs,
      job("blue", "owner", { items: 5, runMs: "forever", cron: "0 2 12 * * ?", queue: { onReclaim: "Stop" } }),
    );
    await stage.advance(2 * minuteMs);
    assert.deepEqual(await atWork(stage, "red"), { borrower: 5 });
    assert.deepEqual(await atWork(stage, "blue"), { owner: 5 });
    const donor = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "borrower" });
    assert.deepEqual(
      donor.status?.active?.map(({ phase, failed, admitted }) => ({ phase, failed, items: admitted?.items })),
      [{ phase: "Running", failed: "", items: 5 }],
    );
  });

  it("Finish starts no more items than are left to it, and nothing is stopped", async () => {
    const stage = await halves();
    await stage.create(
      elasticJobs,
      job("red", "borrower", { items: 30, runMs: 50_000, queue: { onReclaim: "Finish" }, spec: { runTimeoutSeconds: 600 } }),
    );
    await stage.advance(minuteMs + 10_000);
    assert.deepEqual(await atWork(stage, "red"), { borrower: 10 });
    await stage.create(
      elasticJobs,
      job("blue", "owner", { items: 5, runMs: "forever", cron: "20 1 12 * * ?", queue: { onReclaim: "Stop" } }),
    );
    await stage.advance(70_000);
    assert.deepEqual(await atWork(stage, "red"), { borrower: 5 });
    assert.deepEqual(await atWork(stage, "blue"), { owner: 5 });
    await stage.advance(10 * minuteMs);
    const donor = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "borrower" });
    assert.deepEqual(
      donor.status?.history?.map(({ phase, attempts }) => ({ phase, attempts })),
      [{ phase: "Succeeded", attempts: 30 }],
    );
  });

  it("firm work never gets what others are guaranteed", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "firm", { items: 10, runMs: "forever", queue: { onReclaim: "Refuse" } }));
    await stage.advance(3 * minuteMs);
    assert.deepEqual(await atWork(stage, "red"), { firm: 5 });
  });

  it("the place of an item that has ended is given to one other, though its pod goes on being there for a second", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "first", { items: 4, runMs: "forever", queue: { onReclaim: "Refuse" } }));
    await stage.advance(minuteMs + 10_000);
    await stage.create(
      elasticJobs,
      job("red", "second", { items: 6, runMs: minuteMs, cron: "0 2 12 * * ?", queue: { onReclaim: "Refuse" } }),
    );
    for (const _ of ["first item", "second item", "third item"]) {
      await stage.advance(minuteMs + 2000);
      assert.deepEqual(await atWork(stage, "red"), { first: 4, second: 1 });
    }
    const { status } = await stage.get<TenantQueue & KubeObject>(tenantQueues, { name: "red" });
    assert.equal(status?.summary?.used, "cpu 5");
  });

  it("a gang begins as a whole or not at all", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "firm", { items: 3, runMs: 120_000, queue: { onReclaim: "Refuse" } }));
    await stage.advance(minuteMs + 10_000);
    await stage.create(
      elasticJobs,
      job("red", "gang", { items: 4, runMs: 1000, cron: "30 1 12 * * ?", queue: { minCount: 4, onReclaim: "Refuse" } }),
    );
    await stage.advance(minuteMs);
    assert.deepEqual(await atWork(stage, "red"), { firm: 3 });
    await stage.advance(minuteMs);
    const gang = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "gang" });
    assert.deepEqual(
      gang.status?.history?.map(({ phase, succeeded }) => ({ phase, succeeded })),
      [{ phase: "Succeeded", succeeded: "0-3" }],
    );
  });

  it("what can never be admitted fails at once and says why", async () => {
    const stage = await halves({ max: { cpu: "8" } });
    await stage.create(elasticJobs, job("red", "huge", { items: 9, runMs: 1000, queue: { minCount: 9 } }));
    await stage.advance(minuteMs + 10_000);
    const huge = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "huge" });
    assert.deepEqual(
      huge.status?.history?.map(({ phase, reason, message }) => ({ phase, reason, message })),
      [
        {
          phase: "Failed",
          reason: "NeverFits",
          message:
            "it asks for 9 of cpu at once, and the TenantQueue red never has more than 8 (its spec.max), so it would wait for ever; make it smaller, or raise that",
        },
      ],
    );
  });

  it("a job whose queue is not open to it says which is, and begins when it is opened", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "stray", { items: 1, runMs: 1000, queue: { name: "blue" } }));
    await stage.advance(minuteMs + 10_000);
    const stray = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "stray" });
    const stalled = stray.status?.conditions?.find(({ type }) => type === "Stalled");
    assert.equal(stalled?.reason, "QueueNotAllowed");
    assert.match(stalled?.message ?? "", /^spec\.queue\.name: .*open to it: red$/);
    assert.deepEqual(
      stray.status?.active?.map(({ phase, reason }) => ({ phase, reason })),
      [{ phase: "Waiting", reason: "QueueNotAllowed" }],
    );
    await stage.patchSpec(tenantQueues, { name: "blue" }, { namespaceSelector: { matchLabels: null } });
    await stage.advance(minuteMs);
    const done = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "stray" });
    assert.deepEqual(
      done.status?.history?.map(({ phase }) => phase),
      ["Succeeded"],
    );
  });

  it("a new leader rebuilds what is used, and admits nothing twice", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "first", { items: 10, runMs: 240_000, queue: { onReclaim: "Stop" } }));
    await stage.create(elasticJobs, job("red", "second", { items: 6, runMs: 1000, cron: "5 1 12 * * ?" }));
    await stage.advance(minuteMs + 10_000);
    stage.killOperator();
    stage.startOperator();
    await stage.advance(minuteMs);
    assert.deepEqual(await atWork(stage, "red"), { first: 10 });
    await stage.advance(4 * minuteMs);
    const second = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "second" });
    assert.deepEqual(
      second.status?.history?.map(({ phase, attempts }) => ({ phase, attempts })),
      [{ phase: "Succeeded", attempts: 6 }],
    );
  });

  it("a new leader asks back what was borrowed before it led", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "borrower", { items: 10, runMs: "forever", queue: { onReclaim: "Stop" } }));
    await stage.advance(minuteMs + 10_000);
    stage.killOperator();
    stage.startOperator();
    await stage.advance(30_000);
    await stage.create(
      elasticJobs,
      job("blue", "owner", { items: 5, runMs: "forever", cron: "0 3 12 * * ?", queue: { onReclaim: "Stop" } }),
    );
    await stage.advance(2 * minuteMs);
    assert.deepEqual(await atWork(stage, "red"), { borrower: 5 });
    assert.deepEqual(await atWork(stage, "blue"), { owner: 5 });
  });

  it("Hold admits nothing new; HoldAndDrain asks back what may be asked", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "first", { items: 4, runMs: "forever", queue: { onReclaim: "Stop" } }));
    await stage.advance(minuteMs + 10_000);
    await stage.patchSpec(tenantQueues, { name: "red" }, { stopPolicy: "Hold" });
    await stage.create(elasticJobs, job("red", "second", { items: 1, runMs: 1000, cron: "30 1 12 * * ?" }));
    await stage.advance(minuteMs);
    assert.deepEqual(await atWork(stage, "red"), { first: 4 });
    await stage.patchSpec(tenantQueues, { name: "red" }, { stopPolicy: "HoldAndDrain" });
    await stage.advance(minuteMs);
    assert.deepEqual(await atWork(stage, "red"), {});
    await stage.patchSpec(tenantQueues, { name: "red" }, { stopPolicy: "None" });
    await stage.advance(minuteMs);
    assert.deepEqual(await atWork(stage, "red"), { first: 4 });
  });

  it("who does not give back in time is frozen, owes, and says so", async () => {
    const stage = await halves({ reclaim: { graceSeconds: 60 } });
    await stage.create(
      elasticJobs,
      job("red", "slow", { items: 10, runMs: 600_000, queue: { onReclaim: "Finish" }, spec: { runTimeoutSeconds: 1200 } }),
    );
    await stage.advance(minuteMs + 10_000);
    await stage.create(elasticJobs, job("blue", "owner", { items: 5, runMs: 1000, cron: "20 1 12 * * ?" }));
    await stage.advance(3 * minuteMs);
    const donor = await stage.get<TenantQueue & KubeObject>(tenantQueues, { name: "red" });
    const overdue = donor.status?.conditions?.find(({ type }) => type === "ReclaimOverdue");
    assert.deepEqual([overdue?.status, overdue?.reason], ["True", "DeadlinePassed"]);
    assert.deepEqual(
      donor.status?.reclaims?.map(({ state, resources }) => ({ state, cpu: resources?.["cpu"] })),
      [{ state: "Acknowledged", cpu: "5" }],
    );
    assert.deepEqual(
      donor.status?.debts?.map(({ resources }) => resources?.["cpu"]),
      ["5"],
    );
    await stage.advance(9 * minuteMs);
    const owner = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "blue", name: "owner" });
    assert.deepEqual(
      owner.status?.history?.map(({ phase }) => phase),
      ["Succeeded"],
    );
  });

  it("a short run tells in history of which queue it was, though nothing was recorded while it ran", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "quick", { items: 2, runMs: 500 }));
    await stage.advance(minuteMs + 10_000);
    const quick = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "quick" });
    assert.deepEqual(
      quick.status?.history?.map(({ phase, queue: of }) => ({ phase, of })),
      [{ phase: "Succeeded", of: "red" }],
    );
  });

  it("a pod that only carries the label burdens no queue: what it requests is subtracted from the capacity", async () => {
    const stage = await halves();
    const containers = [{ name: "main", image: "busybox:1.36", resources: { requests: { cpu: "2" } } }];
    const metadata = { name: "stranger", namespace: "blue", labels: { "nuptse.dev/queue": "red" } };
    await stage.create(pods, { apiVersion: "v1", kind: "Pod", metadata, spec: { restartPolicy: "Always", containers } } as KubeObject);
    await stage.advance(30_000);
    const told = await stage.list<TenantQueue & KubeObject>(tenantQueues);
    assert.deepEqual(
      told.map(({ metadata: { name }, status }) => [name, status?.used?.["cpu"], status?.capacity?.["cpu"]]),
      [
        ["blue", undefined, undefined],
        ["corp", undefined, "8"],
        ["red", undefined, undefined],
      ],
    );
  });

  it("a retry on other nodes, in a pool that has no other, comes back to the same one", async () => {
    const stage = await Stage.open({ from, nodes: [node("n1", 5), node("n2", 5)], namespaces: [red] });
    await stage.create(tenantQueues, queue("pool", { capacity: { nodeSelector: { "kubernetes.io/hostname": "n1" } }, ...selects("red") }));
    const failing = job("red", "failing", { items: 1, runMs: 1000, queue: {}, spec: { retry: { sameNode: 0, otherNodes: 2 } } });
    const annotations = { "simulate.nuptse.dev/script": JSON.stringify({ runMs: [1000, 1000], startMs: [100, 100], exitCode: 1 }) };
    await stage.create(elasticJobs, {
      ...failing,
      spec: { ...failing.spec, template: { ...failing.spec.template, metadata: { annotations } } },
    } as ElasticJob);
    await stage.advance(6 * minuteMs);
    const done = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "failing" });
    assert.deepEqual(
      done.status?.history?.map(({ phase, attempts }) => ({ phase, attempts })),
      [{ phase: "Failed", attempts: 3 }],
    );
  });

  it("a run that waits for more capacity than there is begins when a node comes", async () => {
    const stage = await halves();
    await stage.create(elasticJobs, job("red", "wide", { items: 12, runMs: "forever", queue: { minCount: 12, onReclaim: "Stop" } }));
    await stage.advance(minuteMs + 10_000);
    const waiting = await stage.get<ElasticJob & KubeObject>(elasticJobs, { namespace: "red", name: "wide" });
    assert.deepEqual(
      waiting.status?.active?.map(({ phase, reason }) => ({ phase, reason })),
      [{ phase: "Waiting", reason: "NeverFits" }],
    );
    await stage.addNode(node("n3", 5));
    await stage.advance(30_000);
    assert.deepEqual(await atWork(stage, "red"), { wide: 12 });
  });
});
