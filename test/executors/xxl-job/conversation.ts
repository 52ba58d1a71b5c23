import assert from "node:assert/strict";
import type { ExecutorTask, TaskAnswer } from "../../../src/api/executor.ts";
import { patience } from "../../support/patience.ts";
import { skipUnless } from "../../support/skip.ts";
import { RealExecutor, until } from "./real-executor.ts";

const never = new AbortController().signal;

/** All that is said between the operator and a real executor of XXL-JOB, of one version. */
export function describeConversation(version: string): void {
  describe(`xxl-job-core ${version}`, function () {
    // An end that is not taken is reported again after 30 s.
    this.timeout(120_000 * patience);
    const executor = skipUnless(() => RealExecutor.start(version));
    after(async () => {
      try {
        await executor().end();
      } catch {
        // it was never there
      }
    });

    const client = () => executor().admin.executors.clients.XxlJob;
    const start = (task: ExecutorTask, differs = {}): Promise<TaskAnswer> =>
      client().start({ ...executor().target, ...differs }, task, never);
    const wait = (task: ExecutorTask): Promise<TaskAnswer> => client().wait(executor().target, task, never);
    /** Its end, which is recorded then, as a leader does it. */
    async function endOf(task: ExecutorTask): Promise<TaskAnswer> {
      let answer: TaskAnswer = { kind: "accepted" };
      while (answer.kind === "accepted") answer = await wait(task);
      client().recorded(task);
      return answer;
    }
    async function runOf(task: ExecutorTask): Promise<TaskAnswer> {
      const answer = await start(task);
      // It may have ended before the executor has answered.
      assert.ok(answer.kind === "accepted" || answer.kind === "ended", JSON.stringify(answer));
      return endOf(task);
    }
    async function logOf(task: ExecutorTask): Promise<string> {
      const said = await client().log?.(executor().target, task, 1, never);
      if (said === undefined || said === "absent") return "absent";
      return "text" in said ? said.text : said.problem;
    }
    const ended = (outcome: "Succeeded" | "Failed", message?: string) =>
      ({ kind: "ended", outcome, message, result: undefined, continue: false }) as const;

    it("registers, and is called by its own name", () =>
      until("registered", () => executor().admin.executors.xxlNameOf(executor().target) === "its-own-name"));

    it("runs a handler with its parameter, its item and the total, and reports its end", async () => {
      const task = executor().newTask("hello", "Łódź");
      assert.deepEqual(await runOf(task), ended("Succeeded", "hello Łódź"));
      assert.ok(executor().process.output().includes(`hello: item ${task.item} of 1000: Łódź`));
    });

    it("a handler without a word succeeds", async () => {
      assert.deepEqual(await runOf(executor().newTask("quiet", "")), ended("Succeeded"));
    });

    it("a handler that says so has failed", async () => {
      assert.deepEqual(await runOf(executor().newTask("fail", "")), ended("Failed", "the disk is full"));
    });

    it("a handler that throws has failed, with what it threw", async () => {
      const end = await runOf(executor().newTask("throw", ""));
      assert.equal(end.kind === "ended" && end.outcome, "Failed");
      assert.match(end.kind === "ended" ? (end.message ?? "") : "", /no such month/);
    });

    it("a run that takes longer than its deadline has failed", async () => {
      const end = await runOf(executor().newTask("sleep", "60", { deadline: Date.now() + 1500 }));
      assert.equal(end.kind === "ended" && end.outcome, "Failed");
    });

    it("a run is killed, and says so", async () => {
      const task = executor().newTask("sleep", "60");
      assert.deepEqual(await start(task), { kind: "accepted" });
      await until("begun", () => executor().begun(task) === 1);
      await client().cancel(executor().target, task, never);
      const end = await endOf(task);
      assert.equal(end.kind === "ended" && end.outcome, "Failed");
      assert.match(end.kind === "ended" ? (end.message ?? "") : "", /kill/);
    });

    it("tells the log of a run", async () => {
      const task = executor().newTask("hello", "log");
      await runOf(task);
      await until("logged", async () => (await logOf(task)).includes("callback finish"));
      assert.match(await logOf(task), /greeting log/);
    });

    it("has no log of a run that it was not given", async () => {
      assert.equal(await logOf(executor().newTask("hello", "")), "absent");
    });

    it("refuses a handler that it does not know", async () => {
      const answer = await start(executor().newTask("no-such", ""));
      assert.deepEqual(answer, { kind: "refused", message: "job handler [no-such] not found." });
    });

    it("refuses another token", async () => {
      const answer = await start(executor().newTask("hello", ""), { token: "not-its-token" });
      assert.equal(answer.kind, "refused");
      assert.match(answer.kind === "refused" ? answer.message : "", /token/);
    });

    it("is busy for a second run of an item, and does not queue it", async () => {
      const task = executor().newTask("sleep", "6");
      await start(task);
      await until("begun", () => executor().begun(task) === 1);
      // The leader that sent the first is gone, and the next one has not heard of it.
      await executor().replaceAdmin();
      const second = executor().newTask("sleep", "6", { id: "another run", item: task.item });
      assert.equal((await start(second)).kind, "busy");
      assert.deepEqual(await endOf(task), ended("Succeeded", "slept"));
      assert.equal(executor().begun(task), 1);
    });

    it("a new leader finds what is at work, what has run, and what was never begun", async () => {
      const [atWork, done, unknown] = [executor().newTask("sleep", "4"), executor().newTask("quiet", ""), executor().newTask("quiet", "")];
      await start(atWork);
      await start(done);
      await until("both begun", () => executor().begun(atWork) + executor().begun(done) === 2);
      await executor().replaceAdmin();
      const [isAtWork, isDone, isUnknown] = await Promise.all([atWork, done, unknown].map(async (task) => (await wait(task)).kind));
      assert.deepEqual([isAtWork, isUnknown], ["accepted", "unknown"]);
      // Its end may have been reported to the new leader already.
      assert.ok(isDone === "accepted" || isDone === "ended", isDone);
      assert.deepEqual(await endOf(atWork), ended("Succeeded", "slept"));
    });

    it("an end that nobody took is reported again, and is taken once", async () => {
      const task = executor().newTask("hello", "again");
      await start(task);
      // It comes in, and nobody records it: it is not acknowledged.
      await until("reported in vain", async () => (await logOf(task)).includes("callback fail"));
      await executor().replaceAdmin();
      assert.deepEqual(await endOf(task), ended("Succeeded", "hello again"));
      assert.equal(executor().begun(task), 1);
    });
  });
}
