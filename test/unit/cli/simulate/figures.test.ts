import assert from "node:assert/strict";
import type { TenantQueue } from "../../../../src/api/tenant-queue.gen.ts";
import type { PodRecord, QueueFact, Recording, RunRecord } from "../../../../src/cli/simulate/recording.ts";
import { reportOf } from "../../../../src/cli/simulate/report.ts";
import { sparkline } from "../../../../src/cli/simulate/report-text.ts";
import { starvationOf } from "../../../../src/cli/simulate/starvation.ts";
import { bucketMeans, largestValue } from "../../../../src/cli/simulate/step-function.ts";
import { waitSecondsOf } from "../../../../src/cli/simulate/waiting.ts";

describe("cli/simulate step functions", () => {
  const means: readonly {
    readonly name: string;
    readonly steps: readonly (readonly [number, number])[];
    readonly bucket: number;
    readonly want: readonly number[];
  }[] = [
    { name: "nothing", steps: [], bucket: 50, want: [0, 0] },
    { name: "a value over everything", steps: [[0, 3]], bucket: 50, want: [3, 3] },
    { name: "a value from before the beginning", steps: [[-70, 3]], bucket: 50, want: [3, 3] },
    { name: "half of a bucket", steps: [[25, 4]], bucket: 50, want: [2, 4] },
    {
      name: "up and down, in any order",
      steps: [
        [60, -4],
        [10, 4],
      ],
      bucket: 50,
      want: [3.2, 0.8],
    },
    { name: "the last bucket may be shorter", steps: [[90, 6]], bucket: 80, want: [0, 3] },
    {
      name: "what comes at the end and later is outside",
      steps: [
        [100, 9],
        [120, 9],
      ],
      bucket: 50,
      want: [0, 0],
    },
  ];
  for (const { name, steps, bucket, want } of means)
    it(`mean of each bucket: ${name}`, () => {
      const got = bucketMeans(
        steps.map(([at, change]) => ({ at, change })),
        { from: 0, to: 100 },
        bucket,
      );
      assert.deepEqual(got, want);
    });

  it("the largest value counts the changes of one instant together, and only what is within", () => {
    const steps = [
      { at: -10, change: 9 },
      { at: -5, change: -9 },
      { at: 10, change: 2 },
      { at: 20, change: 5 },
      { at: 20, change: -4 },
      { at: 100, change: 50 },
    ];
    assert.equal(largestValue(steps, { from: 0, to: 100 }), 3);
  });
});

describe("cli/simulate sparkline", () => {
  it("a blank is nothing, a full block the whole, and each eighth that was begun counts", () => {
    assert.equal(sparkline([0, 0.001, 0.125, 0.126, 0.5, 0.999, 1, 1.2]), " ▁▁▂▄███");
  });
});

const pod = (from: number, to?: number, succeeded = true): PodRecord => ({
  from,
  ...(to !== undefined && { to }),
  succeeded: to !== undefined && succeeded,
  request: { cpu: 1000, pods: 1 },
});

/** One core an item. */
function run(queue: string, arrivedAt: number, pods: readonly PodRecord[], rest: Partial<RunRecord> = {}): RunRecord {
  const items = rest.items ?? 1;
  const plain = { source: `ns/${queue}`, parallelism: items, minCount: 1, request: { cpu: 1000, pods: 1 } };
  return { ...plain, queue, arrivedAt, items, pods: [...pods], ...rest };
}

describe("cli/simulate waiting times", () => {
  const waited = (...seconds: readonly number[]) => seconds.map((each) => run("q", 0, [pod(each * 1000)]));
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  const tables: readonly { readonly name: string; readonly runs: readonly RunRecord[]; readonly want: ReturnType<typeof waitSecondsOf> }[] =
    [
      { name: "nothing came", runs: [], want: undefined },
      { name: "one run", runs: waited(7), want: { p50: 7, p90: 7, p99: 7, max: 7 } },
      { name: "of 1 to 100 s the nearest ranks", runs: waited(...hundred), want: { p50: 50, p90: 90, p99: 99, max: 100 } },
      { name: "of four the second, and the last", runs: waited(40, 10, 30, 20), want: { p50: 20, p90: 40, p99: 40, max: 40 } },
      {
        name: "who still waits has waited until the end",
        runs: [...waited(1), run("q", 500_000, [])],
        want: { p50: 1, p90: 500, p99: 500, max: 500 },
      },
      {
        name: "who was refused has waited for nothing",
        runs: [...waited(1), run("q", 0, [], { endedAt: 9000 })],
        want: { p50: 1, p90: 1, p99: 1, max: 1 },
      },
      {
        name: "the first pod counts, whatever comes later",
        runs: [run("q", 2000, [pod(5500), pod(90_000)])],
        want: { p50: 3.5, p90: 3.5, p99: 3.5, max: 3.5 },
      },
    ];
  for (const { name, runs, want } of tables) it(name, () => assert.deepEqual(waitSecondsOf(runs, 1_000_000), want));
});

// root (10 cores) -> a (guaranteed 4), b (no guarantee)
const parents = new Map([
  ["a", "root"],
  ["b", "root"],
]);
const fact = (guaranteed: QueueFact["guaranteed"], capacity: QueueFact["capacity"] = {}): readonly QueueFact[] => [
  { at: -1000, guaranteed, capacity },
];
const facts = new Map([
  ["root", fact({}, { cpu: 10_000 })],
  ["a", fact({ cpu: 4000 })],
  ["b", fact({})],
]);

function recorded(runs: readonly RunRecord[], rest: Partial<Recording> = {}): Recording {
  return { span: { from: 0, to: 100_000 }, runs, queues: [], facts, reclaims: [], ...rest };
}

describe("cli/simulate starvation", () => {
  const tables: readonly {
    readonly name: string;
    readonly runs: readonly RunRecord[];
    readonly want: readonly [number, number] | undefined;
  }[] = [
    { name: "who begins at once does not starve", runs: [run("a", 5000, [pod(5000, 9000)], { endedAt: 9000 })], want: undefined },
    { name: "from the arrival to the first pod", runs: [run("a", 5000, [pod(8000, 9000)], { endedAt: 9000 })], want: [3000, 3000] },
    { name: "until the end, for who never begins", runs: [run("a", 70_000, [])], want: [30_000, 30_000] },
    { name: "who has no guarantee does not starve", runs: [run("b", 5000, [])], want: undefined },
    {
      name: "who waits beyond the guarantee does not starve",
      runs: [run("a", 0, [pod(0), pod(0), pod(0), pod(0)], { items: 5 })],
      want: undefined,
    },
    {
      name: "an item that waits within the guarantee does, though the run has begun; the longest stretch and all of them",
      runs: [run("a", 0, [pod(0, 10_000), pod(3000, 20_000), pod(15_000, 16_000)], { items: 3, parallelism: 2, endedAt: 20_000 })],
      // 0 to 3 s one of two is missing; 10 to 15 s the third one.
      want: [5000, 8000],
    },
    {
      name: "a gang that is larger than what is left of the guarantee does not starve, and one that fits does",
      runs: [run("a", 0, [pod(0, 40_000), pod(0)], { items: 2 }), run("a", 10_000, [], { items: 3, minCount: 3 })],
      // From 40 s on one of the four is used.
      want: [60_000, 60_000],
    },
    {
      name: "an item that failed is to be done again",
      runs: [run("a", 0, [pod(0, 10_000, false), pod(12_000, 20_000)], { endedAt: 20_000 })],
      want: [2000, 2000],
    },
    { name: "who was refused starves no longer", runs: [run("a", 0, [], { endedAt: 1000, phase: "Failed" })], want: [1000, 1000] },
  ];
  for (const { name, runs, want } of tables)
    it(name, () => {
      const found = starvationOf(recorded(runs), parents).get("a");
      assert.deepEqual(found === undefined ? undefined : [found.longestMs, found.totalMs], want);
    });

  it("a guarantee that comes later counts from then on", () => {
    const later = new Map([["a", [{ at: 30_000, guaranteed: { cpu: 4000 }, capacity: {} }]]]);
    const found = starvationOf(recorded([run("a", 0, [pod(50_000)])], { facts: later }), parents);
    assert.equal(found.get("a")?.longestMs, 20_000);
  });
});

describe("cli/simulate report", () => {
  const queue = (name: string, spec: TenantQueue["spec"], status: TenantQueue["status"] = {}) =>
    ({ apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name }, spec, status }) as TenantQueue;
  const queues = [
    queue("b", { parent: "root" }),
    queue("root", {}, { capacity: { cpu: "10" } }),
    queue("a", { parent: "root" }, { guaranteed: { cpu: { granted: "4", effective: "4" } } }),
  ];
  const runs = [
    run("a", 0, [pod(0, 50_000), pod(0, 100_000)], { items: 2, endedAt: 100_000, phase: "Succeeded" }),
    run("a", 90_000, [], { reason: "QueuePending", message: "waits" }),
    run("b", 10_000, [pod(20_000, 70_000)], { endedAt: 70_000, phase: "Failed", reason: "RunTimeout", message: "took too long" }),
    run("b", 10_000, [], { endedAt: 10_500, phase: "Failed", reason: "NeverFits", message: "too large" }),
    // From before the beginning: no arrival of this time, but it takes its share.
    run("b", -5000, [pod(-5000, 25_000)], { endedAt: 25_000, phase: "Succeeded" }),
  ];
  const reclaims = [
    { queue: "b", claimantQueue: "a", state: "Released", isOverdue: true },
    { queue: "b", claimantQueue: "a", state: "Acknowledged", isOverdue: false },
    { queue: "b", claimantQueue: "b", state: "Withdrawn", isOverdue: false },
  ];
  const report = reportOf(recorded(runs, { queues, reclaims }), { seed: 3, nodes: 2, bucketMs: 50_000 });
  const of = (name: string) => report.queues.find((each) => each.name === name);

  it("tells queues in the order of their tree, with what is below each", () => {
    assert.deepEqual(
      report.queues.map(({ name, depth, runs: { arrived } }) => [name, depth, arrived]),
      [
        ["root", 0, 4],
        ["a", 1, 2],
        ["b", 1, 2],
      ],
    );
  });

  it("counts what became of runs", () => {
    assert.deepEqual(of("a")?.runs, { arrived: 2, begun: 1, succeeded: 1, failed: 0, waiting: 1, refused: 0 });
    assert.deepEqual(of("b")?.runs, { arrived: 2, begun: 1, succeeded: 0, failed: 2, waiting: 0, refused: 1 });
    assert.deepEqual(of("root")?.waitSeconds, { p50: 10, p90: 10, p99: 10, max: 10 });
    assert.deepEqual([of("root")?.mostWaiting, of("root")?.waiting], [2, [0.21, 0.2]]);
  });

  it("shares are parts of the capacity of the tree", () => {
    // a: 2 cores for 50 s, then 1. b: 1 core from the beginning to 70 s, 2 from 20 to 25 s.
    assert.deepEqual(of("a")?.share, { cpu: { mean: 0.15, peak: 0.2, guaranteed: 0.4, series: [0.2, 0.1] } });
    assert.deepEqual(of("b")?.share, { cpu: { mean: 0.075, peak: 0.2, guaranteed: 0, series: [0.11, 0.04] } });
    assert.deepEqual(of("root")?.share["cpu"]?.series, [0.31, 0.14]);
    assert.equal(of("root")?.share["cpu"]?.peak, 0.4);
  });

  it("counts reclaims by who is asked and for whom", () => {
    assert.deepEqual(of("b")?.reclaims, { asked: 3, released: 1, declined: 0, withdrawn: 1, overdue: 1, open: 1, claimed: 1 });
    assert.deepEqual(of("a")?.reclaims, { asked: 0, released: 0, declined: 0, withdrawn: 0, overdue: 0, open: 0, claimed: 2 });
  });

  it("tells why runs of a workload failed or wait", () => {
    assert.deepEqual(
      report.workloads.map(({ name, reasons }) => [name, reasons]),
      [
        ["ns/a", [{ reason: "QueuePending", runs: 1, message: "waits" }]],
        [
          "ns/b",
          [
            { reason: "NeverFits", runs: 1, message: "too large" },
            { reason: "RunTimeout", runs: 1, message: "took too long" },
          ],
        ],
      ],
    );
  });
});
