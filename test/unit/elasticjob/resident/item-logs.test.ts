import assert from "node:assert/strict";
import type { ExecutorClient, ExecutorTarget } from "../../../../src/api/executor.ts";
import type { ElasticJobRun, ElasticJobStatus } from "../../../../src/api/elastic-job.gen.ts";
import type { FleetInstance, FoundFleet } from "../../../../src/api/fleet.ts";
import { createItemLogs, type ItemLogsOptions, type LogQuestion } from "../../../../src/elasticjob/dispatch/item-logs.ts";
import { createLogEndpoint } from "../../../../src/elasticjob/dispatch/log-endpoint.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { at, iso, jobUid, makeJob } from "../../../support/builders/elastic-job.ts";
import { makeInstance, plainExecutor, residentSpec } from "../../../support/builders/resident-world.ts";

const run = "20261121t120000z";
const never = new AbortController().signal;
const tokenSecretRef = { name: "workers", key: "token" };

/** Executors with logs, by instance and task id. */
class LogsBench {
  asked: string[] = [];
  tokens = new Set<string | undefined>();
  logs: Record<string, string> = {};
  problem: string | undefined;
  instances: readonly FleetInstance[] = ["a", "b", "c"].map((name) => makeInstance(name));
  fleet: FoundFleet | undefined;
  status: ElasticJobStatus = {};
  hasLogs = true;

  entry(differs: Partial<ElasticJobRun> = {}): this {
    const entry = {
      run,
      runner: "workers",
      phase: "Succeeded",
      fireTime: iso("12:00:00"),
      items: "0-2",
      attempts: 3,
      ...differs,
    } as ElasticJobRun;
    this.status = entry.endedAt === undefined ? { ...this.status, active: [entry] } : { ...this.status, history: [entry] };
    return this;
  }

  options(): ItemLogsOptions {
    const client: Partial<ExecutorClient> = {
      log: async (target: ExecutorTarget, { id, fireTime }, fromLine) => {
        assert.equal(fireTime, at("12:00:00"));
        this.tokens.add(target.token);
        this.asked.push(`${target.instance} ${id.replace(`${jobUid}/${run}/`, "")} ${fromLine}`);
        if (this.problem !== undefined) return { problem: this.problem };
        const text = this.logs[`${target.instance} ${id.replace(`${jobUid}/${run}/`, "")}`];
        return text === undefined ? "absent" : { fromLine, toLine: 0, text };
      },
    };
    return {
      job: ({ name }) => (name === "report" ? makeJob(residentSpec(), { status: this.status }) : undefined),
      fleets: {
        fleet: () =>
          this.fleet ?? {
            namespace: "tenant",
            name: "workers",
            executor: { ...plainExecutor, protocol: "XxlJob", tokenSecretRef },
            instances: this.instances,
          },
      },
      clients: { XxlJob: (this.hasLogs ? client : {}) as ExecutorClient },
      readToken: async (_namespace, ref) => ({ token: ref?.name }),
    };
  }

  read(differs: Partial<LogQuestion> = {}) {
    const question = { job: { namespace: "tenant", name: "report" }, uid: jobUid, run, item: 1, fromLine: 1, ...differs };
    return createItemLogs(this.options())(question, never);
  }
}

describe("the log of an item at its executor", () => {
  it("of one that is at work is asked of its instance alone", async () => {
    const record = { items: "1", attempt: 2, instance: "uid-b", name: "b", at: iso("12:00:00") };
    const bench = new LogsBench().entry({ phase: "Running", dispatches: [record] });
    bench.logs = { "uid-b 1/2": "one\ntwo\n" };
    assert.deepEqual(await bench.read(), { item: 1, attempt: 2, instance: "b", text: "one\ntwo\n" });
    assert.deepEqual([bench.asked, [...bench.tokens]], [["uid-b 1/2 1"], ["workers"]]);
  });

  it("of one that has ended is asked of all, of those first that such items are assigned to, the newest attempt first", async () => {
    const bench = new LogsBench().entry({ endedAt: iso("12:01:00"), attempts: 4 });
    bench.status = {
      ...bench.status,
      assignments: { revision: 1, runner: "workers", instances: [{ id: "uid-c", name: "c", items: "1" }] },
    };
    bench.logs = { "uid-a 1/1": "first\n" };
    const log = await bench.read();
    assert.deepEqual(bench.asked, ["uid-c 1/2 1", "uid-a 1/2 1", "uid-b 1/2 1", "uid-c 1/1 1", "uid-a 1/1 1"]);
    assert.deepEqual(log, { item: 1, attempt: 1, instance: "a", text: "first\n" });
  });

  it("of one that failed is that of its last attempt, and of the attempt that is asked for", async () => {
    const bench = new LogsBench().entry({
      endedAt: iso("12:01:00"),
      attempts: 5,
      failures: [{ item: 1, attempt: 3, reason: "RetriesExhausted" }],
    });
    bench.logs = { "uid-a 1/3": "third\n", "uid-b 1/2": "second\n" };
    assert.equal("text" in (await bench.read()) && bench.asked.length, 1);
    const second = await bench.read({ attempt: 2, fromLine: 7 });
    assert.deepEqual(second, { item: 1, attempt: 2, instance: "b", text: "second\n" });
    assert.equal(bench.asked.at(-1), "uid-b 1/2 7");
  });

  it("is cut at the end of a line where it is too long for one answer, and goes on there", async () => {
    const bench = new LogsBench().entry({ endedAt: iso("12:01:00") });
    const line = `${"x".repeat(1023)}\n`;
    bench.logs = { "uid-a 1/1": `${line.repeat(1024)}rest\n` };
    const log = await bench.read({ fromLine: 11 });
    assert.ok("text" in log);
    assert.deepEqual([log.text.length, log.nextLine], [1024 * 1024, 1035]);
    bench.logs = { "uid-a 1/1": "y".repeat(2 * 1024 * 1024) };
    const long = await bench.read();
    assert.deepEqual("text" in long && [long.text.length, long.nextLine], [1024 * 1024 + 1, 2], "a line without an end is told in part");
  });

  it("asks no more often than it may", async () => {
    const bench = new LogsBench().entry({ endedAt: iso("12:01:00"), attempts: 40 });
    bench.instances = Array.from({ length: 50 }, (_, index) => makeInstance(`i-${index}`));
    assert.equal("status" in (await bench.read()) && bench.asked.length, 60);
  });

  const refused: readonly {
    readonly name: string;
    readonly make?: (bench: LogsBench) => unknown;
    readonly ask?: Partial<LogQuestion>;
    readonly want: readonly [number, RegExp];
  }[] = [
    {
      name: "a job that is not there",
      ask: { job: { namespace: "tenant", name: "other" } },
      want: [404, /no ElasticJob tenant\/other of that UID/],
    },
    { name: "the UID of another job", ask: { uid: "guessed" }, want: [404, /no ElasticJob tenant\/report of that UID/] },
    { name: "a run that is not there", ask: { run: "20261121t110000z" }, want: [404, /tells of no run/] },
    { name: "an item that the run has not", ask: { item: 3 }, want: [404, /has no item 3/] },
    { name: "a run of pods", make: (bench) => bench.entry({ runner: undefined as never }), want: [409, /is of pods/] },
    { name: "a fleet that is gone", make: (bench) => (bench.fleet = "missing"), want: [409, /has no executors/] },
    { name: "a protocol without logs", make: (bench) => (bench.hasLogs = false), want: [409, /kubectl nuptse logs ra\/workers/] },
    { name: "a log that nobody has", want: [404, /no instance of workers has a log of item 1 of run/] },
    {
      name: "executors that do not answer",
      make: (bench) => (bench.problem = "no whole answer in 10 s"),
      want: [502, /; a: no whole answer in 10 s; b: no/],
    },
  ];
  for (const { name, make, ask, want } of refused)
    it(`there is none of ${name}, and the words say so`, async () => {
      const bench = new LogsBench().entry();
      make?.(bench);
      const said = await bench.read(ask);
      assert.ok("problem" in said, JSON.stringify(said));
      assert.equal(said.status, want[0]);
      assert.match(said.problem, want[1]);
    });
});

describe("GET /v1/log", () => {
  const query = `namespace=tenant&name=report&uid=${jobUid}&run=${run}&item=1`;
  const ask = (url: string, { method = "GET", mayAnswer = true } = {}) =>
    createLogEndpoint({
      readLog: async ({ fromLine, attempt = 1, item }) => ({ item, attempt, instance: "a", text: `from ${fromLine}\n` }),
      clock: new VirtualClock(at("12:00:00")),
      mayAnswer: () => mayAnswer,
    })({ method, url });

  it("passes the question on", async () => {
    const { status, body } = await ask(`/v1/log?${query}&attempt=2&from=7`);
    assert.deepEqual([status, body], [200, { logs: [{ item: 1, attempt: 2, instance: "a", text: "from 7\n" }] }]);
    assert.equal((await ask(`/v1/log?${query}`)).status, 200);
  });

  const refused = [
    { name: "another method", url: `/v1/log?${query}`, more: { method: "POST" }, want: 405 },
    { name: "no UID", url: `/v1/log?${query.replace(/uid=[^&]+&/, "")}`, more: {}, want: 400 },
    { name: "an item that is no number", url: `/v1/log?${query.replace("item=1", "item=a")}`, more: {}, want: 400 },
    { name: "line 0", url: `/v1/log?${query}&from=0`, more: {}, want: 400 },
    { name: "an unknown parameter", url: `/v1/log?${query}&constructor=1`, more: {}, want: 400 },
    { name: "a parameter that is given twice", url: `/v1/log?${query}&item=2`, more: {}, want: 400 },
    { name: "one who does not lead", url: `/v1/log?${query}`, more: { mayAnswer: false }, want: 503 },
  ] as const;
  for (const { name, url, more, want } of refused) it(`refuses ${name}`, async () => assert.equal((await ask(url, more)).status, want));

  it("reads no more than four logs at once, since each may be long", async () => {
    const gate = Promise.withResolvers<void>();
    const endpoint = createLogEndpoint({
      readLog: async () => {
        await gate.promise;
        return { item: 1, attempt: 1, instance: "a", text: "" };
      },
      clock: new VirtualClock(at("12:00:00")),
      mayAnswer: () => true,
    });
    const asked = Array.from({ length: 5 }, () => endpoint({ method: "GET", url: `/v1/log?${query}` }));
    assert.equal((await asked[4])?.status, 429);
    gate.resolve();
    assert.deepEqual(
      (await Promise.all(asked.slice(0, 4))).map(({ status }) => status),
      [200, 200, 200, 200],
    );
  });
});
