import assert from "node:assert/strict";
import fc from "fast-check";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { planElasticJob } from "../../../../src/elasticjob/rules/plan.ts";
import { minutely } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

/** One thing that happens; pods are picked by number among those that are not through yet. */
type Happening =
  | { readonly what: "time"; readonly seconds: number; readonly asleep: boolean }
  | { readonly what: "pod"; readonly pick: number; readonly becomes: "starts" | "succeeds" | "fails" | "vanishes" }
  | { readonly what: "restart" }
  | { readonly what: "crash"; readonly afterActions: number }
  | { readonly what: "plan twice" };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ what: fc.constant("time" as const), seconds: fc.integer({ min: 1, max: 150 }), asleep: fc.boolean() }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant("pod" as const),
      pick: fc.nat(20),
      becomes: fc.constantFrom("starts" as const, "succeeds" as const, "fails" as const, "vanishes" as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ what: "restart" as const }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("crash" as const), afterActions: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.constant({ what: "plan twice" as const }) },
);

const specs: fc.Arbitrary<Partial<ElasticJobSpec>> = fc.record({
  schedule: fc.constant(minutely.schedule as NonNullable<ElasticJobSpec["schedule"]>),
  concurrencyPolicy: fc.constantFrom("Forbid" as const, "Allow" as const, "Replace" as const),
  misfire: fc.record({
    onDowntime: fc.constantFrom("Skip" as const, "FireOnce" as const, "FireAll" as const),
    onOverlap: fc.constantFrom("Skip" as const, "FireOnce" as const, "FireAll" as const),
    limit: fc.integer({ min: 1, max: 5 }),
  }),
  sharding: fc.record({ total: fc.integer({ min: 1, max: 3 }), parallelism: fc.integer({ min: 1, max: 3 }) }),
  retry: fc.record({ sameNode: fc.nat(1), otherNodes: fc.nat(1) }),
  history: fc.constant({ succeeded: 20, failed: 20 }),
  podRetention: fc.constant({ succeeded: 0, failed: 0 }),
});

/** Rules that hold at every moment; JobWorld itself checks every plan (reasons before deletions, no rival attempts, what collections name). */
function checkWorld(world: JobWorld): void {
  const atWork = new Map<string, number>();
  for (const pod of world.attempts()) {
    if (pod.end !== undefined) continue;
    const item = `${pod.run}/${pod.item}`;
    atWork.set(item, (atWork.get(item) ?? 0) + 1);
  }
  for (const [item, count] of atWork) assert.ok(count <= 1, `${item} is at work ${count} times`);
  const again = world.created.filter(
    (which, index) => world.created.indexOf(which) !== index && !world.vanished.has(which.slice(0, which.lastIndexOf("/"))),
  );
  assert.deepEqual(again, [], "an attempt that nobody took away was created twice");
  const { status } = world;
  assert.ok((status.active?.length ?? 0) <= 41);
}

/** Every fire time in (since, lastHandledFireTime] has exactly one fate: a run that stands in status, or a skip; later ones have none. */
function checkFates(world: JobWorld): void {
  const { status } = world;
  const handled = Date.parse(status.lastHandledFireTime ?? "");
  if (Number.isNaN(handled)) return;
  const runs = new Set([...(status.active ?? []), ...(status.history ?? [])].map((run) => run.fireTime));
  const listed = new Map((status.outcomes?.notSucceeded ?? []).map((entry) => [entry.fireTime, entry.outcome]));
  const from = Date.parse(status.outcomes?.from ?? "");
  for (let time = Math.ceil((from + 1) / 60_000) * 60_000; time <= handled; time += 60_000) {
    const name = `${new Date(time).toISOString().slice(0, 19)}Z`;
    const fates = [runs.has(name), listed.get(name) === "Skipped"].filter(Boolean).length;
    // History is bounded: beyond it a fire time that is not listed has succeeded.
    const full = (status.history ?? []).filter((run) => run.phase === "Succeeded").length >= 20;
    assert.ok(fates === 1 || (fates === 0 && (full || listed.has(name))), `${name} has ${fates} fates`);
  }
}

function happen(world: JobWorld, event: Happening): void {
  switch (event.what) {
    case "time":
      if (event.asleep) world.now += event.seconds * 1000;
      else world.to(world.now + event.seconds * 1000);
      return;
    case "restart":
      world.restart();
      return;
    case "plan twice": {
      const observed = world.observe();
      assert.deepEqual(planElasticJob(observed), planElasticJob(observed), "a plan is a function of what was observed");
      const plan = world.step();
      for (const action of plan.actions) {
        if (action.tag !== "create" || action.resource.plural !== "pods") continue;
        assert.ok(world.pods.has(action.object.metadata.name), "its name says what it is for");
      }
      return;
    }
    case "crash": {
      let left = event.afterActions;
      world.step(() => left-- > 0, false);
      world.now += 1000;
      world.restart();
      return;
    }
    case "pod": {
      const open = world.attempts().filter((pod) => pod.end === undefined);
      const pod = open[event.pick % Math.max(1, open.length)];
      if (pod === undefined) return;
      if (event.becomes === "vanishes") world.vanish(pod.item, pod.run);
      else {
        world.start(pod.item, `n${(pod.attempt % 3) + 1}`, pod.run);
        if (event.becomes !== "starts") world.exit(pod.item, event.becomes === "fails" ? 1 : 0, { run: pod.run });
      }
    }
  }
}

describe("whatever happens in whatever order", () => {
  it("no item is at work twice, no fire time is lost or has two fates, and lastHandledFireTime never falls", () => {
    fc.assert(
      fc.property(specs, fc.array(happening, { minLength: 5, maxLength: 30 }), (spec, events) => {
        const world = JobWorld.accepted({ spec, start: "11:59:30" });
        let handled = "";
        for (const event of events) {
          happen(world, event);
          world.step();
          checkWorld(world);
          const next = world.status.lastHandledFireTime ?? "";
          assert.ok(next >= handled, `lastHandledFireTime falls from ${handled} to ${next}`);
          handled = next;
          checkFates(world);
        }
        world.settle();
        checkWorld(world);
        checkFates(world);
        const before = world.job;
        const writes = world.writes.length;
        world.settle();
        assert.equal(world.writes.length, writes, "nothing more is written at rest");
        assert.equal(world.job, before);
      }),
      { numRuns: 150 },
    );
  });

  it("when faults end every run ends", () => {
    fc.assert(
      fc.property(specs, fc.array(happening, { minLength: 3, maxLength: 12 }), (spec, events) => {
        const world = JobWorld.accepted({ spec, start: "11:59:30" });
        for (const event of events) {
          happen(world, event);
          world.step();
        }
        world.edit({ suspend: true }).settle();
        for (
          let round = 0;
          round < 60 && (world.status.active !== undefined || world.attempts().some((pod) => pod.end === undefined));
          round++
        ) {
          for (const pod of world.attempts())
            if (pod.end === undefined) world.start(pod.item, "n1", pod.run).exit(pod.item, 0, { run: pod.run });
          world.to(world.now + 30_000);
        }
        assert.equal(world.status.active, undefined);
        world.to(world.now + 120_000);
        assert.deepEqual(world.attempts(), [], "and its pods go");
      }),
      { numRuns: 60 },
    );
  });
});
