import assert from "node:assert/strict";
import type { Action, ActionOutcome } from "../../../../src/api/action.ts";
import { pods, services } from "../../../../src/api/resource.ts";
import type { Clock } from "../../../../src/base/clock.ts";
import { Forbidden, Unavailable } from "../../../../src/kube/errors.ts";
import { runStep, type StepPlan, type UninstallStep } from "../../../../src/operator/uninstall/step.ts";
import type { Applier } from "../../../../src/runtime/applier.ts";

const deletion = (name: string, resource = pods): Action => ({
  tag: "delete",
  resource,
  ref: { namespace: "shop", name },
  uid: `uid-${name}`,
});
const refusal = (status: number) => ({ request: "list pods", status, reason: "", text: "no" });
const done: ActionOutcome = { kind: "done" };

/** Plays a step whose looks say these, one after the other and the last one for ever; `outcomes` are those of its actions, in turn. */
async function play(
  looks: readonly (StepPlan | Error)[],
  outcomes: readonly ActionOutcome[] = [],
  more: Partial<UninstallStep> & { readonly abortAfter?: number } = {},
) {
  let time = 0;
  let look = 0;
  const said: string[] = [];
  const left = [...outcomes];
  const over = new AbortController();
  const clock: Clock = {
    now: () => time,
    monotonic: () => time,
    after: () => ({ cancel() {} }),
    async sleep(delayMs, signal) {
      time += delayMs;
      if (look === more.abortAfter) over.abort(new Error("over"));
      signal?.throwIfAborted();
    },
  };
  const applier: Applier = {
    apply: async ({ actions }) => ({
      results: actions.map((action) => ({ action, outcome: left.shift() ?? done })),
      status: undefined,
    }),
  };
  const step: UninstallStep = {
    title: "waiting pods",
    done: "let go",
    async look() {
      const told = looks[Math.min(look++, looks.length - 1)] as StepPlan | Error;
      if (told instanceof Error) throw told;
      return told;
    },
    ...more,
  };
  const problem = await runStep(step, { applier, clock, limitMs: 1000, signal: over.signal, say: (line) => said.push(line) });
  return { problem, said, looks: look };
}

const nothing: StepPlan = { actions: [] };

describe("a step of an uninstallation", () => {
  it("has nothing to do where there is nothing", async () =>
    assert.deepEqual(await play([nothing]), { problem: undefined, said: ["waiting pods: 0 let go"], looks: 1 }));

  it("looks again after it acted, and counts each object once", async () =>
    assert.deepEqual(await play([{ actions: [deletion("a"), deletion("b")] }, { actions: [deletion("a")] }, nothing]), {
      problem: undefined,
      said: ["waiting pods: 2 let go"],
      looks: 3,
    }));

  it("counts the objects of one kind, where it says which", async () =>
    assert.deepEqual((await play([{ actions: [deletion("a"), deletion("s", services)] }, nothing], [], { counted: services })).said, [
      "waiting pods: 1 let go",
    ]));

  it("waits for what others do, and says in the end what could not be done", async () => {
    const remarks = ["shop/x leads nowhere"];
    assert.deepEqual(
      await play([
        { actions: [], waits: ["Kubernetes is slow"] },
        { actions: [], remarks },
      ]),
      {
        problem: undefined,
        said: ["waiting pods: 0 let go", "waiting pods: shop/x leads nowhere"],
        looks: 2,
      },
    );
  });

  it("an answer that is none is asked for again", async () =>
    assert.deepEqual((await play([new Unavailable(refusal(503)), { actions: [deletion("a")] }, nothing])).said, [
      "waiting pods: 1 let go",
    ]));

  it("what others changed meanwhile is looked at again", async () =>
    assert.deepEqual(
      (await play([{ actions: [deletion("a")] }, { actions: [deletion("a")] }, nothing], [{ kind: "conflict" }, done])).said,
      ["waiting pods: 1 let go"],
    ));

  const stuck: readonly { readonly name: string; readonly look: StepPlan; readonly outcome?: ActionOutcome; readonly want: string }[] = [
    {
      name: "a refusal",
      look: { actions: [deletion("a")] },
      outcome: { kind: "forbidden", message: "not for you", quota: false, namespaceTerminating: false },
      want: "waiting pods: pods shop/a: not for you",
    },
    {
      name: "a write that fails",
      look: { actions: [deletion("a")] },
      outcome: { kind: "failed", error: new Error("no answer") },
      want: "waiting pods: pods shop/a: no answer",
    },
    { name: "a wait in vain", look: { actions: [], waits: ["Kubernetes is slow"] }, want: "waiting pods: Kubernetes is slow" },
    {
      name: "somebody who undoes it",
      look: { actions: [deletion("a")] },
      want: "waiting pods: others change the same objects all the time",
    },
  ];
  for (const { name, look, outcome, want } of stuck)
    it(`is given up after its time, with what was in its way: ${name}`, async () => {
      const { problem, said } = await play([look], outcome === undefined ? [] : Array.from({ length: 10 }, () => outcome));
      assert.equal(problem, want);
      assert.deepEqual(said, []);
    });

  it("is given up at once where it may not look", async () => {
    const { problem, looks } = await play([new Forbidden(refusal(403))]);
    assert.equal(problem, "waiting pods: list pods: 403: no");
    assert.equal(looks, 1);
  });

  it("ends when it is told to", async () => {
    await assert.rejects(play([{ actions: [], waits: ["Kubernetes is slow"] }], [], { abortAfter: 2 }), /over/);
  });
});
