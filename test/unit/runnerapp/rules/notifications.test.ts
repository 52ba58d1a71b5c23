import assert from "node:assert/strict";
import type { RunnerAppSpec, RunnerAppStatus } from "../../../../src/api/runner-app.gen.ts";
import type { NodeExclusion } from "../../../../src/runnerapp/rules/node-exclusion.ts";
import { notificationsOf } from "../../../../src/runnerapp/rules/notifications.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { runnerApp } from "../../../support/builders/runner-app.ts";

const lastTransitionTime = "2026-11-21T11:00:00Z";

type Wish = NonNullable<RunnerAppSpec["notify"]>[number];

const all: Wish = { receiver: "ops", events: ["Degraded", "Recovered", "RolloutPaused", "NodeExcluded"] };

const degraded = (status: "True" | "False", message = ""): RunnerAppStatus => ({
  conditions: [
    {
      type: "Available",
      status: "True",
      reason: "EnoughAvailable",
      message: "at least 2 of 3 instances are available",
      lastTransitionTime,
    },
    { type: "Degraded", status, reason: status === "True" ? "RetriesExhausted" : "Serving", message, lastTransitionTime },
  ],
});

const canary = (phase: "Rolling" | "AutoPaused" | "RolledBack", revision = "web-2"): RunnerAppStatus => ({
  canary: { phase, revision, target: 1, since: "2026-11-21T11:00:00Z", reason: "instances 1 failed" },
});

const excluded = (node: string): NodeExclusion => ({ node, until: at("13:00:00"), failures: 3, reason: "Exit" });

interface Case {
  readonly name: string;
  readonly notify?: readonly Wish[];
  readonly before?: RunnerAppStatus;
  readonly next?: RunnerAppStatus;
  readonly excluded?: readonly NodeExclusion[];
  /** Receiver, event, reason, message. */
  readonly want: readonly (readonly string[])[];
}

const used = "the retries of 1 instances are used up";
const stands = "the roll-out of revision web-2 stands still: instances 1 failed";

const cases: readonly Case[] = [
  {
    name: "Degraded when the condition becomes true",
    next: degraded("True", used),
    want: [["ops", "Degraded", "RetriesExhausted", `it is degraded: ${used}`]],
  },
  { name: "not again while it stays so, whatever ails it now", before: degraded("True", "one"), next: degraded("True", used), want: [] },
  {
    name: "Recovered when that is over",
    before: degraded("True", used),
    next: degraded("False"),
    want: [["ops", "Recovered", "Serving", "it is degraded no more: at least 2 of 3 instances are available"]],
  },
  { name: "nothing of an app that never was degraded", before: {}, next: degraded("False"), want: [] },
  {
    name: "RolloutPaused when failures stop a roll-out",
    before: canary("Rolling"),
    next: canary("AutoPaused"),
    want: [["ops", "RolloutPaused", "RolloutPaused", stands]],
  },
  { name: "once for a revision", before: canary("AutoPaused"), next: canary("AutoPaused"), want: [] },
  {
    name: "and again for the next one",
    before: canary("AutoPaused", "web-1"),
    next: canary("AutoPaused"),
    want: [["ops", "RolloutPaused", "RolloutPaused", stands]],
  },
  {
    name: "RolloutPaused also when a roll-out was taken back, by another reason",
    before: canary("Rolling"),
    next: canary("RolledBack"),
    want: [["ops", "RolloutPaused", "RolledBack", "the roll-out of revision web-2 was taken back: instances 1 failed"]],
  },
  { name: "nothing of a roll-out that goes on", before: canary("AutoPaused"), next: canary("Rolling"), want: [] },
  {
    name: "NodeExcluded of all nodes at once, so that a quiet time swallows none",
    excluded: [excluded("n1"), excluded("n2")],
    want: [
      [
        "ops",
        "NodeExcluded",
        "Exit",
        "nodes are left out: n1 until 2026-11-21T13:00:00Z (3 failures), n2 until 2026-11-21T13:00:00Z (3 failures)",
      ],
    ],
  },
  {
    name: "to each receiver what it asked for",
    notify: [
      { receiver: "ops", events: ["Degraded"] },
      { receiver: "chat", events: ["NodeExcluded"] },
    ],
    next: degraded("True", used),
    excluded: [excluded("n1")],
    want: [
      ["ops", "Degraded", "RetriesExhausted", `it is degraded: ${used}`],
      ["chat", "NodeExcluded", "Exit", "nodes are left out: n1 until 2026-11-21T13:00:00Z (3 failures)"],
    ],
  },
  { name: "nobody who did not ask", notify: [], next: degraded("True", used), want: [] },
];

describe("notify: whom an app tells of what", () => {
  for (const tc of cases)
    it(tc.name, () => {
      const app = runnerApp({ spec: { notify: tc.notify ?? [all] }, ...(tc.before !== undefined && { status: tc.before }) });
      const told = notificationsOf({ app, now: at("12:00:00") }, tc.next ?? {}, tc.excluded ?? []);
      assert.deepEqual(
        told.map(({ receiver, event, reason, message }) => [receiver, event, reason, message]),
        tc.want,
      );
    });

  it("says of whom, when, which nodes, and how long it is quiet", () => {
    const app = runnerApp({ spec: { notify: [{ ...all, quietSeconds: 60 }] } });
    const [told] = notificationsOf({ app, now: at("12:00:00") }, {}, [excluded("n1")]);
    assert.deepEqual(told, {
      receiver: "ops",
      event: "NodeExcluded",
      of: { kind: "RunnerApp", namespace: "tenant", name: "web", uid: "app-uid" },
      nodes: ["n1"],
      at: at("12:00:00"),
      reason: "Exit",
      message: "nodes are left out: n1 until 2026-11-21T13:00:00Z (3 failures)",
      quietMs: 60_000,
    });
  });
});
