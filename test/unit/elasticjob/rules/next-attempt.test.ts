import assert from "node:assert/strict";
import type { RunAnnotation, Verdict } from "../../../../src/elasticjob/rules/attempt.ts";
import type { RetryPolicy } from "../../../../src/elasticjob/rules/effective-spec.ts";
import { afterAttempt } from "../../../../src/elasticjob/rules/next-attempt.ts";
import { makeAttempt } from "../../../support/builders/attempt-pod.ts";
import { at } from "../../../support/builders/elastic-job.ts";

const policy = (differs: Partial<RetryPolicy> = {}): RetryPolicy => ({
  sameNode: 0,
  otherNodes: 0,
  failoverLimit: 3,
  backoff: { initialMs: 10_000, factor: 2, maxMs: 300_000 },
  resetAfterMs: Number.POSITIVE_INFINITY,
  rules: [],
  ...differs,
});

interface Case {
  readonly name: string;
  readonly attempt?: number;
  /** null = it was never scheduled. */
  readonly node?: string | null;
  readonly history?: Partial<RunAnnotation>;
  readonly outcome: Verdict["outcome"];
  readonly policy?: Partial<RetryPolicy>;
  /** Nodes that can take the item again; all when absent. */
  readonly usable?: readonly string[];
  /** The reason of a final failure, or what of the next attempt matters. */
  readonly want: string | { readonly counted: number; readonly lost: number; readonly node?: string; readonly nodes: readonly string[] };
}

const cases: readonly Case[] = [
  { name: "without a retry policy the first failure is final", outcome: "Failed", want: "RetriesExhausted" },
  {
    name: "sameNode 1: the first failure is repeated on its node",
    outcome: "Failed",
    policy: { sameNode: 1 },
    want: { counted: 1, lost: 0, node: "n1", nodes: [] },
  },
  {
    name: "sameNode 1, otherNodes 0: the second failure is final ((1+1) x (0+1) = 2)",
    attempt: 2,
    outcome: "Failed",
    policy: { sameNode: 1 },
    history: { counted: 1 },
    want: "RetriesExhausted",
  },
  {
    name: "otherNodes 1: the first failure goes to another node, the one that failed is left out",
    outcome: "Failed",
    policy: { otherNodes: 1 },
    want: { counted: 1, lost: 0, nodes: ["n1"] },
  },
  {
    name: "sameNode 1, otherNodes 2: local before cross-machine: the second failure moves",
    attempt: 2,
    outcome: "Failed",
    policy: { sameNode: 1, otherNodes: 2 },
    history: { counted: 1 },
    want: { counted: 2, lost: 0, nodes: ["n1"] },
  },
  {
    name: "sameNode 1, otherNodes 2: the third failure, on the second node, is repeated there",
    attempt: 3,
    node: "n2",
    outcome: "Failed",
    policy: { sameNode: 1, otherNodes: 2 },
    history: { counted: 2, nodes: ["n1"] },
    want: { counted: 3, lost: 0, node: "n2", nodes: ["n1"] },
  },
  {
    name: "sameNode 1, otherNodes 2: the fourth failure leaves both nodes out",
    attempt: 4,
    node: "n2",
    outcome: "Failed",
    policy: { sameNode: 1, otherNodes: 2 },
    history: { counted: 3, nodes: ["n1"] },
    want: { counted: 4, lost: 0, nodes: ["n1", "n2"] },
  },
  {
    name: "sameNode 1, otherNodes 2: the sixth failure is final ((1+1) x (2+1) = 6)",
    attempt: 6,
    node: "n3",
    outcome: "Failed",
    policy: { sameNode: 1, otherNodes: 2 },
    history: { counted: 5, nodes: ["n1", "n2"] },
    want: "RetriesExhausted",
  },
  {
    name: "a same-node repetition whose node is cordoned goes elsewhere",
    outcome: "Failed",
    policy: { sameNode: 1 },
    usable: ["n2"],
    want: { counted: 1, lost: 0, nodes: ["n1"] },
  },
  { name: "a loss does not count while under failover.limit", outcome: "Lost", want: { counted: 0, lost: 1, nodes: ["n1"] } },
  {
    name: "a loss never stays on its node, even with sameNode left",
    outcome: "Lost",
    policy: { sameNode: 3 },
    want: { counted: 0, lost: 1, nodes: ["n1"] },
  },
  {
    name: "failover.limit 3: the third loss is still free",
    attempt: 3,
    outcome: "Lost",
    history: { lost: 2 },
    want: { counted: 0, lost: 3, nodes: ["n1"] },
  },
  {
    name: "failover.limit 3: the fourth loss counts, and without retries it is final",
    attempt: 4,
    outcome: "Lost",
    history: { lost: 3 },
    want: "RetriesExhausted",
  },
  {
    name: "failover.limit 3: the fourth loss counts against otherNodes",
    attempt: 4,
    outcome: "Lost",
    policy: { otherNodes: 1 },
    history: { lost: 3 },
    want: { counted: 1, lost: 3, nodes: ["n1"] },
  },
  { name: "failover.limit 0 = off: the first loss counts", outcome: "Lost", policy: { failoverLimit: 0 }, want: "RetriesExhausted" },
  {
    name: "failover.limit 0 with a retry: the loss is a failure like another, and moves",
    outcome: "Lost",
    policy: { failoverLimit: 0, otherNodes: 1 },
    want: { counted: 1, lost: 0, nodes: ["n1"] },
  },
  {
    name: "a kubelet's rejection on n2 leaves n2 out beside n1",
    attempt: 2,
    node: "n2",
    outcome: "Lost",
    history: { lost: 1, nodes: ["n1"] },
    want: { counted: 0, lost: 2, nodes: ["n1", "n2"] },
  },
  {
    name: "a withdrawn same-node attempt is uncounted and goes elsewhere",
    attempt: 2,
    node: null,
    outcome: "Withdrawn",
    policy: { sameNode: 1 },
    history: { counted: 1, pinned: "n1" },
    want: { counted: 1, lost: 0, nodes: ["n1"] },
  },
  {
    name: "a loss before scheduling leaves no node out",
    node: null,
    outcome: "Lost",
    want: { counted: 0, lost: 1, nodes: [] },
  },
  {
    name: "the 100th attempt of an item is the last, whatever it was",
    attempt: 100,
    outcome: "Lost",
    policy: { failoverLimit: 50, otherNodes: 20, sameNode: 20 },
    history: { counted: 60, lost: 39 },
    want: "TooManyAttempts",
  },
  {
    name: "the 99th is not",
    attempt: 99,
    outcome: "Lost",
    policy: { failoverLimit: 50, otherNodes: 20, sameNode: 20 },
    history: { counted: 60, lost: 38 },
    want: { counted: 60, lost: 39, nodes: ["n1"] },
  },
];

describe("what follows an attempt that did not succeed", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const node = tc.node === undefined ? "n1" : tc.node;
      const pod = makeAttempt({
        attempt: tc.attempt ?? 1,
        ...(node !== null && { node }),
        ...(tc.history !== undefined && { history: tc.history }),
      });
      const verdict: Verdict = { outcome: tc.outcome, reason: "", at: at("12:00:30"), message: "" };
      const after = afterAttempt(pod, verdict, policy(tc.policy), {
        mayReuse: (name) => tc.usable?.includes(name) ?? true,
        known: () => true,
      });
      if (after.kind === "failed") {
        assert.equal(after.reason, tc.want);
        return;
      }
      const { counted, lost, nodes } = after.next;
      assert.deepEqual({ counted, lost, nodes, ...(after.next.node !== undefined && { node: after.next.node }) }, tc.want);
      assert.equal(after.next.attempt, (tc.attempt ?? 1) + 1);
      assert.equal(after.failedOver, tc.outcome === "Lost" && lost > (tc.history?.lost ?? 0));
    });
  }

  // It started at 12:00:00 and failed at 12:00:30.
  const resets: readonly { name: string; resetAfterSeconds: number; outcome?: Verdict["outcome"]; started?: boolean; want: string }[] = [
    {
      name: "an attempt that ran for resetAfterSeconds before it failed is counted as the first one again",
      resetAfterSeconds: 30,
      want: "1 n2",
    },
    { name: "one that ran for less counts on", resetAfterSeconds: 31, want: "RetriesExhausted" },
    { name: "a loss resets nothing", resetAfterSeconds: 30, outcome: "Lost", want: "3 n1 n2" },
    { name: "one that never started resets nothing", resetAfterSeconds: 0, started: false, want: "RetriesExhausted" },
  ];
  for (const tc of resets) {
    it(tc.name, () => {
      const pod = makeAttempt({
        attempt: 9,
        node: "n2",
        history: { counted: 3, nodes: ["n1"] },
        ...(tc.started !== false && { started: "12:00:00", exits: [7] }),
      });
      const verdict: Verdict = { outcome: tc.outcome ?? "Failed", reason: "", at: at("12:00:30"), message: "" };
      const after = afterAttempt(pod, verdict, policy({ otherNodes: 3, resetAfterMs: tc.resetAfterSeconds * 1000 }), {
        mayReuse: () => true,
        known: () => true,
      });
      assert.equal(after.kind === "failed" ? after.reason : [after.next.counted, ...after.next.nodes].join(" "), tc.want);
      if (after.kind === "again") assert.equal(after.next.attempt, 10, "the number goes on: 100 attempts are the end of all");
    });
  }

  // initialSeconds 10, factor 2, maxSeconds 300: 10, 20, 40, 80, 160, 300, 300 seconds.
  const waits: readonly { name: string; attempt: number; outcome: Verdict["outcome"]; wantSeconds: number }[] = [
    { name: "the wait before the second attempt is initialSeconds", attempt: 1, outcome: "Failed", wantSeconds: 10 },
    { name: "the next is longer by the factor", attempt: 2, outcome: "Failed", wantSeconds: 20 },
    { name: "a loss waits by the attempt's number too", attempt: 3, outcome: "Lost", wantSeconds: 40 },
    { name: "a withdrawal waits by the attempt's number too", attempt: 4, outcome: "Withdrawn", wantSeconds: 80 },
    { name: "never longer than maxSeconds", attempt: 6, outcome: "Failed", wantSeconds: 300 },
    { name: "nor after 99 attempts", attempt: 99, outcome: "Failed", wantSeconds: 300 },
  ];
  for (const tc of waits) {
    it(tc.name, () => {
      const verdict: Verdict = { outcome: tc.outcome, reason: "", at: at("12:00:30"), message: "" };
      const after = afterAttempt(makeAttempt({ attempt: tc.attempt, node: "n1" }), verdict, policy({ sameNode: 20, otherNodes: 20 }), {
        mayReuse: () => true,
        known: () => true,
      });
      assert.equal(after.kind === "again" && after.next.notBefore, at("12:00:30") + tc.wantSeconds * 1000);
    });
  }
});
