import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { TraceAttempt, TraceRow, TraceState } from "../api/trace.ts";
import { missingMigrations, versionTable } from "./migrations.ts";
import { pageOf, type QueryKind, selectOf } from "./query.ts";
import { attemptCells, attemptColumns, attemptOf, byTable, type StoredRow, stateCells, stateColumns, stateOf } from "./schema.ts";
import type { AttemptQuery, TracePage, TraceRetention } from "./store.ts";

/** A lock of another process is waited for so long; whoever writes tries again after that. */
const busyTimeoutMs = 1000;
/** Rows that are removed in one transaction: a few milliseconds of lock. */
const pruneRows = 2000;
/** Steps of one pruning; the rest waits for the next one, so that writers are not kept waiting. */
const mostPruneSteps = 50;

const cacheKibibytes = 32 * 1024;
/** Of 4 KiB: the journal beside the file grows to some 32 MiB. */
const checkpointPages = 8000;

/** A trace in one SQLite file. Every call blocks: to be used in a thread of its own. */
export class SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #insertAttempt: StatementSync;
  readonly #insertState: StatementSync;

  /** Opens or makes the file, and brings its schema up to date. Throws what SQLite throws. */
  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    const isNew = !existsSync(path);
    this.#database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    try {
      // It holds what programs wrote on their end.
      if (isNew) chmodSync(path, 0o600);
      // Counts only before the first table is made; afterwards pages that were freed can be given back bit by bit.
      if (isNew) this.#database.exec("pragma auto_vacuum = incremental");
      this.#database.exec("pragma journal_mode = wal");
      // A power failure may lose the last rows, never the file.
      this.#database.exec("pragma synchronous = normal");
      // Rows of many jobs touch many pages of the indexes: they are kept, and written back together.
      this.#database.exec(`pragma cache_size = -${cacheKibibytes}`);
      this.#database.exec(`pragma wal_autocheckpoint = ${checkpointPages}`);
      this.#migrate();
      this.#insertAttempt = this.#database.prepare(insertOf("nuptse_attempts", attemptColumns));
      this.#insertState = this.#database.prepare(insertOf("nuptse_states", stateColumns));
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  append(rows: readonly TraceRow[]): void {
    const { attempts, states } = byTable(rows);
    this.#inTransaction(() => {
      for (const row of attempts) this.#insertAttempt.run(...attemptCells(row));
      for (const row of states) this.#insertState.run(...stateCells(row));
    });
  }

  runs(query: AttemptQuery): TracePage<TraceState> {
    return pageOf("runs", query, this.#select("runs", query), stateOf);
  }

  states(query: AttemptQuery): TracePage<TraceState> {
    return pageOf("states", query, this.#select("states", query), stateOf);
  }

  attempts(query: AttemptQuery): TracePage<TraceAttempt> {
    return pageOf("attempts", query, this.#select("attempts", query), attemptOf);
  }

  /** Removes at most some 100,000 rows; the number of those that went. */
  prune({ maxAgeMs, maxRows }: TraceRetention, now: number): number {
    let removed = 0;
    for (const [table, time] of [
      ["nuptse_attempts", "ended_at"],
      ["nuptse_states", "at"],
    ] as const) {
      const { count } = this.#database.prepare(`select count(*) as count from ${table}`).get() as { count: number };
      let surplus = Math.max(0, count - maxRows);
      const tooMany = this.#database.prepare(`delete from ${table} where id in (select id from ${table} order by ${time}, id limit ?)`);
      const tooOld = this.#database.prepare(
        `delete from ${table} where id in (select id from ${table} where ${time} < ? order by ${time}, id limit ?)`,
      );
      for (let step = 0; step < mostPruneSteps; step++) {
        const limit = surplus > 0 ? Math.min(surplus, pruneRows) : pruneRows;
        const changes = Number((surplus > 0 ? tooMany.run(limit) : tooOld.run(now - maxAgeMs, limit)).changes);
        removed += changes;
        const wasSurplus = surplus > 0;
        surplus = Math.max(0, surplus - changes);
        if (!wasSurplus && changes < limit) break;
      }
    }
    if (removed > 0) this.#database.exec("pragma incremental_vacuum(2000)");
    return removed;
  }

  close(): void {
    this.#database.close();
  }

  #select(kind: QueryKind, query: AttemptQuery): readonly StoredRow[] {
    const { text, values } = selectOf(kind, query, "?");
    return this.#database.prepare(text).all(...values) as readonly StoredRow[];
  }

  #migrate(): void {
    this.#database.exec(versionTable);
    this.#inTransaction(() => {
      // Inside of the transaction, since another process may be about to do the same.
      const applied = this.#database.prepare("select version from nuptse_trace_versions").all() as { version: number }[];
      for (const { version, statements } of missingMigrations(applied.map((row) => row.version))) {
        for (const statement of statements("sqlite")) this.#database.exec(statement);
        this.#database.prepare("insert into nuptse_trace_versions (version) values (?)").run(version);
      }
    });
  }

  #inTransaction(work: () => void): void {
    this.#database.exec("begin immediate");
    try {
      work();
      this.#database.exec("commit");
    } catch (error) {
      // A full disk may have rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec("rollback");
      throw error;
    }
  }
}

const insertOf = (table: string, columns: readonly { readonly name: string }[]): string =>
  `insert into ${table} (${columns.map(({ name }) => name).join(", ")}) values (${columns.map(() => "?").join(", ")}) on conflict do nothing`;
