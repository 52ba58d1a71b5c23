import assert from "node:assert/strict";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { Refusals } from "../../../src/gateway/refusals.ts";
import type { Instance } from "../../../src/haproxy/rules/published-service.ts";
import { defaultPools } from "../../../src/haproxy/rules/settings.ts";
import { makeService } from "../../support/builders/published-service.ts";

const settings = { pools: defaultPools };
const instance: Instance = { uid: "1", pod: "a", address: "10.0.0.1", port: 80, state: "ready" };

describe("gateway/refusals: a service that asks for what cannot be had", () => {
  it("is served as it was before, with the instances of now", () => {
    const refusals = new Refusals(new VirtualClock(0));
    const good = makeService();
    const bad = makeService({ maxConnections: 5, instances: [instance] });
    refusals.prove(good);
    refusals.refuse(bad, "HAProxy says no");
    const { candidates, problems } = refusals.settle([bad], settings);
    assert.deepEqual(candidates, [{ ...good, instances: [instance] }]);
    assert.deepEqual([...problems], [["default/base", [{ path: 'spec.services["base"]', message: "HAProxy says no" }]]]);
    assert.equal(refusals.settle([bad], settings).candidates[0], candidates[0], "the same object, so that nothing is taken for a change");
  });

  it("is left out when it never was another", () => {
    const refusals = new Refusals(new VirtualClock(0));
    refusals.refuse(makeService(), "no");
    assert.deepEqual(refusals.settle([makeService()], settings).candidates, []);
  });

  it("so is what we refuse ourselves", () => {
    const refusals = new Refusals(new VirtualClock(0));
    refusals.prove(makeService());
    const { candidates, problems } = refusals.settle([makeService({ maxConnections: 0 })], settings);
    assert.deepEqual(candidates, [makeService()]);
    assert.equal(problems.get("default/base")?.[0]?.path, 'spec.services["base"].maxConnections');
  });

  it("is tried again when it has changed, and after five minutes when it has not", async () => {
    const clock = new VirtualClock(0);
    const refusals = new Refusals(clock);
    refusals.refuse(makeService({ maxConnections: 5 }), "no");
    assert.equal(refusals.settle([makeService({ maxConnections: 6 })], settings).candidates.length, 1);
    assert.equal(refusals.settle([makeService({ maxConnections: 5, instances: [instance] })], settings).candidates.length, 0);
    await clock.runUntil(300_000);
    assert.equal(refusals.settle([makeService({ maxConnections: 5 })], settings).candidates.length, 1);
  });

  it("is forgotten with its service", () => {
    const refusals = new Refusals(new VirtualClock(0));
    refusals.prove(makeService());
    refusals.settle([], settings);
    assert.deepEqual(refusals.before(makeService()), []);
  });
});
