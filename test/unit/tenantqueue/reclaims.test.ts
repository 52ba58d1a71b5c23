import assert from "node:assert/strict";
import type { AdmissionAnswer, OnReclaim, WorkloadOwner } from "../../../src/api/admission.ts";
import type { TenantQueue } from "../../../src/api/tenant-queue.gen.ts";
import { Ledger } from "../../../src/tenantqueue/ledger.ts";
import { Reclaims } from "../../../src/tenantqueue/reclaims.ts";
import { planWorld } from "../../../src/tenantqueue/world.ts";

const start = Date.parse("2026-11-21T12:00:00Z");

function queue(name: string, spec: TenantQueue["spec"]): TenantQueue {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "TenantQueue",
    metadata: { name, uid: name, creationTimestamp: "2026-11-21T11:00:00Z" },
    spec,
  };
}

const leaf = (name: string, more: Partial<TenantQueue["spec"]> = {}) =>
  queue(name, { parent: "corp", namespaceSelector: {}, reclaim: { graceSeconds: 60 }, ...more });

/** Ten cores; `a` is guaranteed five of them, and `b` borrows. */
const queues = [queue("corp", { capacity: { resources: { cpu: "10" } } }), leaf("a", { guaranteed: { cpu: "5" } }), leaf("b")];

interface FakeApp {
  readonly name: string;
  readonly queue: string;
  readonly onReclaim?: OnReclaim;
  readonly kind?: string;
  /** Items that begin together. */
  readonly atLeast?: number;
}

/** Owners of elastic workloads of one core an item, as a fleet of runners would be. */
class Stage {
  now = start;
  readonly told: string[] = [];
  ledger!: Ledger;
  reclaims!: Reclaims;

  constructor() {
    this.restart();
  }

  /** Another leader: it knows what owners declare, and what queues have in their status. */
  restart(stored: readonly TenantQueue[] = queues): this {
    this.ledger = new Ledger({
      now: () => this.now,
      namespaceLabels: () => ({}),
      onAnswer: () => undefined,
      onChoice: () => undefined,
      onDecline: (id) => this.reclaims.decline(id),
      onWork: () => undefined,
      onAdmitted: () => undefined,
    });
    this.reclaims = new Reclaims({
      ledger: this.ledger,
      now: () => this.now,
      namespaceUid: (name) => `uid-of-${name}`,
      onState: ({ donor, state, isOverdue }) => this.told.push(`${donor.split("/")[0]} ${isOverdue ? "overdue" : state}`),
    });
    this.ledger.follow(planWorld({ queues: stored, nodes: [], namespaces: new Map(), foreign: () => undefined }), true);
    return this;
  }

  declare({ name, queue: of, onReclaim = "Stop", atLeast = 1, kind = "RunnerApp" }: FakeApp, wanted: number, atWork: number): this {
    const owner: WorkloadOwner = { kind, namespace: "shop", name, uid: name };
    const terms = { priority: 0, since: start, item: { cpu: 1000, pods: 1 }, atLeast, onReclaim, promiseSeconds: 30 };
    this.ledger.declare(owner, [{ part: "app", queue: of, wanted, atWork, recorded: 0, ...terms }]);
    return this;
  }

  /** Decides, and looks at requests, after so many seconds. */
  step(seconds = 0): this {
    this.now += seconds * 1000;
    this.ledger.decide(1000);
    this.reclaims.step();
    this.ledger.decide(1000);
    return this;
  }

  /** Queues as they are stored, with what a new leader takes up. */
  stored(): readonly TenantQueue[] {
    return queues.map((each) => {
      const { reclaims, coolOffs } = this.reclaims.of(each.metadata.name);
      return { ...each, status: { reclaims: [...reclaims], coolOffs: [...coolOffs] } };
    });
  }

  answer(name: string): AdmissionAnswer | undefined {
    return this.ledger.answersFor(name).get("app");
  }

  states(queueName = "b"): readonly string[] {
    return this.reclaims.of(queueName).reclaims.map(({ state, resources }) => `${state} ${resources?.["cpu"]}`);
  }
}

const fleet: FakeApp = { name: "fleet", queue: "b" };
const owner: FakeApp = { name: "owner", queue: "a", atLeast: 3 };

/** The fleet has all ten cores at work; the owner of the guarantee wants three. */
function asked(app: FakeApp = fleet): Stage {
  const stage = new Stage().declare(app, 10, 0).step();
  stage.declare(app, 10, 10).step();
  return stage.declare(owner, 3, 0).step(1);
}

describe("a reclaim", () => {
  it("asks an elastic donor for as many items as the claimant needs, and for no more", () => {
    const stage = asked();
    assert.deepEqual(stage.answer("fleet")?.allowed, 7);
    assert.deepEqual(stage.answer("fleet")?.reclaim, { claimant: "a", deadline: start + 61_000 });
    assert.deepEqual(stage.states(), ["Requested 3"]);
  });

  it("is Acknowledged when the donor's owner has looked, and Released when all is given back; then it goes to the claimant first", () => {
    const stage = asked().declare(fleet, 10, 10).step(1);
    assert.deepEqual(stage.states(), ["Acknowledged 3"]);
    stage.declare(fleet, 10, 8).step(1);
    assert.deepEqual([stage.states(), stage.answer("owner")?.allowed], [["Acknowledged 3"], 0]);
    stage.declare(fleet, 10, 7).step(1);
    assert.deepEqual([stage.states(), stage.answer("owner")?.allowed, stage.answer("fleet")?.allowed], [["Released 3"], 3, 7]);
    assert.deepEqual(stage.told, ["fleet Requested", "fleet Acknowledged", "fleet Released"]);
  });

  it("is Withdrawn when the claimant does not want it any more, and the donor keeps what it has", () => {
    const stage = asked().declare(owner, 0, 0).step(1);
    assert.deepEqual([stage.states(), stage.answer("fleet")?.allowed], [["Withdrawn 3"], 10]);
  });

  it("may be Declined: then the donor is not asked again during its cool-off", () => {
    const stage = asked();
    stage.ledger.decline("fleet", "app");
    stage.step(1);
    assert.deepEqual([stage.states(), stage.answer("fleet")?.allowed], [["Declined 3"], 10]);
    assert.deepEqual(
      stage.reclaims.of("b").coolOffs.map(({ until }) => until),
      ["2026-11-21T12:01:01Z"],
    );
    stage.step(58);
    assert.deepEqual(stage.states(), ["Declined 3"]);
    stage.step(3);
    assert.deepEqual(stage.states(), ["Requested 3"]);
  });

  it("that is overdue freezes the donor's queue and makes it owe; when it is given back the queue goes on, and owes for a while more", () => {
    const stage = asked().declare(fleet, 10, 10).step(60);
    assert.deepEqual(stage.told.at(-1), "fleet overdue");
    assert.deepEqual(
      stage.reclaims.of("b").debts.map(({ resources, until }) => [resources?.["cpu"], until]),
      [["3", "2026-11-21T12:02:01Z"]],
    );
    const other: FakeApp = { name: "other", queue: "b" };
    stage.declare(owner, 0, 0).declare(other, 1, 0).declare(fleet, 9, 9).step(1);
    assert.equal(stage.answer("other")?.allowed, 1, "the claimant is gone, so nothing is overdue any more");
  });

  it("nothing is admitted to a frozen queue, though there is room", () => {
    const stage = asked().declare(fleet, 10, 10).step(60);
    const other: FakeApp = { name: "other", queue: "b" };
    stage.declare(other, 1, 0).declare(fleet, 8, 8).step(1);
    assert.equal(stage.answer("other")?.allowed, 0);
  });

  it("of firm work is never made", () => {
    const stage = asked({ ...fleet, onReclaim: "Refuse" });
    assert.deepEqual([stage.states(), stage.answer("fleet")?.allowed], [[], 10]);
  });

  for (const kind of ["RunnerApp", "Deployment"])
    it(`of a ${kind} survives a restart: the same donor is asked for the same, and the claimant is served first`, () => {
      const donor = { ...fleet, kind };
      const stage = asked(donor);
      const stored = stage.stored();
      stage.restart(stored).declare(owner, 3, 0).declare(donor, 10, 10);
      stage.reclaims.takeUp(stored);
      stage.step(1);
      assert.deepEqual([stage.states(), stage.answer("fleet")?.allowed], [["Requested 3"], 7], "until its owner looks again");
      stage.declare(donor, 10, 7).step(1);
      assert.deepEqual([stage.states(), stage.answer("owner")?.allowed], [["Released 3"], 3]);
    });

  it("of a donor that is gone when another leader takes it up ends as Released", () => {
    const stage = asked();
    const stored = stage.stored();
    stage.restart(stored).declare(owner, 3, 0);
    stage.reclaims.takeUp(stored);
    stage.step(1);
    assert.deepEqual([stage.states(), stage.answer("owner")?.allowed], [["Released 3"], 3]);
  });

  it("that was Declined is not asked again by another leader during the cool-off", () => {
    const stage = asked();
    stage.ledger.decline("fleet", "app");
    stage.step(1);
    const stored = stage.stored();
    stage.restart(stored).declare(owner, 3, 0).declare(fleet, 10, 10);
    stage.reclaims.takeUp(stored);
    stage.step(1);
    assert.deepEqual([stage.states(), stage.answer("fleet")?.allowed], [[], 10]);
  });

  it("binds the donor in a new term before anything is decided in it", () => {
    const stage = asked();
    const stored = stage.stored();
    stage.restart(stored);
    // Pods are seen before their owners are.
    stage.ledger.countPod({ name: "fleet-0", namespace: "shop", id: "fleet/app", queue: "b", request: { cpu: 1000, pods: 1 } });
    stage.reclaims.beginTerm(stored);
    stage.declare(fleet, 10, 8);
    assert.equal(stage.answer("fleet")?.allowed, 7);
    // Its queue does not tell of it any more when decisions begin.
    stage.reclaims.takeUp(queues);
    assert.equal(stage.answer("fleet")?.allowed, 8);
  });

  it("survives a leader whose clock was a year ahead: what it told lasts no longer than a grace time from now", () => {
    const ahead = asked();
    ahead.now += 365 * 86_400_000;
    ahead.declare(fleet, 10, 10).step(60);
    const { reclaims, debts } = ahead.reclaims.of("b");
    const coolOffs = [{ ref: "0123456789abcdef", part: "app", until: "2027-11-21T12:00:00Z" }];
    const stored = queues.map((each) => (each.metadata.name === "b" ? { ...each, status: { reclaims, debts, coolOffs } } : each));
    const stage = new Stage().restart(stored).declare(owner, 3, 0).declare(fleet, 10, 10);
    stage.reclaims.takeUp(stored);
    const told = stage.reclaims.of("b");
    assert.deepEqual(
      [
        ...told.reclaims.map(({ deadline }) => deadline),
        ...told.debts.map(({ until }) => until),
        ...told.coolOffs.map(({ until }) => until),
      ],
      ["2026-11-21T12:01:00Z", "2026-11-21T12:01:00Z", "2026-11-21T12:01:00Z"],
    );
  });

  // SHA-256 of "nuptse.dev/work <what it stands for>", its first 16 digits: printf 'nuptse.dev/work fleet' | sha256sum
  for (const { kind, workload } of [
    { kind: "RunnerApp", workload: { kind: "RunnerApp", ref: "ee3cffd17246d65e", part: "app" } },
    { kind: "Deployment", workload: { kind: "Deployment", ref: "8ebf69207a0a599c", part: "225515ee4b5a776c" } },
  ])
    it(`tells of a ${kind} without its name and its UID`, () => {
      const [told] = asked({ ...fleet, kind }).reclaims.of("b").reclaims;
      assert.deepEqual(told?.workload, workload);
      assert.deepEqual(told?.claimant, { queue: "a", kind: "RunnerApp", ref: "89408e0965f21a87", part: "app" });
    });
});
