import assert from "node:assert/strict";
import type { Action, ActionOutcome, ActionResult, Plan } from "../../../src/api/action.ts";
import type { LogFields, Logger } from "../../../src/api/logger.ts";
import type { KubeObject, ObjectRef } from "../../../src/api/meta.ts";
import { elasticJobs, pods } from "../../../src/api/resource.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { FencedError } from "../../../src/kube/errors.ts";
import type { Applied } from "../../../src/runtime/applier.ts";
import { keyOf, refOf, TerminalError } from "../../../src/runtime/controller.ts";
import { createControllerLoop } from "../../../src/runtime/controller-loop.ts";
import { recordingMetrics, thing } from "./scripted-transport.ts";

const start = 1_000_000;
const job: ObjectRef = { namespace: "shop", name: "etl" };
const jobObject: KubeObject = { metadata: { namespace: "shop", name: "etl", uid: "u", resourceVersion: "1" } };
const nothing: Plan = { actions: [], reasons: [] };
const create = (name: string): Action => ({ tag: "create", resource: pods, object: thing(name) });
const statusPlan = (value: Record<string, unknown>): Plan => ({
  ...nothing,
  status: { resource: elasticJobs, object: jobObject, status: value },
});
const event: Action = { tag: "event", regarding: jobObject, type: "Normal", reason: "R", note: "n" };
const deletion: Action = { tag: "delete", resource: pods, ref: { namespace: "shop", name: "p" }, uid: "u" };

interface Script {
  /** The plan of the n-th look, from 0, at any object; the last one stays. Thrown when it is an error; "gone" = not observed. */
  readonly plans: readonly (Plan | Error | "gone")[];
  /** The outcome of each action and status of the n-th plan that is applied; the last one stays; "done" when there is none. */
  readonly outcomes?: readonly ActionOutcome[];
  readonly leading?: () => boolean;
}

function bench(script: Script) {
  const clock = new VirtualClock(start);
  const metrics = recordingMetrics();
  const looks: string[] = [];
  const applied: number[] = [];
  const lanes: (string | undefined)[] = [];
  const logs: string[] = [];
  const settled: (readonly ActionResult[])[] = [];
  const forgotten: string[] = [];
  const logger = listLogger(logs);
  const loop = createControllerLoop<{ readonly plan: Plan }>({
    clock,
    metrics,
    logger,
    random: createSeededRandom(3),
    isLeading: script.leading ?? (() => true),
    backoff: { initialMs: 100, factor: 2, maxMs: 1000 },
    applier: {
      async apply(plan, lane): Promise<Applied> {
        lanes.push(lane);
        const outcome = at(script.outcomes ?? [], applied.length) ?? { kind: "done" };
        applied.push(clock.now() - start);
        return { results: plan.actions.map((action) => ({ action, outcome })), status: plan.status === undefined ? undefined : outcome };
      },
    },
    controller: {
      name: "elasticjob",
      observe(key) {
        const plan = at(script.plans, looks.length) ?? nothing;
        looks.push(`${keyOf(key)}@${clock.now() - start}`);
        if (plan === "gone") return undefined;
        if (plan instanceof Error) throw plan;
        return { plan };
      },
      plan: (observed) => observed.plan,
      settle: (_key, _observed, results) => settled.push(results),
      forget: (key) => forgotten.push(keyOf(key)),
    },
  });
  const results = () =>
    Object.fromEntries(
      [...metrics.counts].flatMap(([name, value]) => {
        const result = /^nuptse_reconcile_total\{controller=elasticjob,result=(\w+)\}$/.exec(name)?.[1];
        return result === undefined ? [] : [[result, value]];
      }),
    );
  return { clock, loop, looks, applied, lanes, logs, settled, forgotten, metrics, results };
}

describe("controller loop", () => {
  const cases: readonly (Script & {
    readonly name: string;
    readonly wantLooks: readonly string[];
    readonly wantResults: Readonly<Record<string, number>>;
    readonly wantLogs?: readonly string[];
  })[] = [
    { name: "looks at each root once after the start", plans: [nothing], wantLooks: ["shop/etl@0"], wantResults: { done: 1 } },
    {
      name: "looks again at the plan's instant",
      plans: [{ ...nothing, wakeAt: start + 700 }, nothing],
      wantLooks: ["shop/etl@0", "shop/etl@700"],
      wantResults: { done: 2 },
    },
    {
      name: "looks again at once after a write",
      plans: [statusPlan({ a: 1 }), { ...nothing, actions: [create("p")] }, nothing],
      wantLooks: ["shop/etl@0", "shop/etl@0", "shop/etl@0"],
      wantResults: { again: 2, done: 1 },
    },
    {
      name: "does not look again for having told people something",
      plans: [{ ...nothing, actions: [event], wakeAt: start + 300 }, nothing],
      wantLooks: ["shop/etl@0", "shop/etl@300"],
      wantResults: { done: 2 },
    },
    {
      name: "leaves it to the watch to show a deletion, but not for ever",
      plans: [{ ...nothing, actions: [deletion, event] }, nothing],
      wantLooks: ["shop/etl@0", "shop/etl@5000"],
      wantResults: { again: 1, done: 1 },
    },
    {
      name: "looks again at once after a refusal, since the controller has learnt of it",
      plans: [{ ...nothing, actions: [create("p")] }, nothing],
      outcomes: [{ kind: "forbidden", message: "exceeded quota", quota: true, namespaceTerminating: false }],
      wantLooks: ["shop/etl@0", "shop/etl@0"],
      wantResults: { again: 1, done: 1 },
    },
    {
      name: "backs off after a failed action and says so once",
      plans: [{ ...nothing, actions: [create("p"), create("q")] }, { ...nothing, actions: [create("q")] }, nothing],
      outcomes: [{ kind: "failed", error: new Error("no answer") }],
      wantLooks: ["shop/etl@0", "shop/etl@100", "shop/etl@300"],
      wantResults: { failed: 2, done: 1 },
      wantLogs: ["error reconcile failed: no answer", "error reconcile failed: no answer"],
    },
    {
      name: "wakes at the plan's instant though it backs off",
      plans: [{ ...nothing, actions: [create("p")], wakeAt: start + 40 }, nothing],
      outcomes: [{ kind: "failed", error: new Error("no answer") }],
      wantLooks: ["shop/etl@0", "shop/etl@40"],
      wantResults: { failed: 1, done: 1 },
      wantLogs: ["error reconcile failed: no answer"],
    },
    {
      name: "backs off after a throw and starts over after a success",
      plans: [new Error("bug"), new Error("bug"), nothing],
      wantLooks: ["shop/etl@0", "shop/etl@100", "shop/etl@300"],
      wantResults: { failed: 2, done: 1 },
      wantLogs: ["error reconcile failed: bug", "error reconcile failed: bug"],
    },
    {
      name: "gives up after a terminal error",
      plans: [new TerminalError("cannot be"), nothing],
      wantLooks: ["shop/etl@0"],
      wantResults: { terminal: 1 },
      wantLogs: ["warn given up until the object changes: cannot be"],
    },
    { name: "is done with an object that is gone", plans: ["gone"], wantLooks: ["shop/etl@0"], wantResults: { gone: 1 } },
    {
      name: "waits a second while the fence is closed, without a word",
      plans: [{ ...nothing, actions: [create("p")] }, nothing],
      outcomes: [{ kind: "failed", error: new FencedError("create pods") }],
      wantLooks: ["shop/etl@0", "shop/etl@1000"],
      wantResults: { fenced: 1, done: 1 },
    },
  ];
  for (const tc of cases) {
    it(tc.name, async () => {
      const { loop, clock, looks, results, logs } = bench(tc);
      loop.start([job]);
      await clock.runUntil(start + 20_000);
      assert.deepEqual(looks, tc.wantLooks);
      assert.deepEqual(results(), tc.wantResults);
      assert.deepEqual(logs, tc.wantLogs ?? []);
    });
  }

  for (const outcome of [{ kind: "conflict" }, { kind: "gone" }] as const) {
    it(`looks again 5 to 50 ms after a status that ended as ${outcome.kind}, later each time, without an error`, async () => {
      const { loop, clock, looks, results, logs } = bench({
        plans: [statusPlan({ a: 1 }), statusPlan({ a: 2 }), nothing],
        outcomes: [outcome],
      });
      loop.start([job]);
      await clock.runUntil(start + 1000);
      const times = looks.map((look) => Number(look.split("@")[1]));
      assert.equal(times.length, 3);
      const [first = 0, second = 0, third = 0] = times;
      assert.ok(second - first >= 5 && second - first <= 50, `${times}`);
      assert.ok(third - second >= 10 && third - second <= 100, `${times}`);
      assert.deepEqual(results(), { conflict: 2, done: 1 });
      assert.deepEqual(logs, []);
    });
  }

  it("tells the controller how its actions ended, in their order", async () => {
    const { loop, clock, settled } = bench({ plans: [{ ...nothing, actions: [create("p"), create("q")] }, nothing] });
    loop.start([job]);
    await clock.runUntil(start + 10);
    assert.deepEqual(settled, [
      [
        { action: create("p"), outcome: { kind: "done" } },
        { action: create("q"), outcome: { kind: "done" } },
      ],
    ]);
  });

  it("says of which plan somebody waits for the outcome", async () => {
    const { loop, clock, lanes } = bench({ plans: [{ ...nothing, actions: [deletion] }] });
    loop.start([job]);
    await clock.runUntil(start + 10);
    loop.enqueue(job, { priority: "high" });
    await clock.runUntil(start + 20);
    loop.enqueue(job);
    await clock.runUntil(start + 30);
    assert.deepEqual(lanes, ["normal", "prompt", "normal"]);
  });

  it("lets the controller forget what is gone, and takes an object up again after a terminal error when it changes", async () => {
    const { loop, clock, looks, forgotten } = bench({ plans: [new TerminalError("cannot be"), "gone"] });
    loop.start([job]);
    await clock.runUntil(start + 10);
    loop.enqueue(job);
    await clock.runUntil(start + 20);
    assert.deepEqual(looks, ["shop/etl@0", "shop/etl@10"]);
    assert.deepEqual(forgotten, ["shop/etl"]);
  });

  it("does nothing for events before it is started", async () => {
    const { loop, clock, looks } = bench({ plans: [nothing] });
    loop.enqueue(job);
    await clock.runUntil(start + 10);
    loop.start([]);
    await clock.runUntil(start + 20);
    assert.deepEqual(looks, []);
  });

  it("goes on with other objects when one throws", async () => {
    const { loop, clock, looks } = bench({ plans: [new Error("bug"), nothing] });
    loop.start([job, { name: "other" }]);
    await clock.runUntil(start + 50);
    assert.deepEqual(looks, ["shop/etl@0", "other@0"]);
  });

  it("plans nothing while it does not lead, and goes on when it does again", async () => {
    let leading = false;
    const { loop, clock, looks, results } = bench({ plans: [nothing], leading: () => leading });
    loop.start([job]);
    await clock.runUntil(start + 1500);
    assert.deepEqual(looks, []);
    leading = true;
    await clock.runUntil(start + 5000);
    assert.deepEqual(looks, ["shop/etl@2000"]);
    assert.deepEqual(results(), { fenced: 2, done: 1 });
  });

  it("slows an object down whose plan comes again and again, and counts the loop once", async () => {
    const { loop, clock, applied, metrics, logs } = bench({ plans: [{ ...nothing, actions: [create("p")] }] });
    loop.start([job]);
    await clock.runUntil(start + 60_000);
    // 19 at once; held 1 s, then 2, 4, 8, 16, 30 s between two.
    assert.deepEqual(applied, [...new Array<number>(19).fill(0), 1000, 3000, 7000, 15_000, 31_000]);
    assert.equal(metrics.counts.get("nuptse_reconcile_hot_loops_total{controller=elasticjob}"), 1);
    assert.equal(logs.length, 1);
  });

  it("holds an object that is hot also against events", async () => {
    const { loop, clock, applied } = bench({ plans: [statusPlan({ a: 1 })] });
    loop.start([job]);
    for (let ms = 10; ms <= 2000; ms += 10) {
      await clock.runUntil(start + ms);
      loop.enqueue(job);
    }
    assert.equal(applied.length, 20);
  });

  it("notices a plan that does nothing and wants to be woken at once", async () => {
    const { loop, clock, looks, results } = bench({ plans: [{ ...nothing, wakeAt: start - 1 }] });
    loop.start([job]);
    await clock.runUntil(start + 10_000);
    assert.ok(looks.length <= 25, `${looks.length}`);
    assert.ok((results()["held"] ?? 0) > 0);
  });

  it("does not take many different plans for a loop", async () => {
    const plans = Array.from({ length: 200 }, (_, index): Plan => ({ ...nothing, actions: [create(`p${index}`)] }));
    const { loop, clock, results } = bench({ plans: [...plans, nothing] });
    loop.start([job]);
    await clock.runUntil(start + 10);
    assert.deepEqual(results(), { again: 200, done: 1 });
  });

  it("ends what runs when it is drained, and takes up nothing more", async () => {
    const { loop, clock, looks } = bench({ plans: [{ ...nothing, wakeAt: start + 100 }] });
    loop.start([job]);
    await clock.runUntil(start + 50);
    await loop.drain();
    await clock.runUntil(start + 1000);
    assert.deepEqual(looks, ["shop/etl@0"]);
  });

  it("turns names into keys and back", () => {
    for (const ref of [{ namespace: "shop", name: "etl" }, { name: "node-1" }]) assert.deepEqual(refOf(keyOf(ref)), ref);
  });
});

function at<T>(list: readonly T[], index: number): T | undefined {
  return list[Math.min(index, list.length - 1)];
}

function listLogger(lines: string[]): Logger {
  const line = (level: string) => (message: string, fields?: LogFields) => {
    const error = fields?.["error"];
    lines.push(`${level} ${message}${error instanceof Error ? `: ${error.message}` : ""}`);
  };
  const logger: Logger = { debug() {}, info: line("info"), warn: line("warn"), error: line("error"), child: () => logger };
  return logger;
}
