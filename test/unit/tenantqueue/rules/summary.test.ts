import assert from "node:assert/strict";
import { type SummarizedVectors, shortAmount, summaryOf } from "../../../../src/tenantqueue/rules/summary.ts";

const gib = 1024 * 1024;
const capacity = { cpu: 1_000_000, memory: 4096 * gib, pods: 1000, "nvidia.com/gpu": 16 };
const nothing: SummarizedVectors = { guaranteed: {}, used: {}, fairShare: {}, lent: {}, borrowed: {}, max: {} };

describe("the columns of kubectl get tq", () => {
  it("tell of the resource of which the queue uses the largest part", () => {
    // cpu 512 of 1000 is more than 1 Ti of 4 Ti
    const vectors: SummarizedVectors = {
      guaranteed: { cpu: 400_000, memory: 1024 * gib },
      used: { cpu: 512_000, memory: 1024 * gib, pods: 900 },
      fairShare: { cpu: 600_500 },
      lent: {},
      borrowed: { cpu: 112_000, memory: 10 },
      max: { cpu: 800_000, "nvidia.com/gpu": 0 },
    };
    assert.deepEqual(summaryOf(vectors, capacity), {
      guaranteed: "cpu 400",
      used: "cpu 512",
      fairShare: "cpu 601",
      max: "cpu 800",
      borrowed: "cpu 112",
    });
  });

  it("while nothing is used, of what is guaranteed", () => {
    const vectors = { ...nothing, guaranteed: { cpu: 10_000, "nvidia.com/gpu": 8 }, fairShare: { cpu: 500_000, "nvidia.com/gpu": 16 } };
    assert.deepEqual(summaryOf(vectors, capacity), { guaranteed: "nvidia.com/gpu 8", used: "0", fairShare: "nvidia.com/gpu 16" });
  });

  it("a column in which that resource does not occur tells of its own", () => {
    const vectors = { ...nothing, guaranteed: { "nvidia.com/gpu": 8 }, used: { cpu: 1500, pods: 1 } };
    assert.deepEqual(summaryOf(vectors, capacity), { guaranteed: "nvidia.com/gpu 8", used: "cpu 1.5" });
  });

  it("a limit of 0 is shown", () => {
    assert.equal(summaryOf({ ...nothing, max: { "nvidia.com/gpu": 0 } }, capacity).max, "nvidia.com/gpu 0");
  });

  it("a queue without anything uses 0", () => {
    assert.deepEqual(summaryOf(nothing, capacity), { used: "0" });
  });

  const amounts: readonly (readonly [string, number, string])[] = [
    ["cpu", 12_500, "12.5"],
    ["cpu", 400_000, "400"],
    ["cpu", 333, "0.333"],
    ["cpu", 12_345, "12.3"],
    ["cpu", 1_234_567, "1235"],
    ["memory", 5 * gib, "5Gi"],
    ["memory", 1280 * gib, "1.25Ti"],
    ["memory", 3, "3Ki"],
    ["memory", 0, "0"],
    ["pods", 1234, "1234"],
    ["nvidia.com/gpu", 7, "7"],
  ];
  for (const [resource, units, want] of amounts)
    it(`${units} of ${resource} is ${want}`, () => assert.equal(shortAmount(resource, units), want));
});
