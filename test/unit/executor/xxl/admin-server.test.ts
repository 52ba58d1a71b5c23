import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "../../../../src/api/logger.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { CallbackBoard } from "../../../../src/executor/xxl/board.ts";
import { startXxlAdminServer, type XxlAdminServer } from "../../../../src/executor/xxl/admin-server.ts";
import { logIdOf } from "../../../../src/executor/xxl/ids.ts";
import { Registrations } from "../../../../src/executor/xxl/registrations.ts";
import { fireTime, makeTarget, makeTask, whileTimePasses } from "../support/tasks.ts";

const token = "s3cret-token";
const other = "other-token";
const task = makeTask();
const target = makeTarget("http://10.0.0.7:9999");
const taken = { code: 200, msg: null, content: null, data: null };
const refused = (msg: string) => ({ code: 500, msg, content: null, data: null });
const wrongToken = refused("The access token is wrong.");
const showing = (shown: string) => ({ "XXL-JOB-ACCESS-TOKEN": shown });
const notToBeTrusted = { "without a token": {}, "with a wrong token": showing("s3cret-tokem"), "with an empty token": showing("") };
const again = refused("not recorded yet; report it again");

describe("the admin of XXL-JOB's executors", () => {
  let clock: VirtualClock;
  let board: CallbackBoard;
  let registrations: Registrations;
  let server: XxlAdminServer;
  let knowsAll: boolean;
  let reads: boolean;
  beforeEach(async () => {
    clock = new VirtualClock(fireTime);
    knowsAll = true;
    reads = true;
    board = new CallbackBoard({ clock, knowsAll: () => knowsAll });
    registrations = new Registrations(clock);
    server = await startXxlAdminServer({
      board,
      registrations,
      tokens: () => (reads ? Promise.resolve([other, token]) : Promise.reject(new Error("the API server is away"))),
      logger: silentLogger,
      host: "127.0.0.1",
      port: 0,
    });
  });
  afterEach(() => server.close());

  async function post(path: string, body: unknown, headers: Record<string, string> = showing(token)): Promise<unknown> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const reply = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: "POST", body: text, headers });
    assert.equal(reply.status, 200);
    return reply.json();
  }
  const callback = (shown = token) =>
    post("/api/callback", [{ logId: logIdOf(task.id), handleCode: 200, handleMsg: "ok" }], showing(shown));
  const open = () => Object.assign(board.open(target, task) ?? assert.fail("taken"), { sent: true });

  describe("an end that is reported", () => {
    it("is acknowledged when it stands in the status, not before", async () => {
      const entry = open();
      let acknowledged = false;
      const answer = callback().then((said) => {
        acknowledged = true;
        return said;
      });
      while (entry.end === undefined) await sleep(5);
      await sleep(20);
      assert.equal(acknowledged, false);
      board.recorded(task);
      assert.deepEqual(await answer, taken);
      assert.equal(entry.end.outcome, "Succeeded");
    });

    it("that is not recorded within 2 s is to be reported again, and then is taken", async () => {
      open();
      assert.deepEqual(await whileTimePasses(clock, 2000, callback()), again);
      board.recorded(task);
      assert.deepEqual(await callback(), taken);
    });

    it("twice, or otherwise the second time, is what it was the first time", async () => {
      const entry = open();
      await whileTimePasses(clock, 2000, callback());
      await whileTimePasses(clock, 2000, post("/api/callback", [{ logId: entry.logId, handleCode: 500 }]));
      assert.equal(entry.end?.outcome, "Succeeded");
    });

    it("of a task that a new leader may not have taken up yet is to be reported again", async () => {
      knowsAll = false;
      assert.deepEqual(await callback(), again);
      await clock.runUntil(fireTime + 3_600_000);
      assert.deepEqual(await callback(), again);
    });

    it("of a task that is over is acknowledged, once a leader has known of all tasks for a minute", async () => {
      assert.deepEqual(await callback(), again);
      await clock.runUntil(fireTime + 60_000);
      assert.deepEqual(await callback(), taken);
      knowsAll = false;
      assert.deepEqual(await callback(), again);
      knowsAll = true;
      assert.deepEqual(await callback(), again);
    });

    it("that was handed on a minute ago counts as recorded, whoever forgot to say so", async () => {
      const entry = open();
      entry.toldAt = clock.monotonic();
      await clock.runUntil(fireTime + 60_001);
      assert.deepEqual(await callback(), taken);
    });

    it("comes by either path, and in the form of 3.5", async () => {
      const entry = open();
      const answer = post("/xxl-job-admin/api/callback", { callbackList: [{ logId: entry.logId, logDateTime: 0, handleCode: 502 }] });
      while (entry.end === undefined) await sleep(5);
      board.recorded(task);
      assert.deepEqual(await answer, taken);
      assert.equal(entry.end.outcome, "Failed");
    });

    it("together with one that is not recorded is to be reported again with it", async () => {
      const entry = open();
      const both = post("/api/callback", [
        { logId: 1, handleCode: 200 },
        { logId: entry.logId, handleCode: 200 },
      ]);
      assert.deepEqual(await whileTimePasses(clock, 2000, both), again);
    });

    for (const [name, headers] of Object.entries(notToBeTrusted)) {
      it(`${name} is refused, and changes nothing`, async () => {
        const entry = open();
        assert.deepEqual(await post("/api/callback", [{ logId: entry.logId, handleCode: 200 }], headers), wrongToken);
        assert.equal(entry.end, undefined);
      });
    }

    it("with the token of another fleet is refused, and changes nothing", async () => {
      const entry = open();
      assert.deepEqual(await callback(other), wrongToken);
      assert.equal(entry.end, undefined);
    });

    it("is to be reported again while nobody can say whose token it is", async () => {
      const entry = open();
      reads = false;
      assert.deepEqual(await callback(), refused("the call failed"));
      assert.equal(entry.end, undefined);
    });

    it("with a token that was changed meanwhile is taken once the task was asked for with it", async () => {
      const entry = open();
      board.open({ ...target, token: other }, task);
      void callback(other);
      while (entry.end === undefined) await sleep(5);
      board.recorded(task);
    });
  });

  describe("a registration", () => {
    const body = { registryGroup: "EXECUTOR", registryKey: "own-name", registryValue: "http://10.0.0.7:9999/" };

    it("tells the name of an executor, until it leaves", async () => {
      assert.deepEqual(await post("/api/registry", body), taken);
      assert.equal(registrations.nameOf(target), "own-name");
      assert.deepEqual(await post("/xxl-job-admin/api/registryRemove", body), taken);
      assert.equal(registrations.nameOf(target), "importers");
    });

    it("is forgotten after 90 s without another", async () => {
      await post("/api/registry", body);
      await clock.runUntil(fireTime + 90_000);
      assert.equal(registrations.nameOf(target), "importers");
    });

    it("with the token of another fleet names nobody", async () => {
      await post("/api/registry", body, showing(other));
      assert.equal(registrations.nameOf(target), "importers");
    });

    it("under a name that no header could carry is acknowledged and not used", async () => {
      assert.deepEqual(await post("/api/registry", { ...body, registryKey: "a\r\nb" }), taken);
      assert.equal(registrations.nameOf(target), "importers");
    });
  });

  const wrongCalls = {
    "another path": { path: "/api/addJob", body: {}, want: refused("invalid request, uri-mapping(/api/addJob) not found.") },
    "callbacks that are none": {
      path: "/api/callback",
      body: { logId: 7 },
      want: refused("the body must be JSON: a list of {logId, handleCode, handleMsg}, or that as callbackList"),
    },
    "a registration that is none": {
      path: "/api/registry",
      body: "[]",
      want: refused("the body must be JSON: {registryGroup, registryKey, registryValue}"),
    },
    "a body of more than 16 MiB": {
      path: "/api/callback",
      body: " ".repeat(16 * 1024 * 1024 + 1),
      want: refused("a call has at most 16777216 bytes"),
    },
  };
  for (const [name, { path, body, want }] of Object.entries(wrongCalls)) {
    it(`${name}: refused with what would be right`, async () => assert.deepEqual(await post(path, body), want));
  }

  it("anything but POST is refused", async () => {
    const reply = await fetch(`http://127.0.0.1:${server.port}/api/callback`, { headers: { "XXL-JOB-ACCESS-TOKEN": token } });
    assert.deepEqual(await reply.json(), refused("invalid request, HttpMethod not support."));
  });
});
