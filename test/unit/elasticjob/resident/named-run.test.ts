import assert from "node:assert/strict";
import { storedClaims } from "../../../../src/elasticjob/rules/resident/stored-claims.ts";
import { plainExecutor, ResidentWorld } from "../../../support/builders/resident-world.ts";
import type { WorldOptions } from "../../../support/builders/job-world.ts";

const one = "20261121t130000z";

/** A job that has run once, at 12:00, so that status says who has its item; nothing of it is under way. */
function warm(options: WorldOptions & { readonly instances?: number } = {}): { readonly world: ResidentWorld; readonly home: string } {
  const world = ResidentWorld.ready(options).to("12:00:00") as ResidentWorld;
  const home = world.dispatches()[0]?.split(" ")[1] ?? "";
  world.ends().settle();
  assert.equal(world.history()?.phase, "Succeeded");
  world.forgetLog();
  world.said = [];
  return { world, home };
}

describe("a run that status names ahead (decision 7)", () => {
  it("is handed over at its instant without a record of its own, and costs one patch", () => {
    const { world, home } = warm();
    world.sleepTo("13:00:00");
    const plan = world.step();
    assert.deepEqual(world.said, [`dispatch ${one}/0/1 ${home}`]);
    assert.equal(plan.status, undefined);
    world.settle();
    assert.deepEqual(world.status.active, undefined);
    world.ends(0, { message: "42 rows" }).settle();
    assert.deepEqual(world.writes, ["status"]);
    const { run, kind, phase, attempts, startedAt } = world.history() ?? {};
    assert.deepEqual(
      { run, kind, phase, attempts, startedAt },
      { run: one, kind: "Schedule", phase: "Succeeded", attempts: 1, startedAt: "2026-11-21T13:00:00.000Z" },
    );
    assert.equal(world.status.lastHandledFireTime, "2026-11-21T13:00:00Z");
    assert.equal(world.status.nextFireTime, "2026-11-21T14:00:00Z");
    assert.equal(world.said.length, 1);
  });

  it("gets an entry when it goes on", () => {
    const { world, home } = warm();
    world.to("13:00:06");
    assert.equal(world.active()?.phase, "Running");
    assert.deepEqual(world.dispatches(), [`0 ${home} 1`]);
    assert.equal(world.said.length, 1);
    world.ends().settle();
    assert.deepEqual(world.writes, ["status", "status"]);
    assert.equal(world.history()?.attempts, 1);
  });

  it("is repeated with a record when it fails", () => {
    const { world, home } = warm({ spec: { retry: { sameNode: 1, backoff: { initialSeconds: 1, factor: 1, maxSeconds: 1 } } } });
    world.to("13:00:00");
    world.fails().to("13:00:01");
    assert.deepEqual(world.dispatches(), [`0 ${home} 2`]);
    assert.equal(world.active()?.attempts, 2);
  });

  it("stays named by what is written beside it", () => {
    const { world } = warm();
    // Nothing of it belongs to what runs are pinned to, nor to when they fire.
    world.edit({ history: { succeeded: 2, failed: 2 } }).sleepTo("13:00:00");
    const plan = world.step();
    assert.equal(world.said.length, 1);
    assert.equal(plan.status?.status["observedGeneration"], 2);
    assert.equal(world.status.nextFireTime, "2026-11-21T13:00:00Z");
    world.edit({ history: { succeeded: 3, failed: 3 } }).settle();
    assert.equal(world.active()?.run, one, "whatever is written later has its entry");
    assert.equal(world.status.nextFireTime, "2026-11-21T14:00:00Z");
  });

  const others: readonly {
    readonly why: string;
    readonly options?: WorldOptions;
    readonly before?: (world: ResidentWorld, home: string) => void;
  }[] = [
    { why: "runs may overlap", options: { spec: { concurrencyPolicy: "Allow" } } },
    { why: "what passes in a downtime is given up", options: { spec: { misfire: { onDowntime: "Skip" } } } },
    { why: "it has more than one item", options: { spec: { sharding: { total: 2 } } } },
    { why: "its instance is chosen anew each time", options: { spec: { sharding: { total: 1, strategy: "LeastLoaded" } } } },
    { why: "its instance is out of service", before: (world, home) => world.instance(home, { isReady: false }) },
    { why: "its instance has no place", before: (world) => (world.executor = { ...plainExecutor, capacity: 0 }) },
    { why: "its executor does not remember", before: (world) => (world.executor = { ...plainExecutor, remembers: false }) },
    { why: "its executor speaks another protocol", before: (world) => (world.executor = { ...plainExecutor, protocol: "XxlJob" }) },
    { why: "it is late", before: (world) => world.sleepTo("13:00:31") },
    { why: "it is late for its time limit", options: { spec: { itemTimeoutSeconds: 20 } }, before: (world) => world.sleepTo("13:00:03") },
    { why: "its template has changed", before: (world) => world.edit({ parameter: "other" }) },
  ];
  for (const { why, options, before } of others)
    it(`is recorded first where ${why}`, () => {
      const world = ResidentWorld.ready(options).to("12:00:00") as ResidentWorld;
      const home = world.dispatches()[0]?.split(" ")[1] ?? "";
      for (const key of [...world.tasks.keys()]) world.ends(Number(key.split("/")[1]));
      world.settle();
      world.said = [];
      world.sleepTo("13:00:00");
      before?.(world, home);
      world.step();
      assert.deepEqual(world.said, []);
    });
});

describe("a new leader that finds a run named whose instant has come", () => {
  const asks = (home: string) => [`dispatch ${one}/0/1 ${home}`];
  function handedOver(options: WorldOptions = {}): { readonly world: ResidentWorld; readonly home: string } {
    const { world, home } = warm(options);
    world.to("13:00:00");
    world.said = [];
    world.sleepTo("13:00:20").restart();
    world.forgetLog();
    world.settle();
    assert.deepEqual(world.said, asks(home));
    const { asksFirst, isUncertain } = world.orders.at(-1) ?? {};
    assert.deepEqual({ asksFirst, isUncertain }, { asksFirst: true, isUncertain: true });
    assert.deepEqual(world.writes, [], "what is written would name another run");
    return { world, home };
  }

  it("goes on with it where its executor has it", () => {
    const { world, home } = handedOver();
    world.accepts().settle();
    assert.deepEqual(world.dispatches(), [`0 ${home} 1`]);
    world.ends().settle();
    assert.equal(world.history()?.run, one);
    assert.deepEqual(world.said, asks(home));
  });

  it("takes its result where it has ended", () => {
    const { world } = handedOver();
    world.ends(0, { message: "7" }).settle();
    assert.deepEqual(world.status.results, { run: one, items: [{ item: 0, value: "7" }] });
    assert.deepEqual(world.writes, ["status"]);
  });

  const neverBegun = { outcome: "Lost", reason: "NeverBegun" } as const;

  it("leaves it to the misfire rules where no executor has it", () => {
    const { world, home } = handedOver();
    world.ends(0, neverBegun).settle();
    assert.equal(world.active()?.kind, "Misfire");
    assert.deepEqual(world.dispatches(), [`0 ${home} 1`], "recorded now");
    assert.deepEqual(world.said, [...asks(home), ...asks(home)]);
    assert.equal(world.orders.at(-1)?.isUncertain, undefined);
  });

  it("gives it up where it is suspended and no executor has it", () => {
    const { world, home } = handedOver();
    world.edit({ suspend: true }).ends(0, neverBegun).settle();
    assert.equal(world.active(), undefined);
    assert.deepEqual(world.said, asks(home));
  });

  it("lets it begin elsewhere only when nothing can be on its way to that instance any more", () => {
    const { world, home } = handedOver();
    world.instance(home, { isReady: false }).ends(0, neverBegun).to("13:00:59.999");
    assert.equal(world.active()?.phase, "Waiting");
    assert.deepEqual(world.said, asks(home));
    world.to("13:01:00");
    assert.match(world.dispatches()[0] as string, /^0 workers-\d 1$/);
    assert.ok(!(world.dispatches()[0] as string).includes(home));
  });

  it("does not wait for an instance that is gone", () => {
    const { world, home } = warm();
    world.to("13:00:00");
    world.said = [];
    world.sleepTo("13:00:20").loseInstance(home).restart().settle().settle();
    assert.equal(world.active()?.kind, "Misfire");
    assert.ok(!(world.dispatches()[0] as string).includes(home));
  });

  it("takes it for begun where its executor says nothing for a minute", () => {
    const { world, home } = handedOver();
    world.to("13:01:19.999");
    assert.deepEqual(world.writes, []);
    world.to("13:01:20");
    assert.equal(world.active()?.kind, "Schedule");
    assert.deepEqual(world.dispatches(), [`0 ${home} 1`]);
    assert.deepEqual(world.said, asks(home));
  });

  it("asks about one of its own first minute, too: clocks differ", () => {
    const { world, home } = warm();
    world.sleepTo("12:59:30").restart();
    world.said = [];
    world.to("13:00:00");
    assert.deepEqual(world.said, asks(home));
    assert.equal(world.orders.at(-1)?.isUncertain, true);
    world.ends(0, neverBegun).settle();
    assert.equal(world.said.length, 2, "on time, so it is handed over at once");
    assert.equal(world.status.active, undefined);
    world.ends().settle();
    assert.equal(world.history()?.kind, "Schedule");
  });

  it("asks anew in each term, whatever was heard in the one before", () => {
    const { world, home } = warm();
    world.sleepTo("12:59:30").restart();
    world.to("13:00:00");
    world.ends(0, neverBegun).settle();
    world.said = [];
    // The same process leads again: it has forgotten its tasks, and not what it noted.
    world.tasks = new Map();
    world.now += 20_000;
    world.termStart = world.now;
    world.settle();
    assert.deepEqual(world.said, asks(home));
  });
});

describe("what stored status says of places", () => {
  const held = (world: ResidentWorld) =>
    storedClaims(world.job, world.now).flatMap((claim) =>
      [...claim.held].map(([instance, count]) => `${claim.runner} ${instance} ${count}`),
    );

  it("is one for each item that it tells to be at an instance", () => {
    const world = ResidentWorld.ready({ spec: { sharding: { total: 5 } } }).to("12:00:00") as ResidentWorld;
    assert.deepEqual(held(world), ["workers uid-workers-0 2", "workers uid-workers-1 2", "workers uid-workers-2 1"]);
    for (const item of [0, 1, 2, 3, 4]) world.ends(item);
    world.settle();
    assert.deepEqual(held(world), []);
  });

  it("is one for a run that is named and has just come", () => {
    const { world, home } = warm();
    assert.deepEqual(held(world.sleepTo("12:59:59")), []);
    assert.deepEqual(held(world.sleepTo("13:00:00")), [`workers uid-${home} 1`]);
    assert.deepEqual(held(world.sleepTo("13:01:00")), [], "one that was handed over would have an entry");
  });
});
