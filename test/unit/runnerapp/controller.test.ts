import assert from "node:assert/strict";
import type { ActionOutcome } from "../../../src/api/action.ts";
import type { Notification } from "../../../src/api/notification.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createRunnerAppController } from "../../../src/runnerapp/controller.ts";
import { nothingToDo } from "../../../src/runnerapp/rules/plan.ts";
import { observedApp } from "../../support/builders/runner-app.ts";

const notification: Notification = {
  receiver: "ops",
  event: "Degraded",
  of: { kind: "RunnerApp", namespace: "tenant", name: "web", uid: "app-uid" },
  at: 0,
  reason: "RetriesExhausted",
  message: "it is degraded",
  quietMs: 0,
};

/** Receivers that are told when the plan's status write ends so. */
function told(outcome: ActionOutcome | undefined): readonly string[] {
  const offered: string[] = [];
  const controller = createRunnerAppController({
    caches: () => assert.fail("caches are not read"),
    clock: new VirtualClock(0),
    serverNow: () => 0,
    maxClockSkewMs: 0,
    notifications: { offer: ({ receiver }) => void offered.push(receiver) },
    planRunnerApp: () => ({ ...nothingToDo, notifications: [notification] }),
  });
  const observed = observedApp();
  controller.plan(observed);
  controller.settle?.({ namespace: "tenant", name: "web" }, observed, [], outcome);
  return offered;
}

describe("the controller of RunnerApps: who is told", () => {
  it("once it is recorded", () => assert.deepEqual(told({ kind: "done" }), ["ops"]));
  it("not when the record was refused, since another look will tell", () => assert.deepEqual(told({ kind: "conflict" }), []));
  it("not when nobody knows what became of the record", () =>
    assert.deepEqual(told({ kind: "failed", error: new Error("no answer") }), []));
  it("not when nothing was written", () => assert.deepEqual(told(undefined), []));
});
