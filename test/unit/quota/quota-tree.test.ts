import assert from "node:assert/strict";
import { admit, perQueue, restoreMany, submitMany, treeOf } from "./support/trees.ts";

describe("the quota tree", () => {
  describe("guarantees stay reachable by consent", () => {
    it("a lost node freezes nobody who is below his guarantee", () => {
      // 50 + 50 of 100, A uses 50 firm, B 20; a node leaves, C = 90, guarantees become 45
      const tree = treeOf({ cpu: 100 }, { A: { guaranteed: { cpu: 50 } }, B: { guaranteed: { cpu: 50 } } });
      restoreMany(tree, "A", 50, { cpu: 1 });
      restoreMany(tree, "B", 20, { cpu: 1 });
      tree.setCapacity({ cpu: 90 });
      tree.setQueue("A", { guaranteed: { cpu: 45 } });
      tree.setQueue("B", { guaranteed: { cpu: 45 } });
      submitMany(tree, "A", 10, { cpu: 1 });
      submitMany(tree, "B", 30, { cpu: 1 });
      // need is 50 + 45 = 95 and stays so while B goes to 40, where nothing is free; A from 50 to 51 would raise it
      assert.deepEqual(perQueue(admit(tree)), { B: 20 });
      tree.release("B-1");
      tree.release("B-2");
      assert.deepEqual(perQueue(admit(tree)), { B: 2 });
    });

    it("firm work is not lent what is guaranteed to others, work that leaves in time is", () => {
      const tree = treeOf({ cpu: 100 }, { a: { guaranteed: { cpu: 60 } }, b: {} });
      submitMany(tree, "b", 100, { cpu: 1 });
      assert.equal(admit(tree).length, 40);
      for (let at = 0; at < 100; at++) {
        tree.submit({ id: `leaves-${at}`, queue: "b", request: { cpu: 1 }, since: at, isYieldable: true, promiseSeconds: 3600 });
      }
      assert.deepEqual(perQueue(admit(tree)), { leaves: 60 });
    });

    it("lenders of 0, 600 and 3600 s: a run of 900 s is lent only the last one's", () => {
      const guaranteed = { cpu: 20 };
      const tree = treeOf(
        { cpu: 100 },
        {
          never: { guaranteed, lendMaxSeconds: 0 },
          short: { guaranteed, lendMaxSeconds: 600 },
          long: { guaranteed, lendMaxSeconds: 3600 },
          other: {},
        },
      );
      submitMany(tree, "other", 100, { cpu: 1 }, { isYieldable: true, promiseSeconds: 900 });
      assert.equal(admit(tree).length, 60);
    });

    it("a promise of exactly what is lent is within it; a second more is not", () => {
      for (const [promiseSeconds, want] of [
        [600, 10],
        [601, 4],
      ] as const) {
        const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 6 }, lendMaxSeconds: 600 }, b: {} });
        submitMany(tree, "b", 10, { cpu: 1 }, { isYieldable: true, promiseSeconds });
        assert.equal(admit(tree).length, want);
      }
    });

    it("lend.maxSeconds 0 lends to nobody who needs a second to go", () => {
      const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 6 }, lendMaxSeconds: 0 }, b: {} });
      submitMany(tree, "b", 10, { cpu: 1 }, { isYieldable: true, promiseSeconds: 1 });
      assert.equal(admit(tree).length, 4);
    });

    it("an inner queue's own guarantee is kept for its children", () => {
      const tree = treeOf({ cpu: 10 }, { org: { guaranteed: { cpu: 6 } }, "org/x": {}, "org/y": {}, other: {} });
      submitMany(tree, "other", 10, { cpu: 1 });
      assert.equal(admit(tree).length, 4);
      submitMany(tree, "x", 10, { cpu: 1 });
      assert.equal(admit(tree).length, 6);
    });

    it("what guarantees stop holds no capacity: others are lent it meanwhile", () => {
      const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 6 } }, b: {}, c: {} }, 0);
      tree.submit({ id: "firm", queue: "b", request: { cpu: 5 }, since: 1 });
      submitMany(tree, "c", 20, { cpu: 1 }, { isYieldable: true, promiseSeconds: 30 });
      assert.equal(admit(tree).length, 10);
    });

    it("of what has ended below its guarantee others of the queue may begin at once, though the first in line still lacks consent", () => {
      const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 5 } }, b: { guaranteed: { cpu: 5 } } });
      tree.restore({ id: "ends", queue: "a", request: { cpu: 5 }, since: 1 });
      tree.submit({ id: "too much for b", queue: "b", request: { cpu: 6 }, since: 1 });
      tree.submit({ id: "follows", queue: "a", request: { cpu: 5 }, since: 2 });
      assert.deepEqual(admit(tree), []);
      tree.release("ends");
      assert.deepEqual(admit(tree), ["follows"]);
    });
  });

  describe("a queue is re-parented while full", () => {
    it("its use counts under the new parent at once, and nothing is dropped or doubled", () => {
      const tree = treeOf({ cpu: 100 }, { left: { max: { cpu: 50 } }, right: { max: { cpu: 20 } }, "left/q": {}, "right/r": {} });
      submitMany(tree, "q", 60, { cpu: 1 });
      submitMany(tree, "r", 60, { cpu: 1 });
      assert.deepEqual(perQueue(admit(tree)), { q: 50, r: 20 });
      tree.moveQueue("q", "right");
      assert.deepEqual(tree.usageOf("left").used, {});
      assert.deepEqual(tree.usageOf("right").used, { cpu: 70 });
      assert.deepEqual(admit(tree), []);
      for (let at = 1; at <= 50; at++) tree.release(`q-${at}`);
      assert.deepEqual(tree.usageOf("right").used, { cpu: 20 });
      assert.deepEqual(admit(tree), []);
      for (let at = 1; at <= 4; at++) tree.release(`r-${at}`);
      // q has nothing and 10 wait: it is lower than r with 16
      assert.deepEqual(admit(tree), ["q-51", "q-52", "q-53", "q-54"]);
    });

    it("a queue cannot be put under itself", () => {
      const tree = treeOf({ cpu: 1 }, { a: {}, "a/b": {} });
      assert.throws(() => tree.moveQueue("a", "b"), { name: "QuotaError", message: /a cannot be put under b/ });
    });
  });

  describe("elastic work", () => {
    it("a scale change is a delta: steps are admitted one by one and given back one by one", () => {
      const tree = treeOf({ cpu: 10 }, { q: {} });
      assert.deepEqual(tree.submit({ id: "app", queue: "q", request: { cpu: 2 }, since: 1, elastic: { step: { cpu: 2 }, steps: 2 } }), {
        state: "Waiting",
      });
      assert.deepEqual(
        tree.admitAll().map(({ kind, request }) => [kind, request]),
        [
          ["Start", { cpu: 2 }],
          ["Grow", { cpu: 2 }],
          ["Grow", { cpu: 2 }],
        ],
      );
      tree.grow("app", 5, 2);
      assert.equal(admit(tree).length, 2);
      assert.equal(tree.cancelGrowth("app"), 3);
      tree.shrink("app", 3);
      assert.deepEqual(tree.usageOf("q").used, { cpu: 4 });
      assert.throws(() => tree.shrink("app", 2), /has 1 steps to give back, not 2/);
      tree.release("app");
      assert.deepEqual(tree.usageOf("root").used, {});
    });
  });

  it("what asks for nothing is admitted in its turn, and grows from there", () => {
    const tree = treeOf({ cpu: 2, gpu: 1 }, { q: {} });
    tree.submit({ id: "app", queue: "q", request: {}, since: 1, elastic: { step: { gpu: 1 }, steps: 2 } });
    assert.deepEqual(admit(tree), ["app", "app"]);
    assert.equal(tree.usageOf("root").admitted, 1);
  });

  describe("what is known from before a restart", () => {
    it("counts at once, above capacity and guarantees if it must", () => {
      const tree = treeOf({ cpu: 10 }, { q: {}, other: { guaranteed: { cpu: 5 } } });
      tree.restore({ id: "app", queue: "q", request: { cpu: 8 }, since: 1, elastic: { step: { cpu: 2 }, steps: 3 } });
      assert.deepEqual(tree.usageOf("root").used, { cpu: 14 });
      submitMany(tree, "other", 2, { cpu: 1 });
      assert.deepEqual(admit(tree), []);
      tree.correct("app", { cpu: 3 });
      assert.deepEqual(tree.usageOf("root").used, { cpu: 9 });
      assert.deepEqual(admit(tree), ["other-1"]);
    });
  });

  describe("a what-if leaves nothing behind", () => {
    it("whatever is done in it", () => {
      const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 4 } }, b: {}, "b/c": {} });
      submitMany(tree, "a", 5, { cpu: 1 }, { elastic: { step: { cpu: 1 }, steps: 1 } });
      submitMany(tree, "c", 5, { cpu: 1 });
      admit(tree, 3);
      const before = ["root", "a", "b", "c"].map((queue) => tree.usageOf(queue));
      const inside = tree.attempt(() => {
        tree.release("a-1");
        tree.setQueue("c", { max: { cpu: 0 } });
        tree.setCapacity({ cpu: 12 });
        tree.moveQueue("c", "root");
        tree.addQueue("d", "root");
        submitMany(tree, "d", 1, { cpu: 3 });
        tree.withdraw("c-5");
        return admit(tree);
      });
      assert.ok(inside.includes("d-1"));
      assert.deepEqual(
        ["root", "a", "b", "c"].map((queue) => tree.usageOf(queue)),
        before,
      );
      assert.throws(() => tree.usageOf("d"), /there is no queue d/);
    });
  });
});
