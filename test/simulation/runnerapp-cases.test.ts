import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { pods, runnerApps } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { ApiError } from "../../src/kube/errors.ts";
import { Stage } from "../../src/simulator/harness/stage.ts";
import { simulateAnnotation } from "../../src/simulator/world/pod-script.ts";

// Cases that users of other controllers ask for or report (docs/comparison-fleets.md), as far as no other test tells of them.

const from = Date.UTC(2026, 10, 21, 12, 0, 0);
const namespace = "red";
const web = { namespace, name: "web" };

/** Ready 2 s after its start. */
const template = (image: string, script: object = {}) => ({
  metadata: { annotations: { [simulateAnnotation]: JSON.stringify({ startMs: [2000, 2000], ...script }) } },
  spec: { containers: [{ name: "main", image, resources: { requests: { cpu: "1" } } }] },
});

const app = (spec: object = {}): RunnerApp =>
  ({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name: "web", namespace },
    spec: { replicas: 4, template: template("web:1"), ...spec },
  }) as unknown as RunnerApp;

const capacity = { cpu: "10", memory: "64Gi", pods: "110", "ephemeral-storage": "100Gi" };

/** Three nodes with ten cores each, and the fleet up. */
async function open(spec: object = {}): Promise<Stage> {
  const stage = await Stage.open({
    from,
    nodes: ["n1", "n2", "n3"].map((name) => ({ name, capacity })),
    namespaces: [{ name: namespace }],
  });
  await stage.create(runnerApps, app(spec));
  await stage.advance(20_000);
  return stage;
}

const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

const all = (stage: Stage) => stage.list<Pod & KubeObject>(pods, { namespace });
const ready = async (stage: Stage) => (await all(stage)).filter(isReady);
const uids = (found: readonly Pod[]) => found.map(({ metadata }) => metadata.uid as string).sort();

/** Lets time pass and returns the fewest that were ready, and the most that were there and not ending, at the end of any second. */
async function extremes(stage: Stage, ms: number): Promise<{ readonly fewest: number; readonly most: number }> {
  let [fewest, most] = [Number.POSITIVE_INFINITY, 0];
  for (let passed = 0; passed < ms; passed += 1000) {
    await stage.advance(1000);
    fewest = Math.min(fewest, (await ready(stage)).length);
    most = Math.max(most, (await all(stage)).filter(({ metadata }) => metadata.deletionTimestamp === undefined).length);
  }
  return { fewest, most };
}

describe("simulation of fleets: cases that users ask for", function () {
  this.timeout(120_000);

  it("case 1: one that is asked to go by the annotation on its pod goes when its replacement serves", async () => {
    const stage = await open({ strategy: { rollingUpdate: { maxUnavailable: 0 } } });
    const [first] = await all(stage);
    const name = first?.metadata.name as string;
    await stage.during(() =>
      stage.client.patch(
        pods,
        { namespace, name },
        { type: "merge", body: { metadata: { annotations: { "nuptse.dev/evacuate": "now" } } } },
      ),
    );
    assert.deepEqual(await extremes(stage, 60_000), { fewest: 4, most: 5 });
    assert.ok(!uids(await ready(stage)).includes(first?.metadata.uid as string));
  });

  it("case 4: labels, annotations, time-outs and limits of the app itself replace nothing and surge nothing", async () => {
    const stage = await open();
    const before = uids(await all(stage));
    await stage.during(() =>
      stage.client.patch(runnerApps, web, {
        type: "merge",
        body: {
          metadata: { annotations: { owner: "ann" }, labels: { tier: "front" } },
          spec: { minReadySeconds: 3, progressDeadlineSeconds: 120, retry: { sameNode: 1 }, evacuation: { timeoutSeconds: 60 } },
        },
      }),
    );
    assert.deepEqual(await extremes(stage, 60_000), { fewest: 4, most: 4 });
    assert.deepEqual(uids(await all(stage)), before);
  });

  it("case 8: a fleet of one is changed with a surge, and is never without an instance", async () => {
    const stage = await open({ replicas: 1 });
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    assert.deepEqual(await extremes(stage, 60_000), { fewest: 1, most: 2 });
    assert.deepEqual(
      (await all(stage)).map(({ spec }) => spec.containers[0]?.image),
      ["web:2"],
    );
  });

  it("case 8: a share of 10 % of 4 is one besides and none missing, whatever is rounded", async () => {
    const stage = await open({ strategy: { rollingUpdate: { maxSurge: "10%", maxUnavailable: "10%" } } });
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    assert.deepEqual(await extremes(stage, 120_000), { fewest: 4, most: 5 });
  });

  it("case 8: a change that is never ready takes no more away than may be unavailable, however long it lasts", async () => {
    const stage = await open({ replicas: 8, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: "25%" } } });
    await stage.patchSpec(runnerApps, web, { template: template("web:2", { pullFailures: "forever" }) });
    assert.deepEqual(await extremes(stage, 300_000), { fewest: 6, most: 8 });
  });

  it("case 9: scaling in takes first what does not serve, then what has to leave its node anyway", async () => {
    const stage = await open({ replicas: 6, strategy: { rollingUpdate: { maxUnavailable: 0 } } });
    const leaving = (await all(stage)).filter(({ spec }) => spec.nodeName === "n1");
    await stage.during(() => stage.world.cordonNode("n1", true));
    await stage.patchSpec(runnerApps, web, { replicas: 6 - leaving.length });
    await stage.advance(60_000);
    const left = await all(stage);
    assert.equal(left.length, 6 - leaving.length);
    assert.ok(left.every(({ spec }) => spec.nodeName !== "n1"));
    await stage.patchSpec(runnerApps, web, { template: template("web:2", { pullFailures: "forever" }), replicas: 5 });
    await stage.advance(30_000);
    const serving = uids(await ready(stage));
    await stage.patchSpec(runnerApps, web, { replicas: serving.length });
    await stage.advance(30_000);
    assert.deepEqual(uids(await ready(stage)), serving);
  });

  it("case 10: a restart that is asked for again in the middle of one comes to its end, and each instance is of the later one", async () => {
    const stage = await open();
    const before = uids(await all(stage));
    const restart = async () => {
      const restartedAt = new Date(stage.clock.now()).toISOString().replace(/\.\d+/, "");
      await stage.patchSpec(runnerApps, web, { restartedAt });
      return restartedAt;
    };
    await restart();
    await stage.advance(4000);
    const second = await restart();
    await stage.advance(120_000);
    const after = await ready(stage);
    assert.equal(after.length, 4);
    assert.ok(uids(after).every((uid) => !before.includes(uid)));
    assert.deepEqual(
      after.filter(
        ({ metadata }) => (metadata.creationTimestamp ?? "") < second && metadata.annotations?.["nuptse.dev/restartedAt"] !== second,
      ),
      [],
    );
    const { metadata } = await stage.get<RunnerApp & KubeObject>(runnerApps, web);
    await stage.advance(600_000);
    assert.equal((await stage.get<RunnerApp & KubeObject>(runnerApps, web)).metadata.resourceVersion, metadata.resourceVersion);
  });

  it("case 11: while no operator is there, nothing that serves ends, and the next one changes nothing", async () => {
    const stage = await open();
    const before = uids(await all(stage));
    stage.killOperator();
    assert.deepEqual(await extremes(stage, 60_000), { fewest: 4, most: 4 });
    stage.startOperator();
    assert.deepEqual(await extremes(stage, 60_000), { fewest: 4, most: 4 });
    assert.deepEqual(uids(await all(stage)), before);
  });

  it("case 12: the operator writes pods, revisions, a budget and status, and nothing else: there is no daemon, and nothing of nodes", async () => {
    const written = new Set<string>();
    const stage = await Stage.open({
      from,
      nodes: [{ name: "n1", capacity }],
      namespaces: [{ name: namespace }],
      onCommit({ resource, userAgent }) {
        if (userAgent.startsWith("operator")) written.add(resource.kind);
      },
    });
    await stage.create(runnerApps, app({ replicas: 2 }));
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    await stage.advance(60_000);
    assert.deepEqual([...written].sort(), ["ControllerRevision", "Lease", "Pod", "PodDisruptionBudget", "RunnerApp"]);
  });

  it("case 14: the eviction API is refused for what may not be missing, and Strict refuses each that serves", async () => {
    const stage = await open({ evacuation: { budget: "Strict" } });
    const evict = async (pod: Pod): Promise<number> => {
      const { name } = pod.metadata;
      const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
      try {
        await stage.during(() => stage.client.create(pods, eviction, { subresource: "eviction" }));
        return 201;
      } catch (error) {
        if (error instanceof ApiError) return error.status;
        throw error;
      }
    };
    const [first, second] = await all(stage);
    assert.equal(await evict(first as Pod), 429);
    await stage.patchSpec(runnerApps, web, { evacuation: { budget: "Budget" } });
    await stage.advance(5000);
    assert.deepEqual([await evict(first as Pod), await evict(second as Pod)], [201, 429]);
    await stage.advance(30_000);
    assert.equal((await ready(stage)).length, 4);
  });
});
