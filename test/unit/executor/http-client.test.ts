import assert from "node:assert/strict";
import { createServer as createTcpServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ExecutorTask, TaskAnswer } from "../../../src/api/executor.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createExchanger, type Exchanger } from "../../../src/executor/exchange.ts";
import { createHttpExecutorClient } from "../../../src/executor/http-client.ts";
import { listenOn } from "../../../src/runtime/listening.ts";
import { type Answer, answerJson, type HttpDouble, startHttpDouble } from "../../support/http-double.ts";
import { fireTime, makeTarget, makeTask, whileTimePasses } from "./support/tasks.ts";

const task = makeTask();
const never = new AbortController().signal;
const named = { task: task.id };

const status =
  (code: number, body: string | object = "", headers: Readonly<Record<string, string>> = {}): Answer =>
  (_request, response) =>
    typeof body === "string" ? response.writeHead(code, headers).end(body) : answerJson(response, code, body, headers);

const ended = (differs: object): TaskAnswer => ({
  kind: "ended",
  outcome: "Succeeded",
  message: undefined,
  result: undefined,
  continue: false,
  ...differs,
});
const refused = (message: string): TaskAnswer => ({ kind: "refused", message });
const unclear = (message: string): TaskAnswer => ({ kind: "unclear", message });

/** What any 200 or 202 means, whether a task is started or waited for. */
const toldRows: Readonly<Record<string, { readonly answer: Answer; readonly want: TaskAnswer }>> = {
  "200 with an outcome ends the task": {
    answer: status(200, { ...named, outcome: "Succeeded", message: "3 rows", result: "3" }),
    want: ended({ message: "3 rows", result: "3" }),
  },
  "200 may end it as failed, and may say that there is more": {
    answer: status(200, { ...named, outcome: "Failed", message: "no disk", continue: true }),
    want: ended({ outcome: "Failed", message: "no disk", continue: true }),
  },
  "a result that is no text is kept as JSON": {
    answer: status(200, { ...named, outcome: "Succeeded", result: { rows: 3 } }),
    want: ended({ result: '{"rows":3}' }),
  },
  "a result is cut at 4096 bytes, between characters": {
    answer: status(200, { ...named, outcome: "Succeeded", result: `x${"é".repeat(4000)}` }),
    want: ended({ result: `x${"é".repeat(2047)}` }),
  },
  "the token is blotted out wherever the executor tells it": {
    answer: status(200, { ...named, outcome: "Failed", message: "got s3cret-token", result: "s3cret-token" }),
    want: ended({ outcome: "Failed", message: "got ***", result: "***" }),
  },
  "202 accepts": { answer: status(202, named), want: { kind: "accepted" } },
  "202 may tell progress": {
    answer: status(202, { ...named, progress: 41.6, message: "row 5" }),
    want: { kind: "progress", percent: 42, message: "row 5" },
  },
  "progress beyond 100 is 100": {
    answer: status(202, { ...named, progress: 250 }),
    want: { kind: "progress", percent: 100, message: undefined },
  },
  "an outcome that is neither is no end": {
    answer: status(200, { ...named, outcome: "Done" }),
    want: unclear("answered 200 without an outcome, which is Succeeded or Failed"),
  },
  "200 with a page is garbage": { answer: status(200, "<html>Welcome</html>"), want: unclear("answered 200 with what is no JSON object") },
  "200 with nothing is garbage": { answer: status(200), want: unclear("answered 200 with what is no JSON object") },
  "200 for another task is garbage": {
    answer: status(200, { task: "u-9", outcome: "Succeeded" }),
    want: unclear("answered 200 without the id of the task"),
  },
  "202 of a server that accepts anything is garbage": { answer: status(202, {}), want: unclear("answered 202 without the id of the task") },
  "500 is unclear": { answer: status(500, { message: "out of memory" }), want: unclear("answered 500: out of memory") },
  "503 of a proxy is unclear": { answer: status(503, "<html>"), want: unclear("answered 503") },
  "an answer of 100 MB is given up at 64 KiB": {
    answer: (_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(1024 * 1024, "x");
      let left = 100;
      const more = () => {
        while (left-- > 0) if (!response.write(chunk)) return void response.once("drain", more);
        response.end();
      };
      more();
    },
    want: unclear("an answer of more than 65536 bytes"),
  },
  "a connection that breaks before the answer is unclear": {
    answer: (_request, _response, socket) => socket.destroy(),
    want: unclear("the connection broke off"),
  },
  "a connection that breaks within the answer is unclear": {
    answer: (_request, response, socket) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{", () => socket.destroy());
    },
    want: unclear("the connection broke off"),
  },
};

const startRows: Readonly<Record<string, { readonly answer: Answer; readonly want: TaskAnswer }>> = {
  ...toldRows,
  "400 refuses": { answer: status(400, { message: "no such month" }), want: refused("answered 400: no such month") },
  "404 refuses: nobody knows the handler": {
    answer: status(404, { message: "no handler x" }),
    want: refused("answered 404: no handler x"),
  },
  "401 refuses, and says whose token it is": {
    answer: status(401),
    want: refused("answered 401: the executor does not take the token of executor.tokenSecretRef"),
  },
  "what is refused with the token in the words is told without it": {
    answer: status(403, { message: "s3cret-token is old" }),
    want: refused("answered 403: *** is old"),
  },
  "302 refuses, and is not followed": {
    answer: status(302, "", { location: "/elsewhere" }),
    want: refused("answered 302, a redirect, which is not followed"),
  },
  "204 is no success": { answer: status(204), want: refused("answered 204, which is neither 200 nor 202") },
  "429 is busy": { answer: status(429, { message: "10 at work" }), want: { kind: "busy", message: "answered 429: 10 at work" } },
  "408 is unclear": { answer: status(408), want: unclear("answered 408") },
};

const waitRows: Readonly<Record<string, { readonly answer: Answer; readonly want: TaskAnswer }>> = {
  ...toldRows,
  "404: it knows nothing of the task": { answer: status(404, { message: "no such task" }), want: { kind: "unknown" } },
  "401 does not end what is at work": {
    answer: status(401),
    want: unclear("answered 401: the executor does not take the token of executor.tokenSecretRef"),
  },
  "400 does not end what is at work": { answer: status(400), want: unclear("answered 400") },
  "302 does not end what is at work": {
    answer: status(302, "", { location: "/elsewhere" }),
    want: unclear("answered 302, a redirect, which is not followed"),
  },
  "429 does not end what is at work": { answer: status(429), want: unclear("answered 429") },
};

describe("the client of executors over HTTP", () => {
  let clock: VirtualClock;
  let exchanger: Exchanger;
  let server: HttpDouble | undefined;
  beforeEach(() => {
    clock = new VirtualClock(fireTime);
    exchanger = createExchanger({ clock });
  });
  afterEach(async () => {
    await exchanger.close();
    await server?.close();
    server = undefined;
  });

  const client = () => createHttpExecutorClient({ exchanger, clock });
  async function serve(answer: Answer): Promise<HttpDouble> {
    server = await startHttpDouble(answer);
    return server;
  }
  /** Sockets have all the time they need, and our own timers one second, in which no time-out is due. */
  const answered = (promise: Promise<TaskAnswer>) => whileTimePasses(clock, 1000, promise);

  describe("starting a task", () => {
    for (const [name, { answer, want }] of Object.entries(startRows)) {
      it(name, async () => {
        const { url, received } = await serve(answer);
        assert.deepEqual(await answered(client().start(makeTarget(url), task, never)), want);
        assert.equal(received.length, 1);
      });
    }

    it("tells all of the task, with the token in its header and nowhere else", async () => {
      const { url, received } = await serve(status(202, named));
      const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
      const whole: ExecutorTask = { ...task, deadline: Date.UTC(2026, 10, 20, 16, 5), traceparent };
      await answered(client().start(makeTarget(`${url}/base`), whole, never));
      const [{ method, url: path, headers, body } = assert.fail("nothing came")] = received;
      assert.deepEqual([method, path], ["POST", "/base/run"]);
      assert.deepEqual(
        [headers.authorization, headers["content-type"], headers["traceparent"]],
        ["Bearer s3cret-token", "application/json", traceparent],
      );
      assert.deepEqual(JSON.parse(body), {
        task: "u-1.20261120t160000z.2.1",
        job: { namespace: "batch", name: "import", uid: "u-1" },
        run: "20261120t160000z",
        fireTime: "2026-11-20T16:00:00.000Z",
        item: 2,
        total: 3,
        handler: "importer",
        parameter: "all",
        itemParameter: "Leeds",
        attempt: 1,
        deadline: "2026-11-20T16:05:00.000Z",
      });
    });

    it("without a token none is sent", async () => {
      const { url, received } = await serve(status(202, named));
      await answered(client().start(makeTarget(url, { token: undefined }), task, never));
      assert.equal(received[0]?.headers.authorization, undefined);
    });

    it("a token that no header can carry is refused without a word of it", async () => {
      const { url, received } = await serve(status(202, named));
      const answer = await client().start(makeTarget(url, { token: "two words\n" }), task, never);
      assert.deepEqual(answer, refused("the token of executor.tokenSecretRef must be printable ASCII without blanks or line ends"));
      assert.equal(received.length, 0);
    });
  });

  describe("waiting for a task", () => {
    for (const [name, { answer, want }] of Object.entries(waitRows)) {
      it(name, async () => {
        const { url, received } = await serve(answer);
        assert.deepEqual(await answered(client().wait(makeTarget(url), task, never)), want);
        assert.equal(received.length, 1);
      });
    }

    it("asks for the task by its id, and for a long answer", async () => {
      const { url, received } = await serve(status(202, named));
      await answered(client().wait(makeTarget(`${url}/base`), makeTask({ id: "a/b c" }), never));
      assert.deepEqual([received[0]?.method, received[0]?.url], ["GET", "/base/run/a%2Fb%20c?wait=30s"]);
      assert.equal(received[0]?.headers.authorization, "Bearer s3cret-token");
    });

    it("an executor that answers at once that nothing has changed is asked once a second", async () => {
      const { url } = await serve(status(202, named));
      const since = clock.monotonic();
      await answered(client().wait(makeTarget(url), task, never));
      assert.equal(clock.monotonic() - since, 1000);
    });

    it("what has ended is told without delay", async () => {
      const { url } = await serve(status(200, { ...named, outcome: "Succeeded" }));
      const since = clock.monotonic();
      await client().wait(makeTarget(url), task, never);
      assert.equal(clock.monotonic(), since);
    });
  });

  it("cancels by DELETE, whatever is answered", async () => {
    const { url, received } = await serve(status(500));
    await client().cancel(makeTarget(url), task, never);
    assert.deepEqual([received[0]?.method, received[0]?.url], ["DELETE", "/run/u-1.20261120t160000z.2.1"]);
  });

  it("where nobody listens nothing was sent", async () => {
    const { url, close } = await serve(status(202, named));
    await close();
    server = undefined;
    assert.deepEqual(await answered(client().start(makeTarget(url), task, never)), {
      kind: "unclear",
      message: "the connection was refused",
      neverSent: true,
    });
  });

  it("an executor that never answers is given up after 40 s, and what it answers later is not read", async () => {
    let late = () => {};
    const { url } = await serve((_request, response) => {
      late = () => answerJson(response, 200, { ...named, outcome: "Succeeded" });
    });
    const answer = client().start(makeTarget(url), task, never);
    assert.deepEqual(await whileTimePasses(clock, 40_000, answer), unclear("no whole answer in 40 s"));
    late();
  });

  it("an answer that drips is given up after 40 s", async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200);
      response.write("{");
    });
    assert.deepEqual(await whileTimePasses(clock, 40_000, client().wait(makeTarget(url), task, never)), unclear("no whole answer in 40 s"));
  });

  it("what the signal ends is unclear", async () => {
    const { url, received } = await serve(() => undefined);
    const stop = new AbortController();
    const answer = client().wait(makeTarget(url), task, stop.signal);
    while (received.length === 0) await sleep(5);
    stop.abort();
    assert.deepEqual(await answer, unclear("nobody waits for it any more"));
    assert.deepEqual(await client().start(makeTarget(url), task, stop.signal), unclear("nobody waits for it any more"));
  });

  it("what is no HTTP is unclear", async () => {
    const sockets: Socket[] = [];
    const tcp = createTcpServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
      socket.once("data", () => socket.write("SSH-2.0-OpenSSH_9.2\r\n"));
    });
    const port = await listenOn(tcp, "127.0.0.1", 0);
    try {
      const answer = await answered(client().start(makeTarget(`http://127.0.0.1:${port}`), task, never));
      assert.deepEqual(answer, unclear("what it answers is not HTTP"));
    } finally {
      for (const socket of sockets) socket.destroy();
      tcp.close();
    }
  });
});
