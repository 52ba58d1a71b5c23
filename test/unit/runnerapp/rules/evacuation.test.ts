import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Evacuation,
  type EvacuationContext,
  type EvacuationPlan,
  type EvacuationPod,
  isOutOfService,
  planEvacuations,
} from "../../../../src/runnerapp/rules/evacuation.ts";

const policy = { maxSurge: 1, drainMs: 30, timeoutMs: 3600 };
const calm: EvacuationContext = { now: 1000, room: 5, surplus: 0, moves: 5, outage: false };

/** undefined = without it. */
type Facts = { readonly [field in keyof EvacuationPod]?: EvacuationPod[field] | undefined };

const pod = (uid: string, differs: Facts = {}) =>
  ({ uid, instance: uid, node: "n1", ready: true, serves: true, ...differs }) as EvacuationPod;
const leaving = (uid: string, differs: Facts = {}) => pod(uid, { cause: "Cordoned", gate: {}, ...differs });
const comes = (uid: string, replaces: string, differs: Facts = {}) => pod(uid, { node: "n2", replaces, ...differs });
const unready = { ready: false, serves: false };
const move = (uid: string, phase: Evacuation["phase"], differs: Partial<Evacuation> = {}): Evacuation => ({
  instance: uid,
  pod: uid,
  node: "n1",
  cause: "Cordoned",
  phase,
  since: 900,
  phaseSince: 900,
  ...differs,
});

interface Case {
  readonly name: string;
  readonly stored?: readonly Evacuation[];
  readonly pods: readonly EvacuationPod[];
  readonly context?: Partial<EvacuationContext>;
  readonly maxSurge?: number;
  /** "instance phase" each, with + once it may surge, and >uid for its replacement. */
  readonly want: readonly string[];
  /** "kind pod" each. */
  readonly wantActs?: readonly string[];
  readonly wantStalled?: readonly string[];
  readonly wantMoves?: number;
}

const cases: readonly Case[] = [
  { name: "nobody has to leave", pods: [pod("a")], want: [] },
  { name: "first it is recorded", pods: [leaving("a")], want: ["a Surging+"] },
  {
    name: "then the replacement is made",
    stored: [move("a", "Surging", { granted: true })],
    pods: [leaving("a")],
    want: ["a Surging+"],
    wantActs: ["Surge a"],
  },
  {
    name: "its replacement does not serve yet: nothing is drained",
    stored: [move("a", "Surging", { granted: true })],
    pods: [leaving("a"), comes("b", "a", { serves: false })],
    want: ["a Waiting+>b"],
  },
  {
    name: "it serves: the drain is recorded first",
    stored: [move("a", "Waiting", { granted: true, replacement: "b" })],
    pods: [leaving("a"), comes("b", "a")],
    want: ["a Draining+>b"],
  },
  {
    name: "and then the old one is taken out of service",
    stored: [move("a", "Draining", { replacement: "b" })],
    pods: [leaving("a"), comes("b", "a")],
    want: ["a Draining>b"],
    wantActs: ["Drain a"],
  },
  {
    name: "connections are waited for",
    stored: [move("a", "Draining", { replacement: "b" })],
    pods: [leaving("a", { ...unready, gate: { closedAt: 980 }, sessions: 2 }), comes("b", "a")],
    want: ["a Draining>b"],
  },
  {
    name: "no connection is left",
    stored: [move("a", "Draining", { replacement: "b" })],
    pods: [leaving("a", { ...unready, gate: { closedAt: 999 }, sessions: 0 }), comes("b", "a")],
    want: ["a Deleting>b"],
  },
  {
    name: "nobody knows of connections: the drain time, from when it was out of service",
    stored: [move("a", "Draining", { replacement: "b" })],
    pods: [leaving("a", { ...unready, gate: { closedAt: 970 } }), comes("b", "a")],
    want: ["a Deleting>b"],
  },
  {
    name: "not a moment earlier",
    stored: [move("a", "Draining", { replacement: "b" })],
    pods: [leaving("a", { ...unready, gate: { closedAt: 971 } }), comes("b", "a")],
    want: ["a Draining>b"],
  },
  {
    name: "drained, the old one is deleted, and again until it is gone",
    stored: [move("a", "Deleting", { replacement: "b" })],
    pods: [leaving("a", { ...unready, gate: { closedAt: 900 } }), comes("b", "a")],
    want: ["a Deleting>b"],
    wantActs: ["Delete a"],
  },
  { name: "it is gone: done", stored: [move("a", "Deleting", { replacement: "b" })], pods: [comes("b", "a")], want: [] },
  {
    name: "without the gate there is nothing to drain",
    stored: [move("a", "Waiting", { replacement: "b" })],
    pods: [leaving("a", { gate: undefined }), comes("b", "a")],
    want: ["a Deleting>b"],
  },
  {
    name: "given back while the original is ready again and not yet for long enough: its replacement, which serves, stays",
    stored: [move("a", "Cancelled", { replacement: "b" })],
    pods: [pod("a", { serves: false }), comes("b", "a")],
    want: ["a Cancelled>b"],
  },
  {
    name: "the replacement fails during the drain: back in service until another one serves",
    stored: [move("a", "Draining", { replacement: "b", granted: true })],
    pods: [leaving("a", { ...unready, gate: { closedAt: 980 } }), comes("b", "a", unready)],
    want: ["a Surging+"],
  },
  {
    name: "and no deletion follows, also where it was decided",
    stored: [move("a", "Deleting", { replacement: "b" })],
    pods: [leaving("a", { gate: undefined })],
    want: ["a Surging+"],
  },
  { name: "one that does not serve goes at once, recorded first", pods: [leaving("a", unready)], want: ["a Deleting"] },
  {
    name: "and then without a surge",
    stored: [move("a", "Deleting")],
    pods: [leaving("a", unready)],
    want: ["a Deleting"],
    wantActs: ["Delete a"],
  },
  { name: "but not one that has come to serve meanwhile", stored: [move("a", "Deleting")], pods: [leaving("a")], want: ["a Surging+"] },
  { name: "two on the node, one surge at a time", pods: [leaving("a"), leaving("b")], want: ["a Surging+", "b Surging"] },
  {
    name: "those that asked first go first",
    stored: [move("b", "Surging")],
    pods: [leaving("a"), leaving("b")],
    want: ["b Surging+", "a Surging"],
  },
  {
    name: "a surge that is under way is one of the pool",
    stored: [move("b", "Waiting", { granted: true, replacement: "c" })],
    pods: [leaving("a"), leaving("b"), comes("c", "b", unready)],
    want: ["b Waiting+>c", "a Surging"],
  },
  { name: "no room in the shared pool", pods: [leaving("a")], context: { room: 0 }, want: ["a Surging"] },
  {
    name: "past the time-out it stalls, says for what it waits, and nothing is deleted",
    stored: [move("a", "Surging", { since: -2600 })],
    pods: [leaving("a")],
    context: { room: 0 },
    want: ["a Stalled"],
    wantStalled: ["a n1 SurgeRoom"],
  },
  {
    name: "a replacement that finds no node stalls it, too",
    stored: [move("a", "Waiting", { since: -2600, granted: true, replacement: "b" })],
    pods: [leaving("a"), comes("b", "a", { ...unready, node: undefined })],
    want: ["a Stalled+>b"],
    wantStalled: ["a n1 Replacement"],
  },
  {
    name: "stalled, it gets on when there is something to get on with",
    stored: [move("a", "Stalled", { since: -2600, granted: true, replacement: "b" })],
    pods: [leaving("a"), comes("b", "a")],
    want: ["a Draining+>b"],
  },
  {
    name: "uncordoned: the replacement goes, recorded first",
    stored: [move("a", "Waiting", { granted: true, replacement: "b" })],
    pods: [leaving("a", { cause: undefined }), comes("b", "a")],
    want: ["a Cancelled+>b"],
  },
  {
    name: "and then, not the original",
    stored: [move("a", "Cancelled", { replacement: "b" })],
    pods: [leaving("a", { cause: undefined }), comes("b", "a")],
    want: ["a Cancelled>b"],
    wantActs: ["Delete b"],
  },
  {
    name: "uncordoned before there is one: forgotten",
    stored: [move("a", "Surging")],
    pods: [leaving("a", { cause: undefined })],
    want: [],
  },
  {
    name: "cordoned again meanwhile: the move goes on",
    stored: [move("a", "Cancelled", { replacement: "b" })],
    pods: [leaving("a"), comes("b", "a", unready)],
    want: ["a Waiting>b"],
  },
  {
    name: "uncordoned after the drain began: it is finished",
    stored: [move("a", "Draining", { replacement: "b" })],
    pods: [leaving("a", { ...unready, cause: undefined, gate: { closedAt: 900 } }), comes("b", "a")],
    want: ["a Deleting>b"],
  },
  {
    name: "uncordoned, but only the replacement serves: that one stays",
    stored: [move("a", "Waiting", { replacement: "b" })],
    pods: [leaving("a", { ...unready, cause: undefined }), comes("b", "a")],
    want: ["a Deleting>b"],
  },
  {
    name: "and not yet while it has only just become ready",
    stored: [move("a", "Cancelled", { replacement: "b" })],
    pods: [leaving("a", { ...unready, cause: undefined }), comes("b", "a", { serves: false })],
    want: ["a Waiting>b"],
  },
  {
    name: "the replacement's own node is taken while the old one is out of service: neither is let go",
    stored: [move("a", "Draining", { replacement: "b", granted: true })],
    pods: [leaving("a", { ...unready, gate: { closedAt: 980 } }), comes("b", "a", { cause: "Cordoned", gate: {} })],
    want: ["a Surging+", "b Surging"],
  },
  {
    name: "the old one dies by itself: its replacement is the instance, no second surge",
    stored: [move("a", "Waiting", { replacement: "b" })],
    pods: [comes("b", "a", unready)],
    want: [],
  },
  {
    name: "the replacement for a lost node is gone: another one is another move for the storm brake",
    stored: [move("a", "Waiting", { cause: "Lost", granted: true, replacement: "b" })],
    pods: [leaving("a", { cause: "Lost", ...unready })],
    context: { moves: 0 },
    want: ["a Surging"],
  },
  {
    name: "the node of the replacement is lost, too, before it served: one other is made, not one for each",
    stored: [move("a", "Waiting", { cause: "Lost", granted: true, replacement: "b" })],
    pods: [leaving("a", { cause: "Lost", ...unready }), comes("b", "a", { cause: "Lost", ...unready })],
    want: ["a Surging", "b Deleting"],
    context: { moves: 0 },
  },
  {
    name: "the replacement is gone: another one is made",
    stored: [move("a", "Waiting", { granted: true, replacement: "b" })],
    pods: [leaving("a")],
    want: ["a Surging+"],
    wantActs: ["Surge a"],
  },
  {
    name: "the replacement's own node is taken: that one goes, another is made",
    stored: [move("a", "Waiting", { granted: true, replacement: "b" })],
    pods: [leaving("a"), comes("b", "a", { cause: "Cordoned", serves: false })],
    want: ["a Surging+", "b Deleting"],
    wantActs: ["Surge a"],
  },
  {
    name: "a lost node: not deleted before another one serves, since it may serve unseen",
    pods: [leaving("a", { ...unready, cause: "Lost" })],
    want: ["a Surging+"],
    wantMoves: 1,
  },
  {
    name: "lost nodes surge by the storm brake, not by the pool",
    pods: [leaving("a", { ...unready, cause: "Lost" }), leaving("b", { ...unready, cause: "Lost" })],
    context: { room: 0 },
    want: ["a Surging+", "b Surging+"],
    wantMoves: 2,
  },
  {
    name: "the brake holds",
    pods: [leaving("a", { ...unready, cause: "Lost" }), leaving("b", { ...unready, cause: "Lost" })],
    context: { moves: 1 },
    want: ["a Surging+", "b Surging"],
    wantMoves: 1,
  },
  {
    name: "an outage: nothing is replaced",
    pods: [leaving("a", { ...unready, cause: "Lost" })],
    context: { outage: true },
    want: ["a Surging"],
    wantMoves: 0,
  },
  {
    name: "lost, and the other one serves: no drain",
    stored: [move("a", "Waiting", { cause: "Lost", replacement: "b" })],
    pods: [leaving("a", { ...unready, cause: "Lost" }), comes("b", "a")],
    want: ["a Deleting>b"],
  },
  {
    name: "heard of again: the replacement goes",
    stored: [move("a", "Waiting", { cause: "Lost", replacement: "b" })],
    pods: [leaving("a", { cause: undefined }), comes("b", "a", unready)],
    want: ["a Cancelled>b"],
  },
  {
    name: "the app shrinks: those that move go, without a surge",
    pods: [leaving("a"), pod("b")],
    context: { surplus: 1 },
    want: ["a Draining"],
  },
  {
    name: "first those that have no replacement",
    stored: [move("a", "Waiting", { granted: true, replacement: "c" }), move("b", "Surging")],
    pods: [leaving("a"), leaving("b"), comes("c", "a", unready)],
    context: { surplus: 1 },
    want: ["a Waiting+>c", "b Draining"],
  },
  { name: "one that has no node has none to leave", pods: [leaving("a", { ...unready, node: undefined })], want: [] },
];

const told = ({ evacuations }: EvacuationPlan) =>
  evacuations.map(
    ({ instance, phase, granted, replacement }) =>
      `${instance} ${phase}${granted ? "+" : ""}${replacement === undefined ? "" : `>${replacement}`}`,
  );

describe("evacuation: surge elsewhere, wait, drain, release (runnerapp.md 3.5)", () => {
  for (const tc of cases)
    it(tc.name, () => {
      const context = { ...calm, ...tc.context };
      const limits = { ...policy, ...(tc.maxSurge !== undefined && { maxSurge: tc.maxSurge }) };
      const plan = planEvacuations(tc.stored ?? [], tc.pods, limits, context);
      assert.deepEqual(told(plan), tc.want);
      assert.deepEqual(
        plan.acts.map(({ kind, pod: uid }) => `${kind} ${uid}`),
        tc.wantActs ?? [],
      );
      assert.deepEqual(
        plan.stalled.map(({ instance, node, waitsFor }) => `${instance} ${node} ${waitsFor}`),
        tc.wantStalled ?? [],
      );
      if (tc.wantMoves !== undefined) assert.equal(plan.moves, tc.wantMoves);
    });

  it("the clock was set back: what began in the future began now, and waits are no longer than they should be", () => {
    const old = leaving("a", { ...unready, gate: { closedAt: 5000 }, sessions: 3 });
    const stored = [move("a", "Draining", { since: 5000, phaseSince: 5000, replacement: "b" })];
    const plan = planEvacuations(stored, [old, comes("b", "a")], policy, calm);
    assert.deepEqual([plan.evacuations[0]?.since, plan.evacuations[0]?.phaseSince, plan.wakeAt], [1000, 1000, 1030]);
  });

  it("wakes at the end of the drain, and at the time-out", () => {
    const old = leaving("a", { ...unready, gate: { closedAt: 990 }, sessions: 3 });
    assert.equal(planEvacuations([move("a", "Draining", { replacement: "b" })], [old, comes("b", "a")], policy, calm).wakeAt, 1020);
    assert.equal(planEvacuations([], [leaving("a")], policy, calm).wakeAt, 4600);
  });
});

describe("evacuation of a fleet whose world does what it likes", () => {
  const step = fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({ what: fc.constant("node" as const), taken: fc.boolean(), node: fc.constantFrom("n0", "n1", "n2") }),
    },
    { weight: 4, arbitrary: fc.record({ what: fc.constantFrom("ready" as const, "unready" as const, "dies" as const), pick: fc.nat(9) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        what: fc.constant("plan" as const),
        crash: fc.constantFrom("no" as const, "before" as const, "between" as const),
      }),
    },
    { weight: 2, arbitrary: fc.record({ what: fc.constant("time" as const) }) },
  );

  it("never deletes what serves before its own replacement serves, never surges beyond the pool, and ends", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 2 }), (steps, maxSurge) => {
        const limits = { ...policy, maxSurge };
        let stored: readonly Evacuation[] = [];
        let pods: EvacuationPod[] = ["n0", "n1", "n2"].map((node, index) => pod(`p${index}`, { node, gate: {} }));
        const taken = new Set<string>();
        let [now, made] = [0, 3];
        const change = (uid: string, differs: Partial<EvacuationPod>) => {
          pods = pods.map((one) => (one.uid === uid ? { ...one, ...differs } : one));
        };
        const surging = () => pods.filter(({ replaces }) => pods.some(({ uid }) => uid === replaces)).length;
        const plan = (crash: "no" | "before" | "between") => {
          const seen = pods.map((one) => {
            const { cause: _, ...rest } = one;
            return one.node !== undefined && taken.has(one.node) ? { ...rest, cause: "Cordoned" as const } : rest;
          });
          const next = planEvacuations(stored, seen, limits, { ...calm, now, room: 3 + maxSurge - pods.length });
          if (crash === "before") return;
          const before = stored;
          stored = JSON.parse(JSON.stringify(next.evacuations));
          if (crash === "between") return;
          for (const act of next.acts) {
            const one = pods.find(({ uid }) => uid === act.pod) as EvacuationPod;
            if (act.kind === "Drain") change(act.pod, { ready: false, serves: false, gate: { closedAt: now } });
            if (act.kind === "Surge") {
              const free = ["n0", "n1", "n2", "n3"].filter((node) => !taken.has(node));
              pods.push({
                uid: `p${made++}`,
                instance: one.instance,
                node: free.at(-1) as string,
                ready: false,
                serves: false,
                replaces: one.uid,
                gate: {},
              });
              assert.ok(surging() <= maxSurge, "more surges than the pool allows");
            }
            if (act.kind !== "Delete") continue;
            assert.ok(
              before.some(({ pod: uid, replacement }) => uid === act.pod || replacement === act.pod),
              "deleted without a record",
            );
            const replaced = pods.some(({ replaces, serves }) => replaces === act.pod && serves);
            const spare = pods.some(({ uid, ready }) => uid === one.replaces && ready);
            if (one.ready) assert.ok(replaced || spare, "what serves was deleted");
            pods = pods.filter(({ uid }) => uid !== act.pod);
          }
          // The controller opens the gate of all that are not on their way out, and makes what is missing.
          for (const { pod: uid, phase } of stored)
            if (!isOutOfService(phase) && pods.find((one) => one.uid === uid)?.gate?.closedAt !== undefined)
              change(uid, { ready: true, serves: true, gate: {} });
          const free = ["n0", "n1", "n2", "n3"].filter((node) => !taken.has(node));
          while (pods.length < 3) pods.push(pod(`p${made++}`, { ...unready, node: free.at(-1) as string, gate: {} }));
        };
        for (const one of steps) {
          if (one.what === "node") one.taken ? taken.add(one.node) : taken.delete(one.node);
          else if (one.what === "time") {
            now += 40;
            for (const { uid, ready } of pods) change(uid, { serves: ready });
          } else if (one.what === "plan") plan(one.crash);
          else {
            const { uid, gate } = pods[one.pick % Math.max(1, pods.length)] ?? pod("none");
            if (one.what === "dies") pods = pods.filter((other) => other.uid !== uid);
            else if (gate?.closedAt === undefined) change(uid, { ready: one.what === "ready", serves: false });
          }
        }
        for (let index = 0; index < 60; index++) {
          now += 40;
          plan("no");
          for (const { uid, gate } of pods) if (gate?.closedAt === undefined) change(uid, { ready: true, serves: true });
        }
        assert.deepEqual(stored, [], "a move does not end");
        assert.deepEqual(
          pods.filter(({ node }) => taken.has(node as string)),
          [],
          "an instance is left behind",
        );
      }),
      { numRuns: 300 },
    );
  });
});
