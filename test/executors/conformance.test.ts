import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { patience } from "../support/patience.ts";
import { skipUnless } from "../support/skip.ts";
import { ask, type Command, type ExecutorProcess, type JsonReply, needProgram, startExecutor } from "./support/executor-process.ts";
import { compile, needJdk } from "./support/java.ts";

const root = join(import.meta.dirname, "../..");
const examples = join(root, "examples/executors");
const token = "conformance-token";
const capacity = 3;

/** One executor with handlers `hello`, `result`, `more`, `fail` and `sleep` (as long as its parameter says), and calls to it. */
class Executor {
  readonly process: ExecutorProcess;
  #tasks = 0;

  constructor(process: ExecutorProcess) {
    this.process = process;
  }
  /** With signs that an address must escape. */
  newId(): string {
    return `task/${process.pid} ${this.#tasks++}?`;
  }
  post(task: string, handler: string, more: object = {}): Promise<JsonReply> {
    const job = { namespace: "batch", name: "import", uid: "u-1" };
    const fields = { job, run: "20261120t160000z", fireTime: "2026-11-20T16:00:00.000Z", item: 2, total: 3, attempt: 1 };
    return this.send("POST", "/run", { task, handler, parameter: "all", itemParameter: "Leeds", ...fields, ...more });
  }
  sleeper(task: string, seconds = 60): Promise<JsonReply> {
    return this.post(task, "sleep", { parameter: String(seconds) });
  }
  get(task: string, wait: number): Promise<JsonReply> {
    return this.send("GET", `/run/${encodeURIComponent(task)}?wait=${wait}s`);
  }
  cancel(task: string): Promise<JsonReply> {
    return this.send("DELETE", `/run/${encodeURIComponent(task)}`);
  }
  send(method: "GET" | "POST" | "DELETE", path: string, body?: object | string): Promise<JsonReply> {
    return ask(method, this.process.url + path, body, { authorization: `Bearer ${token}` });
  }
  /** Ends what a row has left at work, so that the next one has room. */
  async end(...tasks: readonly string[]): Promise<void> {
    for (const task of tasks) {
      await this.cancel(task);
      assert.equal((await this.get(task, 30)).status, 200);
    }
  }
}

const rows: Readonly<Record<string, (executor: Executor) => Promise<void>>> = {
  async "It takes a task with 202 or 200 and runs its handler"(executor) {
    const task = executor.newId();
    const { status, body } = await executor.post(task, "result");
    assert.ok(status === 200 || status === 202, `answered ${status}`);
    assert.equal(body["task"], task);
    assert.deepEqual((await executor.get(task, 30)).body["outcome"], "Succeeded");
  },
  async "The handler is given the item, the total, and both parameters"(executor) {
    const task = executor.newId();
    await executor.post(task, "hello", { item: 1, total: 7, itemParameter: 'Ł"\\ódź\n', parameter: "item of one" });
    assert.equal((await executor.get(task, 30)).status, 200);
    assert.ok(executor.process.output().includes('import: item 1 of 7 (Ł"\\ódź\n): item of one'), executor.process.output());
  },
  async "A task that ends soon is told by its end at once"(executor) {
    const task = executor.newId();
    assert.deepEqual(await executor.post(task, "more"), { status: 200, body: { task, outcome: "Succeeded", continue: true } });
  },
  async "What a handler throws ends the task as Failed, with the words as its message"(executor) {
    const task = executor.newId();
    assert.deepEqual((await executor.post(task, "fail")).body, { task, outcome: "Failed", message: "the disk is full" });
  },
  async "The result of a handler is told"(executor) {
    const task = executor.newId();
    const { body } = await executor.post(task, "result", { itemParameter: 'Ł"\\ódź\n' });
    assert.deepEqual(body, { task, outcome: "Succeeded", message: "greeted", result: 'hello Ł"\\ódź\n' });
  },
  async "A handler can say that there is more to do"(executor) {
    assert.equal((await executor.post(executor.newId(), "more")).body["continue"], true);
  },
  async "A request that comes again while the task is at work begins nothing"(executor) {
    const [task, other, third] = [executor.newId(), executor.newId(), executor.newId()];
    assert.equal((await executor.sleeper(task)).status, 202);
    assert.equal((await executor.sleeper(task)).status, 202);
    // The second one has taken no place: there are still two of three.
    assert.deepEqual([(await executor.sleeper(other)).status, (await executor.sleeper(third)).status], [202, 202]);
    await executor.end(task, other, third);
  },
  async "A request that comes again after the task has ended is answered with its end"(executor) {
    const task = executor.newId();
    const lines = () => executor.process.output().split(`once ${task}`).length - 1;
    const first = await executor.post(task, "hello", { parameter: `once ${task}` });
    assert.deepEqual(await executor.post(task, "hello", { parameter: `once ${task}` }), first);
    assert.deepEqual(await executor.get(task, 0), first);
    assert.equal(lines(), 1);
  },
  async "Two requests at once for one task begin it once"(executor) {
    const task = executor.newId();
    const post = () => executor.post(task, "hello", { parameter: `together ${task}` });
    for (const { status } of await Promise.all([post(), post(), post(), post()])) assert.equal(status, 200);
    assert.equal(executor.process.output().split(`together ${task}`).length - 1, 1);
  },
  async "A long task is told by its end as soon as it ends, not when the wait is over"(executor) {
    const task = executor.newId();
    assert.equal((await executor.sleeper(task, 2)).status, 202);
    // Were it told after 30 s, this test would have hung.
    assert.equal((await executor.get(task, 30)).body["outcome"], "Succeeded");
  },
  async "A task at work is told by 202 when the wait is over"(executor) {
    const task = executor.newId();
    await executor.sleeper(task);
    assert.deepEqual([(await executor.get(task, 1)).status, (await executor.get(task, 0)).status], [202, 202]);
    await executor.end(task);
  },
  async "Progress and its words are told"(executor) {
    const task = executor.newId();
    await executor.sleeper(task);
    assert.deepEqual((await executor.get(task, 0)).body, { task, progress: 50, message: "sleeping 60 s" });
    await executor.end(task);
  },
  async "A cancelled task ends as Failed"(executor) {
    const task = executor.newId();
    await executor.sleeper(task);
    await executor.cancel(task);
    assert.equal((await executor.get(task, 30)).body["outcome"], "Failed");
  },
  async "A task that has ended cannot be cancelled"(executor) {
    const task = executor.newId();
    await executor.post(task, "more");
    await executor.cancel(task);
    assert.equal((await executor.get(task, 0)).body["outcome"], "Succeeded");
  },
  async "A task that nobody knows is answered with 404"(executor) {
    assert.deepEqual([(await executor.get("nobody", 0)).status, (await executor.cancel("nobody")).status], [404, 404]);
  },
  async "A handler that nobody knows is answered with 404, and with its name"(executor) {
    const { status, body } = await executor.post(executor.newId(), "no-such");
    assert.equal(status, 404);
    assert.match(String(body["message"]), /no-such/);
  },
  async "Beyond its capacity it answers 429, and begins nothing"(executor) {
    const tasks = Array.from({ length: capacity }, () => executor.newId());
    for (const task of tasks) assert.equal((await executor.sleeper(task)).status, 202);
    const beyond = executor.newId();
    assert.equal((await executor.post(beyond, "hello")).status, 429);
    assert.equal((await executor.get(beyond, 0)).status, 404);
    await executor.end(...tasks);
  },
  async "When a task has ended there is room for another"(executor) {
    const tasks = Array.from({ length: capacity }, () => executor.newId());
    for (const task of tasks) await executor.sleeper(task);
    await executor.end(tasks[0] as string);
    assert.equal((await executor.post(executor.newId(), "hello")).status, 200);
    await executor.end(...tasks.slice(1));
  },
  async "Without the token it answers 401, and begins nothing"(executor) {
    const task = executor.newId();
    const { url } = executor.process;
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: token }]) {
      assert.equal((await ask("POST", `${url}/run`, { task, handler: "hello" }, headers)).status, 401);
      assert.equal((await ask("GET", `${url}/run/${encodeURIComponent(task)}`, undefined, headers)).status, 401);
    }
    assert.equal((await executor.get(task, 0)).status, 404);
  },
  async "What is no JSON, or has no task, is answered with 400"(executor) {
    for (const body of ["{", "[]", "1", "null", '{"handler":"hello"}', '{"task":7,"handler":"hello"}'])
      assert.equal((await executor.send("POST", "/run", body)).status, 400, body);
  },
  async "A task whose deadline comes ends as Failed"(executor) {
    const task = executor.newId();
    const deadline = new Date(Date.now() + 1500).toISOString();
    assert.equal((await executor.post(task, "sleep", { parameter: "60", deadline })).status, 202);
    assert.equal((await executor.get(task, 30)).body["outcome"], "Failed");
    assert.equal((await executor.post(executor.newId(), "more", { deadline: "2999-01-01T00:00:00.000Z" })).status, 200);
  },
  async "A task that comes after its deadline is answered with 410, and not begun"(executor) {
    const task = executor.newId();
    assert.equal((await executor.post(task, "hello", { deadline: new Date(Date.now() - 1000).toISOString() })).status, 410);
    assert.equal((await executor.get(task, 0)).status, 404);
  },
  /** The last one, since it is the end of the executor. */
  async "Asked to end by SIGTERM, it takes nothing new, tells what was at work, and ends"(executor) {
    const task = executor.newId();
    assert.equal((await executor.sleeper(task, 3)).status, 202);
    executor.process.signal("SIGTERM");
    while ((await executor.post(executor.newId(), "hello")).status !== 429) await sleep(20);
    assert.equal((await executor.get(task, 30)).body["outcome"], "Succeeded");
    await executor.process.ended;
  },
};

/** What starts each example; throws MissingComponent where its language is not there. */
const languages: Readonly<Record<string, (scratch: string) => Promise<Command>>> = {
  Node: async () => [process.execPath, join(examples, "node/main.mjs")],
  async Python() {
    await needProgram("python3", "--version", "put python3 on the PATH");
    return ["python3", join(examples, "python/main.py")];
  },
  async Java(scratch) {
    await needJdk();
    await compile(join(examples, "java"), scratch);
    return ["java", "-cp", scratch, "Main"];
  },
};

describe("conformance of executors", () => {
  it("the documentation lists what is tested", () => {
    const listed = readFileSync(join(root, "docs/executor-protocol.md"), "utf8").matchAll(/^\d+\. (.*)\.$/gm);
    assert.deepEqual(
      [...listed].map((match) => match[1]),
      Object.keys(rows),
    );
  });

  for (const [language, commandIn] of Object.entries(languages)) {
    describe(`the example in ${language}`, function () {
      // A task that lasts is watched for seconds, and the last row waits for the end of a process.
      this.timeout(30_000 * patience);
      const scratch = mkdtempSync(join(tmpdir(), "nuptse-executor-"));
      const environment = { EXECUTOR_TOKEN: token, EXECUTOR_CAPACITY: String(capacity), PYTHONDONTWRITEBYTECODE: "1", LC_ALL: "C.UTF-8" };
      const executor = skipUnless(async () => new Executor(await startExecutor(await commandIn(scratch), environment)));
      after(() => {
        rmSync(scratch, { recursive: true, force: true });
        try {
          executor().process.signal("SIGKILL");
        } catch {
          // it was never there
        }
      });
      for (const [sentence, row] of Object.entries(rows)) it(sentence, () => row(executor()));
    });
  }

  it("each example is short", () => {
    for (const file of ["node/executor.mjs", "python/executor.py", "java/Executor.java", "java/ExecutorServer.java"])
      assert.ok(readFileSync(join(examples, file), "utf8").split("\n").length <= 150, file);
  });
});
