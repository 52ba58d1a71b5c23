import assert from "node:assert/strict";
import type { Action, ActionOutcome, ActionResult } from "../../../src/api/action.ts";
import { controllerRevisions, nodes, podTemplates, pods } from "../../../src/api/resource.ts";
import { TimedOutError, UnreachableError } from "../../../src/kube/errors.ts";
import { JobNotes } from "../../../src/elasticjob/job-memory.ts";
import { makeAttempt, makePod } from "../../support/builders/attempt-pod.ts";

const run = "20261121t120000z";
const creation = (item: number): Action => ({ tag: "create", resource: pods, object: makePod({ run, item }) });
const results = (...outcomes: readonly ActionOutcome[]): ActionResult[] =>
  outcomes.map((outcome, item) => ({ action: creation(item), outcome }));
const quota: ActionOutcome = { kind: "forbidden", message: "exceeded quota", quota: true, namespaceTerminating: false };
const done: ActionOutcome = { kind: "done" };

describe("what one process remembers of a job", () => {
  const notes = () => new JobNotes(new Map());

  const refusals: readonly {
    readonly name: string;
    readonly steps: readonly (readonly ActionOutcome[])[];
    /** Of the last: wait in seconds and allowance; absent = nothing is remembered. */
    readonly want?: readonly [number, number];
  }[] = [
    { name: "a refusal waits 5 s, then tries one", steps: [[quota]], want: [5, 1] },
    { name: "the second in a row waits 10 s", steps: [[quota], [quota]], want: [10, 1] },
    { name: "the ninth waits 300 s", steps: Array.from({ length: 9 }, () => [quota]), want: [300, 1] },
    { name: "after some success it begins again at 5 s", steps: [[quota], [quota], [done, quota]], want: [5, 1] },
    { name: "the first success afterwards allows two", steps: [[quota], [done]], want: [0, 2] },
    { name: "then four", steps: [[quota], [done], [done, done]], want: [0, 4] },
    { name: "when fewer were asked for than allowed it is forgotten", steps: [[quota], [done], [done]] },
    { name: "success alone remembers nothing", steps: [[done]] },
    { name: "what was given up unsent is no success", steps: [[quota, { kind: "withdrawn" }]], want: [5, 1] },
  ];
  for (const tc of refusals) {
    it(tc.name, () => {
      const memory = notes();
      for (const outcomes of tc.steps) memory.learn(results(...outcomes), 1000);
      const refusal = memory.refusals.get(run);
      assert.deepEqual(refusal === undefined ? undefined : [(refusal.retryAt - 1000) / 1000, refusal.allowance], tc.want);
    });
  }

  it("a pod that may have been created is remembered until its run has ended; one that surely was not is not", () => {
    const memory = notes();
    memory.learn(results({ kind: "failed", error: new UnreachableError("refused") }), 0);
    assert.deepEqual([...memory.unsure], []);
    memory.learn(results({ kind: "failed", error: new TimedOutError("no answer") }), 0);
    assert.deepEqual([...memory.unsure], [run]);
    memory.forgetRun(run);
    assert.deepEqual([...memory.unsure], []);
  });

  it("a changed quota lets what waits try at once; nobody else is woken", () => {
    const memory = notes();
    assert.equal(memory.quotaChanged(2000), false);
    memory.learn(results(quota), 1000);
    assert.equal(memory.quotaChanged(2000), true);
    assert.equal(memory.refusals.get(run)?.retryAt, 2000);
  });

  it("a namespace that is being deleted stays so until the object changes", () => {
    const memory = notes();
    memory.seeGeneration(1);
    memory.learn(results({ kind: "forbidden", message: "", quota: false, namespaceTerminating: true }), 0);
    assert.equal(memory.namespaceTerminating, true);
    memory.seeGeneration(2);
    assert.equal(memory.namespaceTerminating, false);
  });

  const template = (name: string, outcome: ActionOutcome): ActionResult => ({
    action: { tag: "dryRun", resource: podTemplates, object: { metadata: { name } } },
    outcome,
  });

  it("the server's word on a template, with the path of the job's own field", () => {
    const memory = notes();
    memory.learn(
      [template("a", { kind: "invalid", message: "template.spec.containers[0].image: Required value" }), template("b", done)],
      0,
    );
    assert.deepEqual(memory.templates.get("a"), {
      accepted: false,
      message: "spec.template: spec.template.spec.containers[0].image: Required value",
    });
    assert.equal(memory.templates.get("b")?.accepted, true);
  });

  it("a new generation asks again about what was refused, and not about what was accepted", () => {
    const memory = notes();
    memory.seeGeneration(1);
    memory.learn([template("a", { kind: "invalid", message: "" }), template("b", done)], 0);
    memory.seeGeneration(2);
    assert.deepEqual([...memory.templates.keys()], ["b"]);
  });

  it("a revision whose create failed says nothing about runs", () => {
    const memory = notes();
    const action: Action = { tag: "create", resource: controllerRevisions, object: { metadata: { name: "r" } } };
    memory.learn([{ action, outcome: { kind: "nameTaken" } }], 0);
    assert.equal(memory.nameTaken.size, 0);
  });

  it("a node that a live read does not find is gone", () => {
    const probe = (name: string, outcome: ActionOutcome): ActionResult => ({
      action: { tag: "probe", resource: nodes, ref: { name } },
      outcome,
    });
    assert.deepEqual(notes().learn([probe("n1", { kind: "gone" }), probe("n2", done), probe("n3", { kind: "failed", error: 0 })], 0), [
      "n1",
    ]);
  });

  it("an end that was seen before a deletion is remembered until the pod is needed no more", () => {
    const memory = notes();
    const ended = makeAttempt({ exits: [0] });
    memory.seePod("modified", ended, 0);
    memory.seePod("deleted", makeAttempt({ exits: [0], deletionTimestamp: "12:01:00" }), 5);
    assert.ok(memory.endedUndeleted.has(ended.metadata.uid as string));
    assert.equal(memory.vanished.get(ended.metadata.name)?.at, 5);
    memory.prune(() => false);
    assert.deepEqual([memory.vanished.size, memory.endedUndeleted.size], [0, 0]);
  });

  it("an end that is first seen with a deletionTimestamp is not such an end", () => {
    const memory = notes();
    memory.seePod("modified", makeAttempt({ exits: [0], deletionTimestamp: "12:01:00" }), 0);
    assert.equal(memory.endedUndeleted.size, 0);
  });

  it("a pod that exists again has not vanished", () => {
    const memory = notes();
    memory.seePod("deleted", makeAttempt(), 0);
    memory.seePod("added", makeAttempt({ uid: "new" }), 1);
    assert.equal(memory.vanished.size, 0);
  });

  it("what vanished later than now, by a clock that was set back since, vanished now", () => {
    const memory = notes();
    memory.seePod("deleted", makeAttempt(), 100);
    assert.deepEqual(
      [memory.vanishedBy(40), memory.vanishedBy(60)].map(([first]) => first?.at),
      [40, 40],
    );
  });
});
