import assert from "node:assert/strict";
import type { QuotaTree } from "../../../src/quota/quota-tree.ts";
import type { Reclaim, WorkloadSpec } from "../../../src/quota/workload-spec.ts";
import { admit, restoreMany, submitMany, treeOf } from "./support/trees.ts";

/** Yieldable, and gone within what every queue lends. */
const lent: Partial<WorkloadSpec> = { isYieldable: true, promiseSeconds: 30 };
const half = { guaranteed: { cpu: 50 } };

function asked(reclaim: Reclaim | undefined): readonly string[] | undefined {
  return reclaim?.asks.map(({ workload, steps }) => (steps === undefined ? workload : `${workload} x${steps}`));
}

function claim(tree: QuotaTree, id: string, queue: string, cpu: number, form: Partial<WorkloadSpec> = {}): void {
  tree.submit({ id, queue, request: { cpu }, since: 1000, ...form });
}

describe("the reclaim search", () => {
  it("a claimant within its guarantee asks a donor above its own, for no more than is lacking", () => {
    const tree = treeOf({ cpu: 100 }, { a: half, b: half });
    restoreMany(tree, "a", 20, { cpu: 1 });
    restoreMany(tree, "b", 75, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 30);
    // 5 are free, 25 are lacking, b keeps 50
    const reclaim = tree.findReclaim("gang");
    assert.equal(reclaim?.asks.length, 25);
    assert.deepEqual(tree.nextReclaim(), reclaim);
    assert.deepEqual(reclaim?.asks[0], { workload: "b-r75", queue: "b", amount: { cpu: 1 } });
  });

  it("a claimant that would be above its guarantee asks nobody", () => {
    const tree = treeOf({ cpu: 100 }, { a: half, b: half });
    restoreMany(tree, "a", 21, { cpu: 1 });
    restoreMany(tree, "b", 79, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 30);
    assert.equal(tree.findReclaim("gang"), undefined);
    assert.equal(tree.nextReclaim(), undefined);
  });

  it("what fits needs no reclaim", () => {
    const tree = treeOf({ cpu: 100 }, { a: half, b: half });
    claim(tree, "gang", "a", 30);
    assert.equal(tree.findReclaim("gang"), undefined);
  });

  it("inside the donor the lowest priority is asked first, then the newest", () => {
    const tree = treeOf({ cpu: 4 }, { a: { guaranteed: { cpu: 3 } }, b: {} });
    tree.restore({ id: "high", queue: "b", request: { cpu: 1 }, since: 9, priority: 5, ...lent });
    tree.restore({ id: "old", queue: "b", request: { cpu: 1 }, since: 1, ...lent });
    tree.restore({ id: "new", queue: "b", request: { cpu: 1 }, since: 5, ...lent });
    tree.restore({ id: "low", queue: "b", request: { cpu: 1 }, since: 2, priority: -1, ...lent });
    claim(tree, "gang", "a", 3);
    assert.deepEqual(asked(tree.findReclaim("gang")), ["low", "new", "old"]);
  });

  it("only yieldable work is asked", () => {
    const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 5 } }, b: {} });
    restoreMany(tree, "b", 5, { cpu: 1 });
    for (let at = 1; at <= 5; at++) tree.restore({ id: `lent-${at}`, queue: "b", request: { cpu: 1 }, since: at, ...lent });
    claim(tree, "gang", "a", 5);
    assert.deepEqual(asked(tree.findReclaim("gang")), ["lent-5", "lent-4", "lent-3", "lent-2", "lent-1"]);
  });

  it("shrinking elastic work comes first, down to what it never shrinks below", () => {
    const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 6 } }, b: {} });
    tree.restore({
      id: "app",
      queue: "b",
      request: { cpu: 2 },
      since: 1,
      priority: 9,
      elastic: { step: { cpu: 2 }, steps: 2, keepsRequest: true },
      ...lent,
    });
    restoreMany(tree, "b", 4, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 3);
    assert.deepEqual(asked(tree.findReclaim("gang")), ["app x2"]);
    tree.withdraw("gang");
    claim(tree, "larger", "a", 6);
    assert.deepEqual(asked(tree.findReclaim("larger")), ["app x2", "b-r4", "b-r3"]);
  });

  it("then what is not needed is dropped again, in reverse", () => {
    const tree = treeOf({ cpu: 20 }, { a: { guaranteed: { cpu: 10 } }, b: {} });
    tree.restore({ id: "ten", queue: "b", request: { cpu: 10 }, since: 1, ...lent });
    tree.restore({ id: "four", queue: "b", request: { cpu: 4 }, since: 2, ...lent });
    tree.restore({ id: "firm", queue: "b", request: { cpu: 6 }, since: 3 });
    claim(tree, "gang", "a", 10);
    // four is newer and asked first; with ten asked too it is not needed
    assert.deepEqual(asked(tree.findReclaim("gang")), ["ten"]);
  });

  it("nobody is asked if the set does not suffice", () => {
    const tree = treeOf({ cpu: 100 }, { a: half, b: half });
    restoreMany(tree, "b", 81, { cpu: 1 });
    for (let at = 0; at < 19; at++) tree.restore({ id: `lent-${at}`, queue: "b", request: { cpu: 1 }, since: at, ...lent });
    claim(tree, "gang", "a", 20);
    assert.equal(tree.findReclaim("gang"), undefined);
  });

  it("the nearest relative is asked first", () => {
    const tree = treeOf({ cpu: 100 }, { org: { guaranteed: { cpu: 60 } }, "org/a": { guaranteed: { cpu: 30 } }, "org/b": {}, other: {} });
    restoreMany(tree, "b", 60, { cpu: 1 }, lent);
    restoreMany(tree, "other", 40, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 30);
    const reclaim = tree.findReclaim("gang");
    assert.deepEqual(new Set(reclaim?.asks.map(({ queue }) => queue)), new Set(["b"]));
    assert.equal(reclaim?.asks.length, 30);
  });

  it("judged where their paths part: an inner queue's guarantee serves its children", () => {
    const tree = treeOf({ cpu: 100 }, { org: { guaranteed: { cpu: 40 } }, "org/a": {}, "org/b": {}, other: {} });
    restoreMany(tree, "b", 10, { cpu: 1 });
    restoreMany(tree, "other", 90, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 30);
    // a has no guarantee of its own, org would be at its 40
    assert.equal(tree.findReclaim("gang")?.asks.length, 30);
    claim(tree, "larger", "a", 31);
    assert.equal(tree.findReclaim("larger"), undefined);
  });

  it("the child that would be admitted last gives first, and both give where both are high", () => {
    const tree = treeOf({ cpu: 100 }, { a: { guaranteed: { cpu: 40 } }, b: { weight: 1 }, c: { weight: 3 } });
    restoreMany(tree, "b", 40, { cpu: 1 }, lent);
    restoreMany(tree, "c", 60, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 40);
    const queues = tree.findReclaim("gang")?.asks.map(({ queue }) => queue) ?? [];
    // levels 40/1 and 60/3: b gives until 20, then both: 60 left are 15 and 45
    assert.equal(queues.filter((queue) => queue === "b").length, 25);
    assert.equal(queues.filter((queue) => queue === "c").length, 15);
  });

  it("no request goes to a donor at or below its guarantee", () => {
    const tree = treeOf({ cpu: 100 }, { a: { guaranteed: { cpu: 20 } }, b: { guaranteed: { cpu: 50 } }, c: {} });
    restoreMany(tree, "b", 50, { cpu: 1 }, lent);
    restoreMany(tree, "c", 50, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 20);
    assert.deepEqual(new Set(tree.findReclaim("gang")?.asks.map(({ queue }) => queue)), new Set(["c"]));
  });

  it("a donor's guarantee is crossed only when no other set suffices", () => {
    const layout = { a: { guaranteed: { cpu: 40 } }, b: { guaranteed: { cpu: 50 } }, c: {} };
    const tree = treeOf({ cpu: 100 }, layout);
    tree.restore({ id: "big", queue: "b", request: { cpu: 60 }, since: 1, ...lent });
    restoreMany(tree, "c", 40, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 40);
    assert.equal(
      tree.findReclaim("gang")?.asks.every(({ queue }) => queue === "c"),
      true,
    );
    for (let at = 1; at <= 40; at++) tree.release(`c-r${at}`);
    restoreMany(tree, "c", 40, { cpu: 1 });
    assert.deepEqual(asked(tree.findReclaim("gang")), ["big"]);
  });

  it("whoever is cooling off is not asked", () => {
    const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 2 } }, b: {}, c: {} });
    restoreMany(tree, "b", 6, { cpu: 1 }, lent);
    restoreMany(tree, "c", 4, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 2);
    assert.deepEqual(asked(tree.findReclaim("gang")), ["b-r6", "b-r5"]);
    assert.deepEqual(asked(tree.findReclaim("gang", (_, queue) => queue === "b")), ["c-r4", "c-r3"]);
    assert.deepEqual(asked(tree.findReclaim("gang", (workload) => workload === "b-r6")), ["b-r5", "b-r4"]);
  });

  it("room in a tenant's own max is reclaimed inside that tenant", () => {
    const tree = treeOf(
      { cpu: 1000 },
      { org: { guaranteed: { cpu: 100 }, max: { cpu: 100 } }, "org/a": { guaranteed: { cpu: 50 } }, "org/b": {}, other: {} },
    );
    restoreMany(tree, "b", 100, { cpu: 1 }, lent);
    restoreMany(tree, "other", 500, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 10);
    assert.equal(
      tree.findReclaim("gang")?.asks.every(({ queue }) => queue === "b"),
      true,
    );
  });

  it("a claimant that lacks nothing but the consent of a guarantee that is never lent asks for what is in its way", () => {
    const tree = treeOf({ cpu: 32 }, { a: { guaranteed: { cpu: 16 } }, base: { guaranteed: { cpu: 3 }, lendMaxSeconds: 0 }, b: {} });
    restoreMany(tree, "b", 28, { cpu: 1 }, lent);
    tree.submit({ id: "etl", queue: "a", request: { cpu: 2 }, since: 1 });
    assert.deepEqual(admit(tree), [], "4 are free, and 3 of them are never lent");
    tree.openClaim(tree.nextReclaim() as Reclaim);
    assert.deepEqual(asked(tree.openClaims[0]), ["b-r28"]);
    tree.release("b-r28");
    assert.deepEqual(admit(tree), ["etl"]);
  });

  it("a claimant whom guarantees would not let in asks nobody", () => {
    // b's firm 60 of 100 leave 40; a's guarantee is lent to anybody, so that need is 60 + c's 40
    const tree = treeOf(
      { cpu: 100 },
      { a: { guaranteed: { cpu: 40 }, lendMaxSeconds: 86400 }, c: { guaranteed: { cpu: 40 }, lendMaxSeconds: 0 }, b: {} },
    );
    restoreMany(tree, "b", 60, { cpu: 1 }, { promiseSeconds: 3600 });
    for (let at = 1; at <= 40; at++)
      tree.restore({ id: `lent-${at}`, queue: "b", request: { cpu: 1 }, since: at, isYieldable: true, promiseSeconds: 0 });
    claim(tree, "firm", "a", 10, { promiseSeconds: 3600 });
    assert.equal(tree.findReclaim("firm"), undefined);
    tree.withdraw("firm");
    claim(tree, "short", "a", 10, { promiseSeconds: 0, isYieldable: true });
    assert.equal(tree.findReclaim("short")?.asks.length, 10);
  });

  it("the same state gives the same requests, whatever the order of events", () => {
    const build = (isReversed: boolean): Reclaim | undefined => {
      const tree = treeOf({ cpu: 60, gpu: 6 }, { a: { guaranteed: { cpu: 30, gpu: 3 } }, b: {}, "b/x": {}, "b/y": {}, c: { weight: 2 } });
      const work: WorkloadSpec[] = [];
      for (const [at, queue] of ["x", "y", "c", "x", "y", "c"].entries()) {
        for (let each = 0; each < 10; each++) {
          const request = each === 0 ? { cpu: 1, gpu: 1 } : { cpu: 1 };
          work.push({ id: `${queue}-${at}-${each}`, queue, request, since: each % 4, priority: at % 2, ...lent });
        }
      }
      for (const spec of isReversed ? work.toReversed() : work) tree.restore(spec);
      tree.submit({ id: "gang", queue: "a", request: { cpu: 25, gpu: 3 }, since: 99 });
      return tree.nextReclaim();
    };
    const reclaim = build(false);
    assert.ok((reclaim?.asks.length ?? 0) >= 25);
    assert.deepEqual(build(true), reclaim);
  });
});

describe("an open claim", () => {
  const opened = (): QuotaTree => {
    const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 4 } }, b: {}, c: {} });
    restoreMany(tree, "b", 5, { cpu: 1 }, lent);
    restoreMany(tree, "c", 5, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 4);
    submitMany(tree, "b", 5, { cpu: 1 }, lent);
    submitMany(tree, "c", 5, { cpu: 1 }, lent);
    tree.openClaim(tree.nextReclaim() as Reclaim);
    return tree;
  };

  it("has freed capacity go to it first; the donor is not re-admitted ahead of the claim it yielded to", () => {
    const tree = opened();
    const asks = tree.openClaims[0]?.asks ?? [];
    assert.equal(asks.length, 4);
    for (const [at, { workload }] of asks.entries()) {
      assert.deepEqual(admit(tree), []);
      tree.release(workload);
      assert.equal(tree.openClaims[0]?.asks.length, 3 - at);
    }
    assert.deepEqual(admit(tree), ["gang"]);
    assert.deepEqual(tree.openClaims, []);
  });

  it("takes what others give back, too", () => {
    const tree = opened();
    const asked = new Set(tree.openClaims[0]?.asks.map(({ workload }) => workload));
    const others = ["b", "c"].flatMap((queue) => tree.workloadsOf(queue)).filter((id) => id.includes("-r") && !asked.has(id));
    for (const id of others.slice(0, 3)) {
      tree.release(id);
      assert.deepEqual(admit(tree), []);
    }
    tree.release(others[3] as string);
    assert.deepEqual(admit(tree), ["gang"]);
  });

  it("ends when it is withdrawn or given up; then others are admitted again", () => {
    for (const end of ["withdraw", "close"] as const) {
      const tree = opened();
      tree.release(tree.openClaims[0]?.asks[0]?.workload as string);
      if (end === "withdraw") assert.equal(tree.withdraw("gang"), true);
      else assert.equal(tree.closeClaim("gang"), true);
      assert.deepEqual(tree.openClaims, []);
      assert.equal(admit(tree).length, end === "withdraw" ? 1 : 1);
    }
  });

  it("is not asked for twice, and a second claimant asks others", () => {
    const tree = opened();
    assert.equal(tree.nextReclaim(), undefined);
    assert.equal(tree.findReclaim("gang"), undefined);
    tree.setQueue("a", { guaranteed: { cpu: 6 } });
    claim(tree, "second", "a", 2);
    const first = new Set(tree.openClaims[0]?.asks.map(({ workload }) => workload));
    const second = tree.findReclaim("second");
    assert.equal(second?.asks.length, 2);
    assert.equal(
      second?.asks.some(({ workload }) => first.has(workload)),
      false,
    );
  });

  it("counts steps that an elastic donor gives back", () => {
    const tree = treeOf({ cpu: 10 }, { a: { guaranteed: { cpu: 4 } }, b: {} });
    tree.restore({ id: "app", queue: "b", request: { cpu: 2 }, since: 1, elastic: { step: { cpu: 2 }, steps: 4 }, ...lent });
    claim(tree, "gang", "a", 4);
    tree.openClaim(tree.nextReclaim() as Reclaim);
    assert.deepEqual(tree.openClaims[0]?.asks, [{ workload: "app", queue: "b", steps: 2, amount: { cpu: 4 } }]);
    tree.shrink("app", 1);
    assert.deepEqual(tree.openClaims[0]?.asks, [{ workload: "app", queue: "b", steps: 1, amount: { cpu: 2 } }]);
    assert.deepEqual(admit(tree), []);
    tree.shrink("app", 1);
    assert.deepEqual(admit(tree), ["gang"]);
  });

  it("holds nothing of resources that it does not ask for", () => {
    const tree = treeOf({ cpu: 10, gpu: 2 }, { a: { guaranteed: { cpu: 4 } }, b: {} });
    restoreMany(tree, "b", 10, { cpu: 1 }, lent);
    claim(tree, "gang", "a", 4);
    tree.openClaim(tree.nextReclaim() as Reclaim);
    submitMany(tree, "b", 3, { gpu: 1 });
    assert.deepEqual(admit(tree), ["b-1", "b-2"]);
  });

  it("is for all steps by which a workload grows within its guarantee, and is served one by one", () => {
    const tree = treeOf({ cpu: 6 }, { a: { guaranteed: { cpu: 4 } }, b: {} });
    tree.restore({ id: "app", queue: "a", request: { cpu: 1 }, since: 1, elastic: { step: { cpu: 1 }, steps: 0 } });
    restoreMany(tree, "b", 5, { cpu: 1 }, lent);
    tree.grow("app", 2, 5);
    tree.openClaim(tree.nextReclaim() as Reclaim);
    for (const [donor, left] of [
      ["b-r5", ["b-r4"]],
      ["b-r4", undefined],
    ] as const) {
      tree.release(donor);
      assert.deepEqual(admit(tree), ["app"]);
      assert.deepEqual(tree.openClaims[0] === undefined ? undefined : asked(tree.openClaims[0]), left);
    }
    assert.equal(tree.nextReclaim(), undefined);
  });

  it("of a workload that is to start is for its steps too, and goes on for them when it has started", () => {
    const tree = treeOf({ cpu: 6 }, { a: { guaranteed: { cpu: 3 } }, b: {} });
    restoreMany(tree, "b", 6, { cpu: 1 }, lent);
    tree.submit({ id: "app", queue: "a", request: { cpu: 1 }, since: 1, elastic: { step: { cpu: 1 }, steps: 9 } });
    tree.openClaim(tree.nextReclaim() as Reclaim);
    assert.deepEqual([...(asked(tree.openClaims[0]) ?? [])].sort(), ["b-r4", "b-r5", "b-r6"]);
    submitMany(tree, "b", 1, { cpu: 1 }, lent);
    for (const donor of ["b-r6", "b-r5", "b-r4"]) {
      tree.release(donor);
      assert.deepEqual(admit(tree), ["app"]);
    }
    assert.deepEqual(tree.openClaims, []);
  });

  it("asks for all of an elastic workload that does not keep its request, and takes it as given when that is gone", () => {
    const tree = treeOf({ cpu: 6 }, { a: { guaranteed: { cpu: 6 } }, b: {} });
    tree.restore({ id: "run", queue: "b", request: { cpu: 2 }, since: 1, elastic: { step: { cpu: 2 }, steps: 2 }, ...lent });
    claim(tree, "gang", "a", 6);
    tree.openClaim(tree.nextReclaim() as Reclaim);
    assert.deepEqual(tree.openClaims[0]?.asks, [{ workload: "run", queue: "b", amount: { cpu: 6 } }]);
    tree.correct("run", { cpu: 1 });
    tree.release("run");
    assert.deepEqual(tree.openClaims[0]?.asks, []);
    assert.deepEqual(admit(tree), ["gang"]);
  });

  it("goes with its queue when that is re-parented", () => {
    const tree = treeOf({ cpu: 10 }, { left: {}, "left/a": { guaranteed: { cpu: 4 } }, right: { max: { cpu: 6 } }, "right/b": {} });
    restoreMany(tree, "b", 10, { cpu: 1 }, lent);
    tree.setQueue("left", { guaranteed: { cpu: 4 } });
    claim(tree, "gang", "a", 4);
    tree.openClaim(tree.nextReclaim() as Reclaim);
    tree.moveQueue("a", "right");
    submitMany(tree, "b", 5, { cpu: 1 }, lent);
    for (let at = 1; at <= 5; at++) tree.release(`b-r${at}`);
    // 5 of right's 6 are used
    assert.deepEqual(admit(tree), []);
    for (let at = 6; at <= 8; at++) tree.release(`b-r${at}`);
    assert.deepEqual(admit(tree), ["gang"]);
    assert.deepEqual(tree.usageOf("right").used, { cpu: 6 });
  });
});
