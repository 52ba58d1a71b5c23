import assert from "node:assert/strict";
import fc from "fast-check";
import { SiblingOrder } from "../../../src/quota/sibling-order.ts";
import { TreeState } from "../../../src/quota/tree-state.ts";

describe("the order of siblings", () => {
  it("goes by a rounded level, which never contradicts the exact one, in any tier", () => {
    const tier = fc.constantFrom(0, 1, 2);
    const amount = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 2 ** 52, max: 2 ** 53 - 8 }));
    const near = fc.integer({ min: 0, max: 2 });
    fc.assert(
      fc.property(tier, tier, amount, amount, near, near, fc.boolean(), (tierA, tierB, used, measure, more, less, isFar) => {
        const levels = [levelIn(tierA, isFar ? 0 : used, measure), levelIn(tierB, used + more, measure + less)] as const;
        const state = new TreeState("root");
        const cpu = state.resourceIndex("cpu");
        const [a, b] = levels.map(({ used, guaranteed, weight }, at) => {
          const queue = state.addQueue(`q${at}`, state.root);
          const place = queue.index * state.stride + cpu;
          state.used[place] = used;
          state.guaranteed[place] = guaranteed;
          queue.weight = weight;
          return { key: state.keyOf(queue, cpu), level: levels[at] };
        });
        const exact = compareExactly(levels[0], levels[1]);
        const [keyA, keyB] = [a?.key ?? Number.NaN, b?.key ?? Number.NaN];
        assert.ok(exact < 0 ? keyA <= keyB : exact > 0 ? keyA >= keyB : keyA === keyB, `${exact}: ${keyA}, ${keyB}`);
        const order = new SiblingOrder(state);
        const [first, second] = state.root.children;
        assert.ok(first !== undefined && second !== undefined);
        if (exact !== 0) assert.equal(Math.sign(order.across(first, cpu, second, cpu)), exact);
      }),
      { numRuns: 2000 },
    );
  });
});

interface Level {
  readonly tier: number;
  readonly used: number;
  readonly guaranteed: number;
  readonly weight: number;
}

/** Below a guarantee (tier 0) less is used than is guaranteed. */
function levelIn(tier: number, used: number, measure: number): Level {
  if (tier === 0) return { tier, used: Math.min(used, measure - 1), guaranteed: measure, weight: 1 };
  return { tier, used, guaranteed: 0, weight: tier === 1 ? measure : 0 };
}

/** By tier, then by used / measure; in the last tier all measures are 1, and the key says nothing. */
function compareExactly(a: Level, b: Level): number {
  if (a.tier !== b.tier) return Math.sign(a.tier - b.tier);
  const [aMeasure, bMeasure] = [a, b].map(({ tier, guaranteed, weight }) => BigInt(tier === 0 ? guaranteed : tier === 1 ? weight : 1));
  const difference = BigInt(a.used) * (bMeasure as bigint) - BigInt(b.used) * (aMeasure as bigint);
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}
