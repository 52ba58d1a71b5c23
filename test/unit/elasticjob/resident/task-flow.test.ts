import assert from "node:assert/strict";
import type { DispatchAction, RecallAction } from "../../../../src/api/action.ts";
import type { ExecutorClient, ExecutorTask, TaskAnswer } from "../../../../src/api/executor.ts";
import { createSeededRandom } from "../../../../src/base/random.ts";
import { settle, VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { TaskFlow } from "../../../../src/elasticjob/dispatch/task-flow.ts";

const start = Date.UTC(2026, 10, 21, 12);
const accepted: TaskAnswer = { kind: "accepted" };
const unknown: TaskAnswer = { kind: "unknown" };
const unclear: TaskAnswer = { kind: "unclear", message: "HTTP 502" };
const neverSent: TaskAnswer = { kind: "unclear", message: "refused", neverSent: true };
const done: TaskAnswer = { kind: "ended", outcome: "Succeeded", message: undefined, result: "7", continue: false };
const more: TaskAnswer = { ...done, continue: true };
const failed: TaskAnswer = { kind: "ended", outcome: "Failed", message: "no rows", result: undefined, continue: false };

const order: DispatchAction = {
  tag: "dispatch",
  job: { namespace: "tenant", name: "report" },
  jobUid: "uid-report",
  key: "20261121t120000z/0/1",
  target: { protocol: "HTTP", app: "tenant/workers", instance: "uid-workers-0", baseUrl: "http://10.0.0.1:8080" },
  task: {
    id: "uid-report/20261121t120000z/0/1",
    job: { namespace: "tenant", name: "report", uid: "uid-report" },
    run: "20261121t120000z",
    fireTime: start,
    item: 0,
    total: 1,
    handler: "report",
    parameter: "",
    itemParameter: "",
    attempt: 1,
    deadline: undefined,
    traceparent: undefined,
  },
  round: 1,
  remembersUntil: start + 840_000,
  repeats: false,
  asksFirst: false,
  givenUpAt: start + 600_000,
};

/** A flow with an executor that answers by a script; what is asked beyond it is never answered. */
class Scene {
  readonly clock = new VirtualClock(start);
  readonly said: string[] = [];
  readonly flow: TaskFlow;
  leads = true;
  readonly #answers: TaskAnswer[];

  constructor(
    differs: Partial<DispatchAction> | RecallAction,
    answers: readonly TaskAnswer[],
    token: () => object = () => ({ token: undefined }),
  ) {
    this.#answers = [...answers];
    const say = (what: string) => (_target: unknown, task: ExecutorTask, signal: AbortSignal) => {
      this.said.push(`${what}${task.id.endsWith("/1") ? "" : ` ${task.id.split("/").at(-1)}`}`);
      const answer = this.#answers.shift();
      if (answer !== undefined) return Promise.resolve(answer);
      return new Promise<TaskAnswer>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const client: ExecutorClient = {
      start: say("start"),
      wait: say("wait"),
      cancel: async () => void this.said.push("cancel"),
      recorded: () => undefined,
    };
    this.flow = new TaskFlow(
      {
        client,
        clock: this.clock,
        random: createSeededRandom(1),
        token: async () => token() as { token: undefined },
        fence: () => this.leads,
        onChange: () => undefined,
      },
      { ...order, ...differs } as DispatchAction,
    );
    void this.flow.follow();
  }

  async to(seconds: number): Promise<this> {
    await this.clock.runUntil(start + seconds * 1000);
    await settle();
    return this;
  }

  get end(): string | undefined {
    const { end } = this.flow.state;
    return end && `${end.outcome} ${end.reason}${end.message === "" ? "" : `: ${end.message}`}`;
  }
}

describe("the flow of one task", () => {
  const forgetful = { remembersUntil: 0 };
  const cases: readonly {
    readonly name: string;
    readonly order?: Partial<DispatchAction>;
    readonly answers: readonly TaskAnswer[];
    readonly seconds?: number;
    readonly said: string;
    readonly end: string | undefined;
  }[] = [
    { name: "done at once", answers: [done], said: "start", end: "Succeeded : 7" },
    { name: "accepted, then done", answers: [accepted, accepted, done], said: "start wait wait", end: "Succeeded : 7" },
    { name: "failed", answers: [accepted, failed], said: "start wait", end: "Failed : no rows" },
    {
      name: "refused: it will never do it",
      answers: [{ kind: "refused", message: "no such handler" }],
      said: "start",
      end: "Failed Refused: no such handler",
    },
    { name: "busy, then taken", answers: [{ kind: "busy", message: "full" }, done], said: "start start", end: "Succeeded : 7" },
    {
      name: "unclear: the same once more, since the executor remembers",
      answers: [unclear, unclear, done],
      said: "start start start",
      end: "Succeeded : 7",
    },
    {
      name: "unclear at one that does not remember: only asked about",
      order: forgetful,
      answers: [unclear, unknown, done],
      said: "start wait wait",
      end: "Succeeded : 7",
    },
    {
      name: "nobody knows whether it was ever begun, and it was not",
      order: { asksFirst: true, isUncertain: true },
      answers: [unclear, unknown],
      said: "wait wait",
      end: "Lost NeverBegun: its executor has never heard of it",
    },
    {
      name: "nobody knows whether it was ever begun, and it was",
      order: { asksFirst: true, isUncertain: true },
      answers: [accepted, unknown],
      said: "wait wait",
      end: "Lost Forgotten: the executor knows nothing of it any more; it was started anew, or never had it",
    },
    {
      name: "never sent, so it may be sent to one that does not remember",
      order: forgetful,
      answers: [neverSent, done],
      said: "start start",
      end: "Succeeded : 7",
    },
    {
      name: "one that does not remember and knows nothing is waited for until the time is over",
      order: { ...forgetful, givenUpAt: start + 20_000 },
      answers: [unclear, ...Array(40).fill(unknown)],
      seconds: 19,
      said: "start wait",
      end: undefined,
    },
    {
      name: "and then given up",
      order: { ...forgetful, givenUpAt: start + 20_000 },
      answers: [unclear, ...Array(40).fill(unknown)],
      said: "start wait",
      end: "Lost Unacknowledged",
    },
    {
      name: "forgotten after it was accepted: the executor was started anew",
      answers: [accepted, unknown],
      said: "start wait",
      end: "Lost Forgotten",
    },
    {
      name: "a wait that is not answered well is repeated",
      answers: [accepted, unclear, accepted, done],
      said: "start wait wait wait",
      end: "Succeeded : 7",
    },
    {
      name: "taken over: asked first, and handed over where nobody knows it",
      order: { asksFirst: true },
      answers: [unknown, accepted, done],
      said: "wait start wait",
      end: "Succeeded : 7",
    },
    {
      name: "taken over while at work: never handed over",
      order: { asksFirst: true },
      answers: [accepted, done],
      said: "wait wait",
      end: "Succeeded : 7",
    },
    {
      name: "taken over too late to rely on the executor's memory",
      order: { asksFirst: true, remembersUntil: start - 1 },
      answers: [unknown],
      said: "wait",
      end: "Lost Forgotten",
    },
    {
      name: "another round as long as there is more",
      order: { repeats: true },
      answers: [more, more, done],
      said: "start start 1.2 start 1.3",
      end: "Succeeded : 7",
    },
    {
      name: "a round that is taken up again",
      order: { repeats: true, round: 2, task: { ...order.task, id: `${order.task.id}.2` } },
      answers: [more, done],
      said: "start 1.2 start 1.3",
      end: "Succeeded : 7",
    },
    { name: "more of the same means nothing where nobody asked for it", answers: [more], said: "start", end: "Succeeded : 7" },
  ];
  for (const { name, order: differs = {}, answers, seconds = 120, said, end } of cases) {
    it(name, async () => {
      const scene = await new Scene(differs, answers).to(seconds);
      const heard = scene.said.join(" ");
      assert.ok(
        heard === said || (heard.startsWith(said) && end?.endsWith("Unacknowledged")) || (end === undefined && heard.startsWith(said)),
        heard,
      );
      if (end?.startsWith("Lost")) assert.ok(scene.end?.startsWith(end), scene.end);
      else assert.equal(scene.end, end);
    });
  }

  it("a recall interrupts the wait, is repeated, and ends with the executor's word", async () => {
    const scene = await new Scene({}, [accepted]).to(1);
    scene.flow.recall();
    await scene.to(130);
    assert.deepEqual(scene.said.slice(0, 4), ["start", "wait", "cancel", "wait"]);
    assert.equal(scene.said[4], "cancel", "a wait without an answer is given up after two minutes");
    assert.equal(scene.end, undefined);
  });

  it("what its executor never had is recalled without a word", async () => {
    const scene = await new Scene({}, [neverSent, neverSent]).to(0);
    scene.flow.recall();
    await scene.to(60);
    assert.ok(!scene.said.includes("cancel"), scene.said.join(" "));
    assert.match(scene.end as string, /^Failed Cancelled/);
  });

  it("a recall while it is being handed over is told to the executor", async () => {
    const scene = await new Scene({}, []).to(1);
    scene.flow.recall();
    await scene.to(2);
    assert.deepEqual(scene.said, ["start", "cancel", "wait"]);
  });

  it("nothing is said while this process does not lead", async () => {
    const scene = new Scene({}, [done]);
    scene.leads = false;
    await scene.to(10);
    assert.ok(scene.said.length <= 1, scene.said.join(" "));
  });

  it("without its token nothing is handed over, and people are told why", async () => {
    const scene = await new Scene({}, [done], () => ({ trouble: "there is no token" })).to(10);
    assert.deepEqual(scene.said, []);
    assert.equal(scene.flow.state.trouble, "there is no token");
  });

  it("an executor without an answer that can be read is silent since the first of them", async () => {
    const scene = await new Scene({}, [unclear, unclear, unclear]).to(5);
    assert.equal(scene.flow.state.silentSince, start);
    assert.equal(scene.flow.state.trouble, "HTTP 502");
  });

  it("progress is kept, and outlives answers without any", async () => {
    const scene = await new Scene({}, [accepted, { kind: "progress", percent: 40, message: "half" }, accepted]).to(5);
    assert.deepEqual(scene.flow.state, { accepted: true, round: 1, percent: 40, message: "half" });
  });
});
