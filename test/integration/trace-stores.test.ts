import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Postgres, startPostgres } from "../../hack/postgres/postgres.ts";
import { silentLogger } from "../../src/api/logger.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createHttpStore } from "../../src/trace/http-store.ts";
import { startTraceServer } from "../../src/trace/http-server.ts";
import { createPostgresStore } from "../../src/trace/postgres-store.ts";
import { createSqliteStore } from "../../src/trace/sqlite-store.ts";
import type { TraceStore } from "../../src/trace/store.ts";
import { makeTraceAttempt, makeTraceState } from "../support/builders/trace-row.ts";
import { skipUnless } from "../support/skip.ts";

const clock = createSystemClock();
const closers: (() => Promise<unknown>)[] = [];

/** The stores under one table of tests: every store gives the same answers. */
const stores: readonly { readonly name: string; readonly open: () => Promise<TraceStore> }[] = [
  { name: "SQLite", open: openSqlite },
  { name: "nuptse trace over HTTP", open: openHttp },
  { name: "PostgreSQL", open: openPostgres },
];

async function openSqlite(): Promise<TraceStore> {
  const folder = await mkdtemp(join(tmpdir(), "nuptse-trace-"));
  const store = createSqliteStore({ path: join(folder, "deep", "trace.db"), clock });
  closers.push(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });
  return store;
}

/** The client's prune does nothing, so what is pruned is the store behind the server. */
async function openHttp(): Promise<TraceStore> {
  const behind = await openSqlite();
  const server = await startTraceServer({
    store: behind,
    access: (token) => Promise.resolve(token === "good" ? "allowed" : "unauthenticated"),
    logger: silentLogger,
    host: "127.0.0.1",
    port: 0,
  });
  const client = createHttpStore({ url: `http://127.0.0.1:${server.port}`, clock, token: () => Promise.resolve("good\n") });
  closers.push(async () => {
    await client.close();
    await server.close();
  });
  return { ...client, prune: behind.prune };
}

let postgres: Postgres | undefined;

async function openPostgres(): Promise<TraceStore> {
  postgres ??= await startPostgres();
  const { url, password } = postgres;
  const store = createPostgresStore({ url, password: () => Promise.resolve(password), logger: silentLogger });
  closers.push(() => store.close());
  return store;
}

after("close the stores", async function () {
  this.timeout(30_000);
  for (const close of closers.reverse()) await close();
  await postgres?.stop();
});

for (const { name, open } of stores) {
  describe(`trace stores: ${name}`, function () {
    this.timeout(20_000);
    const get = skipUnless(open);

    it("keeps every field of a row, and leaves absent ones out", async () => {
      const job = "fields";
      const attempt = makeTraceAttempt({ job, failureCause: "Error: “ü” 漢字\n\t'; drop table x; --", success: false, result: "Failed" });
      const { startedAt: _, exitCode: __, ...bare } = makeTraceAttempt({ job, item: 1, ip: "", host: "" });
      const state = makeTraceState({ job });
      const {
        fireTime: _f,
        startedAt: _s,
        total: _t,
        succeeded: _u,
        failed: _v,
        lost: _w,
        ...bareState
      } = makeTraceState({
        job,
        state: "Waiting",
        reason: "QuotaExceeded",
        at: 1500,
      });
      await get().append([attempt, state, bare, bareState]);
      assert.deepEqual((await get().attempts({ namespace: "shop", job, run: attempt.run })).rows, [attempt, bare]);
      assert.deepEqual((await get().states({ namespace: "shop", job })).rows, [state, bareState]);
    });

    it("a row that comes twice is kept once, also within a batch; the first one stays", async () => {
      const job = "twice";
      const row = makeTraceAttempt({ job });
      await get().append([row, row, makeTraceState({ job })]);
      await get().append([{ ...row, reason: "Other" }, makeTraceState({ job, at: 9999 })]);
      assert.deepEqual((await get().attempts({ job })).rows, [row]);
      assert.deepEqual((await get().runs({ job })).rows, [makeTraceState({ job })]);
    });

    it("the same run of a job that was deleted and made again is another one", async () => {
      const job = "again";
      await get().append([makeTraceAttempt({ job }), makeTraceAttempt({ job, jobUid: "uid-2" })]);
      assert.equal((await get().attempts({ job })).rows.length, 2);
    });

    it("the history of one job is its ended runs, newest first, in pages", async () => {
      const job = "history";
      const runs = Array.from({ length: 25 }, (_, index) => makeTraceState({ job, run: `run-${index}`, at: 1000 + Math.floor(index / 2) }));
      await get().append([...runs, makeTraceState({ job: "other" }), makeTraceState({ job, run: "r", state: "Running", at: 99_999 })]);
      const told: string[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = await get().runs({ namespace: "shop", job, limit: 10, ...(cursor !== undefined && { cursor }) });
        told.push(...page.rows.map((row) => row.run));
        cursor = page.next;
        pages++;
      } while (cursor !== undefined);
      assert.equal(pages, 3);
      assert.deepEqual(told, runs.map((row) => row.run).reverse());
    });

    it("a page that is just full has no next one", async () => {
      const job = "full";
      await get().append([0, 1].map((item) => makeTraceState({ job, run: `run-${item}` })));
      assert.equal((await get().runs({ job, limit: 2 })).next, undefined);
    });

    it("attempts of one run come by item and attempt, in pages", async () => {
      const job = "items";
      const rows = [3, 1, 2, 0].flatMap((item) =>
        [2, 1].map((attempt) => makeTraceAttempt({ job, item, attempt, endedAt: 10_000 - item })),
      );
      await get().append(rows);
      const query = { namespace: "shop", job, run: rows[0]?.run ?? "", limit: 5 };
      const first = await get().attempts(query);
      const second = await get().attempts({ ...query, cursor: first.next ?? "" });
      const names = [...first.rows, ...second.rows].map(({ item, attempt }) => `${item}/${attempt}`);
      assert.deepEqual(names, ["0/1", "0/2", "1/1", "1/2", "2/1", "2/2", "3/1", "3/2"]);
      assert.equal(second.next, undefined);
      assert.deepEqual(
        (await get().attempts({ ...query, item: 2 })).rows.map((row) => row.attempt),
        [1, 2],
      );
    });

    it("time ranges are [from, to), and results are any of those named", async () => {
      const job = "range";
      const results = ["Succeeded", "Failed", "Lost", "Failed"];
      await get().append(results.map((result, index) => makeTraceAttempt({ job, item: index, endedAt: 1000 * index, result })));
      const items = async (query: object) => (await get().attempts({ job, ...query })).rows.map((row) => row.item);
      assert.deepEqual(await items({ from: 1000, to: 3000 }), [2, 1]);
      assert.deepEqual(await items({ results: ["Failed", "Lost"] }), [3, 2, 1]);
      assert.deepEqual(await items({ results: ["Failed"], from: 2000 }), [3]);
      assert.deepEqual(await items({ namespace: "elsewhere" }), []);
    });

    it("refuses a query that is wrong and says what would be right", async () => {
      await assert.rejects(get().runs({ limit: 1001 }), /limit must be a whole number from 1 to 1000/);
      await assert.rejects(get().attempts({ cursor: "'; --" }), /cursor must be what the page before gave/);
    });

    it("removes what is too old, and what is too much, of each table", async () => {
      await get().prune({ maxAgeMs: 0, maxRows: 0 }, Number.MAX_SAFE_INTEGER);
      assert.deepEqual((await get().states({})).rows, []);
      const job = "retention";
      const items = Array.from({ length: 20 }, (_, index) => index);
      await get().append(items.map((item) => makeTraceAttempt({ job, item, endedAt: 1000 * item })));
      await get().append(items.map((item) => makeTraceState({ job, run: `run-${item}`, at: 1000 * item })));
      assert.equal(await get().prune({ maxAgeMs: 5000, maxRows: 1_000_000 }, 20_000), 30);
      assert.deepEqual(
        (await get().attempts({})).rows.map((row) => row.item),
        [19, 18, 17, 16, 15],
      );
      assert.equal(await get().prune({ maxAgeMs: 1_000_000, maxRows: 3 }, 20_000), 4);
      assert.deepEqual(
        (await get().attempts({})).rows.map((row) => row.item),
        [19, 18, 17],
      );
      assert.deepEqual(
        (await get().runs({})).rows.map((row) => row.run),
        ["run-19", "run-18", "run-17"],
      );
      assert.equal(await get().prune({ maxAgeMs: 1_000_000, maxRows: 3 }, 20_000), 0);
    });
  });
}
