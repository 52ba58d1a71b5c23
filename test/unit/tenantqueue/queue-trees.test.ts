import assert from "node:assert/strict";
import type { TenantQueue } from "../../../src/api/tenant-queue.gen.ts";
import { QueueTrees } from "../../../src/tenantqueue/queue-trees.ts";
import { planWorld } from "../../../src/tenantqueue/world.ts";

function queue(name: string, parent?: string, spec: Partial<TenantQueue["spec"]> = {}): TenantQueue {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "TenantQueue",
    metadata: { name, uid: name, creationTimestamp: "2026-11-21T12:00:00Z" },
    spec: { ...(parent === undefined ? { capacity: { resources: { cpu: "10" } } } : { parent }), ...spec },
  };
}

const worldOf = (...queues: readonly TenantQueue[]) => planWorld({ queues, nodes: [], namespaces: new Map(), foreign: () => undefined });

/** Trees in which one workload of one core runs in `where`, and what was evicted. */
function running(where: string, ...queues: readonly TenantQueue[]) {
  const trees = new QueueTrees();
  const evicted: string[] = [];
  const follow = (...next: readonly TenantQueue[]) =>
    trees.follow(worldOf(...next), (name) => {
      evicted.push(name);
      if (name === where) trees.of(name)?.release("run");
    });
  follow(...queues);
  trees.of(where)?.restore({ id: "run", queue: where, request: { cpu: 1000, pods: 1 }, since: 0 });
  const used = (name: string) => trees.of(name)?.usageOf(name).used["cpu"];
  return { trees, evicted, follow, used };
}

describe("trees follow the queues that there are", () => {
  it("a queue that is put under another one of its tree takes its work along", () => {
    const world = running("a", queue("root"), queue("x", "root"), queue("y", "root"), queue("a", "x"));
    assert.deepEqual([world.used("x"), world.used("y")], [1000, undefined]);
    world.follow(queue("root"), queue("x", "root"), queue("y", "root"), queue("a", "y"));
    assert.deepEqual([world.used("x"), world.used("y"), world.used("root")], [undefined, 1000, 1000]);
    assert.deepEqual(world.evicted, []);
  });

  it("parent and child may change places", () => {
    const world = running("b", queue("root"), queue("a", "root"), queue("b", "a"));
    world.follow(queue("root"), queue("b", "root"), queue("a", "b"));
    assert.deepEqual([world.used("a"), world.used("b")], [undefined, 1000]);
  });

  it("a queue under one that is deleted stays where its spec says, or leaves the tree", () => {
    const world = running("a", queue("root"), queue("x", "root"), queue("a", "x"));
    world.follow(queue("root"), queue("a", "x"));
    assert.deepEqual(world.evicted, ["a", "x"]);
    assert.equal(world.trees.of("a"), undefined);
    world.follow(queue("root"), queue("a", "root"));
    assert.equal(world.used("a"), undefined);
  });

  it("a queue whose parent goes and that is put elsewhere at the same time keeps its work", () => {
    const world = running("a", queue("root"), queue("x", "root"), queue("a", "x"));
    world.follow(queue("root"), queue("a", "root"));
    assert.deepEqual(world.evicted, ["x"]);
    assert.equal(world.used("a"), 1000);
  });

  it("a queue that moves to another tree leaves its work behind, to be put there anew", () => {
    const world = running("a", queue("root"), queue("other"), queue("a", "root"));
    world.follow(queue("root"), queue("other"), queue("a", "other"));
    assert.deepEqual(world.evicted, ["a"]);
    assert.equal(world.trees.of("a"), world.trees.of("other"));
  });

  it("a root that goes takes its tree along", () => {
    const world = running("a", queue("root"), queue("a", "root"));
    world.follow(queue("a", "root"));
    assert.deepEqual(world.evicted, ["a", "root"]);
    assert.equal(world.trees.all.size, 0);
  });

  it("an edit takes effect, and the same world twice changes nothing", () => {
    const world = running("a", queue("root"), queue("a", "root"));
    const edited = [queue("root"), queue("a", "root", { max: { cpu: "3" } })];
    world.follow(...edited);
    world.follow(...edited);
    assert.deepEqual(world.trees.of("a")?.specOf("a").max, { cpu: 3000 });
    assert.deepEqual(world.evicted, []);
  });
});
