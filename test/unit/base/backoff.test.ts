import assert from "node:assert/strict";
import fc from "fast-check";
import { backoffDelay } from "../../../src/base/backoff.ts";
import { createSeededRandom } from "../../../src/base/random.ts";

describe("waits that grow", () => {
  const policy = { initialMs: 100, factor: 2, maxMs: 1000 };
  for (const [failures, want] of [
    [0, 100],
    [1, 100],
    [2, 200],
    [4, 800],
    [5, 1000],
    [10_000, 1000],
  ] as const)
    it(`after ${failures} failures: ${want} ms`, () => assert.equal(backoffDelay(policy, failures), want));

  it("factor 1 does not grow", () => assert.equal(backoffDelay({ initialMs: 5, factor: 1, maxMs: 10 }, 50), 5));
  it("initial 0 never waits", () => assert.equal(backoffDelay({ initialMs: 0, factor: 10, maxMs: 10 }, 100), 0));

  it("jitter stays within its share, both ways", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 8 }), (seed, failures) => {
        const plain = backoffDelay(policy, failures);
        const spread = backoffDelay({ ...policy, jitter: 0.2 }, failures, createSeededRandom(seed));
        assert.ok(spread >= plain * 0.8 && spread <= plain * 1.2);
      }),
    );
  });
});
