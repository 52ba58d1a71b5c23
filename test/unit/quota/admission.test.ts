import assert from "node:assert/strict";
import { createSeededRandom, randomInteger } from "../../../src/base/random.ts";
import type { ResourceVector } from "../../../src/quota/resource-vector.ts";
import { admit, churn, type Layout, perQueue, restoreMany, submitMany, treeOf } from "./support/trees.ts";

describe("the rule of admission", () => {
  describe("in steady state each child has its share, whatever the order of completions", () => {
    const cases: readonly {
      name: string;
      capacity: ResourceVector;
      layout: Layout;
      demand: Readonly<Record<string, ResourceVector>>;
      want: Readonly<Record<string, number>>;
      within?: number;
    }[] = [
      {
        name: "complementary siblings do not starve: 5/5/10",
        capacity: { cpu: 10, gpu: 10 },
        layout: { sci: {}, eng: {}, "eng/dev": {}, "eng/prod": {} },
        demand: { sci: { cpu: 1 }, dev: { cpu: 1 }, prod: { gpu: 1 } },
        want: { sci: 5, dev: 5, prod: 10 },
      },
      {
        name: "nor where one takes a little of the other's resource: of 30 cores eng has 15, of which prod's 20 take 2",
        capacity: { cpu: 30_000, gpu: 20 },
        layout: { sci: {}, eng: { guaranteed: { gpu: 20 } }, "eng/dev": {}, "eng/prod": { guaranteed: { gpu: 20 } } },
        demand: { sci: { cpu: 1000 }, dev: { cpu: 1000 }, prod: { gpu: 1, cpu: 100 } },
        want: { sci: 15, dev: 13, prod: 20 },
      },
      {
        // 30 s cores and 20 s x 0.1 cores are eng's 15 at s = 0.469: 14 cores of 30 are 0.467, 10 of 20 are 0.5
        name: "where nothing is guaranteed the dominant shares of dev and prod are equal, within one workload",
        capacity: { cpu: 30_000, gpu: 20 },
        layout: { sci: {}, eng: {}, "eng/dev": {}, "eng/prod": {} },
        demand: { sci: { cpu: 1000 }, dev: { cpu: 1000 }, prod: { gpu: 1, cpu: 100 } },
        want: { sci: 15, dev: 14, prod: 10 },
      },
      {
        name: "nor among five: cores are shared by three, memory by two",
        capacity: { cpu: 30, memory: 30 },
        layout: { q1: {}, q2: {}, q3: {}, "q3/q31": {}, "q3/q32": {}, q4: {} },
        demand: { q1: { cpu: 1 }, q2: { cpu: 1 }, q31: { cpu: 1 }, q32: { memory: 1 }, q4: { memory: 1 } },
        want: { q1: 10, q2: 10, q31: 10, q32: 15, q4: 15 },
      },
      {
        name: "shares are by weight: 1 to 3 of 40",
        capacity: { cpu: 40 },
        layout: { a: { weight: 1 }, b: { weight: 3 } },
        demand: { a: { cpu: 1 }, b: { cpu: 1 } },
        want: { a: 10, b: 30 },
      },
      {
        name: "a guarantee is a floor: of 40 with equal weights one has its 30",
        capacity: { cpu: 40 },
        layout: { a: { guaranteed: { cpu: 30 } }, b: {} },
        demand: { a: { cpu: 1 }, b: { cpu: 1 } },
        want: { a: 30, b: 10 },
      },
      {
        name: "max is a ceiling, and the rest is shared: 4, and 18 each",
        capacity: { cpu: 40 },
        layout: { a: { max: { cpu: 4 } }, b: {}, c: {} },
        demand: { a: { cpu: 1 }, b: { cpu: 1 }, c: { cpu: 1 } },
        want: { a: 4, b: 18, c: 18 },
      },
      {
        name: "clamp(weight x level, guaranteed, max): 12 guaranteed, 6 at most, the level is 7 for what is left of 32 by weights 1 and 1",
        capacity: { cpu: 32 },
        layout: { a: { guaranteed: { cpu: 12 } }, b: { weight: 4, max: { cpu: 6 } }, c: {}, d: {} },
        demand: { a: { cpu: 1 }, b: { cpu: 1 }, c: { cpu: 1 }, d: { cpu: 1 } },
        want: { a: 12, b: 6, c: 7, d: 7 },
      },
      {
        name: "weight 0 has nothing above its guarantee while anybody else wants it",
        capacity: { cpu: 20 },
        layout: { a: { weight: 0 }, b: {}, c: { weight: 0, guaranteed: { cpu: 5 } } },
        demand: { a: { cpu: 1 }, b: { cpu: 1 }, c: { cpu: 1 } },
        want: { b: 15, c: 5 },
      },
      {
        name: "weight 0 has all that nobody else wants, in equal parts",
        capacity: { cpu: 20 },
        layout: { a: { weight: 0 }, b: { max: { cpu: 6 } }, c: { weight: 0 } },
        demand: { a: { cpu: 1 }, b: { cpu: 1 }, c: { cpu: 1 } },
        want: { a: 7, b: 6, c: 7 },
      },
      {
        name: "guarantees of queues without weight are theirs: 8 and 12",
        capacity: { cpu: 20 },
        layout: { a: { weight: 0, guaranteed: { cpu: 8 } }, b: { weight: 0, guaranteed: { cpu: 12 } } },
        demand: { a: { cpu: 1 }, b: { cpu: 1 } },
        want: { a: 8, b: 12 },
      },
      {
        name: "an inner queue's guarantee serves its children: 12 of 20, by 1 to 2",
        capacity: { cpu: 20 },
        layout: { org: { guaranteed: { cpu: 12 } }, "org/x": { weight: 1 }, "org/y": { weight: 2 }, other: { weight: 9 } },
        demand: { x: { cpu: 1 }, y: { cpu: 1 }, other: { cpu: 1 } },
        want: { x: 4, y: 8, other: 8 },
      },
    ];
    for (const tc of cases) {
      it(`${tc.name}; the oldest ends first`, () => {
        assert.deepEqual(churn(treeOf(tc.capacity, tc.layout), tc.demand, 20_000 / 4).last, tc.want);
      });
      it(`${tc.name}; any ends, at random`, () => {
        for (const seed of [1, 2]) assert.deepEqual(churn(treeOf(tc.capacity, tc.layout), tc.demand, 5_000, { seed }).last, tc.want);
      });
    }

    it("complementary siblings after 20,000 completions, by age and at random", () => {
      const layout: Layout = { sci: {}, eng: {}, "eng/dev": {}, "eng/prod": {} };
      const demand = { sci: { cpu: 1 }, dev: { cpu: 1 }, prod: { gpu: 1 } };
      for (const options of [{}, { seed: 3 }]) {
        const { last, mean } = churn(treeOf({ cpu: 10, gpu: 10 }, layout), demand, 20_000, options);
        assert.deepEqual(last, { sci: 5, dev: 5, prod: 10 });
        assert.deepEqual(mean, { sci: 5, dev: 5, prod: 10 });
      }
    });
  });

  describe("the order of one decision after another", () => {
    it("children below their guarantee go first, the lowest used / guaranteed before", () => {
      const tree = treeOf({ cpu: 100 }, { a: { guaranteed: { cpu: 10 } }, b: { guaranteed: { cpu: 20 } }, c: { weight: 100 } });
      restoreMany(tree, "a", 1, { cpu: 6 });
      restoreMany(tree, "b", 1, { cpu: 10 });
      for (const queue of ["a", "b", "c"]) submitMany(tree, queue, 20, { cpu: 1 });
      // 10/20 and 11/20 are below 6/10; 12/20 is equal, and a-1 is older than b-3; then 7/10 against 12/20 and 13/20
      assert.deepEqual(admit(tree, 5), ["b-1", "b-2", "a-1", "b-3", "b-4"]);
    });

    it("then the lowest used / capacity / weight, before admission: a small and a large gang win turns by history, not by size", () => {
      const tree = treeOf({ cpu: 100 }, { small: {}, large: {} });
      restoreMany(tree, "small", 1, { cpu: 10 });
      tree.submit({ id: "large-1", queue: "large", request: { cpu: 75 }, since: 9 });
      submitMany(tree, "small", 3, { cpu: 50 });
      // after admission the small one would have 60, the large one 75; before admission 10 and 0
      assert.deepEqual(admit(tree), ["large-1"]);
    });

    it("then the head's priority, then its age, then its name", () => {
      const tree = treeOf({ cpu: 3 }, { a: {}, b: {}, c: {}, d: {} });
      tree.submit({ id: "old", queue: "a", request: { cpu: 1 }, since: 1 });
      tree.submit({ id: "important", queue: "b", request: { cpu: 1 }, since: 9, priority: 5 });
      tree.submit({ id: "y", queue: "c", request: { cpu: 1 }, since: 5 });
      tree.submit({ id: "x", queue: "d", request: { cpu: 1 }, since: 5 });
      assert.deepEqual(admit(tree), ["important", "old", "x"]);
    });

    it("inside a leaf PriorityFIFO goes by priority, then age; FIFO by age alone", () => {
      const submit = (ordering: "PriorityFIFO" | "FIFO"): readonly string[] => {
        const tree = treeOf({ cpu: 3 }, { q: { ordering } });
        tree.submit({ id: "first", queue: "q", request: { cpu: 1 }, since: 1 });
        tree.submit({ id: "second", queue: "q", request: { cpu: 1 }, since: 2, priority: 1 });
        tree.submit({ id: "third", queue: "q", request: { cpu: 1 }, since: 3, priority: 7 });
        return admit(tree);
      };
      assert.deepEqual(submit("PriorityFIFO"), ["third", "second", "first"]);
      assert.deepEqual(submit("FIFO"), ["first", "second", "third"]);
    });

    it("equal requests keep their order in the leaf, though some are withdrawn and the ordering is edited", () => {
      const random = createSeededRandom(7);
      const tree = treeOf({ cpu: 1000 }, { q: {} });
      const work = Array.from({ length: 200 }, (_, at) => ({
        id: `w${String(at).padStart(3, "0")}`,
        queue: "q",
        request: { cpu: 1 },
        priority: randomInteger(random, 4),
        since: randomInteger(random, 30),
      }));
      for (const spec of work) tree.submit(spec);
      const left = work.filter(({ id }, at) => at % 3 > 0 || !tree.withdraw(id));
      const sorted = left.toSorted((a, b) => b.priority - a.priority || a.since - b.since || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
      assert.deepEqual(admit(tree, 60), sorted.slice(0, 60));
      tree.setQueue("q", { ordering: "FIFO" });
      const waiting = new Set(sorted.slice(60));
      const byAge = left.filter(({ id }) => waiting.has(id)).sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
      assert.deepEqual(
        admit(tree),
        byAge.map(({ id }) => id),
      );
    });

    it("among 300 siblings the lowest level goes first", () => {
      const random = createSeededRandom(11);
      const names = Array.from({ length: 300 }, (_, at) => `q${String(at).padStart(3, "0")}`);
      const tree = treeOf({ cpu: 1e6 }, Object.fromEntries(names.map((name) => [name, {}])));
      // 300 different levels, shuffled
      const used = names.map((name) => ({ name, key: random.next() })).sort((a, b) => a.key - b.key);
      for (const [at, { name }] of used.entries()) {
        tree.restore({ id: `${name}-r`, queue: name, request: { cpu: (at + 1) * 10 }, since: 1 });
        tree.submit({ id: `${name}-1`, queue: name, request: { cpu: 1 }, since: 300 - at });
      }
      assert.deepEqual(
        admit(tree),
        used.map(({ name }) => `${name}-1`),
      );
    });

    it("100 siblings with equal work take turns, and one that has come to its max is left out", () => {
      const names = Array.from({ length: 100 }, (_, at) => `q${String(at).padStart(2, "0")}`);
      const tree = treeOf({ cpu: 1000 }, Object.fromEntries(names.map((name, at) => [name, at === 40 ? { max: { cpu: 2 } } : {}])));
      for (const round of [1, 2, 3])
        for (const [at, name] of names.entries())
          tree.submit({ id: `${name}-${round}`, queue: name, request: { cpu: 1 }, since: round * 1000 + at });
      const all = [1, 2, 3].flatMap((round) => names.map((name) => `${name}-${round}`));
      assert.deepEqual(
        admit(tree),
        all.filter((id) => id !== "q40-3"),
      );
    });

    it("levels that differ beyond the precision of a double are told apart", () => {
      const large = 2 ** 47;
      // (2^47 - 1) / 999,999 against 2^47 / 1,000,000: the first is larger by about 1.4e-4 of 1.4e8, products are near 2^67
      const tree = treeOf({ memory: 2 ** 48 + 10 }, { a: { weight: 999_999 }, b: { weight: 1_000_000 } });
      restoreMany(tree, "a", 1, { memory: large - 140_737_489 });
      restoreMany(tree, "b", 1, { memory: large });
      submitMany(tree, "a", 1, { memory: 1 });
      submitMany(tree, "b", 1, { memory: 1 });
      // a: (2^47 - 140,737,489) x 1,000,000 = 140,737,347,617,839,000,000... against 2^47 x 999,999: 2^47 = 140,737,488,355,328, so that
      // a x 10^6 - b x 999,999 = 2^47 - 140,737,489,000,000 = -644,672 < 0: a is lower
      assert.deepEqual(admit(tree, 1), ["a-1"]);
    });
  });

  describe("a winner that does not fit", () => {
    it("has capacity held for it: after 16 firm ones nothing passes, and it gets its turn", () => {
      const tree = treeOf({ cpu: 100 }, { big: {}, small: {} });
      restoreMany(tree, "small", 100, { cpu: 1 });
      tree.submit({ id: "huge", queue: "big", request: { cpu: 60 }, since: 1 });
      submitMany(tree, "small", 200, { cpu: 1 });
      const passed: string[] = [];
      let ended = 0;
      while (!passed.includes("huge")) {
        tree.release(`small-r${++ended}`);
        passed.push(...admit(tree));
      }
      // each of the first 16 that end makes room for one of its kind; the next 60 are kept for the huge one
      assert.equal(passed.length, 17);
      assert.equal(ended, 76);
    });

    it("is passed by 64 yieldable ones", () => {
      const tree = treeOf({ cpu: 200 }, { big: {}, small: {} });
      restoreMany(tree, "small", 100, { cpu: 1 });
      tree.submit({ id: "huge", queue: "big", request: { cpu: 150 }, since: 1 });
      submitMany(tree, "small", 200, { cpu: 1 }, { isYieldable: true });
      assert.equal(admit(tree).length, 64);
    });

    it("holds nothing of a resource that it does not ask for", () => {
      const tree = treeOf({ cpu: 10, gpu: 4 }, { big: {}, small: {} }, 0);
      restoreMany(tree, "small", 9, { cpu: 1 });
      tree.submit({ id: "huge", queue: "big", request: { cpu: 5 }, since: 1 });
      submitMany(tree, "small", 10, { gpu: 1 });
      assert.deepEqual(perQueue(admit(tree)), { small: 4 });
    });

    it("lets pass what leaves enough for it, uncounted", () => {
      const tree = treeOf({ cpu: 100, gpu: 4 }, { big: {}, small: {} }, 0);
      restoreMany(tree, "small", 4, { gpu: 1 });
      tree.submit({ id: "huge", queue: "big", request: { cpu: 60, gpu: 4 }, since: 1 });
      submitMany(tree, "small", 200, { cpu: 1 });
      assert.deepEqual(perQueue(admit(tree)), { small: 40 });
    });

    it("holds nothing where it would wait for work that does not end by itself", () => {
      const tree = treeOf({ cpu: 100 }, { big: {}, small: {} }, 0);
      restoreMany(tree, "small", 50, { cpu: 1 }, { isResident: true });
      tree.submit({ id: "huge", queue: "big", request: { cpu: 60 }, since: 1 });
      submitMany(tree, "small", 60, { cpu: 1 });
      assert.equal(admit(tree).length, 50);
    });

    it("holds nothing where guarantees would not let it begin in an empty tree, however soon it would leave", () => {
      // 8 of 10 cores are guaranteed to others, and lent for no longer than a minute.
      const tree = treeOf({ cpu: 10 }, { big: {}, others: { guaranteed: { cpu: 8 }, lendMaxSeconds: 60 }, small: {} }, 0);
      tree.submit({ id: "huge", queue: "big", request: { cpu: 5 }, since: 1, promiseSeconds: 600 });
      submitMany(tree, "small", 3, { cpu: 1 });
      assert.deepEqual(perQueue(admit(tree)), { small: 2 });
      tree.setQueue("others", { guaranteed: { cpu: 8 }, lendMaxSeconds: 600 });
      assert.deepEqual(admit(tree), ["huge"]);
    });

    it("holds room in its own tenant's max, too", () => {
      const tree = treeOf({ cpu: 1000 }, { org: { max: { cpu: 100 } }, "org/big": {}, "org/small": {}, other: {} }, 0);
      restoreMany(tree, "small", 90, { cpu: 1 });
      tree.submit({ id: "huge", queue: "big", request: { cpu: 80 }, since: 1 });
      submitMany(tree, "small", 20, { cpu: 1 });
      submitMany(tree, "other", 5, { cpu: 1 });
      assert.deepEqual(perQueue(admit(tree)), { other: 5 });
      for (let at = 1; at <= 70; at++) tree.release(`small-r${at}`);
      assert.deepEqual(admit(tree), ["huge"]);
    });

    it("one huge workload among many small yieldable ones of three tenants gets its turn", () => {
      const tree = treeOf({ cpu: 60 }, { a: {}, b: {}, c: {}, big: {} });
      const small = ["a", "b", "c"];
      for (const queue of small) submitMany(tree, queue, 100, { cpu: 1 }, { isYieldable: true });
      const running = [...admit(tree)];
      tree.submit({ id: "huge", queue: "big", request: { cpu: 30 }, since: 1000 });
      let ended = 0;
      while (!running.includes("huge")) {
        // of each tenant in turn, so that none of them falls to the level of the huge one's
        const queue = small[ended % 3] as string;
        const [id] = running.splice(
          running.findIndex((each) => each.startsWith(queue)),
          1,
        );
        tree.release(id as string);
        ended++;
        running.push(...admit(tree));
      }
      // 64 pass it, then 30 that end are enough
      assert.equal(ended, 94);
    });
  });

  describe("a gang is one vector", () => {
    it("a heterogenous gang starts with all its parts or not at all", () => {
      const tree = treeOf({ cpu: 16_000, memory: 64, gpu: 8 }, { q: {} });
      // one driver of 4 cores and 16 KiB with four workers of 2 cores, 8 KiB and 2 GPUs
      tree.submit({ id: "gang", queue: "q", request: { cpu: 12_000, memory: 48, gpu: 8 }, since: 1 });
      restoreMany(tree, "q", 1, { gpu: 1 });
      assert.deepEqual(admit(tree), []);
      tree.release("q-r1");
      assert.deepEqual(admit(tree), ["gang"]);
      assert.deepEqual(tree.usageOf("root").used, { cpu: 12_000, gpu: 8, memory: 48 });
    });
  });

  it("any extended resource counts, however many there are", () => {
    const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map((name) => `example.com/${name}`);
    const tree = treeOf(Object.fromEntries(names.slice(0, 3).map((name) => [name, 2])), {
      x: { guaranteed: { "example.com/a": 1 } },
      y: {},
    });
    for (const [at, name] of names.entries()) {
      tree.submit({ id: `x-${name}`, queue: "x", request: { [name]: 1 }, since: at });
      tree.submit({ id: `y-${name}`, queue: "y", request: { [name]: 2 }, since: at + 0.5 });
    }
    // a: x is below its guarantee, and y's 2 do not fit then; b and c: level 0 both, x is older
    assert.deepEqual(admit(tree), ["x-example.com/a", "x-example.com/b", "x-example.com/c"]);
    tree.setCapacity(Object.fromEntries(names.map((name) => [name, 3])));
    assert.equal(admit(tree).length, 15);
    assert.deepEqual(tree.usageOf("root").used, Object.fromEntries(names.map((name) => [name, 3])));
  });

  describe("what stops a queue", () => {
    it("max is never exceeded, in any queue of the path", () => {
      const tree = treeOf({ cpu: 100 }, { org: { max: { cpu: 10 } }, "org/x": { max: { cpu: 7 } }, "org/y": {} });
      submitMany(tree, "x", 20, { cpu: 2 });
      submitMany(tree, "y", 20, { cpu: 2 });
      assert.deepEqual(perQueue(admit(tree)), { x: 3, y: 2 });
    });

    it("a held queue admits nothing new, nor do those beneath it", () => {
      const tree = treeOf({ cpu: 10 }, { org: { isHeld: true }, "org/x": {}, y: {} });
      submitMany(tree, "x", 2, { cpu: 1 });
      submitMany(tree, "y", 2, { cpu: 1 });
      assert.deepEqual(perQueue(admit(tree)), { y: 2 });
      tree.setQueue("org", {});
      assert.deepEqual(perQueue(admit(tree)), { x: 2 });
    });

    it("limits.running counts workloads in it and beneath, not their pods or steps", () => {
      const tree = treeOf({ cpu: 100 }, { org: { runningLimit: 2 }, "org/x": {}, "org/y": {} });
      submitMany(tree, "x", 3, { cpu: 5 }, { elastic: { step: { cpu: 5 }, steps: 2 } });
      assert.deepEqual(admit(tree), ["x-1", "x-1", "x-1", "x-2", "x-2", "x-2"]);
      tree.release("x-1");
      assert.deepEqual(admit(tree), ["x-3", "x-3", "x-3"]);
    });

    it("limits.waiting refuses what is too many", () => {
      const tree = treeOf({ cpu: 1 }, { q: { waitingLimit: 2 } });
      submitMany(tree, "q", 2, { cpu: 1 });
      assert.deepEqual(tree.submit({ id: "third", queue: "q", request: { cpu: 1 }, since: 3 }), {
        state: "Refused",
        reason: "TooManyWaiting",
        limit: 2,
      });
    });

    it("a frozen donor admits nothing new, and its debt counts on its level", () => {
      const tree = treeOf({ cpu: 10 }, { a: {}, b: {} });
      submitMany(tree, "a", 10, { cpu: 1 });
      submitMany(tree, "b", 10, { cpu: 1 });
      tree.setFrozen("a", true);
      assert.deepEqual(perQueue(admit(tree, 3)), { b: 3 });
      tree.setFrozen("a", false);
      tree.setDebt("a", { cpu: 3 });
      // 7 are left, a counts as 3 as b does, and the older goes first; without debt a would have 5
      assert.deepEqual(perQueue(admit(tree)), { a: 4, b: 3 });
    });

    it("an inner queue takes no work", () => {
      const tree = treeOf({ cpu: 1 }, { org: {}, "org/x": {} });
      assert.deepEqual(tree.submit({ id: "w", queue: "org", request: { cpu: 1 }, since: 1 }), { state: "Refused", reason: "NotALeaf" });
    });
  });

  describe("what can never fit is told at once", () => {
    it("more than a max on its path", () => {
      const tree = treeOf({ cpu: 100 }, { org: { max: { cpu: 10 } }, "org/x": {} });
      assert.deepEqual(tree.submit({ id: "w", queue: "x", request: { cpu: 11 }, since: 1 }), {
        state: "NeverFits",
        queue: "org",
        resource: "cpu",
        requested: 11,
        most: 10,
      });
    });

    it("more than there is, or a resource that there is not", () => {
      const tree = treeOf({ cpu: 100 }, { x: {} });
      assert.deepEqual(tree.submit({ id: "w", queue: "x", request: { cpu: 1, "example.com/fpga": 1 }, since: 1 }), {
        state: "NeverFits",
        queue: "root",
        resource: "example.com/fpga",
        requested: 1,
        most: 0,
      });
    });

    it("and it waits as soon as an edit or more capacity makes it possible", () => {
      const tree = treeOf({ cpu: 5 }, { x: { max: { cpu: 3 } } });
      tree.submit({ id: "w", queue: "x", request: { cpu: 8 }, since: 1 });
      submitMany(tree, "x", 1, { cpu: 1 });
      assert.deepEqual(admit(tree), ["x-1"]);
      tree.setQueue("x", {});
      assert.deepEqual(admit(tree), []);
      tree.setCapacity({ cpu: 9 });
      assert.deepEqual(admit(tree), ["w"]);
    });
  });
});
