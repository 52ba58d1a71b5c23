import assert from "node:assert/strict";
import { join } from "node:path";
import type { ExecutorClient, ExecutorTask, TaskAnswer } from "../../src/api/executor.ts";
import { silentLogger } from "../../src/api/logger.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createExecutors, type Executors } from "../../src/executor/executors.ts";
import { patience } from "../support/patience.ts";
import { makeTarget, makeTask } from "../unit/executor/support/tasks.ts";
import { type ExecutorProcess, startExecutor } from "./support/executor-process.ts";

const program = join(import.meta.dirname, "../../examples/executors/node/main.mjs");
const never = new AbortController().signal;

describe("the client of executors with a real one", function () {
  this.timeout(30_000 * patience);
  let process: ExecutorProcess;
  let executors: Executors;
  let client: ExecutorClient;
  before(async () => {
    process = await startExecutor([globalThis.process.execPath, program], { EXECUTOR_TOKEN: "s3cret-token", EXECUTOR_CAPACITY: "1" });
    const clock = createSystemClock({ background: true });
    executors = createExecutors({ clock, logger: silentLogger, knowsAll: () => true, tokens: async () => [] });
    client = executors.clients.HTTP;
  });
  after(async () => {
    process.signal("SIGKILL");
    await executors.close();
  });

  const start = (task: ExecutorTask) => client.start(makeTarget(process.url), task, never);
  const wait = (task: ExecutorTask) => client.wait(makeTarget(process.url), task, never);
  const ended = (differs: object): TaskAnswer => ({
    kind: "ended",
    outcome: "Succeeded",
    message: undefined,
    result: undefined,
    continue: false,
    ...differs,
  });

  it("a task that ends soon has ended when it is started", async () => {
    const task = makeTask({ id: "soon", handler: "result" });
    assert.deepEqual(await start(task), ended({ message: "greeted", result: "hello Leeds" }));
    assert.deepEqual(await start(task), ended({ message: "greeted", result: "hello Leeds" }));
    assert.deepEqual(await wait(task), ended({ message: "greeted", result: "hello Leeds" }));
  });

  it("a task at work tells its progress, keeps the place of others, and is cancelled", async () => {
    const task = makeTask({ id: "a/long one?", handler: "sleep", parameter: "60" });
    assert.deepEqual(await start(task), { kind: "progress", percent: 50, message: "sleeping 60 s" });
    assert.equal((await start(makeTask({ id: "another", handler: "hello" }))).kind, "busy");
    const end = wait(task);
    await client.cancel(makeTarget(process.url), task, never);
    assert.deepEqual(await end, ended({ outcome: "Failed", message: "cancelled" }));
  });

  it("a task that it was not given is unknown, and a handler that it has not is refused", async () => {
    assert.deepEqual(await wait(makeTask({ id: "nobody's" })), { kind: "unknown" });
    assert.deepEqual(await start(makeTask({ id: "no handler", handler: "none" })), {
      kind: "refused",
      message: "answered 404: there is no handler none",
    });
  });
});
