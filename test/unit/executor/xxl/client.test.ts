import assert from "node:assert/strict";
import type { TaskAnswer } from "../../../../src/api/executor.ts";
import { settle, VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { createExchanger, type Exchanger } from "../../../../src/executor/exchange.ts";
import type { Callback } from "../../../../src/executor/xxl/codec.ts";
import { jobIdOf, logIdOf } from "../../../../src/executor/xxl/ids.ts";
import { fireTime, makeTarget, makeTask, whileTimePasses } from "../support/tasks.ts";
import { busy, idle, makeXxlParts, noLog, type Replies, someLog, startXxlDouble, type XxlDouble, type XxlParts } from "./support.ts";

const token = "s3cret-token";
const task = makeTask();
const never = new AbortController().signal;
const logId = logIdOf(task.id);

const endedAs = (outcome: "Succeeded" | "Failed", message?: string): TaskAnswer & { readonly kind: "ended" } => ({
  kind: "ended",
  outcome,
  message,
  result: undefined,
  continue: false,
});
const callbackOf = (differs: Partial<Callback> = {}): Callback => ({
  logId,
  end: endedAs("Succeeded", "3 rows"),
  neverBegun: false,
  ...differs,
});

interface StartRow {
  readonly replies: Replies;
  readonly want: TaskAnswer;
  readonly wantCalls: readonly string[];
}

const startRows: Readonly<Record<string, StartRow>> = {
  "code 200 accepts, with content or with data": {
    replies: { run: [{ code: 200, data: null }] },
    want: { kind: "accepted" },
    wantCalls: ["run"],
  },
  "an executor that knows no /run is given /trigger": {
    replies: { trigger: [{ code: 200 }] },
    want: { kind: "accepted" },
    wantCalls: ["run", "trigger"],
  },
  "so is one whose server answers 404": {
    replies: { run: [(response) => response.writeHead(404).end("Not Found")], trigger: [{ code: 200 }] },
    want: { kind: "accepted" },
    wantCalls: ["run", "trigger"],
  },
  "one that knows neither is no executor": {
    replies: {},
    want: { kind: "refused", message: "invalid request, uri-mapping(/trigger) not found." },
    wantCalls: ["run", "trigger"],
  },
  "a run that waits there already is accepted": {
    replies: { run: [{ code: 500, msg: `repeate trigger job, logId:${logId}` }] },
    want: { kind: "accepted" },
    wantCalls: ["run"],
  },
  "a handler that nobody knows is refused": {
    replies: { run: [{ code: 500, msg: "job handler [importer] not found." }], idleBeat: [idle] },
    want: { kind: "refused", message: "job handler [importer] not found." },
    wantCalls: ["run", "idleBeat"],
  },
  "where something else is at work under the number it is busy": {
    replies: { run: [{ code: 500, msg: "block strategy effect：Discard Later" }], idleBeat: [busy] },
    want: { kind: "busy", message: "block strategy effect：Discard Later" },
    wantCalls: ["run", "idleBeat"],
  },
  "a wrong token is refused, and is not told": {
    replies: { run: [{ code: 500, msg: `The access token ${token} is wrong.` }] },
    want: { kind: "refused", message: "The access token *** is wrong." },
    wantCalls: ["run"],
  },
  "500 is unclear": {
    replies: { run: [(response) => response.writeHead(500).end()] },
    want: { kind: "unclear", message: "answered 500" },
    wantCalls: ["run"],
  },
  "a redirect is unclear": {
    replies: { run: [(response) => response.writeHead(302, { location: "/login" }).end()] },
    want: { kind: "unclear", message: "answered 302" },
    wantCalls: ["run"],
  },
  "a page is unclear": {
    replies: { run: [(response) => response.writeHead(200).end("<html>")] },
    want: { kind: "unclear", message: "answered with what XXL-JOB does not say" },
    wantCalls: ["run"],
  },
};

interface LookRow {
  readonly replies: Replies;
  readonly want: TaskAnswer;
}

/** Of a task that this process has not sent, and of one that it has sent in vain. */
const lookRows: Readonly<Record<string, LookRow>> = {
  "busy: it is at work": { replies: { idleBeat: [busy] }, want: { kind: "accepted" } },
  "idle, and there is a log: it ran, and will report": { replies: { idleBeat: [idle], log: [someLog] }, want: { kind: "accepted" } },
  "idle, and there is a log, as 3.3 says it": {
    replies: { idleBeat: [idle], log: [{ code: 200, data: { fromLineNum: 2 ** 31 - 1, toLineNum: 0, logContent: "", isEnd: false } }] },
    want: { kind: "accepted" },
  },
  "idle, and there is no log: nobody knows it": { replies: { idleBeat: [idle], log: [noLog] }, want: { kind: "unknown" } },
  "a wrong token says nothing of what is at work": {
    replies: { idleBeat: [{ code: 500, msg: "The access token is wrong." }] },
    want: { kind: "unclear", message: "The access token is wrong." },
  },
  "an executor that does not know the call says nothing": {
    replies: {},
    want: { kind: "unclear", message: "invalid request, uri-mapping(/idleBeat) not found." },
  },
  "one that tells of no logs says nothing": {
    replies: { idleBeat: [idle], log: [{ code: 500, msg: "no logs here" }] },
    want: { kind: "unclear", message: "no logs here" },
  },
};

describe("the client of XXL-JOB's executors", () => {
  let clock: VirtualClock;
  let exchanger: Exchanger;
  let parts: XxlParts;
  let executor: XxlDouble;
  beforeEach(() => {
    clock = new VirtualClock(fireTime);
    exchanger = createExchanger({ clock });
    parts = makeXxlParts(clock, exchanger);
  });
  afterEach(async () => {
    await exchanger.close();
    await executor?.close();
  });
  const serve = async (replies: Replies) => {
    executor = await startXxlDouble(replies);
    return makeTarget(executor.url, { protocol: "XxlJob" });
  };
  /** All calls are answered, and no timer of ours is due. */
  const now = <T>(promise: Promise<T>) => whileTimePasses(clock, 0, promise);

  describe("starting a task", () => {
    for (const [name, { replies, want, wantCalls }] of Object.entries(startRows)) {
      it(name, async () => {
        const target = await serve(replies);
        assert.deepEqual(await now(parts.client.start(target, task, never)), want);
        assert.deepEqual(executor.calls(), wantCalls);
      });
    }

    it("shows the token and the name of the executor, and bounds the run by the deadline", async () => {
      const target = await serve({ run: [{ code: 200 }] });
      await now(parts.client.start(target, makeTask({ deadline: fireTime + 89_500 }), never));
      const [{ headers } = assert.fail("nothing came")] = executor.received;
      assert.deepEqual([headers["xxl-job-access-token"], headers["xxl-job-appname"]], [token, "importers"]);
      const [body] = executor.bodies("run");
      assert.deepEqual([body?.["jobId"], body?.["logId"], body?.["executorTimeout"]], [jobIdOf("u-1", 2), logId, 90]);
    });

    it("an executor is called by the name under which it registered", async () => {
      const target = await serve({ run: [{ code: 200 }] });
      parts.registrations.add("its-own-name", `${target.baseUrl}/`, token);
      await now(parts.client.start(target, task, never));
      assert.equal(executor.received[0]?.headers["xxl-job-appname"], "its-own-name");
    });

    it("which of the two calls an address knows is remembered, and found anew when it knows it no more", async () => {
      const target = await serve({
        trigger: [{ code: 200 }, { code: 500, msg: "uri-mapping(/trigger) not found" }],
        run: [{ code: 500, msg: "uri-mapping(/run) not found" }, { code: 200 }],
      });
      for (const attempt of [1, 2, 3]) await now(parts.client.start(target, makeTask({ id: `t-${attempt}`, item: attempt }), never));
      assert.deepEqual(executor.calls(), ["run", "trigger", "trigger", "run", "run"]);
    });

    it("without a token nothing is sent: anybody could report its end", async () => {
      const target = await serve({ run: [{ code: 200 }] });
      const answer = await now(parts.client.start({ ...target, token: undefined }, task, never));
      assert.equal(answer.kind, "refused");
      assert.match((answer as { readonly message: string }).message, /needs executor\.tokenSecretRef/);
      assert.deepEqual(executor.calls(), []);
    });

    it("two runs of one item are not given to one instance together, since a kill would end both", async () => {
      const target = await serve({ run: [{ code: 200 }] });
      await now(parts.client.start(target, task, never));
      const second = makeTask({ id: "u-1.20261120t170000z.2.1", run: "20261120t170000z" });
      assert.deepEqual(await now(parts.client.start(target, second, never)), {
        kind: "busy",
        message: "another task is at work there under the same number",
      });
      assert.deepEqual(await now(parts.client.start({ ...target, instance: "pod-2" }, second, never)), { kind: "accepted" });
      assert.deepEqual(executor.calls(), ["run", "run"]);
    });

    it("when the first has ended there is room for the second", async () => {
      const target = await serve({ run: [{ code: 200 }] });
      await now(parts.client.start(target, task, never));
      void parts.board.report(callbackOf(), token, 0);
      const second = makeTask({ id: "u-1.20261120t170000z.2.1", run: "20261120t170000z" });
      assert.deepEqual(await now(parts.client.start(target, second, never)), { kind: "accepted" });
    });

    it("a first one that nobody has followed for two minutes stands in nobody's way", async () => {
      const target = await serve({ run: [{ code: 200 }] });
      await now(parts.client.start(target, task, never));
      await clock.runUntil(fireTime + 120_001);
      const second = makeTask({ id: "u-1.20261120t170000z.2.1", run: "20261120t170000z" });
      assert.deepEqual(await now(parts.client.start(target, second, never)), { kind: "accepted" });
    });

    it("what was refused leaves nothing behind", async () => {
      const target = await serve({ run: [{ code: 500, msg: "job handler [importer] not found." }], idleBeat: [idle] });
      await now(parts.client.start(target, task, never));
      assert.equal(parts.board.find(task), undefined);
    });

    it("where nobody listens nothing was sent", async () => {
      const target = await serve({});
      await executor.close();
      const answer = await now(parts.client.start(target, task, never));
      assert.deepEqual(answer, { kind: "unclear", message: "the connection was refused", neverSent: true });
    });
  });

  describe("a task that may be there", () => {
    for (const [name, { replies, want }] of Object.entries(lookRows)) {
      it(`taken over: ${name}`, async () => {
        assert.deepEqual(await now(parts.client.wait(await serve(replies), task, never)), want);
      });
      it(`after silence: ${name}`, async () => {
        const target = await serve({ ...replies, run: [(response) => response.destroy(), { code: 200 }] });
        await now(parts.client.start(target, task, never));
        const runs = () => executor.calls().filter((call) => call === "run").length;
        const again = await now(parts.client.start(target, task, never));
        // What nobody knows is sent again; nothing else is.
        assert.deepEqual([again, runs()], want.kind === "unknown" ? [{ kind: "accepted" }, 2] : [want, 1]);
      });
    }

    it("sent again while the first one comes in late, it is accepted and not taken for another's", async () => {
      const target = await serve({
        run: [(response) => response.destroy(), { code: 500, msg: "block strategy effect：Discard Later" }],
        idleBeat: [idle, busy],
        log: [noLog],
      });
      await now(parts.client.start(target, task, never));
      assert.deepEqual(await now(parts.client.start(target, task, never)), { kind: "accepted" });
    });

    it("a log is asked for without its lines", async () => {
      await now(parts.client.wait(await serve({ idleBeat: [idle], log: [noLog] }), task, never));
      assert.deepEqual(executor.bodies("log"), [{ logId, logDateTim: fireTime, logDateTime: fireTime, fromLineNum: 2 ** 31 - 1 }]);
    });

    it("one that ran and is silent for ten minutes has failed", async () => {
      const target = await serve({ idleBeat: [idle], log: [someLog] });
      assert.deepEqual(await now(parts.client.wait(target, task, never)), { kind: "accepted" });
      await clock.runUntil(fireTime + 599_999 - 30_000);
      assert.deepEqual(await whileTimePasses(clock, 30_000, parts.client.wait(target, task, never)), { kind: "accepted" });
      const message = "it ran, and how it ended was not told within 10 minutes: see its log at the executor";
      assert.deepEqual(await whileTimePasses(clock, 30_000, parts.client.wait(target, task, never)), endedAs("Failed", message));
    });
  });

  describe("waiting for a task", () => {
    const accepted = async (replies: Replies = {}) => {
      const target = await serve({ run: [{ code: 200 }], ...replies });
      await now(parts.client.start(target, task, never));
      return target;
    };

    it("its end is told as soon as it is reported, without a call", async () => {
      const target = await accepted();
      const answer = parts.client.wait(target, task, never);
      await settle();
      void parts.board.report(callbackOf(), token, 0);
      assert.deepEqual(await now(answer), endedAs("Succeeded", "3 rows"));
      assert.deepEqual(executor.calls(), ["run"]);
    });

    it("an end that came before anybody waited is told", async () => {
      const target = await accepted();
      void parts.board.report(callbackOf(), token, 0);
      assert.deepEqual(await now(parts.client.wait(target, task, never)), endedAs("Succeeded", "3 rows"));
      assert.deepEqual(await now(parts.client.start(target, task, never)), endedAs("Succeeded", "3 rows"));
    });

    it("an end that comes before the executor has answered the call is told", async () => {
      const target = await serve({
        run: [
          (response) => {
            void parts.board.report(callbackOf(), token, 0);
            response.end('{"code":200}');
          },
        ],
      });
      assert.deepEqual(await now(parts.client.start(target, task, never)), endedAs("Succeeded", "3 rows"));
    });

    it("the token is blotted out of what is reported", async () => {
      const target = await accepted();
      void parts.board.report(callbackOf({ end: endedAs("Failed", `sent ${token}`) }), token, 0);
      assert.deepEqual(await now(parts.client.wait(target, task, never)), endedAs("Failed", "sent ***"));
    });

    it("after 30 s without a word the executor is asked", async () => {
      const target = await accepted({ idleBeat: [busy] });
      assert.deepEqual(await whileTimePasses(clock, 30_000, parts.client.wait(target, task, never)), { kind: "accepted" });
      assert.deepEqual(executor.calls(), ["run", "idleBeat"]);
    });

    it("one that the executor gives back unbegun is unknown, and is sent again though it has a log by now", async () => {
      const target = await accepted({ idleBeat: [idle], log: [someLog] });
      const answer = parts.client.wait(target, task, never);
      await settle();
      assert.equal(await parts.board.report(callbackOf({ neverBegun: true, end: endedAs("Failed", "killed") }), token, 0), "settled");
      assert.deepEqual(await now(answer), { kind: "unknown" });
      assert.deepEqual(await now(parts.client.start(target, task, never)), { kind: "accepted" });
      assert.deepEqual(executor.calls(), ["run", "run"]);
    });

    it("one that was cancelled and is given back has ended", async () => {
      const target = await accepted({ kill: [{ code: 200 }] });
      await now(parts.client.cancel(target, task, never));
      void parts.board.report(callbackOf({ neverBegun: true, end: endedAs("Failed", "killed") }), token, 0);
      assert.deepEqual(await now(parts.client.wait(target, task, never)), endedAs("Failed", "killed"));
    });

    it("what the signal ends is unclear", async () => {
      const target = await accepted();
      const stop = new AbortController();
      const answer = parts.client.wait(target, task, stop.signal);
      await settle();
      stop.abort();
      assert.deepEqual(await now(answer), { kind: "unclear", message: "nobody waits for it any more" });
    });
  });

  describe("cancelling a task", () => {
    it("kills by the number of the item", async () => {
      const target = await serve({ run: [{ code: 200 }], kill: [{ code: 200 }] });
      await now(parts.client.start(target, task, never));
      await now(parts.client.cancel(target, task, never));
      assert.deepEqual(executor.bodies("kill"), [{ jobId: jobIdOf("u-1", 2) }]);
    });

    it("what has ended is not killed, since another run may have the number by now", async () => {
      const target = await serve({ run: [{ code: 200 }], kill: [{ code: 200 }] });
      await now(parts.client.start(target, task, never));
      void parts.board.report(callbackOf(), token, 0);
      await now(parts.client.cancel(target, task, never));
      assert.deepEqual(executor.calls(), ["run"]);
    });
  });

  describe("the log of a task", () => {
    it("is told from a line on", async () => {
      const content = { fromLineNum: 2, toLineNum: 3, logContent: "b\nc\n", isEnd: false };
      const target = await serve({ log: [{ code: 200, content }] });
      assert.deepEqual(await now(parts.client.log(target, task, 2, never)), { fromLine: 2, toLine: 3, text: "b\nc\n", exists: true });
      assert.deepEqual(executor.bodies("log"), [{ logId, logDateTim: fireTime, logDateTime: fireTime, fromLineNum: 2 }]);
    });

    it("that is not there is said to be not there", async () => {
      const target = await serve({ log: [noLog] });
      assert.equal(await now(parts.client.log(target, task, 1, never)), "absent");
    });
  });
});
