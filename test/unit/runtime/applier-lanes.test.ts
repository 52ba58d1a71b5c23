import assert from "node:assert/strict";
import type { KubeObject } from "../../../src/api/meta.ts";
import { bench, create, job, plan, quotaRefusal, status } from "./applier-bench.ts";
import { failure, ok } from "./scripted-transport.ts";

describe("applier, with much to do at once", () => {
  it("carries out actions and status side by side, 32 actions at once", async () => {
    const gate = Promise.withResolvers<void>();
    const { applier, words } = bench(async (request) => {
      await gate.promise;
      return ok(request.method === "PATCH" ? job : request.body, 201);
    });
    const applied = applier.apply(
      plan(
        Array.from({ length: 100 }, (_, index) => create(`p${index}`)),
        status({ a: 1 }),
      ),
    );
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(words().filter((word) => word.startsWith("create")).length, 32);
    assert.equal(words().filter((word) => word.startsWith("patch")).length, 1);
    gate.resolve();
    const { results } = await applied;
    assert.equal(results.length, 100);
    assert.ok(results.every((result) => result.outcome.kind === "done"));
  });

  it("keeps to the limit of a lane, and lets others go on beside it", async () => {
    const gate = Promise.withResolvers<void>();
    const { applier, sent } = bench(async (request) => {
      await gate.promise;
      return ok(request.body, 201);
    });
    const laned = Array.from({ length: 10 }, (_, index) => create(`l${index}`, { lane: "run", laneLimit: 2 }));
    const applied = applier.apply(plan([...laned, create("x"), create("y")]));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(sent.map((request) => (request.body as KubeObject).metadata.name).toSorted(), ["l0", "l1", "x", "y"]);
    gate.resolve();
    assert.equal((await applied).results.filter((result) => result.outcome.kind === "done").length, 12);
  });

  it("gives up the rest of a lane after the first refusal for quota, and nothing else", async () => {
    const { applier, sent } = bench((request) => {
      const { name } = (request.body as KubeObject).metadata;
      return name === "a1" ? quotaRefusal : ok(request.body, 201);
    });
    const lane = (letter: string) => Array.from({ length: 4 }, (_, index) => create(`${letter}${index}`, { lane: letter, laneLimit: 1 }));
    const { results } = await applier.apply(plan([...lane("a"), ...lane("b")]));
    assert.deepEqual(
      results.map((result) => result.outcome.kind),
      ["done", "forbidden", "withdrawn", "withdrawn", "done", "done", "done", "done"],
    );
    assert.equal(sent.length, 6);
  });

  it("withdraws also what only waits for a connection when its lane is refused", async () => {
    const slots: (() => void)[] = [];
    const { applier, sent } = bench(() => quotaRefusal, { beforeSending: () => new Promise((resolve) => slots.push(resolve)) });
    const applied = applier.apply(plan([create("a0", { lane: "a" }), create("a1", { lane: "a" }), create("a2", { lane: "a" })]));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(slots.length, 3);
    slots[0]?.();
    await new Promise((resolve) => setImmediate(resolve));
    slots[1]?.();
    slots[2]?.();
    assert.deepEqual(
      (await applied).results.map((result) => result.outcome.kind),
      ["forbidden", "withdrawn", "withdrawn"],
    );
    assert.equal(sent.length, 1);
  });

  it("goes on with a lane after a refusal that is not for quota", async () => {
    const { applier, sent } = bench(() => failure(403, "Forbidden", "violates PodSecurity"));
    const { results } = await applier.apply(plan([create("a", { lane: "l", laneLimit: 1 }), create("b", { lane: "l", laneLimit: 1 })]));
    assert.deepEqual(
      results.map((result) => result.outcome.kind),
      ["forbidden", "forbidden"],
    );
    assert.equal(sent.length, 2);
  });
});
