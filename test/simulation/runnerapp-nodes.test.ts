import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { annotations } from "../../src/api/names.ts";
import { nodes, pods } from "../../src/api/resource.ts";
import { formatSeconds } from "../../src/base/time.ts";
import { readySince } from "../../src/simulator/harness/fleets/terms.ts";
import { FleetStage, namespace, slow, template } from "./support/fleet-stage.ts";

const uids = (all: readonly KubeObject[]) => all.map(({ metadata }) => metadata.uid as string).sort();
const minute = 60_000;

describe("what meets on the nodes of a fleet (research/runners.md 5f)", function () {
  this.timeout(120_000);

  describe("evacuation", () => {
    it("is asked for on a single instance, and ends when another one serves elsewhere", async () => {
      const fleet = await FleetStage.open();
      await fleet.serve({ replicas: 3 });
      const [first] = await fleet.pods();
      await fleet.evacuate("pod", first?.metadata.name as string);
      await fleet.advance(2 * minute);
      assert.deepEqual([fleet.leastServing(), fleet.made, await fleet.images()], [3, 1, "web:1 x3"]);
      assert.equal(
        (await fleet.pods()).some(({ metadata }) => metadata.uid === first?.metadata.uid),
        false,
      );
    });

    it("cancelled by uncordon: the replacement goes, not the original", async () => {
      const fleet = await FleetStage.open();
      await fleet.serve({ replicas: 3, template: template("web:1", slow) });
      await fleet.advance(minute);
      const before = uids(await fleet.pods());
      await fleet.cordon("n1");
      await fleet.advance(10_000);
      assert.equal((await fleet.pods()).length, 4);
      await fleet.cordon("n1", false);
      await fleet.advance(2 * minute);
      assert.deepEqual(uids(await fleet.pods()), before);
    });

    it("of a node that is cordoned and then not heard of: what is on it may serve unseen, and stays until another one serves", async () => {
      const fleet = await FleetStage.open();
      await fleet.serve({ replicas: 3, template: template("web:1", { startMs: [100_000, 100_000] }) });
      await fleet.advance(2 * minute);
      const [lost] = (await fleet.pods()).filter(({ spec }) => spec.nodeName === "n1");
      fleet.stage.world.partitionNode("n1");
      await fleet.cordon("n1");
      // After 40 s its pods are not Ready by what the node controller says; the replacement takes 100 s.
      await fleet.advance(70_000);
      const found = (await fleet.pods()).find(({ metadata }) => metadata.uid === lost?.metadata.uid);
      assert.deepEqual([found !== undefined, found !== undefined && readySince(found) === undefined], [true, true]);
      await fleet.advance(4 * minute);
      assert.equal((await fleet.pods()).filter((pod) => readySince(pod) !== undefined).length, 3);
    });

    it("Strict: no eviction of a serving instance, and yet the node is given back", async () => {
      const fleet = await FleetStage.open();
      const { stage } = fleet;
      await fleet.serve({ replicas: 3, evacuation: { budget: "Strict" } });
      await fleet.cordon("n1");
      const evict = async () => {
        for (const pod of (await fleet.pods()).filter(({ spec }) => spec.nodeName === "n1")) {
          const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod.metadata.name, namespace } };
          await stage.during(() => stage.client.create(pods, eviction as KubeObject, { subresource: "eviction" }).catch(() => undefined));
        }
      };
      for (let look = 0; look < 24; look++) {
        await evict();
        await fleet.advance(5_000);
      }
      assert.equal((await fleet.nodesOf()).includes("n1"), false);
      assert.equal(fleet.leastServing(), 3);
    });
  });

  describe("node exclusion and evacuation", () => {
    const excluded = (node: string) => ({ node, effect: "Exclude", failures: 3, expiresAt: "2026-11-21T13:00:00Z", reason: "Exit" });

    it("keep new instances away together", async () => {
      const fleet = await FleetStage.open();
      await fleet.serve({ replicas: 3 });
      await fleet.meddle({ nodeRules: [excluded("n2")] });
      await fleet.evacuate("node", "n1");
      await fleet.change({ replicas: 6 });
      await fleet.advance(2 * minute);
      const left = (await fleet.nodesOf()).filter((node) => node === "n2").length;
      assert.deepEqual([(await fleet.nodesOf()).includes("n1"), left], [false, 1]);
    });

    it("when no node is left the exclusion is dropped, never the evacuation", async () => {
      const fleet = await FleetStage.open([10, 10]);
      await fleet.serve({ replicas: 2 });
      await fleet.meddle({ nodeRules: [excluded("n2")] });
      await fleet.evacuate("node", "n1");
      await fleet.advance(2 * minute);
      assert.deepEqual(await fleet.nodesOf(), ["n2", "n2"]);
    });
  });

  describe("node exclusion that has expired", () => {
    /** Of pods that were made since. */
    const leftOut = async (fleet: FleetStage, before: readonly string[]) =>
      (await fleet.pods())
        .filter(({ metadata }) => !before.includes(metadata.uid as string))
        .map(({ spec }) => JSON.stringify(spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? null));

    it("of people: it holds to its instant, and keeps nothing away from then on", async () => {
      const fleet = await FleetStage.open();
      const until = formatSeconds(fleet.stage.clock.now() + 2 * minute);
      await fleet.serve({ replicas: 3, nodeRules: [{ node: "n1", effect: "Exclude", expiresAt: until }] });
      assert.equal((await fleet.nodesOf()).includes("n1"), false);
      const before = uids(await fleet.pods());
      await fleet.advance(2 * minute);
      await fleet.change({ replicas: 6 });
      await fleet.advance(minute);
      assert.deepEqual(await leftOut(fleet, before), ["null", "null", "null"]);
      assert.ok((await fleet.nodesOf()).includes("n1"));
    });

    it("of the operator: it is passed over also where it still stands in status", async () => {
      const fleet = await FleetStage.open();
      await fleet.serve({ replicas: 3 });
      const before = uids(await fleet.pods());
      fleet.stage.killOperator();
      const expiresAt = formatSeconds(fleet.stage.clock.now() + 1_000);
      await fleet.meddle({ nodeRules: [{ node: "n1", effect: "Exclude", failures: 3, expiresAt, reason: "Exit" }] });
      await fleet.change({ replicas: 6 });
      fleet.stage.startOperator();
      await fleet.advance(minute);
      assert.deepEqual(await leftOut(fleet, before), ["null", "null", "null"]);
    });
  });

  describe("two fleets on one node that is taken", () => {
    it("it is marked as free when the last instance of both is gone", async () => {
      const left: number[] = [];
      const onNode = new Map<string, string>();
      const fleet = await FleetStage.open([10, 10, 10], {
        operator: { markEvacuated: true },
        onCommit({ type, resource, object, previous }) {
          if (resource.kind === pods.kind) {
            if (type === "DELETED") onNode.delete(object.metadata.uid as string);
            else onNode.set(object.metadata.uid as string, (object as unknown as Pod).spec.nodeName ?? "");
          }
          const markOf = (of: typeof previous) => of?.metadata.annotations?.[annotations.evacuated];
          if (resource.kind === nodes.kind && markOf(object) !== undefined && markOf(previous) === undefined)
            left.push([...onNode.values()].filter((node) => node === object.metadata.name).length);
        },
      });
      await fleet.serve({ replicas: 3 }, "api");
      await fleet.serve({ replicas: 3, template: template("web:1", slow) });
      await fleet.advance(minute);
      await fleet.cordon("n1");
      await fleet.advance(20_000);
      assert.deepEqual([(await fleet.nodesOf("api")).includes("n1"), (await fleet.nodesOf()).includes("n1"), left], [false, true, []]);
      await fleet.advance(3 * minute);
      assert.deepEqual([(await fleet.nodesOf()).includes("n1"), left], [false, [0]]);
    });

    it("each has its own deadline, which a restart of the operator does not lengthen", async () => {
      const fleet = await FleetStage.open([3, 3]);
      await fleet.serve({ replicas: 2, evacuation: { timeoutSeconds: 100 } }, "api");
      await fleet.serve({ replicas: 4, evacuation: { timeoutSeconds: 3600 } });
      for (const name of ["api", "web"]) assert.ok((await fleet.nodesOf(name)).includes("n1"), name);
      await fleet.cordon("n1");
      await fleet.advance(minute);
      assert.deepEqual([await fleet.condition("Degraded", "api"), await fleet.condition("Degraded")], ["", ""]);
      fleet.stage.killOperator();
      fleet.stage.startOperator();
      await fleet.advance(minute);
      assert.deepEqual([await fleet.condition("Degraded", "api"), await fleet.condition("Degraded")], ["True: EvacuationStalled", ""]);
      assert.deepEqual([fleet.leastServing("api"), fleet.leastServing()], [2, 4]);
    });
  });
});
