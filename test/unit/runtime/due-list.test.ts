import assert from "node:assert/strict";
import fc from "fast-check";
import { DueList } from "../../../src/runtime/due-list.ts";

describe("due list", () => {
  it("keeps the earliest instant of each key and gives them out in order", () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant("set" as const), key: fc.integer({ min: 0, max: 9 }), at: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ what: fc.constant("delete" as const), key: fc.integer({ min: 0, max: 9 }), at: fc.constant(0) }),
      fc.record({ what: fc.constant("take" as const), key: fc.constant(0), at: fc.integer({ min: 0, max: 100 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 2000, size: "max" }), (steps) => {
        const list = new DueList<number>();
        const model = new Map<number, number>();
        for (const { what, key, at } of steps) {
          if (what === "set") {
            list.setEarliest(key, at);
            model.set(key, Math.min(model.get(key) ?? at, at));
          } else if (what === "delete") {
            list.delete(key);
            model.delete(key);
          } else {
            const earliest = Math.min(...model.values());
            const taken = list.take(at);
            if (earliest > at) assert.equal(taken, undefined);
            else {
              assert.equal(taken?.due, earliest);
              assert.equal(model.get(taken?.key ?? -1), earliest);
              model.delete(taken?.key ?? -1);
            }
          }
          assert.equal(list.size, model.size);
          assert.equal(list.next() ?? Number.POSITIVE_INFINITY, Math.min(...model.values()));
        }
      }),
      { numRuns: 30 },
    );
  });

  it("gives out keys of one instant in the order in which they were set, also after a sweep", () => {
    const list = new DueList<number>();
    for (let round = 0; round < 50; round++) for (let key = 0; key < 20; key++) list.setEarliest(key, 1000 - round);
    const order: number[] = [];
    for (let taken = list.take(1000); taken !== undefined; taken = list.take(1000)) order.push(taken.key);
    assert.deepEqual(
      order,
      Array.from({ length: 20 }, (_, key) => key),
    );
  });
});
