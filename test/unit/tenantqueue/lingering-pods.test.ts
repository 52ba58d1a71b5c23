import assert from "node:assert/strict";
import type { WorkloadOwner } from "../../../src/api/admission.ts";
import type { TenantQueue } from "../../../src/api/tenant-queue.gen.ts";
import { Ledger } from "../../../src/tenantqueue/ledger.ts";
import { workloadId } from "../../../src/tenantqueue/seat.ts";
import { planWorld } from "../../../src/tenantqueue/world.ts";

const start = Date.parse("2026-11-21T12:00:00Z");
const owner: WorkloadOwner = { kind: "ElasticJob", namespace: "shop", name: "job", uid: "job" };
const queue: TenantQueue = {
  apiVersion: "nuptse.dev/v1alpha1",
  kind: "TenantQueue",
  metadata: { name: "corp", uid: "corp", creationTimestamp: "2026-11-21T11:00:00Z" },
  spec: { capacity: { resources: { cpu: "2" } }, namespaceSelector: {} },
};

/** One run in a queue of two cores, one core an item. */
class Run {
  readonly ledger = new Ledger({
    now: () => start,
    namespaceLabels: () => ({}),
    onAnswer: () => undefined,
    onChoice: () => undefined,
    onDecline: () => undefined,
    onWork: () => undefined,
    onAdmitted: () => undefined,
  });

  constructor() {
    this.ledger.follow(planWorld({ queues: [queue], nodes: [], namespaces: new Map(), foreign: () => undefined }), true);
  }

  /** Its owner looks, then it is decided: nothing is decided at any other time. */
  look(wanted: number, atWork: number, recorded = atWork, atLeast = 1): this {
    this.declare(wanted, atWork, recorded, atLeast);
    this.ledger.decide(1000);
    return this;
  }

  /** Its owner looks. */
  declare(wanted: number, atWork: number, recorded: number, atLeast = 1): this {
    const terms = { priority: 0, since: start, item: { cpu: 1000, pods: 1 }, atLeast, onReclaim: "Stop", promiseSeconds: 30 } as const;
    this.ledger.declare(owner, [{ part: "run", queue: "corp", wanted, atWork, recorded, ...terms }]);
    return this;
  }

  pod(name: string, exists: boolean): this {
    const request = exists ? { cpu: 1000, pods: 1 } : undefined;
    this.ledger.countPod({ name, namespace: "shop", id: workloadId("job", "run"), queue: "corp", request });
    return this;
  }

  get allowed(): number | undefined {
    return this.ledger.answersFor("job").get("run")?.allowed;
  }

  get used(): number | undefined {
    return this.ledger.treeOf("corp")?.usageOf("corp").used["cpu"];
  }
}

/** Two items of ten are at work. */
const atWork = () => new Run().look(10, 0).pod("a", true).pod("b", true).look(10, 2);

describe("a pod that is there and not at work for its owner any more", () => {
  it("takes room, and gives its run no other place", () => {
    const run = atWork();
    assert.deepEqual([run.allowed, run.used], [2, 2000]);
    // The program of a has ended, and its place goes to c; the phase of a does not tell yet.
    run.look(9, 1).pod("c", true);
    assert.deepEqual([run.allowed, run.used], [2, 3000]);
    run.look(9, 2);
    assert.deepEqual([run.allowed, run.used], [2, 3000]);
    run.pod("a", false);
    assert.deepEqual([run.allowed, run.used], [2, 2000]);
  });

  it("several at once", () => {
    const run = atWork().look(8, 0).pod("c", true).look(8, 1).pod("d", true).look(8, 2);
    assert.deepEqual([run.allowed, run.used], [2, 4000]);
    run.pod("a", false);
    assert.deepEqual([run.allowed, run.used], [2, 3000]);
    run.pod("b", false);
    assert.deepEqual([run.allowed, run.used], [2, 2000]);
  });

  it("one that its owner counts after all is at work, and its place ends with it, since nobody gave it", () => {
    const run = atWork().pod("stray", true);
    assert.equal(run.allowed, 2);
    run.look(10, 3);
    assert.deepEqual([run.allowed, run.used], [2, 3000]);
    run.pod("stray", false).declare(10, 2, 2);
    assert.deepEqual([run.allowed, run.used], [2, 2000]);
  });

  it("one that its owner counts again when it is already gone gives its run no place", () => {
    // The node of `a` comes back, `a` ends, and its owner hears of the one after the other.
    const run = atWork().look(9, 1).pod("c", true).look(9, 2).pod("a", false).look(9, 3);
    assert.deepEqual([run.allowed, run.used], [2, 3000]);
    run.look(9, 2);
    assert.deepEqual([run.allowed, run.used], [2, 2000]);
  });

  it("when it was all that a new leader found, its run waits for its turn once it is gone", () => {
    const run = new Run().pod("a", true).look(1, 0, 0);
    assert.deepEqual([run.allowed, run.used], [0, 1000]);
    run.pod("a", false);
    assert.deepEqual([run.allowed, run.used ?? 0], [0, 0]);
    run.look(1, 0, 0);
    assert.deepEqual([run.allowed, run.used], [1, 1000]);
  });

  it("a new leader finds it, too", () => {
    const run = new Run().pod("a", true).pod("b", true).pod("c", true).look(9, 2, 2);
    assert.deepEqual([run.allowed, run.used], [2, 3000]);
    run.pod("a", false);
    assert.deepEqual([run.allowed, run.used], [2, 2000]);
  });

  it("a new leader finds it of a run whose items begin together", () => {
    const run = new Run().pod("a", true).pod("b", true).look(9, 1, 1, 4);
    assert.deepEqual([run.allowed, run.used], [1, 2000]);
    run.pod("a", false);
    assert.equal(run.used, 1000);
  });

  it("a new leader that finds only pods at work takes none for lingering, whatever was recorded", () => {
    const run = new Run().pod("a", true).pod("b", true).look(10, 2, 0);
    assert.deepEqual([run.allowed, run.used], [2, 2000]);
  });

  it("a new leader that finds more at work than was given lets what is too much end, and gives its places to nobody", () => {
    // Of two that were given one is on a node that is gone, and its place was used again; the new leader counts all three.
    const run = new Run().pod("a", true).pod("b", true).pod("c", true).look(10, 3, 2);
    assert.deepEqual([run.allowed, run.used], [2, 3000]);
    run.pod("c", false).look(10, 2, 2);
    assert.deepEqual([run.allowed, run.used], [2, 2000]);
  });

  it("the end of the run takes all along", () => {
    const run = atWork().look(9, 1).pod("c", true).look(9, 2).look(0, 0).pod("a", false).pod("b", false).pod("c", false);
    assert.deepEqual([run.allowed, run.used], [0, undefined]);
  });
});

describe("a run that gave back all that it had", () => {
  it("waits for its turn again, whatever is still recorded of the time before", () => {
    // Its only item found no node, was stopped, and waits for its back-off.
    const run = new Run().look(1, 0).pod("a", true).look(1, 1).pod("a", false).look(0, 0, 1);
    assert.deepEqual([run.allowed, run.used ?? 0], [0, 0]);
    run.declare(1, 0, 1);
    assert.deepEqual([run.allowed, run.used ?? 0], [0, 0]);
    run.look(1, 0, 1);
    assert.deepEqual([run.allowed, run.used], [1, 1000]);
  });
});
