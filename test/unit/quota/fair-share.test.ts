import assert from "node:assert/strict";
import { type Demand, fairShares } from "../../../src/quota/fair-share.ts";
import type { ResourceVector } from "../../../src/quota/resource-vector.ts";
import { type Layout, restoreMany, submitMany, treeOf } from "./support/trees.ts";

describe("the fair share", () => {
  const cases: readonly {
    name: string;
    capacity: ResourceVector;
    layout: Layout;
    demand?: Demand;
    used?: Readonly<Record<string, number>>;
    waiting?: Readonly<Record<string, number>>;
    want: Readonly<Record<string, number>>;
  }[] = [
    { name: "is by weight", capacity: { cpu: 40 }, layout: { a: {}, b: { weight: 3 } }, want: { a: 10, b: 30 } },
    {
      name: "is clamp(weight x level, guaranteed, max): the level is 7",
      capacity: { cpu: 32 },
      layout: { a: { guaranteed: { cpu: 12 } }, b: { weight: 4, max: { cpu: 6 } }, c: {}, d: {} },
      want: { a: 12, b: 6, c: 7, d: 7 },
    },
    {
      name: "goes down the tree: 2 : 1 of 30, then 1 : 3 of 20",
      capacity: { cpu: 30 },
      layout: { x: { weight: 2 }, y: {}, "x/p": {}, "x/q": { weight: 3 } },
      want: { x: 20, y: 10, p: 5, q: 15 },
    },
    {
      name: "of weight 0 is the guarantee while others want the rest",
      capacity: { cpu: 20 },
      layout: { a: { weight: 0, guaranteed: { cpu: 3 } }, b: {} },
      want: { a: 3, b: 17 },
    },
    {
      name: "of weight 0 is, in equal parts, what nobody else can take",
      capacity: { cpu: 20 },
      layout: { a: { weight: 0 }, b: { max: { cpu: 6 } }, c: { weight: 0 } },
      want: { a: 7, b: 6, c: 7 },
    },
    {
      name: "is cut in proportion where guarantees are more than there is",
      capacity: { cpu: 90 },
      layout: { a: { guaranteed: { cpu: 60 } }, b: { guaranteed: { cpu: 120 } } },
      want: { a: 30, b: 60 },
    },
    {
      name: "leaves what a tenant cannot take through its children to others",
      capacity: { cpu: 30 },
      layout: { x: {}, "x/p": { max: { cpu: 2 } }, "x/q": { max: { cpu: 3 } }, y: {} },
      want: { x: 5, p: 2, q: 3, y: 25 },
    },
    {
      name: "is rounded down: a third of 10",
      capacity: { cpu: 10 },
      layout: { a: {}, b: {}, c: {} },
      want: { a: 3, b: 3, c: 3 },
    },
    {
      name: "now is no more than what is used and waited for; idle guarantees are lent",
      capacity: { cpu: 20 },
      layout: { a: { guaranteed: { cpu: 10 } }, b: {}, c: {} },
      demand: "Current",
      used: { a: 2, b: 9 },
      waiting: { a: 1, b: 9, c: 9 },
      want: { a: 3, b: 8, c: 8 },
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const tree = treeOf(tc.capacity, tc.layout);
      for (const [queue, count] of Object.entries(tc.used ?? {})) restoreMany(tree, queue, count, { cpu: 1 });
      for (const [queue, count] of Object.entries(tc.waiting ?? {})) submitMany(tree, queue, count, { cpu: 1 });
      const shares = fairShares(tree, tc.demand ?? "Endless");
      const leaves = Object.keys(tc.want);
      assert.deepEqual(Object.fromEntries(leaves.map((queue) => [queue, shares.get(queue)?.cpu ?? 0])), tc.want);
    });
  }

  it("is of each resource by itself", () => {
    const tree = treeOf({ cpu: 10, gpu: 4 }, { a: { max: { gpu: 1 } }, b: { weight: 4 } });
    assert.deepEqual(fairShares(tree, "Endless").get("a"), { cpu: 2 });
    assert.deepEqual(fairShares(tree, "Endless").get("b"), { cpu: 8, gpu: 3 });
  });
});
