import assert from "node:assert/strict";
import fc from "fast-check";
import type { BackoffPolicy } from "../../../src/base/backoff.ts";
import type { Clock } from "../../../src/base/clock.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { settle, skewedClock, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { type AddOptions, createWorkQueue, type Wake, type WorkQueue } from "../../../src/runtime/work-queue.ts";

const backoff: BackoffPolicy = { initialMs: 100, factor: 2, maxMs: 1000 };
const start = 1_000_000;

interface Bench {
  readonly clock: VirtualClock;
  readonly queue: WorkQueue;
  /** "key@ms since start", in the order in which they began. */
  readonly begun: string[];
  readonly wakes: Wake[];
  readonly errors: unknown[];
  readonly depths: number[];
}

function bench(
  options: {
    readonly concurrency?: number;
    readonly run?: (key: string, queue: WorkQueue, clock: Clock) => Promise<void> | void;
    readonly skew?: () => number;
  } = {},
): Bench {
  const clock = new VirtualClock(start);
  const begun: string[] = [];
  const wakes: Wake[] = [];
  const errors: unknown[] = [];
  const depths: number[] = [];
  const queue: WorkQueue = createWorkQueue({
    clock: options.skew === undefined ? clock : skewedClock(clock, options.skew),
    random: createSeededRandom(1),
    concurrency: options.concurrency ?? 1,
    backoff,
    run: async (key, wake) => {
      begun.push(`${key}@${clock.now() - start}`);
      wakes.push(wake);
      await options.run?.(key, queue, clock);
    },
    onError: (error) => errors.push(error),
    onDepth: (depth) => depths.push(depth),
  });
  return { clock, queue, begun, wakes, errors, depths };
}

describe("work queue", () => {
  const cases: readonly {
    readonly name: string;
    readonly adds: readonly (readonly [key: string, options?: AddOptions])[];
    readonly wantBegun: readonly string[];
  }[] = [
    { name: "runs a key that is due now once, however often it was added", adds: [["a"], ["a"], ["a"]], wantBegun: ["a@0"] },
    { name: "runs keys in the order in which they were added", adds: [["b"], ["a"], ["c"]], wantBegun: ["b@0", "a@0", "c@0"] },
    { name: "runs a key at its instant", adds: [["a", { at: start + 500 }]], wantBegun: ["a@500"] },
    { name: "takes an instant in the past as now", adds: [["a", { at: start - 5 }]], wantBegun: ["a@0"] },
    {
      name: "lets the earliest of several instants win and forgets the others",
      adds: [
        ["a", { at: start + 500 }],
        ["a", { at: start + 200 }],
        ["a", { at: start + 900 }],
      ],
      wantBegun: ["a@200"],
    },
    { name: "lets now win over an instant", adds: [["a", { at: start + 500 }], ["a"]], wantBegun: ["a@0"] },
    { name: "waits so many milliseconds", adds: [["a", { afterMs: 70 }]], wantBegun: ["a@70"] },
    {
      name: "lets the earlier of an instant and a wait win",
      adds: [
        ["a", { at: start + 500 }],
        ["a", { afterMs: 70 }],
      ],
      wantBegun: ["a@70"],
    },
    {
      name: "lets keys go in the order of their priorities",
      adds: [["l1", { priority: "low" }], ["n1"], ["h1", { priority: "high" }], ["n2"], ["h2", { priority: "high" }]],
      wantBegun: ["h1@0", "h2@0", "n1@0", "n2@0", "l1@0"],
    },
    {
      name: "raises a key that waits for a later time and is added again at once with high priority",
      adds: [["a", { afterMs: 70 }], ["n1"], ["a", { priority: "high" }]],
      wantBegun: ["a@0", "n1@0"],
    },
    {
      name: "does not lower a key of high priority that is added again",
      adds: [["n1"], ["h1", { priority: "high" }], ["h1"]],
      wantBegun: ["h1@0", "n1@0"],
    },
    {
      name: "lets keys of normal priority go before those of low priority",
      adds: [["l1", { priority: "low" }], ["l2", { priority: "low" }], ["n1"]],
      wantBegun: ["n1@0", "l1@0", "l2@0"],
    },
    {
      name: "raises a key that is added again with normal priority",
      adds: [["l1", { priority: "low" }], ["l2", { priority: "low" }], ["l2"]],
      wantBegun: ["l2@0", "l1@0"],
    },
    {
      name: "does not lower a key that is added again with low priority",
      adds: [["l1", { priority: "low" }], ["n1"], ["n1", { priority: "low" }]],
      wantBegun: ["n1@0", "l1@0"],
    },
  ];
  for (const tc of cases) {
    it(tc.name, async () => {
      const { clock, queue, begun } = bench();
      for (const [key, options] of tc.adds) queue.add(key, options);
      queue.start();
      await clock.runUntil(start + 1000);
      assert.deepEqual(begun, tc.wantBegun);
    });
  }

  it("runs nothing before it is started", async () => {
    const { clock, queue, begun } = bench();
    queue.add("a");
    queue.add("b", { at: start + 10 });
    await clock.runUntil(start + 100);
    assert.deepEqual(begun, []);
    queue.start();
    await clock.runUntil(start + 200);
    assert.deepEqual(begun, ["a@100", "b@100"]);
  });

  it("looks once more at a key that was added while it ran, and never runs one twice at a time", async () => {
    const { clock, queue, begun } = bench({ concurrency: 5, run: (_, __, time) => time.sleep(100) });
    queue.start();
    queue.add("a");
    await clock.runUntil(start + 50);
    queue.add("a");
    queue.add("a");
    await clock.runUntil(start + 1000);
    assert.deepEqual(begun, ["a@0", "a@100"]);
  });

  it("keeps the instant that a run asks for", async () => {
    const { clock, queue, begun } = bench({
      run: (key, self, time) => {
        if (time.now() < start + 300) self.add(key, { at: time.now() + 100 });
      },
    });
    queue.start();
    queue.add("a");
    await clock.runUntil(start + 1000);
    assert.deepEqual(begun, ["a@0", "a@100", "a@200", "a@300"]);
  });

  it("runs at most `concurrency` keys at once", async () => {
    let most = 0;
    const { clock, queue, begun } = bench({
      concurrency: 3,
      run: async (_, self, time) => {
        most = Math.max(most, self.running);
        await time.sleep(10);
      },
    });
    queue.start();
    for (let index = 0; index < 7; index++) queue.add(`k${index}`);
    await settle();
    assert.equal(queue.depth, 4);
    await clock.runUntil(start + 100);
    assert.equal(most, 3);
    assert.deepEqual(begun, ["k0@0", "k1@0", "k2@0", "k3@10", "k4@10", "k5@10", "k6@20"]);
  });

  it("gives low priority every tenth turn, so that it does not starve", async () => {
    const { clock, queue, begun } = bench();
    queue.add("low", { priority: "low" });
    for (let index = 0; index < 20; index++) queue.add(`n${index}`);
    queue.start();
    await clock.runUntil(start + 10);
    assert.equal(begun.indexOf("low@0"), 9);
  });

  it("gives low priority that turn also while keys of high priority come", async () => {
    const { clock, queue, begun } = bench();
    queue.add("low", { priority: "low" });
    for (let index = 0; index < 20; index++) queue.add(`h${index}`, { priority: "high" });
    queue.start();
    await clock.runUntil(start + 10);
    assert.equal(begun.indexOf("low@0"), 9);
  });

  it("waits longer after each retry of a key, and starts over once it is forgotten", async () => {
    let failing = true;
    const { clock, queue, begun } = bench({
      run: (key, self) => {
        if (failing) self.retry(key);
        else self.forget(key);
      },
    });
    queue.start();
    queue.add("a");
    await clock.runUntil(start + 1600);
    assert.deepEqual(begun, ["a@0", "a@100", "a@300", "a@700", "a@1500"]);
    failing = false;
    await clock.runUntil(start + 2500);
    assert.deepEqual(begun.slice(5), ["a@2500"]);
    failing = true;
    queue.add("a");
    await clock.runUntil(start + 2650);
    assert.deepEqual(begun.slice(6), ["a@2500", "a@2600"]);
  });

  it("goes on after a run that throws, and tells it", async () => {
    const broken = new Error("broken");
    const { clock, queue, begun, errors } = bench({
      run: (key) => {
        if (key === "a") throw broken;
      },
    });
    queue.start();
    queue.add("a");
    queue.add("b");
    await clock.runUntil(start + 10);
    assert.deepEqual(begun, ["a@0", "b@0"]);
    assert.deepEqual(errors, [broken]);
  });

  it("drains: what runs ends, nothing else begins", async () => {
    const { clock, queue, begun } = bench({ run: (_, __, time) => time.sleep(100) });
    queue.start();
    queue.add("a");
    queue.add("b");
    queue.add("c", { at: start + 10 });
    await settle();
    let drained = false;
    void queue.drain().then(() => {
      drained = true;
    });
    await clock.runUntil(start + 99);
    assert.equal(drained, false);
    await clock.runUntil(start + 100);
    assert.equal(drained, true);
    queue.add("d");
    await clock.runUntil(start + 1000);
    assert.deepEqual(begun, ["a@0"]);
    assert.equal(clock.nextDue(), undefined);
  });

  it("drains at once when nothing runs", async () => {
    const { queue } = bench();
    queue.start();
    await queue.drain();
  });

  it("is never early when the wall clock is set back, and at most 30 s late when it is set forward", async () => {
    let skew = 0;
    const { clock, queue, begun } = bench({ skew: () => skew });
    queue.start();
    queue.add("back", { at: start + 60_000 });
    await clock.runUntil(start + 50_000);
    skew = -100_000;
    await clock.runUntil(start + 159_999);
    assert.deepEqual(begun, []);
    await clock.runUntil(start + 160_000);
    assert.deepEqual(begun, ["back@160000"]);
    queue.add("forward", { at: start + skew + 10 * 3_600_000 });
    skew += 10 * 3_600_000;
    await clock.runUntil(start + 190_000);
    assert.deepEqual(begun, ["back@160000", "forward@190000"]);
  });

  it("does not let a jump of the wall clock touch back-off", async () => {
    let skew = 0;
    const { clock, queue, begun } = bench({ skew: () => skew });
    queue.start();
    queue.retry("a");
    skew = -3_600_000;
    await clock.runUntil(start + 100);
    assert.deepEqual(begun, ["a@100"]);
  });

  it("says why it woke a key, how long the key was due and how urgent it is", async () => {
    const { clock, queue, wakes } = bench({ run: (_, __, time) => time.sleep(30) });
    queue.start();
    queue.add("a", { at: start + 10 });
    queue.add("b", { at: start + 10, priority: "low" });
    await clock.runUntil(start + 100);
    queue.add("a", { priority: "low" });
    queue.add("a", { priority: "high" });
    queue.add("a");
    await clock.runUntil(start + 200);
    assert.deepEqual(wakes, [
      { at: start + 10, waitedMs: 0, priority: "normal" },
      { at: start + 10, waitedMs: 30, priority: "low" },
      { waitedMs: 0, priority: "high" },
    ]);
  });

  it("arms one timer for 2,000 keys of the same instant and begins them in the order of adding", async () => {
    const { clock, queue, begun } = bench({ concurrency: 2000 });
    queue.start();
    const want: string[] = [];
    for (let index = 0; index < 2000; index++) {
      queue.add(`k${index}`, { at: start + 1000 });
      want.push(`k${index}@1000`);
    }
    assert.equal(queue.waiting, 2000);
    assert.equal(clock.nextDue(), start + 1000);
    assert.equal(clock.step(), true);
    await settle();
    assert.deepEqual(begun, want);
  });

  it("tells its depth after each round in which it changed", async () => {
    const { clock, queue, depths } = bench({ run: (_, __, time) => time.sleep(10) });
    queue.start();
    for (const key of ["a", "b", "c"]) queue.add(key);
    await clock.runUntil(start + 100);
    assert.deepEqual(depths, [2, 1, 0]);
  });

  it("lets timers have their turn while many keys are worked on that wait for nothing", async () => {
    // A clock on which each look at the time costs a millisecond, as planning would.
    const clock = new VirtualClock(start);
    let cost = 0;
    const ticking: Clock = { ...skewedClock(clock, () => 0), monotonic: () => clock.monotonic() + cost };
    let begun = 0;
    const queue = createWorkQueue({
      clock: ticking,
      random: createSeededRandom(1),
      concurrency: 4,
      backoff,
      run: async () => {
        begun += 1;
        cost += 1;
      },
    });
    for (let index = 0; index < 100; index++) queue.add(`k${index}`);
    queue.start();
    await settle();
    assert.ok(begun >= 10 && begun < 20, `began ${begun} in one turn`);
    await clock.runUntil(start + 1);
    assert.equal(begun, 100);
  });

  it("loses no key, runs none early and none twice at a time, whatever is added when", async () => {
    const add = fc.record({
      afterStart: fc.integer({ min: 0, max: 50 }),
      key: fc.constantFrom("a", "b", "c"),
      kind: fc.constantFrom("now", "at", "afterMs", "retry"),
      delay: fc.integer({ min: 0, max: 40 }),
      priority: fc.constantFrom("high" as const, "normal" as const, "low" as const),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(add, { maxLength: 20 }), fc.integer({ min: 0, max: 12 }), async (adds, runMs) => {
        const active = new Set<string>();
        const lastBegun = new Map<string, number>();
        const { clock, queue } = bench({
          concurrency: 2,
          run: async (key, _, time) => {
            assert.equal(active.has(key), false);
            active.add(key);
            lastBegun.set(key, time.now());
            await time.sleep(runMs);
            active.delete(key);
          },
        });
        queue.start();
        const wanted = new Map<string, number>();
        for (const one of adds.toSorted((a, b) => a.afterStart - b.afterStart)) {
          await clock.runUntil(start + one.afterStart);
          if (one.kind === "retry") queue.retry(one.key);
          else {
            const options = one.kind === "at" ? { at: clock.now() + one.delay } : one.kind === "afterMs" ? { afterMs: one.delay } : {};
            queue.add(one.key, { ...options, priority: one.priority });
          }
          wanted.set(one.key, clock.now());
        }
        await clock.runUntil(start + 20_000);
        for (const [key, since] of wanted)
          assert.ok((lastBegun.get(key) ?? -1) >= since, `${key} was not looked at after ${since - start}`);
        assert.equal(queue.depth + queue.running + queue.waiting, 0);
      }),
      { numRuns: 150 },
    );
  });
});
