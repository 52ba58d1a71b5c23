/**
 * The event trace: rows into SQLite and PostgreSQL, the history of one job read from so many, and PostgreSQL killed for a while under load.
 *
 * The rows are those of 10,000 jobs, an attempt and an end a run, written in the batches that the operator writes. The reads are of jobs
 * taken from all over, each after the other, with everything else at rest. For the fault the rows go through the operator's own buffer at a
 * steady rate; what counts as lost is what was given to the buffer and is not in the database at the end.
 *
 * Not measured: reads while much is written, a database on another machine; PostgreSQL runs without fsync here.
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startPostgres } from "../../hack/postgres/postgres.ts";
import { silentLogger } from "../../src/api/logger.ts";
import type { TraceRow } from "../../src/api/trace.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { noMetrics } from "../../src/runtime/metrics.ts";
import { createTraceBuffer } from "../../src/trace/buffer.ts";
import { createPostgresStore } from "../../src/trace/postgres-store.ts";
import { createSqliteStore } from "../../src/trace/sqlite-store.ts";
import type { TraceStore } from "../../src/trace/store.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { largest, percentile, rounded } from "./support/figures.ts";
import { tell } from "./support/progress.ts";

const clock = createSystemClock();
const jobs = 10_000;
const batchRows = 500;
const namespace = "bench";
const since = Date.UTC(2026, 0, 1);

/** The rows of the run number `index` of them all: jobs take turns. */
function rowsOfRun(index: number): readonly TraceRow[] {
  const job = `job-${String(index % jobs).padStart(5, "0")}`;
  const common = {
    namespace,
    job,
    jobUid: `uid-${job}`,
    run: `run-${String(Math.floor(index / jobs)).padStart(6, "0")}`,
    source: "Schedule",
  };
  const at = since + index * 86;
  const failed = index % 50 === 0;
  return [
    {
      ...common,
      type: "attempt",
      item: 0,
      attempt: 1,
      pod: `${job}-0123abcd-${common.run}-0-1`,
      startedAt: at,
      endedAt: at + 1000,
      success: !failed,
      result: failed ? "Failed" : "Succeeded",
      reason: failed ? "Error" : "Completed",
      exitCode: failed ? 1 : 0,
      failureCause: failed ? `Error: ${"the table is locked; ".repeat(20)}` : "",
      host: `node-${index % 100}`,
      ip: "10.1.2.3",
    },
    {
      ...common,
      type: "state",
      scope: "Run",
      items: "0",
      state: failed ? "Failed" : "Succeeded",
      reason: failed ? "ItemsFailed" : "Completed",
      message: failed ? "1 of 1 items failed" : "",
      at: at + 1000,
      fireTime: at,
      startedAt: at,
      total: 1,
      succeeded: failed ? 0 : 1,
      failed: failed ? 1 : 0,
      lost: 0,
    },
  ];
}

/** Seconds until all rows are in. */
async function fill(store: TraceStore, rows: number): Promise<number> {
  const begun = performance.now();
  let batch: TraceRow[] = [];
  for (let run = 0; run < rows / 2; run++) {
    batch.push(...rowsOfRun(run));
    if (batch.length < batchRows) continue;
    await store.append(batch);
    batch = [];
  }
  if (batch.length > 0) await store.append(batch);
  return (performance.now() - begun) / 1000;
}

/** Milliseconds of each of so many reads of a job's newest 100 runs. */
async function readHistories(store: TraceStore, reads: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let read = 0; read < reads; read++) {
    const job = `job-${String((read * 7919) % jobs).padStart(5, "0")}`;
    const begun = performance.now();
    const page = await store.runs({ namespace, job });
    times.push(performance.now() - begun);
    if (page.rows.length === 0) throw new Error(`there is no history of ${job}`);
  }
  return times;
}

async function countItems(store: TraceStore): Promise<number> {
  const seen = new Set<number>();
  let cursor: string | undefined;
  do {
    const page = await store.attempts({ namespace: "outage", limit: 1000, ...(cursor !== undefined && { cursor }) });
    for (const row of page.rows) seen.add(row.item);
    cursor = page.next;
  } while (cursor !== undefined);
  return seen.size;
}

const bench: Bench = async (words) => {
  const choice = readArguments(words, { rows: 1_000_000, reads: 500, outageSeconds: 60, rowsPerSecond: 130 });
  const folder = await mkdtemp(join(tmpdir(), "nuptse-bench-trace-"));
  const path = join(folder, "trace.db");
  const sqlite = createSqliteStore({ path, clock });
  const server = await startPostgres();
  const postgres = createPostgresStore({ url: server.urlWithPassword, logger: silentLogger });
  try {
    const table: string[][] = [];
    const figures: Record<string, number> = {};
    for (const [name, key, store] of [
      ["SQLite", "sqlite", sqlite],
      ["PostgreSQL", "postgres", postgres],
    ] as const) {
      const seconds = await fill(store, choice.rows);
      tell(`${name} has ${choice.rows} rows after ${seconds.toFixed(1)} s`);
      const reads = await readHistories(store, choice.reads);
      figures[`${key}RowsPerSecond`] = Math.round(choice.rows / seconds);
      figures[`${key}HistoryP50Milliseconds`] = rounded(percentile(reads, 50));
      figures[`${key}HistoryP99Milliseconds`] = rounded(percentile(reads, 99));
      figures[`${key}HistoryMaxMilliseconds`] = rounded(largest(reads));
      const milliseconds = [50, 99].map((percent) => percentile(reads, percent).toFixed(2));
      table.push([name, String(choice.rows), seconds.toFixed(1), ...milliseconds, largest(reads).toFixed(2)]);
    }
    figures["sqliteMegabytes"] = Math.round((await stat(path)).size / 1e6);

    const buffer = createTraceBuffer({ store: postgres, clock, random: { next: Math.random }, logger: silentLogger, metrics: noMetrics });
    const begun = performance.now();
    const outageFrom = 5000;
    const outageTo = outageFrom + choice.outageSeconds * 1000;
    const end = outageTo + 15_000;
    let given = 0;
    let mostWaiting = 0;
    let state: "before" | "down" | "after" = "before";
    tell(`PostgreSQL is killed for ${choice.outageSeconds} s, ${choice.rowsPerSecond} rows a second go on`);
    for (let now = 0; now < end; now = performance.now() - begun) {
      const due = Math.floor((now / 1000) * choice.rowsPerSecond);
      const rows: TraceRow[] = [];
      for (; given < due; given++)
        rows.push({ ...(rowsOfRun(given)[0] as TraceRow & { type: "attempt" }), namespace: "outage", item: given });
      if (rows.length > 0) buffer.write(rows);
      mostWaiting = Math.max(mostWaiting, buffer.size);
      if (state === "before" && now > outageFrom) {
        state = "down";
        await server.kill();
      } else if (state === "down" && now > outageTo) {
        state = "after";
        await server.start();
        tell("PostgreSQL is there again");
      }
      await sleep(20);
    }
    await buffer.drain(30_000);
    const stored = await countItems(postgres);
    figures["rowsGiven"] = given;
    figures["mostRowsWaiting"] = mostWaiting;
    figures["rowsLost"] = given - stored;
    table.push([`PostgreSQL away for ${choice.outageSeconds} s`, String(given), (end / 1000).toFixed(0), "", "", ""]);
    return {
      name: "trace",
      figures,
      targets: {
        sqliteHistoryP99Milliseconds: { max: 20 },
        postgresHistoryP99Milliseconds: { max: 20 },
        mostRowsWaiting: { max: 10_000 },
        rowsLost: { max: 0 },
      },
      table: { columns: ["store", "rows", "s", "history p50, ms", "p99", "most"], rows: table },
    };
  } finally {
    await sqlite.close();
    await postgres.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

export default bench;
