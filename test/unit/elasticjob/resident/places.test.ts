import assert from "node:assert/strict";
import type { Fleet } from "../../../../src/api/fleet.ts";
import { FleetPlaces } from "../../../../src/elasticjob/dispatch/places.ts";
import { anywhere, type PlaceClaim } from "../../../../src/elasticjob/rules/resident/observed-fleet.ts";
import { makeInstance, plainExecutor } from "../../../support/builders/resident-world.ts";

const ref = { namespace: "tenant", name: "workers" };
const fleet: Fleet = { ...ref, executor: { ...plainExecutor, capacity: 2 }, instances: [makeInstance("w-0"), makeInstance("w-1")] };
const claim = (differs: {
  held?: Record<string, number>;
  wanted?: Record<string, number>;
  priority?: number;
  since?: number;
}): PlaceClaim => ({
  runner: "workers",
  held: new Map(Object.entries(differs.held ?? {})),
  wanted: new Map(Object.entries(differs.wanted ?? {})),
  priority: differs.priority ?? 0,
  since: differs.since ?? 0,
});

describe("places of a fleet", () => {
  let woken: string[] = [];
  let places = new FleetPlaces(() => undefined);
  const declare = (job: string, differs: Parameters<typeof claim>[0]) =>
    places.declare({ namespace: "tenant", name: job }, `uid-${job}`, [claim(differs)]);
  const view = (job: string, priority = 0) => places.view(ref, fleet, `uid-${job}`, priority);

  beforeEach(() => {
    woken = [];
    places = new FleetPlaces(({ name }) => woken.push(name));
    places.begin();
  });

  it("what one has at work leaves it its own places, and takes them from others", () => {
    declare("a", { held: { "uid-w-0": 2 } });
    assert.equal(view("a").roomOn("uid-w-0"), 2);
    assert.equal(view("b").roomOn("uid-w-0"), 0);
    assert.equal(view("b").room, 2);
  });

  it("declaring twice changes nothing", () => {
    declare("a", { held: { "uid-w-0": 1 } });
    declare("a", { held: { "uid-w-0": 1 } });
    assert.equal(view("b").roomOn("uid-w-0"), 1);
  });

  it("what those before wait for is kept for them, on their instance or on any", () => {
    declare("first", { wanted: { "uid-w-0": 1 }, since: 1 });
    declare("second", { wanted: { [anywhere]: 2 }, since: 2 });
    declare("third", { wanted: { [anywhere]: 1 }, since: 3 });
    assert.equal(view("first").room, 4);
    assert.equal(view("second").roomOn("uid-w-0"), 1);
    assert.equal(view("second").room, 3);
    assert.equal(view("third").room, 1);
    assert.equal(view("fourth").room, 0, "who has not said what for comes after all of the same priority");
    assert.equal(view("fourth", 1).room, 4, "but before those of a lower one");
  });

  it("priority comes before waiting", () => {
    declare("old", { wanted: { [anywhere]: 1 }, since: 1 });
    declare("important", { wanted: { [anywhere]: 1 }, since: 2, priority: 5 });
    assert.equal(view("important").room, 4);
    assert.equal(view("old").room, 3);
  });

  it("places that are free again wake the first of those that wait, as many as there are", () => {
    declare("busy", { held: { "uid-w-0": 2 } });
    declare("later", { wanted: { [anywhere]: 1 }, since: 2 });
    declare("sooner", { wanted: { [anywhere]: 1 }, since: 1 });
    declare("busy", { held: { "uid-w-0": 1 } });
    assert.deepEqual(woken, ["sooner"]);
    places.forget("uid-busy");
    assert.deepEqual(woken, ["sooner", "sooner"]);
  });

  it("what one has on an instance that is out of service takes nothing from the others", () => {
    declare("a", { held: { "uid-gone": 2 } });
    assert.equal(view("a").room - 2, 4, "4 places are left besides what it has");
  });

  it("a fleet that changes wakes everybody who has to do with it", () => {
    declare("a", {});
    declare("b", { wanted: { [anywhere]: 1 } });
    places.fleetChanged(ref);
    assert.deepEqual(woken.sort(), ["a", "b"]);
  });
});
