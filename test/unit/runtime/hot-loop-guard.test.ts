import assert from "node:assert/strict";
import type { Plan } from "../../../src/api/action.ts";
import { elasticJobs, pods } from "../../../src/api/resource.ts";
import { HotLoopGuard, signatureOf } from "../../../src/runtime/hot-loop-guard.ts";
import { thing } from "./scripted-transport.ts";

const now = 1_000_000;
const empty: Plan = { actions: [], reasons: [] };
const creating = (...names: readonly string[]): Plan => ({
  ...empty,
  actions: names.map((name) => ({ tag: "create", resource: pods, object: thing(name) })),
});
const status = (value: Record<string, unknown>, version = "1"): Plan => ({
  ...empty,
  status: { resource: elasticJobs, object: thing("etl", { resourceVersion: version }), status: value },
});

describe("hot-loop guard", () => {
  const pairs: readonly { readonly name: string; readonly a: Plan; readonly b: Plan; readonly wantSame: boolean }[] = [
    { name: "the same create", a: creating("p"), b: creating("p"), wantSame: true },
    { name: "creates of other objects", a: creating("p"), b: creating("q"), wantSame: false },
    { name: "one create more", a: creating("p"), b: creating("p", "p"), wantSame: false },
    { name: "the same status from another version", a: status({ a: 1 }, "1"), b: status({ a: 1 }, "2"), wantSame: true },
    { name: "another status", a: status({ a: 1 }), b: status({ a: 2 }), wantSame: false },
    { name: "other reasons", a: { ...creating("p"), reasons: ["x"] }, b: creating("p"), wantSame: true },
    {
      name: "an event besides",
      a: {
        ...creating("p"),
        actions: [...creating("p").actions, { tag: "event", regarding: thing("etl"), type: "Normal", reason: "R", note: "n" }],
      },
      b: creating("p"),
      wantSame: true,
    },
  ];
  for (const tc of pairs) {
    it(`takes plans with ${tc.name} for ${tc.wantSame ? "the same" : "different ones"}`, () => {
      assert.equal(signatureOf(tc.a, now) === signatureOf(tc.b, now), tc.wantSame);
    });
  }

  it("sees no loop in a plan that only waits", () => {
    assert.equal(signatureOf(empty, now), undefined);
    assert.equal(signatureOf({ ...empty, wakeAt: now + 100 }, now), undefined);
    assert.notEqual(signatureOf({ ...empty, wakeAt: now + 99 }, now), undefined);
  });

  it("calls a plan hot at the twentieth time within ten seconds", () => {
    const guard = new HotLoopGuard();
    const verdicts = Array.from({ length: 20 }, (_, index) => guard.note("k", "a", index * 500));
    assert.deepEqual(verdicts, [...new Array<string>(19).fill("go"), "hot"]);
    assert.equal(guard.heldMs("k", 9500), 1000);
    assert.equal(guard.heldMs("k", 10_500), 0);
    assert.equal(guard.heldMs("other", 9500), 0);
  });

  it("does not mind the same plan every second", () => {
    const guard = new HotLoopGuard();
    for (let second = 0; second < 600; second++) assert.equal(guard.note("k", "a", second * 1000), "go");
  });

  it("notices two plans that alternate", () => {
    const guard = new HotLoopGuard();
    const verdicts = Array.from({ length: 40 }, (_, index) => guard.note("k", index % 2 === 0 ? "a" : "b", index));
    assert.deepEqual(verdicts.slice(-2), ["hot", "hot"]);
  });

  it("holds a hot object longer each time, half a minute at most", () => {
    const guard = new HotLoopGuard();
    for (let count = 0; count < 20; count++) guard.note("k", "a", 0);
    const holds: number[] = [];
    for (let at = guard.heldMs("k", 0), count = 0; count < 6; count++) {
      assert.equal(guard.note("k", "a", at), "go");
      const held = guard.heldMs("k", at);
      holds.push(held);
      at += held;
    }
    assert.deepEqual(holds, [2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it("starts over with an object that was quiet for a minute, or was forgotten", () => {
    const guard = new HotLoopGuard();
    for (let count = 0; count < 20; count++) guard.note("k", "a", 0);
    for (let count = 0; count < 19; count++) assert.equal(guard.note("k", "a", 60_001), "go");
    assert.equal(guard.heldMs("k", 60_001), 0);
    guard.note("k", "a", 60_001);
    guard.forget("k");
    assert.equal(guard.heldMs("k", 60_001), 0);
  });
});
