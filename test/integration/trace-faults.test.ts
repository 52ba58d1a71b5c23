import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MissingComponent } from "../../hack/control-plane/missing-component.ts";
import { type Postgres, startPostgres } from "../../hack/postgres/postgres.ts";
import { silentLogger } from "../../src/api/logger.ts";
import type { TraceRow } from "../../src/api/trace.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createTraceBuffer, type TraceTrouble } from "../../src/trace/buffer.ts";
import { startTraceServer, type TraceServer } from "../../src/trace/http-server.ts";
import { createHttpStore } from "../../src/trace/http-store.ts";
import { createPostgresStore } from "../../src/trace/postgres-store.ts";
import { createSqliteStore } from "../../src/trace/sqlite-store.ts";
import type { TraceStore } from "../../src/trace/store.ts";
import { makeTraceAttempt } from "../support/builders/trace-row.ts";
import { skipUnless } from "../support/skip.ts";
import { recordingMetrics } from "../unit/runtime/scripted-transport.ts";
import { eventually } from "./support/eventually.ts";

const clock = createSystemClock();
const waitMs = 60_000;

/** A store behind a buffer, as the operator has it. */
function behindBuffer(store: TraceStore, maxRows = 10_000) {
  const metrics = recordingMetrics();
  const troubles: TraceTrouble[] = [];
  const buffer = createTraceBuffer({ store, clock, random: { next: () => 0.5 }, logger: silentLogger, metrics, maxRows });
  buffer.onTrouble((trouble) => troubles.push(trouble));
  return {
    buffer,
    troubles,
    taken: () => metrics.counts.get("nuptse_trace_rows_total{}") ?? 0,
    lag: () => metrics.gauges.get("nuptse_trace_lag_seconds{}") ?? 0,
    stored: async () => {
      const items = new Set<number>();
      let cursor: string | undefined;
      do {
        const page = await store.attempts({ limit: 1000, ...(cursor !== undefined && { cursor }) });
        for (const row of page.rows) items.add(row.item);
        cursor = page.next;
      } while (cursor !== undefined);
      return items.size;
    },
  };
}

const rows = (from: number, to: number, cause = ""): TraceRow[] =>
  Array.from({ length: to - from }, (_, index) => makeTraceAttempt({ item: from + index, failureCause: cause }));

/** Longest time for which nothing else in this process could run while `work` went on, ms. */
async function longestPause(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  await work();
  clearInterval(timer);
  return longest;
}

describe("trace faults: SQLite", function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), "nuptse-trace-faults-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("a file that another process holds locked: rows wait, nothing else does, and nothing is lost", async () => {
    const path = join(folder, "locked.db");
    const store = createSqliteStore({ path, clock });
    const { buffer, troubles, stored } = behindBuffer(store);
    buffer.write(rows(0, 100));
    await eventually("the first rows", waitMs, () => buffer.size === 0);
    const other = new DatabaseSync(path);
    other.exec("begin exclusive");
    const paused = await longestPause(async () => {
      buffer.write(rows(100, 5000));
      await eventually("the trouble to be told", waitMs, () => troubles.length > 0);
    });
    assert.match(troubles[0]?.note ?? "", /jobs go on: .*database is locked/);
    assert.equal(buffer.size, 4900);
    other.exec("rollback");
    other.close();
    await eventually("the rows", waitMs, () => buffer.size === 0);
    assert.equal(await stored(), 5000);
    assert.equal(buffer.dropped, 0);
    assert.equal(troubles.at(-1)?.kind, "recovered");
    // SQLite itself waits for a second at a time; had it waited in this thread, so had everything.
    assert.ok(paused < 900, `the process stood still for ${paused.toFixed(0)} ms`);
    await store.close();
  });

  it("a file that is no database is trouble, and no more", async () => {
    const path = join(folder, "garbage.db");
    writeFileSync(path, "x".repeat(10_000));
    const store = createSqliteStore({ path, clock });
    const { buffer, troubles, stored } = behindBuffer(store);
    buffer.write(rows(0, 10));
    await eventually("the trouble to be told", waitMs, () => troubles.length > 0);
    assert.match(troubles[0]?.note ?? "", /not a database/);
    rmSync(path);
    await eventually("the rows", waitMs, () => buffer.size === 0);
    assert.equal(await stored(), 10);
    await store.close();
  });

  describe("on a full disk", () => {
    const get = skipUnless(() => Promise.resolve(tinyDisk(join(folder, "disk"))));
    after(() => {
      try {
        get().unmount();
      } catch {
        // it was skipped
      }
    });

    it("rows wait within the bound, and are written when there is room again", async () => {
      const { path } = get();
      const ballast = join(path, "ballast");
      writeFileSync(ballast, Buffer.alloc(11_000_000));
      const store = createSqliteStore({ path: join(path, "trace.db"), clock });
      try {
        const { buffer, troubles, stored, taken } = behindBuffer(store, 1000);
        const cause = "x".repeat(2000);
        for (let item = 0; item < 900; item += 100) buffer.write(rows(item, item + 100, cause));
        await eventually("the trouble to be told", waitMs, () => troubles.length > 0);
        assert.match(troubles[0]?.note ?? "", /disk is full|disk I\/O error/);
        const before = taken();
        assert.ok(buffer.size > 0 && before + buffer.size === 900, `${before} rows taken, ${buffer.size} wait`);
        rmSync(ballast);
        await eventually("the rows", waitMs, () => buffer.size === 0);
        assert.equal(await stored(), 900);
        assert.equal(buffer.dropped, 0);
      } finally {
        await store.close();
      }
    });
  });
});

/** A file system of 12 MB in memory; needs the right to mount. */
function tinyDisk(path: string) {
  try {
    execFileSync("mkdir", ["-p", path]);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", path], { stdio: "pipe" });
  } catch (error) {
    throw new MissingComponent("a tiny disk", "mounting a tmpfs needs root (CAP_SYS_ADMIN)", { cause: error });
  }
  return { path, unmount: () => execFileSync("umount", [path]) };
}

describe("trace faults: nuptse trace", function () {
  this.timeout(120_000);

  it("a server that is gone and comes back gets every row, and a wrong token is trouble that ends with the right one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "nuptse-trace-faults-"));
    const behind = createSqliteStore({ path: join(folder, "trace.db"), clock });
    let token = "good";
    const serve = (port: number): Promise<TraceServer> =>
      startTraceServer({
        store: behind,
        access: (shown) => Promise.resolve(shown === token ? "allowed" : "forbidden"),
        logger: silentLogger,
        host: "127.0.0.1",
        port,
      });
    const first = await serve(0);
    const store = createHttpStore({ url: `http://127.0.0.1:${first.port}`, clock, token: () => Promise.resolve("good") });
    const { buffer, troubles, stored } = behindBuffer(store);
    buffer.write(rows(0, 1000));
    await eventually("the first rows", waitMs, () => buffer.size === 0);
    await first.close();
    buffer.write(rows(1000, 6000));
    await eventually("the trouble to be told", waitMs, () => troubles.length > 0);
    assert.match(troubles[0]?.note ?? "", /ECONNREFUSED/);
    token = "other";
    const second = await serve(first.port);
    await eventually("the refusal to be told", waitMs, async () => (await store.runs({}).catch(String)).toString().includes("403"));
    token = "good";
    await eventually("the rows", waitMs, () => buffer.size === 0);
    assert.equal(await stored(), 6000);
    assert.equal(buffer.dropped, 0);
    await store.close();
    await second.close();
    await behind.close();
    rmSync(folder, { recursive: true });
  });
});

describe("trace faults: PostgreSQL", function () {
  this.timeout(120_000);
  let server: Postgres | undefined;
  const get = skipUnless(async () => {
    server = await startPostgres();
    return server;
  });
  after(async () => server?.stop());

  it("a server that stands still (SIGSTOP), is killed and comes back: nothing is lost", async () => {
    const postgres = get();
    const store = createPostgresStore({ url: postgres.urlWithPassword, logger: silentLogger });
    const { buffer, troubles, stored, lag } = behindBuffer(store);
    buffer.write(rows(0, 1000));
    await eventually("the first rows", waitMs, () => buffer.size === 0);
    postgres.pause();
    buffer.write(rows(1000, 4000));
    await eventually("the trouble to be told", waitMs, () => troubles.length > 0);
    assert.ok(lag() >= 5);
    postgres.resume();
    await eventually("the rows after the pause", waitMs, () => buffer.size === 0);
    await postgres.kill();
    buffer.write(rows(4000, 9000));
    await eventually("a new trouble", waitMs, () => troubles.at(-1)?.kind === "unavailable");
    await postgres.start();
    await eventually("the rows after the kill", waitMs, () => buffer.size === 0);
    assert.equal(await stored(), 9000);
    assert.equal(buffer.dropped, 0);
    await store.close();
  });

  it("two replicas that start at once make the schema once", async () => {
    const postgres = get();
    const stores = [0, 1, 2].map(() => createPostgresStore({ url: postgres.urlWithPassword, logger: silentLogger }));
    await Promise.all(stores.map((store, index) => store.append(rows(20_000 + index, 20_001 + index))));
    assert.equal((await stores[0]?.attempts({ from: 0, limit: 1000 }))?.rows.filter((row) => row.item >= 20_000).length, 3);
    await Promise.all(stores.map((store) => store.close()));
  });
});
