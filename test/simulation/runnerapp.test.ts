import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { annotations } from "../../src/api/names.ts";
import { events, nodes, podDisruptionBudgets, pods, runnerApps } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { planRunnerApp } from "../../src/runnerapp/rules/plan.ts";
import type { Stage } from "../../src/simulator/harness/stage.ts";
import {
  app,
  capacity,
  conditions,
  crashing,
  images,
  living,
  namespace,
  open,
  readyPods,
  status,
  template,
  web,
} from "./support/fleets.ts";

describe("simulation of fleets", function () {
  this.timeout(120_000);

  it("a fleet comes up, says so, and writes nothing more", async () => {
    const stage = await open();
    await stage.create(runnerApps, app());
    await stage.advance(30_000);
    assert.deepEqual(await images(stage), { "web:1": 4 });
    const seen = await status(stage);
    assert.deepEqual(
      { replicas: seen?.replicas, ready: seen?.readyReplicas, available: seen?.availableReplicas, updated: seen?.updatedReplicas },
      { replicas: 4, ready: 4, available: 4, updated: 4 },
    );
    assert.deepEqual(await conditions(stage), ["Ready=True: Serving", "Available=True: EnoughAvailable", "Reconciling=False: Serving"]);
    assert.equal(seen?.stableRevision, seen?.updateRevision);
    const version = (await stage.get<RunnerApp & KubeObject>(runnerApps, web)).metadata.resourceVersion;
    await stage.advance(3_600_000);
    assert.equal((await stage.get<RunnerApp & KubeObject>(runnerApps, web)).metadata.resourceVersion, version);
  });

  it("it is scaled out and in, and a pod that somebody deletes comes back", async () => {
    const stage = await open();
    await stage.create(runnerApps, app());
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { replicas: 6 });
    await stage.advance(20_000);
    assert.deepEqual(await images(stage), { "web:1": 6 });
    const [first] = await stage.list<Pod & KubeObject>(pods, { namespace });
    await stage.delete(pods, { namespace, name: first?.metadata.name as string });
    await stage.advance(60_000);
    assert.deepEqual(await images(stage), { "web:1": 6 });
    await stage.patchSpec(runnerApps, web, { replicas: 2 });
    await stage.advance(60_000);
    assert.deepEqual(await images(stage), { "web:1": 2 });
    assert.deepEqual(await conditions(stage), ["Ready=True: Serving", "Available=True: EnoughAvailable", "Reconciling=False: Serving"]);
  });

  it("a change is rolled out without fewer than replicas - maxUnavailable being available", async () => {
    const stage = await open();
    await stage.create(runnerApps, app());
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    let least = 4;
    for (let second = 0; second < 60; second++) {
      await stage.advance(1000);
      least = Math.min(least, (await readyPods(stage)).length);
    }
    assert.equal(least, 3);
    assert.deepEqual(await images(stage), { "web:2": 4 });
    const seen = await status(stage);
    assert.equal(seen?.stableRevision, seen?.updateRevision);
    assert.equal(seen?.canary, undefined);
  });

  it("a large fleet is not looked at for each event of its pods", async () => {
    let [looks, events] = [0, 0];
    const stage = await open({
      operator: {
        planRunnerApp(observed) {
          looks++;
          return planRunnerApp(observed);
        },
      },
      onCommit: ({ resource }) => {
        if (resource.kind === pods.kind) events++;
      },
    });
    const small = { ...template("web:1"), spec: { containers: [{ name: "main", image: "web:1" }] } };
    await stage.create(runnerApps, app({ replicas: 200, template: small }));
    await stage.advance(60_000);
    assert.deepEqual(await images(stage), { "web:1": 200 });
    // Created, bound, admitted, running, ready.
    assert.ok(events >= 5 * 200, String(events));
    assert.ok(looks <= events / 4, `${looks} looks for ${events} events`);
  });

  it("a fleet is not looked at when others write the status of its disruption budget", async () => {
    let looks = 0;
    const counting = (observed: Parameters<typeof planRunnerApp>[0]) => {
      looks++;
      return planRunnerApp(observed);
    };
    const stage = await open({ operator: { planRunnerApp: counting } });
    await stage.create(runnerApps, app());
    await stage.advance(60_000);
    const before = looks;
    for (const disruptionsAllowed of [0, 1])
      await stage.during(() =>
        stage.client.patch(
          podDisruptionBudgets,
          web,
          { type: "merge", body: { status: { disruptionsAllowed } } },
          { subresource: "status" },
        ),
      );
    await stage.advance(1_000);
    assert.equal(looks, before);
    const body = { spec: { maxUnavailable: 3 } };
    await stage.during(() => stage.client.patch(podDisruptionBudgets, web, { type: "merge", body }));
    await stage.advance(1_000);
    assert.equal((await stage.get<KubeObject & { spec: { maxUnavailable: number } }>(podDisruptionBudgets, web)).spec.maxUnavailable, 1);
  });

  it("broken new instances stop a roll-out by themselves, and the way back takes only them", async () => {
    const stage = await open();
    await stage.create(runnerApps, app({ progressDeadlineSeconds: 60, minReadySeconds: 5 }));
    await stage.advance(20_000);
    const before = (await stage.list(pods, { namespace })).map(({ metadata }) => metadata.uid);
    await stage.patchSpec(runnerApps, web, { template: template("web:2", crashing) });
    await stage.advance(50_000);
    assert.deepEqual(await images(stage), { "web:1": 3, "web:2": 2 });
    await stage.advance(300_000);
    assert.ok((await conditions(stage))?.includes("Stalled=True: ProgressDeadlineExceeded"), String(await conditions(stage)));
    await stage.patchSpec(runnerApps, web, { template: template("web:1") });
    await stage.advance(60_000);
    assert.deepEqual(await images(stage), { "web:1": 4 });
    const kept = (await stage.list(pods, { namespace })).filter(({ metadata }) => before.includes(metadata.uid));
    assert.equal(kept.length, 3);
    assert.ok((await conditions(stage))?.includes("Stalled=False: Serving"), String(await conditions(stage)));
  });

  it("a canary is held at its share, and goes on when that is raised", async () => {
    const stage = await open();
    await stage.create(runnerApps, app({ canary: { replicas: "25%" } }));
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    await stage.advance(60_000);
    assert.deepEqual(await images(stage), { "web:1": 3, "web:2": 1 });
    assert.ok((await conditions(stage))?.includes("Ready=True: CanaryHeld"), String(await conditions(stage)));
    await stage.patchSpec(runnerApps, web, { canary: { replicas: "100%" } });
    await stage.advance(60_000);
    assert.deepEqual(await images(stage), { "web:2": 4 });
  });

  it("a canary that fails pauses the roll-out, in status alone, and another change ends the pause", async () => {
    const stage = await open();
    await stage.create(runnerApps, app({ canary: { replicas: "50%" } }));
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { template: template("web:2", crashing) });
    await stage.advance(120_000);
    const paused = await status(stage);
    assert.equal(paused?.canary?.phase, "AutoPaused");
    assert.ok((await conditions(stage))?.includes("Stalled=True: RolloutPaused"), String(await conditions(stage)));
    await stage.patchSpec(runnerApps, web, { template: template("web:3"), canary: { replicas: "100%" } });
    await stage.advance(60_000);
    assert.deepEqual(await images(stage), { "web:3": 4 });
  });

  it("with action Rollback the fleet goes back by itself, and stays there", async () => {
    const stage = await open();
    await stage.create(runnerApps, app({ canary: { replicas: "50%", onFailure: { action: "Rollback" } } }));
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { template: template("web:2", crashing) });
    await stage.advance(300_000);
    assert.deepEqual(await images(stage), { "web:1": 4 });
    assert.equal((await status(stage))?.canary?.phase, "RolledBack");
    assert.ok((await conditions(stage))?.includes("Stalled=True: RolledBack"), String(await conditions(stage)));
  });

  it("restartedAt replaces every instance once, also when the operator is restarted meanwhile", async () => {
    const stage = await open();
    await stage.create(runnerApps, app());
    await stage.advance(20_000);
    const before = (await stage.list(pods, { namespace })).map(({ metadata }) => metadata.uid);
    const at = new Date(stage.clock.now()).toISOString().slice(0, 19);
    await stage.patchSpec(runnerApps, web, { restartedAt: `${at}Z` });
    await stage.advance(3_000);
    stage.killOperator();
    stage.startOperator();
    await stage.advance(180_000);
    const after = (await stage.list(pods, { namespace })).map(({ metadata }) => metadata.uid);
    assert.equal(after.length, 4);
    assert.deepEqual(
      after.filter((uid) => before.includes(uid)),
      [],
    );
    await stage.advance(600_000);
    assert.deepEqual((await stage.list(pods, { namespace })).map(({ metadata }) => metadata.uid).sort(), after.sort());
  });

  it("suspend takes all instances away and keeps the object; a change made meanwhile comes with the resume", async () => {
    const stage = await open();
    await stage.create(runnerApps, app());
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { suspend: true });
    await stage.advance(60_000);
    assert.deepEqual(await images(stage), {});
    assert.ok((await conditions(stage))?.includes("Ready=True: Suspended"), String(await conditions(stage)));
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    await stage.patchSpec(runnerApps, web, { suspend: false });
    await stage.advance(20_000);
    assert.deepEqual(await images(stage), { "web:2": 4 });
  });

  it("paused: scaling goes on with what was before, nothing is updated", async () => {
    const stage = await open();
    await stage.create(runnerApps, app());
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { paused: true, template: template("web:2") });
    await stage.advance(30_000);
    await stage.patchSpec(runnerApps, web, { replicas: 6 });
    await stage.advance(30_000);
    assert.deepEqual(await images(stage), { "web:1": 6 });
    assert.ok((await conditions(stage))?.includes("Ready=True: Paused"), String(await conditions(stage)));
    await stage.patchSpec(runnerApps, web, { paused: false });
    await stage.advance(60_000);
    assert.deepEqual(await images(stage), { "web:2": 6 });
  });

  it("pods of others with the same labels are neither counted nor touched", async () => {
    const stage = await open();
    const foreign = { metadata: { name: "foreign", namespace, labels: { "nuptse.dev/app": "web" } }, spec: template("web:1").spec };
    await stage.create(pods, foreign as unknown as Pod);
    await stage.create(runnerApps, app());
    await stage.advance(30_000);
    assert.deepEqual(await images(stage), { "web:1": 5 });
    await stage.patchSpec(runnerApps, web, { replicas: 0 });
    await stage.advance(60_000);
    assert.deepEqual(
      (await stage.list(pods, { namespace })).map(({ metadata }) => metadata.name),
      ["foreign"],
    );
  });
});

describe("simulation of fleets: failures and moves", function () {
  this.timeout(120_000);
  const nodesOf = async (stage: Stage) => (await living(stage)).map(({ spec }) => spec.nodeName ?? "none").sort();

  it("an instance that keeps failing is tried on its node, then on others, and then stays as it is", async () => {
    const stage = await open();
    const retry = { sameNode: 1, otherNodes: 1, resetAfterSeconds: 3600, backoff: { initialSeconds: 1 } };
    await stage.create(runnerApps, {
      ...app({ replicas: 1, retry }),
      spec: { ...app({ replicas: 1, retry }).spec, template: template("web:1", crashing) },
    } as RunnerApp);
    const seen = new Set<string>();
    for (let second = 0; second < 600; second++) {
      await stage.advance(1000);
      for (const node of await nodesOf(stage)) seen.add(node);
    }
    seen.delete("none");
    assert.equal(seen.size, 2, [...seen].join());
    const all = await conditions(stage);
    assert.ok(all?.includes("Stalled=True: RetriesExhausted") && all.includes("Degraded=True: RetriesExhausted"), String(all));
    assert.equal((await nodesOf(stage)).length, 1);
    const version = (await stage.get<RunnerApp & KubeObject>(runnerApps, web)).metadata.generation;
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    await stage.advance(60_000);
    assert.notEqual((await stage.get<RunnerApp & KubeObject>(runnerApps, web)).metadata.generation, version);
    assert.deepEqual((await conditions(stage))?.slice(0, 2), ["Ready=True: Serving", "Available=True: EnoughAvailable"]);
    assert.equal((await status(stage))?.recoveries, undefined);
  });

  it("a pod that is evicted comes back, and its node is not blamed for what somebody asked", async () => {
    const stage = await open();
    await stage.create(runnerApps, app());
    await stage.advance(20_000);
    const [first] = await stage.list<Pod & KubeObject>(pods, { namespace });
    await stage.during(() => stage.world.evict(first as Pod));
    await stage.advance(60_000);
    assert.deepEqual(await images(stage), { "web:1": 4 });
    assert.equal((await status(stage))?.nodeFailures, undefined);
  });

  it("a cordoned node is left one instance after the other, and never is one missing", async () => {
    const stage = await open();
    await stage.create(runnerApps, app({ replicas: 6 }));
    await stage.advance(20_000);
    assert.ok((await nodesOf(stage)).includes("n1"));
    await stage.during(() => stage.world.cordonNode("n1", true));
    let least = 6;
    for (let second = 0; second < 120; second++) {
      await stage.advance(1000);
      least = Math.min(least, (await readyPods(stage)).length);
    }
    assert.equal(least, 6);
    const left = await nodesOf(stage);
    assert.equal(left.length, 6);
    assert.ok(!left.includes("n1"), left.join());
    assert.equal((await status(stage))?.evacuations, undefined);
    assert.deepEqual((await conditions(stage))?.slice(0, 2), ["Ready=True: Serving", "Available=True: EnoughAvailable"]);
  });

  it("a node that is being taken is marked once when no instance is left on it, and unmarked when it is given back", async () => {
    const marks: string[] = [];
    const stage = await open({
      operator: { markEvacuated: true, evacuationTaints: ["ToBeDeleted"] },
      onCommit({ object, previous, resource }) {
        const mark = (of: typeof previous) => of?.metadata.annotations?.[annotations.evacuated];
        if (resource.kind !== nodes.kind || mark(object) === mark(previous)) return;
        marks.push(`${object.metadata.name} ${mark(object) === undefined ? "unmarked" : "marked"}`);
      },
    });
    const taint = (taints: readonly object[]) => stage.patchSpec(nodes, { name: "n1" }, { taints });
    await stage.create(runnerApps, app({ replicas: 6 }));
    await stage.advance(20_000);
    await taint([{ key: "ToBeDeleted", effect: "NoSchedule" }]);
    await stage.advance(2_000);
    assert.deepEqual(marks, []);
    await stage.advance(120_000);
    assert.ok(!(await nodesOf(stage)).includes("n1"));
    assert.deepEqual(marks, ["n1 marked"]);
    stage.killOperator();
    stage.startOperator();
    await stage.advance(120_000);
    assert.deepEqual(marks, ["n1 marked"]);
    await taint([]);
    await stage.advance(5_000);
    assert.deepEqual(marks, ["n1 marked", "n1 unmarked"]);
    assert.deepEqual(await images(stage), { "web:1": 6 });
  });

  it("a crash loop whose instances are Ready for some seconds each time leaves out no node", async () => {
    const rules = new Set<string>();
    const stage = await open({
      onCommit({ resource, object }) {
        if (resource.kind !== runnerApps.kind) return;
        for (const { node } of (object as unknown as RunnerApp).status?.nodeRules ?? []) rules.add(node);
      },
    });
    const spec = {
      replicas: 4,
      retry: { sameNode: 0, backoff: { initialSeconds: 1, maxSeconds: 1 }, storm: { moves: 100 } },
      nodeExclusion: { failures: 1, maxNodes: "50%" },
      template: template("web:1", { startMs: [100, 100], runMs: [3_000, 9_000], exitCode: 1 }),
    };
    await stage.create(runnerApps, app(spec));
    await stage.advance(600_000);
    assert.ok(((await status(stage))?.nodeFailures?.length ?? 0) > 0, "no node failed it");
    assert.deepEqual([...rules], []);
  });

  it("a node that fails three apps, which do well elsewhere, is told of once", async () => {
    const stage = await open({
      behaviour: ({ spec: { nodeName } }) =>
        nodeName === "n1" ? { startMs: 100, runMs: 100, exitCode: 1 } : { startMs: 1000, runMs: "forever" },
    });
    const spec = {
      replicas: 6,
      retry: { sameNode: 0, backoff: { initialSeconds: 1, maxSeconds: 1 }, storm: { moves: 100 } },
      nodeExclusion: { failures: 1 },
    };
    const suspects = async () =>
      (await stage.list<KubeObject & { reason: string; regarding: { name: string } }>(events)).filter(
        ({ reason }) => reason === "NodeSuspect",
      );
    for (const name of ["a", "b", "c"]) {
      assert.deepEqual(await suspects(), []);
      await stage.create(runnerApps, { ...app(spec), metadata: { name, namespace } } as RunnerApp);
      await stage.advance(120_000);
    }
    for (const name of ["a", "b", "c"]) {
      const told = (await stage.get<RunnerApp & KubeObject>(runnerApps, { namespace, name })).status;
      assert.deepEqual([told?.nodeRules?.map(({ node }) => node), told?.summary?.nodesExcluded], [["n1"], "n1"], name);
    }
    assert.deepEqual(
      (await suspects()).map(({ regarding }) => regarding.name),
      ["n1"],
    );
  });

  it("with no room elsewhere a move stalls and says so, and nothing is deleted; given back, the node keeps its instances", async () => {
    const stage = await open({ nodes: ["n1", "n2"].map((name) => ({ name, capacity: capacity("2") })) });
    await stage.create(runnerApps, app({ evacuation: { timeoutSeconds: 120 } }));
    await stage.advance(20_000);
    const before = (await stage.list(pods, { namespace })).map(({ metadata }) => metadata.uid).sort();
    await stage.during(() => stage.world.cordonNode("n1", true));
    await stage.advance(300_000);
    assert.ok((await conditions(stage))?.includes("Degraded=True: EvacuationStalled"), String(await conditions(stage)));
    assert.equal((await readyPods(stage)).length, 4);
    await stage.during(() => stage.world.cordonNode("n1", false));
    await stage.advance(60_000);
    assert.deepEqual((await stage.list(pods, { namespace })).map(({ metadata }) => metadata.uid).sort(), before);
    assert.ok((await conditions(stage))?.includes("Degraded=False: Serving"), String(await conditions(stage)));
  });

  it("the instances of a lost node are replaced", async () => {
    const stage = await open();
    await stage.create(runnerApps, app({ replicas: 3 }));
    await stage.advance(20_000);
    const [node = ""] = await nodesOf(stage);
    await stage.during(async () => stage.world.loseNode(node));
    await stage.advance(240_000);
    const ready = await readyPods(stage);
    assert.equal(ready.length, 3);
    assert.ok(ready.every(({ spec }) => spec.nodeName !== node));
    assert.equal((await status(stage))?.availableReplicas, 3);
  });

  it("an app has a PodDisruptionBudget of what may be unavailable, and Strict of nothing", async () => {
    const stage = await open();
    await stage.create(runnerApps, app());
    await stage.advance(10_000);
    const budget = async () => (await stage.get<KubeObject & { spec: { maxUnavailable: number } }>(podDisruptionBudgets, web)).spec;
    assert.equal((await budget()).maxUnavailable, 1);
    await stage.patchSpec(runnerApps, web, { replicas: 8 });
    await stage.advance(10_000);
    assert.equal((await budget()).maxUnavailable, 2);
    await stage.patchSpec(runnerApps, web, { evacuation: { budget: "Strict" } });
    await stage.advance(10_000);
    assert.equal((await budget()).maxUnavailable, 0);
  });
});
