import assert from "node:assert/strict";
import { explain } from "../../../src/quota/explain.ts";
import type { Reclaim } from "../../../src/quota/workload-spec.ts";
import { admit, restoreMany, submitMany, treeOf } from "./support/trees.ts";

describe("why a workload waits", () => {
  it("its position, the level at which it loses and to whom, what it lacks and who holds it", () => {
    const tree = treeOf({ cpu: 100, gpu: 4 }, { sci: { weight: 2 }, eng: {}, "eng/dev": {}, "eng/prod": { guaranteed: { cpu: 10 } } });
    restoreMany(tree, "sci", 40, { cpu: 1 });
    restoreMany(tree, "dev", 35, { cpu: 1 });
    restoreMany(tree, "prod", 20, { cpu: 1 });
    submitMany(tree, "sci", 1, { cpu: 10 });
    submitMany(tree, "dev", 3, { cpu: 8 });
    // sci: 40/100/2 = 0.2; eng: 55/100/1 = 0.55
    assert.deepEqual(explain(tree, "dev-2"), {
      state: "Waiting",
      position: 2,
      loses: {
        to: "sci-1",
        under: "root",
        own: { queue: "eng", resource: "cpu", tier: "Share", level: 0.55, used: 55 },
        other: { queue: "sci", resource: "cpu", tier: "Share", level: 0.2, used: 40 },
      },
      lacks: [
        {
          queue: "root",
          resource: "cpu",
          requested: 8,
          free: 5,
          holders: [
            { queue: "sci", used: 40, borrowed: 40 },
            { queue: "dev", used: 35, borrowed: 35 },
            { queue: "prod", used: 20, borrowed: 10 },
          ],
        },
      ],
      lacksConsent: [],
      passed: 0,
    });
    const first = explain(tree, "sci-1");
    assert.equal(first.loses, undefined);
    assert.equal(first.position, 1);
    assert.equal(first.lacks[0]?.free, 5);
  });

  it("it loses deeper in the tree to a sibling below its guarantee", () => {
    const tree = treeOf({ cpu: 10 }, { eng: {}, "eng/dev": {}, "eng/prod": { guaranteed: { cpu: 5 } } });
    restoreMany(tree, "dev", 6, { cpu: 1 });
    restoreMany(tree, "prod", 2, { cpu: 1 });
    submitMany(tree, "dev", 1, { cpu: 3 });
    submitMany(tree, "prod", 1, { cpu: 3 });
    const { loses } = explain(tree, "dev-1");
    assert.deepEqual(loses, {
      to: "prod-1",
      under: "eng",
      own: { queue: "dev", resource: "cpu", tier: "Share", level: 0.6, used: 6 },
      other: { queue: "prod", resource: "cpu", tier: "Guarantee", level: 0.4, used: 2 },
    });
  });

  it("it stands behind another in its own leaf", () => {
    const tree = treeOf({ cpu: 10 }, { q: {} });
    restoreMany(tree, "q", 9, { cpu: 1 });
    submitMany(tree, "q", 2, { cpu: 5 });
    assert.deepEqual(explain(tree, "q-2").loses, { to: "q-1", under: "q" });
  });

  it("a max of its path is lacking, held by those beneath", () => {
    const tree = treeOf({ cpu: 100 }, { org: { max: { cpu: 10 } }, "org/x": {}, "org/y": {}, z: {} });
    restoreMany(tree, "y", 9, { cpu: 1 });
    restoreMany(tree, "z", 50, { cpu: 1 });
    submitMany(tree, "x", 1, { cpu: 4 });
    assert.deepEqual(explain(tree, "x-1").lacks, [
      { queue: "org", resource: "cpu", requested: 4, free: 1, holders: [{ queue: "y", used: 9, borrowed: 9 }] },
    ]);
  });

  it("guarantees that are lent only to work which leaves sooner", () => {
    const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 7 }, lendMaxSeconds: 600 }, b: {} });
    submitMany(tree, "b", 1, { cpu: 5 });
    // 7 are needed for a, 5 more are 2 over the 10
    assert.deepEqual(explain(tree, "b-1").lacksConsent, [{ resource: "cpu", lentSeconds: 600, over: 2 }]);
  });

  it("what can never fit says so", () => {
    const tree = treeOf({ cpu: 10 }, { q: { max: { cpu: 2 } } });
    submitMany(tree, "q", 1, { cpu: 3 });
    assert.deepEqual(explain(tree, "q-1").neverFits, { queue: "q", resource: "cpu", requested: 3, most: 2 });
  });

  it("a held or frozen queue is named", () => {
    const tree = treeOf({ cpu: 10 }, { org: { isHeld: true }, "org/x": {} });
    submitMany(tree, "x", 1, { cpu: 3 });
    assert.deepEqual(explain(tree, "x-1").stoppedBy, { queue: "org", reason: "Held" });
    tree.setQueue("org", {});
    tree.setFrozen("x", true);
    assert.deepEqual(explain(tree, "x-1").stoppedBy, { queue: "x", reason: "Frozen" });
  });

  it("the reclaim that is under way for it", () => {
    const tree = treeOf({ cpu: 2 }, { a: { guaranteed: { cpu: 1 } }, b: {} });
    restoreMany(tree, "b", 2, { cpu: 1 }, { isYieldable: true, promiseSeconds: 30 });
    submitMany(tree, "a", 1, { cpu: 1 });
    tree.openClaim(tree.nextReclaim() as Reclaim);
    assert.deepEqual(explain(tree, "a-1").claim, { claimant: "a-1", asks: [{ workload: "b-r2", queue: "b", amount: { cpu: 1 } }] });
  });

  it("how much has passed it while capacity is held for it", () => {
    const tree = treeOf({ cpu: 10 }, { big: {}, small: {} });
    restoreMany(tree, "small", 5, { cpu: 1 });
    submitMany(tree, "big", 1, { cpu: 8 });
    submitMany(tree, "small", 3, { cpu: 1 });
    admit(tree);
    // three firm ones, each counts as four
    assert.equal(explain(tree, "big-1").passed, 12);
  });

  it("what is admitted waits for nothing; its growth does", () => {
    const tree = treeOf({ cpu: 4 }, { q: {} });
    tree.restore({ id: "app", queue: "q", request: { cpu: 2 }, since: 1, elastic: { step: { cpu: 2 }, steps: 1 } });
    assert.deepEqual(explain(tree, "app"), { state: "Admitted", lacks: [], lacksConsent: [], passed: 0 });
    tree.grow("app", 1, 2);
    assert.equal(explain(tree, "app").position, 1);
    assert.throws(() => explain(tree, "other"), /there is no workload other/);
  });
});
