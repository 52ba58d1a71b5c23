import assert from "node:assert/strict";
import { makeInstance, plainExecutor, ResidentWorld } from "../../../support/builders/resident-world.ts";

const noon = "20261121t120000z";

describe("a run that is dispatched", () => {
  it("stands in status with its instances before any executor hears of it, and costs two patches", () => {
    const world = ResidentWorld.ready();
    world.sleepTo("12:00:00");
    const first = world.step();
    assert.deepEqual(
      first.actions.map(({ tag }) => tag),
      [],
      "the record alone",
    );
    assert.equal(world.active()?.phase, "Running");
    assert.equal(world.active()?.runner, "workers");
    assert.equal(world.dispatches().length, 1);
    assert.deepEqual(world.said, []);
    world.settle();
    assert.equal(world.said.length, 1);
    world.accepts().ends(0, { message: "42 rows" }).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.deepEqual(world.status.results, { run: noon, items: [{ item: 0, value: "42 rows" }] });
    assert.deepEqual(world.writes, ["status", "status"]);
    assert.equal(world.history()?.dispatches, undefined);
    assert.equal(world.history()?.attempts, 1);
  });

  it("its items are dealt in blocks, which status.assignments tells", () => {
    const world = ResidentWorld.ready({ spec: { sharding: { total: 10 } } }).to("12:00:00") as ResidentWorld;
    assert.deepEqual(world.dispatches(), ["0-2,9 workers-0 1", "3-5 workers-1 1", "6-8 workers-2 1"]);
    assert.deepEqual(
      world.status.assignments?.instances?.map(({ name, items }) => `${name} ${items}`),
      ["workers-0 0-2,9", "workers-1 3-5", "workers-2 6-8"],
    );
    assert.equal(world.said.length, 10);
    const [order] = world.orders;
    assert.equal(order?.task.total, 10);
    assert.equal(order?.target.baseUrl, "http://10.0.0.1:8080/jobs");
    assert.equal(order?.task.handler, "report");
  });

  it("what is learnt of items is told with the next write, and the last one ends the run", () => {
    const world = ResidentWorld.ready({ spec: { sharding: { total: 2 } } }).to("12:00:00") as ResidentWorld;
    world.ends(0).settle();
    assert.deepEqual(world.writes, ["status"], "an item's end can wait");
    world.to("12:00:05");
    assert.equal(world.active()?.succeeded, "0");
    assert.equal(world.dispatches().length, 1);
    world.ends(1).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.deepEqual(world.writes, ["status", "status", "status"]);
  });

  it("no more than parallelism items are at work", () => {
    const world = ResidentWorld.ready({ spec: { sharding: { total: 5, parallelism: 2 } } }).to("12:00:00") as ResidentWorld;
    assert.equal(world.said.length, 2);
    world.ends(0).settle();
    assert.equal(world.said.length, 3);
  });

  it("an instance that came is used from the next run on", () => {
    const world = ResidentWorld.ready({ spec: { sharding: { total: 3, parallelism: 1 } } }).to("12:00:00") as ResidentWorld;
    world.instances.push(makeInstance("workers-3"));
    world.ends(0).settle();
    world.ends(1).settle();
    world.ends(2).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.status.assignments?.revision, 1);
    world.edit({ sharding: { total: 8 } }).settle();
    world.to("13:00:00");
    assert.equal(world.status.assignments?.revision, 2);
    assert.equal(world.status.assignments?.instances?.length, 4);
  });

  it("a fleet that is missing, takes no tasks, does not allow the job, or has nobody who is ready is waited for", () => {
    const cases: readonly { readonly why: string; readonly break: (world: ResidentWorld) => void }[] = [
      { why: "RunnerNotFound", break: (world) => (world.fleetExists = false) },
      { why: "RunnerNotFound", break: (world) => (world.executor = undefined) },
      { why: "FleetNotCounted", break: (world) => (world.isFleetRead = false) },
      { why: "RunnerUnheard", break: (world) => (world.hindrance = "nobody would hear how it ended") },
      { why: "RunnerRefuses", break: (world) => (world.executor = { ...plainExecutor, allowedJobs: { matchLabels: { team: "a" } } }) },
      { why: "NoInstance", break: (world) => (world.instances = [makeInstance("workers-0", { isReady: false })]) },
      { why: "NoInstance", break: (world) => (world.instances = []) },
    ];
    for (const { why, break: breakIt } of cases) {
      const world = ResidentWorld.ready();
      breakIt(world);
      world.to("12:00:00");
      assert.equal(world.active()?.phase, "Waiting", why);
      assert.equal(world.active()?.reason, why);
      assert.deepEqual(world.said, []);
      world.fleetExists = true;
      world.isFleetRead = true;
      world.hindrance = undefined;
      world.executor = plainExecutor;
      world.instances = [makeInstance("workers-0")];
      world.settle();
      world.ends(0).settle();
      assert.equal(world.history()?.phase, "Succeeded", why);
      assert.equal(world.condition("Ready"), "True:Armed");
    }
  });
});

describe("an attempt that does not succeed at its executor", () => {
  const retry = { sameNode: 1, otherNodes: 1, backoff: { initialSeconds: 10, factor: 1, maxSeconds: 10 } };

  it("is repeated on the same instance, then on another", () => {
    const world = ResidentWorld.ready({ spec: { retry } }).to("12:00:00") as ResidentWorld;
    const [first] = world.dispatches();
    const home = first?.split(" ")[1] as string;
    world.fails().to("12:00:09");
    assert.equal(world.said.length, 1, "the wait is not over");
    world.to("12:00:10");
    assert.deepEqual(world.dispatches(), [`0 ${home} 2`]);
    world.fails().to("12:00:20");
    const [, elsewhere] = world.dispatches()[0]?.split(" ") ?? [];
    assert.notEqual(elsewhere, home);
    assert.deepEqual(world.active()?.dispatches?.[0]?.left, [home]);
    world.fails().to("12:00:30");
    world.fails().to("12:00:40");
    assert.equal(world.history()?.phase, "Failed");
    assert.equal(world.history()?.attempts, 4);
    assert.deepEqual(world.history()?.failures, [
      { item: 0, attempt: 4, reason: "RetriesExhausted", node: elsewhere, message: "Error: broken" },
    ]);
  });

  it("goes elsewhere when its instance is gone, uncounted", () => {
    const world = ResidentWorld.ready().to("12:00:00") as ResidentWorld;
    const home = world.dispatches()[0]?.split(" ")[1] as string;
    world.accepts().loseInstance(home).settle();
    world.to("12:00:10");
    const [dispatch] = world.dispatches();
    assert.match(dispatch as string, /^0 workers-\d 2$/);
    assert.ok(!(dispatch as string).includes(home));
    assert.equal(world.active()?.lost, 1);
    assert.ok(
      world.events.some((event) => event.startsWith("ItemFailedOver")),
      world.events.join("; "),
    );
    world.ends(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.lost, 1);
  });

  it("stays where it is while its instance is listed no more and its pod is there; that is asked once a minute", () => {
    const world = ResidentWorld.ready().to("12:00:00") as ResidentWorld;
    const home = world.dispatches()[0]?.split(" ")[1] as string;
    world.living.add(home);
    world.accepts().loseInstance(home);
    for (const minute of [0, 1, 2, 3, 4]) {
      world.to(`12:0${minute}:30`);
      assert.deepEqual([world.dispatches(), world.probes.length], [[`0 ${home} 1`], minute + 1]);
    }
    world.living.clear();
    world.to("12:05:30");
    assert.match(world.dispatches()[0] as string, /^0 workers-\d 2$/);
    assert.equal(world.active()?.lost, 1);
  });

  it("stays where it is while its instance is only out of service, and is given up when its time is over too", () => {
    const world = ResidentWorld.ready({ spec: { itemTimeoutSeconds: 60, retry } }).to("12:00:00") as ResidentWorld;
    const home = world.dispatches()[0]?.split(" ")[1] as string;
    world.accepts().instance(home, { isReady: false }).to("12:00:59");
    assert.equal(world.said.length, 1);
    world.to("12:01:59");
    assert.match(world.said.at(-1) as string, /^recall /, "its time is over, but its clock may be late");
    assert.equal(world.dispatches()[0], `0 ${home} 1`);
    world.to("12:02:10");
    assert.match(world.dispatches()[0] as string, /^0 workers-\d 2$/);
  });

  it("whose time is over is recalled, once that is recorded, and its end is waited for", () => {
    const world = ResidentWorld.ready({ spec: { itemTimeoutSeconds: 60 } }).to("12:00:00") as ResidentWorld;
    world.accepts().to("12:01:00");
    assert.deepEqual(
      world.active()?.stops?.map(({ reason }) => reason),
      ["ItemTimeout"],
    );
    assert.match(world.said.at(-1) as string, /^recall /);
    world.to("12:05:00");
    assert.equal(world.active()?.phase, "Running", "it may still be at work there");
    world.fails(0, "interrupted").settle();
    assert.equal(world.history()?.phase, "Failed");
    assert.equal(world.history()?.failures?.[0]?.message, "ItemTimeout: interrupted");
  });

  it("that did its work while it was being recalled has done its work", () => {
    const world = ResidentWorld.ready({ spec: { itemTimeoutSeconds: 60 } }).to("12:01:00") as ResidentWorld;
    world.ends(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
  });

  it("a run that is replaced recalls what is at work, and the next one begins when that has ended", () => {
    const spec = { concurrencyPolicy: "Replace" as const, schedule: { crons: ["* * * * *"] } };
    const world = ResidentWorld.ready({ spec }).to("12:00:00") as ResidentWorld;
    world.accepts().to("12:01:00");
    assert.equal(world.said.filter((line) => line.startsWith("dispatch")).length, 1);
    assert.match(world.said.at(-1) as string, /^recall 20261121t120000z\/0\/1/);
    world.fails(0, "interrupted").settle();
    assert.equal(world.history(noon)?.phase, "Cancelled");
    assert.match(world.said.at(-1) as string, /^dispatch 20261121t120100z\/0\/1/);
  });
});

describe("an instance without a pod", () => {
  const machine = (address: string) => makeInstance(address, { id: address, address });
  const machines = (spec: Parameters<typeof ResidentWorld.ready>[0] = {}): ResidentWorld => {
    const world = ResidentWorld.ready(spec);
    world.instances = [machine("10.0.0.7"), machine("10.0.0.8")];
    return world.to("12:00:00") as ResidentWorld;
  };
  const homeOf = (world: ResidentWorld): string => world.dispatches()[0]?.split(" ")[1] as string;

  it("whose address is not listed any more keeps its item: nothing says that it has ended", () => {
    const world = machines();
    const home = homeOf(world);
    world.accepts().loseInstance(home).to("12:30:00");
    assert.deepEqual(world.dispatches(), [`0 ${home} 1`]);
    assert.deepEqual(world.probes, [], "there is no pod to look for");
    world.ends(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.attempts, 1);
  });

  it("gives it up when the item's time is over too, by any clock", () => {
    const world = machines({ spec: { itemTimeoutSeconds: 60, retry: { sameNode: 0, otherNodes: 1 } } });
    const home = homeOf(world);
    world.accepts().loseInstance(home).to("12:01:59");
    assert.deepEqual(world.dispatches(), [`0 ${home} 1`]);
    world.to("12:02:10");
    assert.deepEqual(world.dispatches(), [`0 ${home === "10.0.0.7" ? "10.0.0.8" : "10.0.0.7"} 2`]);
  });

  it("is asked by a new leader at the address where it was, and told there to end what nobody waits for", () => {
    const world = machines({ spec: { itemTimeoutSeconds: 60 } });
    const home = homeOf(world);
    world.accepts().loseInstance(home).sleepTo("12:00:20").restart().settle();
    assert.equal(world.orders.length, 2);
    assert.deepEqual([world.orders[1]?.target.baseUrl, world.orders[1]?.asksFirst], [`http://${home}:8080/jobs`, true]);
    world.accepts().to("12:01:00");
    assert.match(world.said.at(-1) as string, /^recall /);
  });

  it("that is listed again goes on with what it had", () => {
    const world = machines();
    const home = homeOf(world);
    world.accepts().loseInstance(home).to("12:10:00");
    world.instances.push(machine(home));
    world.settle().ends(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.said.length, 1);
  });
});

describe("a fleet of which it is not known yet which instances it has", () => {
  it("loses nothing: a new leader gives up no item whose time is over before it has read them", () => {
    // A loss would be the end of the item.
    const world = ResidentWorld.ready({ spec: { itemTimeoutSeconds: 60, failover: { limit: 0 } } }).to("12:00:00") as ResidentWorld;
    const [before] = world.dispatches();
    world.isFleetRead = false;
    world.sleepTo("12:00:20").restart().to("12:05:00");
    assert.deepEqual(world.dispatches(), [before]);
    assert.equal(world.condition("Ready"), "True:Armed", "it is nobody's fault");
    assert.deepEqual(world.probes, [], "no pod is missing");
    world.isFleetRead = true;
    world.settle();
    assert.equal(world.orders.at(-1)?.asksFirst, true, "its executor is there, and is asked about it");
    world.accepts().settle();
    assert.match(world.said.at(-1) as string, /^recall /);
    world.fails(0, "interrupted").settle();
    assert.equal(world.history()?.failures?.[0]?.message, "ItemTimeout: interrupted");
  });
});

describe("a new leader", () => {
  it("takes up what is recorded under the same ids, and asks first", () => {
    const world = ResidentWorld.ready({ spec: { sharding: { total: 2 } } }).to("12:00:00") as ResidentWorld;
    const before = world.orders.map(({ task }) => task.id).sort();
    world.sleepTo("12:00:20").restart().settle();
    const after = world.orders.slice(before.length);
    assert.deepEqual(after.map(({ task }) => task.id).sort(), before);
    assert.ok(after.every(({ asksFirst }) => asksFirst));
    assert.ok(after.every(({ remembersUntil }) => remembersUntil > world.now));
    world.ends(0).ends(1).settle();
    assert.equal(world.history()?.phase, "Succeeded");
  });

  it("an executor that does not remember is never handed the same twice", () => {
    const world = ResidentWorld.ready();
    world.executor = { ...plainExecutor, remembers: false };
    world.to("12:00:00");
    world.sleepTo("12:00:20").restart().settle();
    assert.deepEqual(
      world.orders.map(({ asksFirst, remembersUntil, givenUpAt }) => [asksFirst, remembersUntil, givenUpAt - world.now]),
      [
        [false, 0, 580_000],
        [true, 0, 580_000],
      ],
    );
  });
});

describe("places in a fleet", () => {
  it("no instance has more than its capacity, and what waits goes on when there is room", () => {
    const world = ResidentWorld.ready({ spec: { sharding: { total: 6 } } });
    world.executor = { ...plainExecutor, capacity: 1 };
    world.to("12:00:00");
    assert.deepEqual(world.dispatches(), ["0 workers-0 1", "2 workers-1 1", "4 workers-2 1"]);
    world.ends(0).settle();
    assert.ok(world.dispatches().includes("1 workers-0 1"), world.dispatches().join("; "));
  });

  it("what others have at work counts", () => {
    const world = ResidentWorld.ready({ instances: 1 });
    world.executor = { ...plainExecutor, capacity: 1 };
    const other = { namespace: "tenant", name: "other" };
    const claim = { runner: "workers", held: new Map([["uid-workers-0", 1]]), wanted: new Map(), priority: 0, since: 0 };
    world.places.declare(other, "uid-other", [claim]);
    world.to("12:00:00");
    assert.equal(world.active()?.reason, "FleetBusy");
    world.places.forget("uid-other");
    world.settle();
    assert.equal(world.said.length, 1);
  });

  it("nothing is given before everybody has told what they have", () => {
    const world = ResidentWorld.ready();
    world.places.beginTerm();
    world.to("12:00:00");
    assert.equal(world.active()?.reason, "FleetNotCounted");
    world.places.begin();
    world.settle();
    assert.equal(world.said.length, 1);
  });
});

describe("strategies that choose for each item", () => {
  it("LeastLoaded fills where there is most room, First where there is any", () => {
    for (const [strategy, want] of [
      ["LeastLoaded", ["0,3 workers-0 1", "1 workers-1 1", "2 workers-2 1"]],
      ["First", ["0-1 workers-0 1", "2-3 workers-1 1"]],
    ] as const) {
      const world = ResidentWorld.ready({ spec: { sharding: { total: 4, strategy } } });
      world.executor = { ...plainExecutor, capacity: 2 };
      world.to("12:00:00");
      assert.deepEqual(world.dispatches(), want);
      assert.equal(world.status.assignments, undefined);
    }
  });

  it("Broadcast has one item for each instance that is ready; one whose instance goes has failed", () => {
    const world = ResidentWorld.ready({ spec: { sharding: { strategy: "Broadcast" } } });
    world.instance("workers-1", { isReady: false }).to("12:00:00");
    assert.deepEqual(world.dispatches(), ["0 workers-0 1", "1 workers-2 1"]);
    assert.equal(world.orders[0]?.task.total, 2);
    (world as ResidentWorld).ends(0).loseInstance("workers-2").to("12:00:10");
    assert.equal(world.history()?.phase, "Failed");
    assert.equal(world.history()?.failures?.[0]?.reason, "InstanceGone");
  });
});
