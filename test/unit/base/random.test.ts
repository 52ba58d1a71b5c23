import assert from "node:assert/strict";
import { createSeededRandom, randomInteger } from "../../../src/base/random.ts";

describe("seeded chance", () => {
  it("a seed tells the whole sequence", () => {
    const draw = (seed: number) => {
      const random = createSeededRandom(seed);
      return Array.from({ length: 5 }, () => random.next());
    };
    assert.deepEqual(draw(7), draw(7));
    assert.notDeepEqual(draw(7), draw(8));
  });

  it("lies in [0, 1), and whole numbers below their bound; each comes about as often", () => {
    const random = createSeededRandom(1);
    const counts = new Array<number>(10).fill(0);
    for (let index = 0; index < 10_000; index++) {
      const number = randomInteger(random, 10);
      counts[number] = (counts[number] ?? 0) + 1;
    }
    assert.equal(counts.length, 10);
    for (const count of counts) assert.ok(count > 800 && count < 1200, `${count}`);
  });
});
