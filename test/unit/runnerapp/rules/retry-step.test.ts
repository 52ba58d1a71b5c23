import assert from "node:assert/strict";
import fc from "fast-check";
import { roleStatuses } from "../../../../src/runnerapp/rules/container-end.ts";
import { planRetries } from "../../../../src/runnerapp/rules/retry-plan.ts";
import { creationOf, type RetrySeries, type RunnerRetryPolicy } from "../../../../src/runnerapp/rules/retry-series.ts";
import { type NodeBlame, type RetryContext, type RetryInstance, retryStep } from "../../../../src/runnerapp/rules/retry-step.ts";
import { hasEnded, signalOf } from "../../../../src/runnerapp/rules/signal.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { type RunnerPodFacts, runnerPod } from "../../../support/builders/runner-pod.ts";

const policyOf = (differs: Partial<RunnerRetryPolicy> = {}): RunnerRetryPolicy => ({
  sameNode: 3,
  otherNodes: 2,
  backoff: { initialMs: 10_000, factor: 2, maxMs: 300_000 },
  resetAfterMs: 600_000,
  rules: [],
  storm: { moves: 5, windowMs: 600_000 },
  ...differs,
});

const contextAt = (now: number, differs: Partial<RetryContext> = {}): RetryContext => ({
  now,
  mayReuse: () => true,
  hasMemoryPressure: () => false,
  pulledElsewhere: () => false,
  ...differs,
});

function instanceOf(facts: RunnerPodFacts | undefined, now: number, differs: Partial<RetryInstance> = {}): RetryInstance {
  if (facts === undefined) return { name: "web-0", revision: "r1", ...differs };
  const pod = runnerPod(facts);
  return {
    name: "web-0",
    revision: "r1",
    pod: {
      uid: pod.metadata.uid as string,
      ...(pod.spec.nodeName !== undefined && { node: pod.spec.nodeName }),
      createdAt: at("12:00:00"),
      statuses: roleStatuses(pod),
      signal: signalOf(pod, { now, startTimeoutMs: 600_000, nodeLostMs: 60_000 }),
      ended: hasEnded(pod),
    },
    ...differs,
  };
}

/** A pod whose container has ended so many times, and stands still. */
const crashed = (ends: number, differs: Partial<RunnerPodFacts> = {}): RunnerPodFacts => ({
  ready: false,
  containers: { main: { waiting: "CrashLoopBackOff", exit: 1, restarts: ends - 1 } },
  ...differs,
});

const series = (differs: Partial<RetrySeries> = {}): RetrySeries => ({
  instance: "web-0",
  revision: "r1",
  pod: "pod-1",
  seen: [],
  sameNodeUsed: 0,
  otherNodesUsed: 0,
  nodes: [],
  ...differs,
});

interface Case {
  readonly name: string;
  readonly stored?: RetrySeries;
  readonly pod: RunnerPodFacts;
  readonly policy?: Partial<RunnerRetryPolicy>;
  readonly context?: Partial<RetryContext>;
  readonly now?: string;
  /** "same/other move" of the series, "exhausted" at its end; absent = nothing is kept. */
  readonly want?: string;
  readonly wantBlame?: string;
}

const cases: readonly Case[] = [
  { name: "an instance that never failed leaves nothing in status", pod: {} },
  { name: "the first failure is the kubelet's to restart", pod: crashed(1), want: "1/0" },
  { name: "so is the one before the last of sameNode", pod: crashed(2), want: "2/0" },
  { name: "the last of sameNode gets a new pod on the node", pod: crashed(3), want: "3/0 SameNode" },
  { name: "with one repetition it is the kubelet's", pod: crashed(1), policy: { sameNode: 1 }, want: "1/0" },
  { name: "after that another node, and the node is to blame", pod: crashed(4), want: "4/1 OtherNode", wantBlame: "n1 Exit" },
  {
    name: "without repetitions the first failure moves",
    pod: crashed(1),
    policy: { sameNode: 0 },
    want: "1/1 OtherNode",
    wantBlame: "n1 Exit",
  },
  {
    name: "failures on the node before this pod count with it",
    stored: series({ sameNodeUsed: 3, pinned: "n1" }),
    pod: crashed(1),
    want: "4/1 OtherNode",
    wantBlame: "n1 Exit",
  },
  {
    name: "a node that is being taken is not used again: anywhere, and no node more is used up",
    pod: crashed(3),
    context: { mayReuse: () => false },
    want: "3/0 Anywhere",
  },
  {
    name: "all nodes are used up",
    stored: series({ otherNodesUsed: 2 }),
    pod: crashed(4),
    want: "4/2 exhausted",
    wantBlame: "n1 Exit",
  },
  {
    name: "killed for its limit blames no node",
    pod: { ready: false, containers: { main: { waiting: "CrashLoopBackOff", exit: 137, word: "OOMKilled", restarts: 3 } } },
    want: "4/1 OtherNode",
  },
  {
    name: "but one that is short of memory itself",
    pod: { ready: false, containers: { main: { waiting: "CrashLoopBackOff", exit: 137, word: "OOMKilled", restarts: 3 } } },
    context: { hasMemoryPressure: () => true },
    want: "4/1 OtherNode",
    wantBlame: "n1 OOMKilled",
  },
  {
    name: "a daemon that exits with 0 blames no node",
    pod: { ready: false, containers: { main: { exit: 0, restarts: 3 } } },
    want: "4/1 OtherNode",
  },
  {
    name: "a pod that is over gets a new one on its node",
    pod: { phase: "Failed", reason: "DeadlineExceeded", containers: { main: { exit: 1 } } },
    want: "1/0 SameNode",
  },
  {
    name: "evicted: another node at once",
    pod: { phase: "Failed", reason: "Evicted", containers: {} },
    want: "0/1 OtherNode",
    wantBlame: "n1 Evicted",
  },
  {
    name: "refused by the kubelet: another node at once",
    pod: { phase: "Failed", reason: "OutOfcpu", containers: {} },
    want: "0/1 OtherNode",
    wantBlame: "n1 Rejected",
  },
  {
    name: "preempted: anywhere, and nothing is used up",
    pod: { phase: "Failed", disrupted: "PreemptionByScheduler", containers: {} },
    want: "0/0 Anywhere",
  },
  {
    name: "not set up in time: another node at once",
    pod: { ready: false, phase: "Pending", scheduled: "12:00:00", containers: { main: { waiting: "ContainerCreating" } } },
    now: "12:10:00",
    want: "0/1 OtherNode",
    wantBlame: "n1 StartTimeout",
  },
  {
    name: "an image that nobody could pull is bad: no other node helps",
    pod: { ready: false, phase: "Pending", scheduled: "12:00:00", containers: { main: { waiting: "ErrImagePull" } } },
    now: "12:10:00",
  },
  {
    name: "one that was pulled elsewhere is the node's fault",
    pod: { ready: false, phase: "Pending", scheduled: "12:00:00", containers: { main: { waiting: "ErrImagePull" } } },
    now: "12:10:00",
    context: { pulledElsewhere: () => true },
    want: "0/1 OtherNode",
    wantBlame: "n1 ImagePullTimeout",
  },
  {
    name: "a mistake of the spec is retried nowhere",
    pod: { ready: false, phase: "Pending", containers: { main: { waiting: "CreateContainerConfigError" } } },
    now: "12:30:00",
  },
  { name: "being deleted is no failure", pod: { deleting: true } },
  {
    name: "Ignore: seen, and not counted",
    pod: crashed(2),
    policy: { rules: [{ onExitCodes: { operator: "In", values: [1] }, action: "Ignore" }] },
    want: "0/0",
  },
  {
    name: "Ignore of a pod that is over: a new one anywhere",
    pod: { phase: "Failed", reason: "Evicted", containers: {} },
    policy: { rules: [{ onReasons: ["Evicted"], action: "Ignore" }] },
    want: "0/0 Anywhere",
  },
  {
    name: "FailInstance: given up at once",
    pod: crashed(1),
    policy: { rules: [{ onExitCodes: { operator: "In", values: [1] }, action: "FailInstance" }] },
    want: "0/0 exhausted",
    wantBlame: "n1 Exit",
  },
  {
    name: "Count: a preemption that counts",
    pod: { phase: "Failed", disrupted: "PreemptionByScheduler", containers: {} },
    policy: { rules: [{ onPodConditions: [{ type: "DisruptionTarget" }], action: "Count" }] },
    want: "0/1 OtherNode",
  },
  {
    name: "nothing is counted while a move is decided",
    stored: series({
      sameNodeUsed: 4,
      otherNodesUsed: 1,
      move: { kind: "OtherNode", pod: "pod-1", decidedAt: 0, notBefore: 0, granted: false },
    }),
    pod: crashed(9),
    want: "4/1 OtherNode",
  },
  {
    name: "a move to its node, which is being taken meanwhile, goes anywhere",
    stored: series({ sameNodeUsed: 3, move: { kind: "SameNode", pod: "pod-1", node: "n1", decidedAt: 0, notBefore: 0, granted: true } }),
    pod: crashed(3),
    context: { mayReuse: () => false },
    want: "3/0 Anywhere",
  },
  {
    name: "a new pod on the same node goes on counting",
    stored: series({
      pod: "old",
      sameNodeUsed: 3,
      move: { kind: "SameNode", pod: "old", node: "n1", decidedAt: 0, notBefore: 0, granted: true },
    }),
    pod: { ready: false },
    want: "3/0",
  },
  {
    name: "a new pod on another node begins to count anew",
    stored: series({
      pod: "old",
      sameNodeUsed: 4,
      otherNodesUsed: 1,
      nodes: ["n1"],
      move: { kind: "OtherNode", pod: "old", decidedAt: 0, notBefore: 0, granted: true },
    }),
    pod: { ready: false, node: "n2" },
    want: "0/1",
  },
  {
    name: "pinned to a node that has no room for it: anywhere, after a minute",
    stored: series({ sameNodeUsed: 3, pinned: "n1" }),
    pod: { node: null, ready: false, phase: "Pending", unscheduled: "Unschedulable", containers: {} },
    now: "12:01:00",
    want: "3/0 Anywhere",
  },
  {
    name: "Ready for long: all is forgotten but the ends that were counted",
    stored: series({ sameNodeUsed: 2, otherNodesUsed: 1, nodes: ["n9"], seen: [{ name: "main", ends: 1 }], rounds: 1 }),
    pod: { containers: { main: { running: true, exit: 1, restarts: 1 } } },
    now: "12:10:05",
    want: "0/0",
  },
  {
    name: "an end after a long run is the first one again",
    stored: series({ sameNodeUsed: 3, otherNodesUsed: 2, nodes: ["n9"] }),
    pod: { ready: false, containers: { main: { exit: 1, finished: "12:11:00", restarts: 4, started: "12:00:02" } } },
    now: "12:11:01",
    want: "1/0",
  },
  {
    name: "after the reset time retries begin anew",
    stored: series({ sameNodeUsed: 4, otherNodesUsed: 2, exhaustedAt: at("12:00:00"), rounds: 1, seen: [{ name: "main", ends: 4 }] }),
    pod: crashed(7),
    now: "12:10:00",
    want: "0/0",
  },
  {
    name: "until then no failure counts",
    stored: series({ sameNodeUsed: 4, otherNodesUsed: 2, exhaustedAt: at("12:00:00"), rounds: 1, seen: [{ name: "main", ends: 4 }] }),
    pod: crashed(7),
    now: "12:09:59",
    want: "4/2 exhausted",
  },
];

const told = (got: RetrySeries | undefined) =>
  got &&
  [`${got.sameNodeUsed}/${got.otherNodesUsed}`, got.move?.kind ?? [], got.exhaustedAt === undefined ? [] : "exhausted"].flat().join(" ");

describe("retries of an instance: same node, then other nodes (runnerapp.md 3.4)", () => {
  for (const tc of cases)
    it(tc.name, () => {
      const now = at(tc.now ?? "12:02:00");
      const policy = policyOf(tc.policy);
      const context = contextAt(now, tc.context);
      const instance = instanceOf(tc.pod, now);
      const step = retryStep(tc.stored, instance, policy, context);
      assert.equal(told(step.series), tc.want);
      assert.equal(step.blame && `${step.blame.node} ${step.blame.reason}`, tc.wantBlame);
      const again = retryStep(step.series, instance, policy, context);
      assert.deepEqual(again.series, step.series, "planned twice, it counts twice");
      assert.equal(again.blame, undefined, "planned twice, it blames twice");
    });

  it("the act follows only what is stored and granted, after the back-off, and again until the pod is gone", () => {
    const now = at("12:02:00");
    const instance = instanceOf(crashed(4), now);
    const decided = retryStep(undefined, instance, policyOf(), contextAt(now));
    assert.equal(decided.act, undefined);
    const move = decided.series?.move as NonNullable<RetrySeries["move"]>;
    assert.equal(move.notBefore, now + 10_000);
    const granted = { ...(decided.series as RetrySeries), move: { ...move, granted: true } };
    assert.equal(retryStep(decided.series, instance, policyOf(), contextAt(now + 10_000)).act, undefined);
    const early = retryStep(granted, instance, policyOf(), contextAt(now + 9_999));
    assert.deepEqual([early.act, early.wakeAt], [undefined, now + 10_000]);
    const want = { instance: "web-0", pod: "pod-1", kind: "OtherNode", serving: false };
    for (const late of [10_000, 11_000]) {
      const step = retryStep(granted, instance, policyOf(), contextAt(now + late));
      assert.deepEqual(step.act, want);
      assert.deepEqual(step.series, granted);
    }
  });

  it("a failure passes the storm brake also where its node cannot be used again, an eviction by somebody does not", () => {
    const now = at("12:02:00");
    const elsewhere = { ...contextAt(now), mayReuse: () => false };
    const failed = retryStep(undefined, instanceOf(crashed(3), now), policyOf(), elsewhere).series?.move;
    const taken: RunnerPodFacts = { phase: "Failed", reason: "Terminated" };
    const disrupted = retryStep(undefined, instanceOf(taken, now), policyOf(), elsewhere).series?.move;
    assert.deepEqual([failed?.kind, failed?.granted, disrupted?.kind, disrupted?.granted], ["Anywhere", false, "Anywhere", true]);
  });

  it("one that flaps and happens to serve goes only within the budget", () => {
    const move = { kind: "OtherNode" as const, pod: "pod-1", decidedAt: 0, notBefore: 0, granted: true };
    const up: RunnerPodFacts = { containers: { main: { running: true, exit: 1, restarts: 2 } } };
    const seen = [{ name: "main", ends: 2 }];
    const step = retryStep(series({ move, seen }), instanceOf(up, at("12:02:00")), policyOf(), contextAt(at("12:02:00")));
    assert.equal(step.act?.serving, true);
  });

  it("one that was to move since it did not start, and has started meanwhile, stays", () => {
    const move = { kind: "OtherNode" as const, pod: "pod-1", decidedAt: 0, notBefore: 0, granted: true };
    const step = retryStep(series({ move }), instanceOf({}, at("12:02:00")), policyOf(), contextAt(at("12:02:00")));
    assert.deepEqual([step.act, step.series?.move], [undefined, undefined]);
  });

  it("being used up is told once, and again only after it has served for long", () => {
    const context = contextAt(at("12:02:00"));
    const policy = policyOf({ sameNode: 0, otherNodes: 0 });
    const first = retryStep(undefined, instanceOf(crashed(1), context.now), policy, context);
    assert.equal(first.exhausted, true);
    const anew = retryStep(first.series, instanceOf(crashed(1), context.now), policy, contextAt(at("12:12:00")));
    const second = retryStep(anew.series, instanceOf(crashed(2), context.now), policy, contextAt(at("12:12:30")));
    assert.deepEqual([told(second.series), second.exhausted, second.series?.rounds], ["1/0 exhausted", undefined, 2]);
    const up: RunnerPodFacts = { containers: { main: { running: true, exit: 1, restarts: 2 } } };
    const served = retryStep(second.series, instanceOf(up, context.now), policy, contextAt(at("12:22:31")));
    assert.equal(retryStep(served.series, instanceOf(crashed(3), context.now), policy, contextAt(at("12:22:32"))).exhausted, true);
  });

  it("the clock was set back: waits keep their length", () => {
    const now = at("12:02:00");
    const move = { kind: "OtherNode" as const, pod: "pod-1", decidedAt: now + 90_000, notBefore: now + 100_000, granted: true };
    const moving = retryStep(series({ move }), instanceOf(crashed(4), now), policyOf(), contextAt(now));
    assert.deepEqual([moving.series?.move?.notBefore, moving.wakeAt], [now + 10_000, now + 10_000]);
    const over = retryStep(series({ exhaustedAt: now + 90_000, rounds: 1 }), instanceOf(crashed(4), now), policyOf(), contextAt(now));
    assert.deepEqual([over.series?.exhaustedAt, over.wakeAt], [now, now + 600_000]);
  });

  for (const [name, differs] of [
    ["a new revision", { revision: "r2" }],
    ["a later restartedAt", { restartedAt: 5 }],
  ] as const)
    it(`${name} forgives all`, () => {
      const stored = series({ sameNodeUsed: 4, otherNodesUsed: 2, exhaustedAt: at("12:00:00"), rounds: 1, restartedAt: 4 });
      const step = retryStep(stored, instanceOf({ uid: "pod-2" }, at("12:02:00"), differs), policyOf(), contextAt(at("12:02:00")));
      assert.equal(step.series, undefined);
      assert.deepEqual(creationOf(stored, { revision: "r1", ...differs }, policyOf(), at("12:02:00")), { kind: "Allowed", leave: [] });
    });
});

describe("where and whether a new pod of the instance may come", () => {
  const origin = { revision: "r1" };
  const move = { pod: "pod-1", node: "n1", decidedAt: 0, notBefore: 1000, granted: true };
  const table = [
    ["never failed: anywhere", undefined, { kind: "Allowed", leave: [] }],
    ["on its node again", series({ move: { ...move, kind: "SameNode" } }), { kind: "Allowed", leave: [], pinned: "n1" }],
    ["not where it failed", series({ nodes: ["n1"], move: { ...move, kind: "OtherNode" } }), { kind: "Allowed", leave: ["n1"] }],
    ["not before the back-off", series({ move: { ...move, kind: "OtherNode", notBefore: 3000 } }), { kind: "Later", at: 3000 }],
    ["held by the brake", series({ move: { ...move, kind: "OtherNode", granted: false } }), { kind: "Braked" }],
    ["used up", series({ exhaustedAt: 1000 }), { kind: "Exhausted", until: 601_000 }],
  ] as const;
  for (const [name, stored, want] of table) it(name, () => assert.deepEqual(creationOf(stored, origin, policyOf(), 2000), want));
  it("used up, until the reset time", () =>
    assert.deepEqual(creationOf(series({ exhaustedAt: 1000 }), origin, policyOf(), 601_000), { kind: "Allowed", leave: [] }));
});

describe("retries of an app", () => {
  const now = at("12:02:00");
  const failing = (name: string) => instanceOf(crashed(4, { uid: `pod-${name}` }), now, { name });

  it("move within the storm brake, those that were decided first before others", () => {
    const policy = policyOf({ storm: { moves: 2, windowMs: 600_000 } });
    const early = {
      ...series({ instance: "web-9", pod: "pod-web-9" }),
      move: { kind: "OtherNode" as const, pod: "pod-web-9", decidedAt: 5, notBefore: 5, granted: false },
    };
    const all = [failing("web-0"), failing("web-1"), failing("web-9")];
    const first = planRetries({ series: [early], brake: [] }, all, policy, contextAt(now));
    // The others have a back-off of 10 s.
    assert.deepEqual([first.brake, first.braked, first.acts], [[now], [], []]);
    assert.equal(planRetries(first, all, policy, contextAt(now + 1)).wakeAt, now + 10_000);
    assert.equal(first.series.find(({ instance }) => instance === "web-9")?.move?.granted, true);
    const then = now + 10_000;
    const second = planRetries(first, all, policy, contextAt(then));
    assert.deepEqual([second.brake, second.braked, second.acts.map(({ instance }) => instance)], [[now, then], ["web-1"], ["web-9"]]);
    assert.equal(second.wakeAt, now + 600_000);
    const third = planRetries(second, all, policy, contextAt(then + 1));
    assert.deepEqual([third.brake, third.acts.map(({ instance }) => instance)], [second.brake, ["web-0", "web-9"]]);
    const released = planRetries(second, all, policy, contextAt(now + 600_000));
    assert.deepEqual([released.brake, released.braked], [[then, now + 600_000], []]);
  });

  it("what the storm brake counts is what happens: a move is let through when its back-off is over, and no sooner", () => {
    const policy = policyOf({ storm: { moves: 1, windowMs: 600_000 }, backoff: { initialMs: 300_000, factor: 1, maxMs: 300_000 } });
    let plan = planRetries({ series: [], brake: [] }, [failing("web-0")], policy, contextAt(now));
    plan = planRetries(plan, [failing("web-0")], policy, contextAt(now + 1));
    assert.deepEqual([plan.brake, plan.wakeAt], [[], now + 300_000]);
    plan = planRetries(plan, [failing("web-0")], policy, contextAt(now + 300_000));
    assert.deepEqual(plan.brake, [now + 300_000]);
    plan = planRetries(plan, [failing("web-0")], policy, contextAt(now + 300_001));
    assert.deepEqual(
      plan.acts.map(({ instance }) => instance),
      ["web-0"],
    );
  });

  it("of an instance that is no more nothing is kept", () =>
    assert.deepEqual(planRetries({ series: [series()], brake: [] }, [], policyOf(), contextAt(now)).series, []));

  it("attempts never exceed (sameNode + 1) x (otherNodes + 1), and no crash between a record and its act counts twice", () => {
    const what = fc.constantFrom("fail" as const, "look" as const, "crash" as const);
    fc.assert(
      fc.property(fc.nat(3), fc.nat(3), fc.array(what, { maxLength: 120 }), (sameNode, otherNodes, steps) => {
        const policy = policyOf({
          sameNode,
          otherNodes,
          backoff: { initialMs: 0, factor: 1, maxMs: 0 },
          storm: { moves: 1000, windowMs: 1 },
        });
        let stored: { series: readonly RetrySeries[]; brake: readonly number[] } = { series: [], brake: [] };
        let [ends, failures, pods, time] = [0, 0, 1, now];
        const blames: NodeBlame[] = [];
        const visited = ["n1"];
        for (const step of steps) {
          time += 10;
          const [one] = stored.series;
          if (one?.exhaustedAt !== undefined) break;
          // A pod that is about to be deleted does nothing more that is of interest.
          if (step === "fail" && one?.move === undefined) {
            ends++;
            failures++;
          }
          const facts = ends === 0 ? { uid: `pod-${pods}`, ready: false } : crashed(ends, { uid: `pod-${pods}` });
          const instance = instanceOf({ ...facts, node: visited.at(-1) as string }, time);
          const plan = planRetries(stored, [instance], policy, contextAt(time));
          // Died before the write of status: the next leader finds what was there before.
          if (step === "crash") continue;
          blames.push(...plan.blames);
          stored = JSON.parse(JSON.stringify({ series: plan.series, brake: plan.brake }));
          for (const act of plan.acts) {
            const creation = creationOf(stored.series[0], { revision: "r1" }, policy, time);
            assert.equal(creation.kind, "Allowed");
            pods++;
            ends = 0;
            if (creation.kind === "Allowed" && creation.pinned === undefined) visited.push(`n${visited.length + 1}`);
            assert.equal(act.kind === "OtherNode", creation.kind === "Allowed" && creation.pinned === undefined);
          }
        }
        assert.ok(failures <= (sameNode + 1) * (otherNodes + 1), `${failures} failures`);
        if (stored.series[0]?.exhaustedAt !== undefined) assert.equal(failures, (sameNode + 1) * (otherNodes + 1));
        assert.equal(new Set(blames.map(({ node }) => node)).size, blames.length, "a node was blamed twice for one series");
      }),
    );
  });
});
