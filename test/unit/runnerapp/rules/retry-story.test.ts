import assert from "node:assert/strict";
import { roleStatuses } from "../../../../src/runnerapp/rules/container-end.ts";
import { type ExclusionState, planExclusions } from "../../../../src/runnerapp/rules/node-exclusion.ts";
import { placementOf } from "../../../../src/runnerapp/rules/node-rules.ts";
import { planRetries } from "../../../../src/runnerapp/rules/retry-plan.ts";
import { creationOf, type RetrySeries, type RunnerRetryPolicy } from "../../../../src/runnerapp/rules/retry-series.ts";
import type { RetryInstance } from "../../../../src/runnerapp/rules/retry-step.ts";
import { signalOf } from "../../../../src/runnerapp/rules/signal.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { runnerPod } from "../../../support/builders/runner-pod.ts";

const nodes = Array.from({ length: 10 }, (_, index) => `n${index}`);
const policy: RunnerRetryPolicy = {
  sameNode: 2,
  otherNodes: 3,
  backoff: { initialMs: 10_000, factor: 2, maxMs: 300_000 },
  resetAfterMs: 600_000,
  rules: [],
  storm: { moves: 100, windowMs: 600_000 },
};
const exclusion = { failures: 3, windowMs: 1_800_000, ttlMs: 3_600_000, maxNodes: "20%" };

interface Runner {
  readonly uid: string;
  readonly node: string;
  readonly ends: number;
  readonly since: number;
}

/** A fleet whose program fails on some nodes: a container there ends between any two looks. Nothing but what is stored outlives a look. */
class Fleet {
  readonly #failsOn: (node: string) => boolean;
  readonly #size: number;
  readonly runners = new Map<string, Runner>();
  stored: { series: readonly RetrySeries[]; brake: readonly number[]; exclusions: ExclusionState };
  now = at("12:00:00");
  writes = 0;
  events: string[] = [];
  #made = 0;

  constructor(size: number, failsOn: (node: string) => boolean) {
    this.#failsOn = failsOn;
    this.#size = size;
    this.stored = { series: [], brake: [], exclusions: { blames: [], exclusions: [] } };
    for (let index = 0; index < size; index++) this.#create(`web-${index}`);
  }

  /** A look every 10 s. */
  look(times: number): this {
    for (let index = 0; index < times; index++) this.#once();
    return this;
  }

  #once(): void {
    this.now += 10_000;
    for (const [name, runner] of this.runners)
      if (this.#failsOn(runner.node)) this.runners.set(name, { ...runner, ends: runner.ends + 1, since: this.now });
    const context = { now: this.now, mayReuse: () => true, hasMemoryPressure: () => false, pulledElsewhere: () => false };
    const names = Array.from({ length: this.#size }, (_, index) => `web-${index}`);
    const plan = planRetries(
      this.stored,
      names.map((name) => this.#shown(name)),
      policy,
      context,
    );
    const proven = new Set([...this.runners.values()].flatMap(({ node, ends }) => (ends === 0 ? node : [])));
    const witnesses = { provenOn: () => proven, isOpen: () => proven.size > 0 };
    const excluded = planExclusions(this.stored.exclusions, plan.blames, exclusion, { now: this.now, nodes, ...witnesses });
    const next = { series: plan.series, brake: plan.brake, exclusions: excluded.state };
    if (JSON.stringify(next) !== JSON.stringify(this.stored)) this.writes++;
    this.stored = JSON.parse(JSON.stringify(next));
    for (const name of plan.exhausted) this.events.push(`${name} RetriesExhausted`);
    for (const { node } of excluded.added) this.events.push(`${node} NodeExcluded`);
    for (const act of plan.acts) this.runners.delete(act.instance);
    for (const name of names) if (!this.runners.has(name)) this.#create(name);
  }

  #shown(name: string): RetryInstance {
    const { uid, node, ends, since } = this.runners.get(name) as Runner;
    const main = ends === 0 ? { running: true } : { waiting: "CrashLoopBackOff", exit: 1, restarts: ends - 1 };
    const pod = runnerPod({ uid, node, ready: ends === 0, containers: { main } });
    const seen = signalOf(pod, { now: this.now, startTimeoutMs: 600_000, nodeLostMs: 60_000 });
    const signal = { ...seen, since };
    return { name, revision: "r1", pod: { uid, node, createdAt: since, statuses: roleStatuses(pod), signal, ended: false } };
  }

  #create(name: string): void {
    const creation = creationOf(
      this.stored.series.find(({ instance }) => instance === name),
      { revision: "r1" },
      policy,
      this.now,
    );
    assert.ok(creation.kind === "Allowed", `${name} is created: ${creation.kind}`);
    const { exclusions } = this.stored.exclusions;
    const { leave, pinned } = placementOf(
      {
        rules: [],
        exclusions,
        leave: creation.leave,
        evacuating: [],
        usable: nodes,
        ...(creation.pinned !== undefined && { pinned: creation.pinned }),
      },
      this.now,
    );
    const load = (node: string) => [...this.runners.values()].filter((runner) => runner.node === node).length;
    const free = nodes.filter((node) => !leave.includes(node)).sort((a, b) => load(a) - load(b));
    this.runners.set(name, { uid: `pod-${this.#made++}`, node: pinned ?? (free[0] as string), ends: 0, since: this.now });
  }
}

describe("a fleet on a machine that is ill", () => {
  // 30 instances on 10 nodes: three of them on n0, where nothing runs for long.
  const fleet = new Fleet(30, (node) => node === "n0").look(60);

  it("leaves it, and it is left out, which is told once", () => {
    assert.deepEqual(
      [...fleet.runners.values()].filter(({ node }) => node === "n0"),
      [],
    );
    assert.equal(fleet.runners.size, 30);
    assert.deepEqual(fleet.events, ["n0 NodeExcluded"]);
    const last = Math.max(...fleet.stored.exclusions.blames.map(({ at: when }) => when));
    assert.deepEqual(fleet.stored.exclusions.exclusions, [{ node: "n0", until: last + 3_600_000, failures: 3, reason: "Exit" }]);
  });

  it("and is quiet after that: what served for long is forgotten, then nothing is written", () => {
    fleet.look(70);
    assert.deepEqual(fleet.stored.series, []);
    const { writes } = fleet;
    fleet.look(40);
    assert.equal(fleet.writes, writes);
  });
});

describe("an app that fails everywhere", () => {
  const fleet = new Fleet(5, () => true).look(50);

  it("excludes nothing, and says once for each instance that retries are used up", () => {
    assert.deepEqual(fleet.stored.exclusions.exclusions, []);
    assert.deepEqual(
      fleet.events.toSorted(),
      [0, 1, 2, 3, 4].map((index) => `web-${index} RetriesExhausted`),
    );
  });

  it("and is quiet until retries begin anew", () => {
    const { writes } = fleet;
    assert.ok(fleet.stored.series.every(({ exhaustedAt }) => exhaustedAt !== undefined && exhaustedAt > at("12:00:00")));
    const first = Math.min(...fleet.stored.series.map(({ exhaustedAt }) => exhaustedAt as number)) + 600_000;
    assert.ok(fleet.now < first);
    while (fleet.now + 10_000 < first) fleet.look(1);
    assert.equal(fleet.writes, writes);
  });
});
