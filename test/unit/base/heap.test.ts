import assert from "node:assert/strict";
import fc from "fast-check";
import { Heap } from "../../../src/base/heap.ts";

describe("heap", () => {
  it("gives back what it was given, smallest first", () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (numbers) => {
        const heap = new Heap<number>((a, b) => a - b);
        for (const number of numbers) heap.push(number);
        assert.equal(heap.size, numbers.length);
        const sorted = [...numbers].sort((a, b) => a - b);
        assert.equal(heap.peek(), sorted[0]);
        assert.deepEqual(
          Array.from(numbers, () => heap.pop()),
          sorted,
        );
        assert.equal(heap.pop(), undefined);
      }),
    );
  });

  it("pushes and pops in any order", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(50), { nil: undefined })), (steps) => {
        const heap = new Heap<number>((a, b) => a - b);
        let model: number[] = [];
        for (const step of steps) {
          if (step === undefined) {
            assert.equal(heap.pop(), model[0]);
            model = model.slice(1);
          } else {
            heap.push(step);
            model = [...model, step].sort((a, b) => a - b);
          }
        }
        assert.equal(heap.size, model.length);
      }),
    );
  });
});
