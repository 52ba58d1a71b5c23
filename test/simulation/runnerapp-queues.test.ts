import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { pods, runnerApps, tenantQueues } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import type { TenantQueue } from "../../src/api/tenant-queue.gen.ts";
import { Stage } from "../../src/simulator/harness/stage.ts";
import { capacity, from, images, status, template, web } from "./support/fleets.ts";

describe("simulation of fleets: queues", function () {
  this.timeout(120_000);
  const queue = (name: string, spec: object) =>
    ({ apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name }, spec }) as unknown as TenantQueue;
  const of = (name: string, team: string, words: { replicas: number; queue?: object; spec?: object }): RunnerApp =>
    ({
      apiVersion: "nuptse.dev/v1alpha1",
      kind: "RunnerApp",
      metadata: { name, namespace: team },
      spec: {
        replicas: words.replicas,
        template: template(`${name}:1`),
        ...(words.queue !== undefined && { queue: words.queue }),
        ...words.spec,
      },
    }) as RunnerApp;
  const alive = async (stage: Stage, team: string) =>
    (await stage.list<Pod & KubeObject>(pods, { namespace: team })).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .length;

  /** Ten cores; two tenants with half of it each. */
  async function halves(): Promise<Stage> {
    const teams = ["red", "blue"];
    const stage = await Stage.open({
      from,
      nodes: ["n1", "n2"].map((name) => ({ name, capacity: capacity("5") })),
      namespaces: teams.map((name) => ({ name, labels: { team: name } })),
    });
    await stage.create(tenantQueues, queue("corp", {}));
    for (const team of teams)
      await stage.create(
        tenantQueues,
        queue(team, { parent: "corp", guaranteed: { cpu: "50%" }, namespaceSelector: { matchLabels: { team } }, defaultQueue: true }),
      );
    await stage.advance(5000);
    return stage;
  }

  it("a firm fleet gets no more than what nobody else is guaranteed, and says what it waits for", async () => {
    const stage = await halves();
    await stage.create(runnerApps, of("web", "red", { replicas: 7 }));
    await stage.advance(60_000);
    assert.equal(await alive(stage, "red"), 5);
    const seen = await status(stage);
    assert.deepEqual(seen?.admitted, { replicas: 5, surge: 0 });
    assert.equal(seen?.conditions?.find(({ type }) => type === "Ready")?.reason, "QueuePending");
    assert.equal(seen?.desiredReplicas, 5);
  });

  it("the surge of a roll-out is admitted and given back; where there is none, instances give way to their successors", async () => {
    const stage = await halves();
    await stage.create(runnerApps, of("web", "red", { replicas: 4 }));
    await stage.advance(30_000);
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    let surge = 0;
    for (let second = 0; second < 60; second++) {
      await stage.advance(1000);
      surge = Math.max(surge, (await status(stage))?.admitted?.surge ?? 0);
    }
    assert.equal(surge, 1);
    assert.deepEqual(await images(stage), { "web:2": 4 });
    assert.deepEqual((await status(stage))?.admitted, { replicas: 4, surge: 0 });
    await stage.patchSpec(runnerApps, web, { replicas: 5 });
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { template: template("web:3") });
    await stage.advance(120_000);
    assert.deepEqual(await images(stage), { "web:3": 5 });
  });

  it("asked back, a fleet that agreed to it shrinks, not below minCount, and grows again", async () => {
    const stage = await halves();
    await stage.create(runnerApps, of("web", "red", { replicas: 9, queue: { onReclaim: "Stop" } }));
    await stage.advance(60_000);
    assert.equal(await alive(stage, "red"), 9);
    await stage.create(runnerApps, of("api", "blue", { replicas: 4 }));
    await stage.advance(120_000);
    assert.equal(await alive(stage, "blue"), 4);
    assert.equal(await alive(stage, "red"), 6);
    await stage.delete(runnerApps, { namespace: "blue", name: "api" });
    await stage.advance(180_000);
    assert.equal(await alive(stage, "red"), 9);
  });

  it("a new leader keeps what was admitted before it decides anything", async () => {
    const stage = await halves();
    await stage.create(runnerApps, of("web", "red", { replicas: 5 }));
    await stage.advance(60_000);
    const before = (await stage.list(pods, { namespace: "red" })).map(({ metadata }) => metadata.uid).sort();
    stage.killOperator();
    stage.startOperator();
    await stage.advance(120_000);
    assert.deepEqual((await stage.list(pods, { namespace: "red" })).map(({ metadata }) => metadata.uid).sort(), before);
  });
});
