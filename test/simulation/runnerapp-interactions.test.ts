import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { annotations, labels } from "../../src/api/names.ts";
import { configMaps, podDisruptionBudgets, pods, runnerApps } from "../../src/api/resource.ts";
import { formatSeconds } from "../../src/base/time.ts";
import { ApiError } from "../../src/kube/errors.ts";
import { policyKinds } from "../../src/simulator/apiserver/admission/policy-kinds.ts";
import { readRules } from "../../src/simulator/harness/crds.ts";
import { imageOf, instanceOf, readySince } from "../../src/simulator/harness/fleets/terms.ts";
import { crashing, FleetStage, good, namespace, refOf, slow, template } from "./support/fleet-stage.ts";

const oneUp = { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
const restartNow = ({ stage }: FleetStage) => ({ restartedAt: formatSeconds(stage.clock.now()) });
const uids = (all: readonly KubeObject[]) => all.map(({ metadata }) => metadata.uid as string).sort();
const minute = 60_000;

describe("what meets in a fleet (research/runners.md 5f)", function () {
  this.timeout(120_000);

  describe("evacuation and roll-out", () => {
    it("draw on the same pools, and what must also be updated moves once, to the new revision", async () => {
      const fleet = await FleetStage.open();
      await fleet.serve({ replicas: 6, strategy: oneUp });
      const before = uids(await fleet.pods());
      await fleet.change({ template: template("web:2") });
      await fleet.cordon("n1");
      await fleet.advance(5 * minute);
      assert.equal(await fleet.images(), "web:2 x6");
      assert.equal((await fleet.nodesOf()).includes("n1"), false);
      assert.equal(fleet.made, 6);
      assert.deepEqual([fleet.leastServing(), fleet.mostLiving()], [6, 7]);
      assert.equal(
        uids(await fleet.pods()).some((uid) => before.includes(uid)),
        false,
      );
    });

    it("of a paused roll-out goes on with what the instance had", async () => {
      const fleet = await FleetStage.open();
      await fleet.serve({ replicas: 6, paused: true });
      await fleet.change({ template: template("web:2") });
      await fleet.cordon("n1");
      await fleet.advance(3 * minute);
      assert.equal(await fleet.images(), "web:1 x6");
      assert.equal((await fleet.nodesOf()).includes("n1"), false);
    });
  });

  describe("evacuation and a canary that was paused by failure", () => {
    /** Two of four have the change. */
    async function open(): Promise<FleetStage> {
      const fleet = await FleetStage.open();
      await fleet.serve({ replicas: 4, strategy: oneUp });
      await fleet.change({ canary: { replicas: "50%" }, template: template("web:2") });
      await fleet.advance(minute);
      assert.equal(await fleet.images(), "web:1 x2, web:2 x2");
      return fleet;
    }

    it("goes on, and the replacement copies the revision of the one that leaves", async () => {
      const fleet = await open();
      await fleet.meddle({ canary: await autoPaused(fleet, []) });
      const [stays] = (await fleet.pods()).filter((pod) => imageOf(pod) === "web:2");
      const [old] = (await fleet.pods()).filter((pod) => imageOf(pod) === "web:1");
      fleet.begin();
      for (const pod of [stays, old]) await fleet.evacuate("pod", pod?.metadata.name as string);
      await fleet.advance(3 * minute);
      assert.equal(await fleet.images(), "web:1 x2, web:2 x2");
      assert.deepEqual([fleet.made, fleet.leastServing()], [2, 4]);
    });

    it("one that failed is replaced by the stable revision", async () => {
      const fleet = await open();
      const [failed] = (await fleet.pods()).filter((pod) => imageOf(pod) === "web:2");
      await fleet.meddle({ canary: await autoPaused(fleet, [instanceOf(failed as Pod) as string]) });
      await fleet.advance(5_000);
      await fleet.evacuate("pod", failed?.metadata.name as string);
      await fleet.advance(3 * minute);
      assert.equal(await fleet.images(), "web:1 x3, web:2 x1");
    });

    /** As the operator records it when instances fail. */
    async function autoPaused(fleet: FleetStage, failedInstances: readonly string[]): Promise<object> {
      const { canary } = await fleet.status();
      return { ...canary, phase: "AutoPaused", failed: failedInstances.length, failedInstances, reason: "instance 1 failed" };
    }
  });

  describe("evacuation and scale-in", () => {
    it("takes those that leave, and needs no replacement", async () => {
      const fleet = await FleetStage.open();
      await fleet.serve({ replicas: 6 });
      const leaving = (await fleet.nodesOf()).filter((node) => node === "n1").length;
      assert.ok(leaving > 0);
      await fleet.change({ replicas: 6 - leaving });
      await fleet.cordon("n1");
      await fleet.advance(2 * minute);
      assert.equal((await fleet.nodesOf()).includes("n1"), false);
      assert.equal((await fleet.pods()).length, 6 - leaving);
    });

    it("drops pending replacements first", async () => {
      const fleet = await FleetStage.open();
      await fleet.serve({ replicas: 6, template: template("web:1", { starts: [good], ...good }) });
      const kept = uids((await fleet.pods()).filter(({ spec }) => spec.nodeName !== "n1"));
      // The replacement will take long to start.
      await fleet.stage.during(async () => {
        fleet.stage.world.partitionNode("n2");
        await fleet.stage.world.returnNode("n2");
      });
      await fleet.cordon("n1");
      await fleet.advance(500);
      const pending = (await fleet.pods()).filter((pod) => pod.metadata.annotations?.[annotations.replaces] !== undefined);
      assert.ok(pending.length > 0 && pending.every((pod) => readySince(pod) === undefined));
      await fleet.change({ replicas: kept.length });
      await fleet.advance(2 * minute);
      assert.deepEqual(uids(await fleet.pods()), kept);
    });
  });

  it("evacuation and restart: the request is satisfied by the replacement", async () => {
    const fleet = await FleetStage.open();
    await fleet.serve({ replicas: 6, strategy: oneUp });
    await fleet.cordon("n1");
    await fleet.change(restartNow(fleet));
    await fleet.advance(10 * minute);
    assert.equal(fleet.made, 6);
    assert.equal((await fleet.nodesOf()).includes("n1"), false);
    assert.deepEqual([fleet.leastServing(), fleet.mostLiving()], [6, 7]);
  });

  it("evacuation and restart of the one that leaves: its replacement is what was asked for", async () => {
    const fleet = await FleetStage.open();
    await fleet.serve({ replicas: 3, strategy: oneUp });
    const [leaving, ...others] = (await fleet.pods()).toSorted((a, b) => ((a.spec.nodeName ?? "") < (b.spec.nodeName ?? "") ? -1 : 1));
    assert.deepEqual(await fleet.nodesOf(), ["n1", "n2", "n3"]);
    await fleet.cordon("n1");
    await fleet.restart(leaving?.metadata.name as string);
    await fleet.advance(5 * minute);
    const after = uids(await fleet.pods());
    assert.deepEqual([fleet.made, fleet.leastServing(), after.filter((uid) => uids(others).includes(uid)).length], [1, 3, 2]);
    assert.equal((await fleet.nodesOf()).includes("n1"), false);
  });

  it("node exclusion and a restart on the same node: what is left out is not preferred", async () => {
    const fleet = await FleetStage.open();
    await fleet.serve({ replicas: 3, nodeExclusion: { maxNodes: 1 } });
    await fleet.meddle({ nodeRules: [{ node: "n1", effect: "Exclude", failures: 3, expiresAt: "2026-11-21T13:00:00Z", reason: "Exit" }] });
    await fleet.change(restartNow(fleet));
    await fleet.advance(5 * minute);
    assert.equal((await fleet.nodesOf()).includes("n1"), false);
  });

  it("retries and an HPA: instances that fail count as replicas, and nothing asks for more", async () => {
    const fleet = await FleetStage.open();
    await fleet.serve({
      replicas: 4,
      template: template("web:1", crashing),
      retry: { sameNode: 1, otherNodes: 0, backoff: { initialSeconds: 0 } },
    });
    await fleet.advance(5 * minute);
    const { replicas, desiredReplicas, readyReplicas, labelSelector } = await fleet.status();
    assert.deepEqual([replicas, desiredReplicas, readyReplicas, labelSelector], [4, 4, 0, "nuptse.dev/app=web"]);
  });

  it("deletion in the middle of a roll-out: all of it goes, nothing is made anew, and what is another's stays", async () => {
    const fleet = await FleetStage.open();
    const { stage } = fleet;
    await addStolen(fleet);
    await fleet.serve({ replicas: 6 });
    await fleet.change({ template: template("web:2", slow) });
    await fleet.advance(5_000);
    const made = fleet.made;
    await stage.delete(runnerApps, refOf("web"));
    await fleet.advance(3 * minute);
    assert.deepEqual([(await stage.list(pods, { namespace })).map(({ metadata }) => metadata.name), fleet.made], [["stolen"], made]);
    assert.deepEqual(await stage.list(podDisruptionBudgets, { namespace }), []);
  });

  it("deletion while it is protected is refused; without the protection all of it goes", async () => {
    const fleet = await FleetStage.open();
    const { stage } = fleet;
    for (const rule of readRules().filter(({ metadata }) => metadata.name === "nuptse-protected")) {
      const kind = policyKinds.find(({ resource }) => resource.kind === rule.kind);
      await stage.create((kind as (typeof policyKinds)[number]).resource, rule);
    }
    await fleet.serve({ replicas: 3 });
    const protect = (value: string | null) =>
      stage.during(() =>
        stage.client.patch(runnerApps, refOf("web"), {
          type: "merge",
          body: { metadata: { annotations: { "nuptse.dev/protected": value } } },
        }),
      );
    await protect("true");
    await assert.rejects(stage.delete(runnerApps, refOf("web")), /is protected by its annotation nuptse.dev\/protected/);
    await fleet.advance(minute);
    assert.equal(await fleet.images(), "web:1 x3");
    await protect(null);
    await stage.delete(runnerApps, refOf("web"));
    await fleet.advance(minute);
    assert.equal(await fleet.images(), "");
  });

  it("two fleets on one node that is taken: each leaves it by its own budgets", async () => {
    const fleet = await FleetStage.open();
    await fleet.serve({ replicas: 4, strategy: oneUp }, "api");
    await fleet.serve({ replicas: 5, template: template("web:1", slow) });
    await fleet.advance(minute);
    fleet.begin();
    await fleet.cordon("n1");
    await fleet.advance(8 * minute);
    for (const name of ["api", "web"]) assert.equal((await fleet.nodesOf(name)).includes("n1"), false, name);
    assert.deepEqual([fleet.leastServing("api"), fleet.leastServing("web")], [4, 5]);
  });

  it("no operator: nothing that serves is deleted, kubelets still restart, and the disruption budget still guards", async () => {
    const fleet = await FleetStage.open();
    const { stage } = fleet;
    await fleet.serve({
      replicas: 2,
      evacuation: { budget: "Strict" },
      template: template("web:1", { ...good, starts: [{ runMs: [90_000, 90_000], exitCode: 1 }, { runMs: "forever" }] }),
    });
    const before = uids(await fleet.pods());
    stage.killOperator();
    await fleet.change({ template: template("web:2") });
    const [first] = await fleet.pods();
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: first?.metadata.name as string, namespace } };
    await assert.rejects(
      stage.during(() => stage.client.create(pods, eviction as KubeObject, { subresource: "eviction" })),
      (error: unknown) => error instanceof ApiError && error.status === 429,
    );
    await fleet.advance(3 * minute);
    assert.deepEqual(uids(await fleet.pods()), before);
    const restarts = (await fleet.pods()).map(({ status }) => status?.containerStatuses?.[0]?.restartCount);
    assert.deepEqual(restarts, [1, 1]);
    // They carry no gate, so nobody is needed for them to be Ready again.
    assert.equal(await fleet.images(), "web:1 x2");
  });

  it("a clock that is set back: a wait that was written down as of the future ends as if it had begun now", async () => {
    const fleet = await FleetStage.open();
    await fleet.serve({ replicas: 2, retry: { resetAfterSeconds: 60 } });
    const [pod] = await fleet.pods();
    const exhaustedAt = formatSeconds(fleet.stage.clock.now() + 20_000_000);
    const revision = (await fleet.status()).updateRevision as string;
    await fleet.meddle({ recoveries: [{ instance: instanceOf(pod as Pod), revision, pod: pod?.metadata.uid, exhaustedAt }] });
    await fleet.advance(3 * minute);
    assert.deepEqual([(await fleet.status()).recoveries, await fleet.condition("Ready")], [undefined, "True: Serving"]);
  });

  describe("one surge pool and one unavailability pool", () => {
    for (const [name, strategy, [least, most]] of [
      ["one may come besides and none may be missing", oneUp, [8, 9]],
      ["none may come besides but for a move, and two may be missing", { rollingUpdate: { maxSurge: 0, maxUnavailable: 2 } }, [6, 9]],
    ] as const)
      it(`a roll-out, a restart and a move at once take no more than one of them would: ${name}`, async () => {
        const fleet = await FleetStage.open();
        await fleet.serve({ replicas: 8, strategy });
        await fleet.cordon("n2");
        await fleet.change({ template: template("web:2"), ...restartNow(fleet) });
        await fleet.advance(5_000);
        await fleet.evacuate(
          "pod",
          (await fleet.pods()).find((pod) => pod.spec.nodeName === "n3" && readySince(pod) !== undefined)?.metadata.name as string,
        );
        await fleet.advance(10 * minute);
        assert.equal(await fleet.images(), "web:2 x8");
        assert.ok(fleet.leastServing() >= least, `${fleet.leastServing()} served`);
        assert.ok(fleet.mostLiving() <= most, `${fleet.mostLiving()} lived`);
        assert.equal((await fleet.nodesOf()).includes("n2"), false);
      });
  });

  it("restart: on the same node where it fits, and no failure", async () => {
    const fleet = await FleetStage.open();
    await fleet.serve({ replicas: 4, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } });
    const before = await fleet.nodesOf();
    await fleet.change(restartNow(fleet));
    await fleet.advance(5 * minute);
    const { recoveries, nodeFailures, recentMoves } = await fleet.status();
    assert.deepEqual(
      [await fleet.nodesOf(), fleet.made, recoveries, nodeFailures, recentMoves],
      [before, 4, undefined, undefined, undefined],
    );
  });

  for (const [name, rollingUpdate] of [
    ["one besides, none missing", { maxSurge: 1, maxUnavailable: 0 }],
    ["two besides, none missing", { maxSurge: 2, maxUnavailable: 0 }],
    ["one besides, one missing", { maxSurge: 1, maxUnavailable: 1 }],
  ] as const)
    it(`restart with a surge: each successor goes to the node of the one that goes, though another one is empty (${name})`, async () => {
      const fleet = await FleetStage.open([10, 10, 10]);
      await fleet.cordon("n3");
      await fleet.serve({ replicas: 5, strategy: { rollingUpdate } });
      await fleet.cordon("n3", false);
      const [before, old] = [await fleet.nodesOf(), uids(await fleet.pods())];
      assert.equal(before.includes("n3"), false);
      await fleet.change(restartNow(fleet));
      await fleet.advance(5 * minute);
      assert.deepEqual([await fleet.nodesOf(), fleet.made], [before, 5]);
      assert.equal(
        uids(await fleet.pods()).some((uid) => old.includes(uid)),
        false,
      );
    });

  it("restart with a surge where the node has no room for two: elsewhere, and all are restarted", async () => {
    const fleet = await FleetStage.open([2, 2, 1]);
    await fleet.cordon("n3");
    await fleet.serve({ replicas: 4, strategy: oneUp });
    await fleet.cordon("n3", false);
    await fleet.change(restartNow(fleet));
    await fleet.advance(5 * minute);
    assert.deepEqual([fleet.made, await fleet.images(), fleet.leastServing()], [4, "web:1 x4", 4]);
  });

  it("storm brake: of many that fail so many are tried elsewhere within the window, and the rest then", async () => {
    const fleet = await FleetStage.open([10, 10, 10, 10]);
    const retry = {
      sameNode: 0,
      otherNodes: 1,
      backoff: { initialSeconds: 0 },
      storm: { moves: 2, windowSeconds: 300 },
      resetAfterSeconds: 3600,
    };
    const late = { ...good, runMs: [60_000, 60_000], exitCode: 1 };
    await fleet.serve({ replicas: 6, retry, template: template("web:1", late) });
    await fleet.advance(3 * minute);
    assert.equal(fleet.made, 2);
    await fleet.advance(5 * minute);
    assert.equal(fleet.made, 4);
  });

  describe("what is not its own", () => {
    it("a selector that is stolen by another controller's pods: never adopted, counted or deleted", async () => {
      const fleet = await FleetStage.open();
      const { stage } = fleet;
      await addStolen(fleet);
      await fleet.serve({ replicas: 3 });
      const other = await stage.get<KubeObject>(runnerApps, refOf("web"));
      // Even one of another app, with this one's label.
      await fleet.serve({ replicas: 1 }, "api");
      const [own] = await fleet.pods("api");
      await stage.during(() =>
        stage.client.patch(pods, refOf(own?.metadata.name as string), {
          type: "merge",
          body: { metadata: { labels: { [labels.app]: "web" } } },
        }),
      );
      await fleet.advance(minute);
      assert.equal((await fleet.status()).replicas, 3);
      await fleet.change({ replicas: 0 });
      await fleet.advance(2 * minute);
      const names = (await stage.list(pods, { namespace })).map(({ metadata }) => metadata.name);
      assert.ok(names.includes("stolen") && names.includes(own?.metadata.name as string), names.join());
      assert.ok(other.metadata.uid !== undefined);
    });

    it("a disruption budget of its name that somebody else made stays as it is", async () => {
      const fleet = await FleetStage.open();
      const { stage } = fleet;
      const spec = { minAvailable: 1, selector: { matchLabels: { app: "other" } } };
      const made = await stage.create(podDisruptionBudgets, {
        metadata: { ...refOf("web"), labels: { [labels.app]: "web" } },
        spec,
      } as KubeObject);
      await fleet.serve();
      await fleet.change({ replicas: 8 });
      await fleet.advance(minute);
      const now = await stage.get<KubeObject & { readonly spec: unknown }>(podDisruptionBudgets, refOf("web"));
      assert.deepEqual([now.spec, now.metadata.uid, await fleet.images()], [spec, made.metadata.uid, "web:1 x8"]);
    });
  });

  describe("a status that somebody edited by hand is rebuilt", () => {
    const nobody = "00000000-0000-0000-0000-000000000000";
    const since = "2026-11-21T12:00:10Z";
    const edits: readonly (readonly [string, object])[] = [
      ["counts", { replicas: 77, readyReplicas: 77, availableReplicas: 77, updatedReplicas: 77, desiredReplicas: 77 }],
      ["what scaling reads", { labelSelector: "app=nonsense", observedGeneration: 77 }],
      ["revisions that do not exist", { stableRevision: "nonsense", updateRevision: "nonsense" }],
      ["no revisions", { stableRevision: null, updateRevision: null }],
      ["conditions of its own", { conditions: [] }],
      [
        "a canary that failed, of no revision",
        { canary: { revision: "nonsense", phase: "RolledBack", target: 0, failed: 1, failedInstances: ["0"] } },
      ],
      ["recoveries of nobody", { recoveries: [{ instance: "77", revision: "nonsense", pod: nobody, exhaustedAt: since }] }],
      [
        "a move of nobody",
        { evacuations: [{ instance: "0", pod: nobody, node: "n1", cause: "Cordoned", phase: "Deleting", since, phaseSince: since }] },
      ],
      ["nodes that do not exist", { nodeRules: [{ node: "nonsense", effect: "Exclude", expiresAt: "2030-01-01T00:00:00Z" }] }],
      [
        "nothing at all",
        Object.fromEntries(
          ["conditions", "replicas", "readyReplicas", "labelSelector", "summary", "stableRevision", "updateRevision"].map((field) => [
            field,
            null,
          ]),
        ),
      ],
    ];
    for (const [name, edit] of edits)
      it(name, async () => {
        const fleet = await FleetStage.open();
        await fleet.serve();
        const before = await fleet.status();
        const served = uids(await fleet.pods());
        await fleet.meddle(edit);
        await fleet.advance(2 * minute);
        const told = ({ conditions, ...rest }: typeof before) => ({
          ...rest,
          conditions: conditions?.filter(({ status }) => status === "True").map(({ type, reason }) => `${type}: ${reason}`),
        });
        assert.deepEqual(told(await fleet.status()), told(before));
        assert.deepEqual(uids(await fleet.pods()), served);
      });

    it("a move of an instance that may stay: it is not deleted before anything serves in its place", async () => {
      const fleet = await FleetStage.open();
      await fleet.serve();
      const before = uids(await fleet.pods());
      const [pod] = await fleet.pods();
      const row = {
        instance: instanceOf(pod as Pod),
        pod: pod?.metadata.uid,
        node: pod?.spec.nodeName,
        cause: "Cordoned",
        since,
        phaseSince: since,
      };
      await fleet.meddle({ evacuations: [{ ...row, phase: "Deleting" }] });
      await fleet.advance(2 * minute);
      assert.deepEqual([uids(await fleet.pods()), (await fleet.status()).evacuations], [before, undefined]);
    });
  });
});

/** A pod of the fleet's label that is controlled by something else. */
async function addStolen({ stage }: FleetStage): Promise<void> {
  const owner = await stage.create(configMaps, { metadata: { name: "owner", namespace } } as KubeObject);
  const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid as string, controller: true }];
  const metadata = { name: "stolen", namespace, labels: { [labels.app]: "web" }, ownerReferences };
  await stage.create(pods, { metadata, spec: { containers: [{ name: "main", image: "web:1" }] } } as unknown as Pod);
}
