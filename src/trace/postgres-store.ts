import { Client, Pool, type PoolClient } from "pg";
import type { Logger } from "../api/logger.ts";
import {
  attemptCells,
  attemptColumns,
  attemptOf,
  byTable,
  type Cell,
  type StoredRow,
  stateCells,
  stateColumns,
  stateOf,
} from "./schema.ts";
import { missingMigrations, versionTable } from "./migrations.ts";
import { pageOf, type QueryKind, selectOf } from "./query.ts";
import { type AttemptQuery, TraceRefused, type TraceStore } from "./store.ts";

export interface PostgresStoreOptions {
  /** postgres://user@host:port/database?sslmode=... */
  readonly url: string;
  /** Asked at each new connection, so that it may change; absent = what the URL holds. */
  readonly password?: () => Promise<string>;
  readonly logger: Logger;
}

const connections = 4;
const connectWithinMs = 5000;
/** No statement of ours is longer by far; one that is has met a server that hangs. */
const statementWithinMs = 20_000;
/** "nup" in ASCII: nobody else's lock. */
const migrationLock = 0x6e7570;
const pruneLock = migrationLock + 1;
const pruneRows = 5000;
const mostPruneSteps = 40;

/** A trace in a PostgreSQL database of version 13 or newer. Nothing is connected before the first call. */
export function createPostgresStore({ url, password, logger }: PostgresStoreOptions): TraceStore {
  /** A URL without a password sets an empty one over what the pool is told, so each connection is told by itself. */
  class AskingClient extends Client {
    constructor(config?: ConstructorParameters<typeof Client>[0]) {
      super(config);
      if (password !== undefined) Object.assign(this, { password });
    }
  }
  const pool = new Pool({
    connectionString: url,
    Client: AskingClient,
    max: connections,
    connectionTimeoutMillis: connectWithinMs,
    query_timeout: statementWithinMs,
    statement_timeout: statementWithinMs,
    idle_in_transaction_session_timeout: statementWithinMs,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    allowExitOnIdle: true,
    application_name: "nuptse",
  });
  // A connection that breaks while nobody uses it is replaced at the next use.
  pool.on("error", (error) => logger.debug("an idle connection to PostgreSQL broke", { error }));
  let ready: Promise<void> | undefined;

  /** Runs the work on a connection, in a transaction, once the schema is there. */
  async function inTransaction<Value>(work: (client: PoolClient) => Promise<Value>): Promise<Value> {
    await prepared();
    return withTransaction(work);
  }

  async function withTransaction<Value>(work: (client: PoolClient) => Promise<Value>): Promise<Value> {
    const client = await pool.connect();
    let broken: Error | undefined;
    const onError = (error: Error) => {
      broken = error;
    };
    client.on("error", onError);
    try {
      await client.query("begin");
      const value = await work(client);
      await client.query("commit");
      return value;
    } catch (error) {
      if (isServersWord(error)) await client.query("rollback").catch((failed: Error) => onError(failed));
      else broken ??= error instanceof Error ? error : new Error(String(error));
      throw error;
    } finally {
      client.off("error", onError);
      // A connection whose state is not known is not used again.
      client.release(broken);
    }
  }

  function prepared(): Promise<void> {
    ready ??= migrate().catch((error: unknown) => {
      ready = undefined;
      throw error;
    });
    return ready;
  }

  async function migrate(): Promise<void> {
    await withTransaction(async (client) => {
      await client.query("select pg_advisory_xact_lock($1)", [migrationLock]);
      await client.query(versionTable);
      const applied = await client.query<{ version: number }>("select version from nuptse_trace_versions");
      for (const { version, statements } of missingMigrations(applied.rows.map((row) => row.version))) {
        for (const statement of statements("postgres")) await client.query(statement);
        await client.query("insert into nuptse_trace_versions (version) values ($1)", [version]);
      }
    });
  }

  async function select(kind: QueryKind, query: AttemptQuery): Promise<readonly StoredRow[]> {
    // Before anything is asked of the server, so that a wrong query is told at once.
    const { text, values } = selectOf(kind, query, "$");
    await prepared();
    return (await pool.query<Record<string, unknown>>(text, [...values])).rows;
  }

  async function insert(
    client: PoolClient,
    table: string,
    columns: typeof attemptColumns,
    rows: readonly (readonly Cell[])[],
  ): Promise<void> {
    if (rows.length === 0) return;
    const arrays = columns.map((_, index) => rows.map((row) => row[index] ?? null));
    const names = columns.map(({ name }) => name).join(", ");
    const unnested = columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(", ");
    await client.query(`insert into ${table} (${names}) select * from unnest(${unnested}) on conflict do nothing`, arrays);
  }

  return {
    async append(rows) {
      const { attempts, states } = byTable(rows);
      try {
        await inTransaction(async (client) => {
          await insert(client, "nuptse_attempts", attemptColumns, attempts.map(attemptCells));
          await insert(client, "nuptse_states", stateColumns, states.map(stateCells));
        });
      } catch (error) {
        throw isRefusal(error) ? new TraceRefused((error as Error).message, { cause: error }) : readable(error);
      }
    },
    runs: async (query) => pageOf("runs", query, await select("runs", query), stateOf),
    states: async (query) => pageOf("states", query, await select("states", query), stateOf),
    attempts: async (query) => pageOf("attempts", query, await select("attempts", query), attemptOf),
    async prune({ maxAgeMs, maxRows }, now) {
      let removed = 0;
      for (const [table, time] of [
        ["nuptse_attempts", "ended_at"],
        ["nuptse_states", "at"],
      ] as const) {
        const boundary = await boundaryOf(table, time, maxRows, now - maxAgeMs);
        for (let step = 0; step < mostPruneSteps; step++) {
          const changes = await inTransaction(async (client) => {
            // Of several replicas one keeps house.
            const locked = await client.query<{ held: boolean }>("select pg_try_advisory_xact_lock($1) as held", [pruneLock]);
            if (locked.rows[0]?.held !== true) return 0;
            const chosen = `select id from ${table} where (${time}, id) <= ($1, $2) order by ${time}, id limit ${pruneRows}`;
            const result = await client.query(`delete from ${table} where id in (${chosen})`, [...boundary]);
            return result.rowCount ?? 0;
          });
          removed += changes;
          if (changes < pruneRows) break;
        }
      }
      return removed;
    },
    close: () => pool.end(),
  };

  /** The newest row that goes, as [time, id]: one too many, or too old. */
  async function boundaryOf(table: string, time: string, maxRows: number, oldest: number): Promise<readonly [number, number]> {
    await prepared();
    const found = await pool.query<{ time: string; id: string }>(
      `select ${time} as time, id from ${table} order by ${time} desc, id desc offset $1 limit 1`,
      [maxRows],
    );
    const row = found.rows[0];
    const surplus = row === undefined ? -1 : Number(row.time);
    return row === undefined || surplus < oldest ? [Math.floor(oldest), 0] : [surplus, Number(row.id)];
  }
}

/** An answer of the server, with an SQLSTATE, as opposed to a connection that broke. */
const isServersWord = (error: unknown): boolean =>
  /^[0-9A-Z]{5}$/.test((error as { code?: unknown }).code as string) && "severity" in (error as object);

/** Classes 22 and 23, data that cannot be stored: the same rows would be refused for ever. */
const isRefusal = (error: unknown): boolean => isServersWord(error) && /^2[23]/.test((error as { code: string }).code);

/** A connection refused on all addresses has an empty message. */
function readable(error: unknown): Error {
  if (error instanceof AggregateError && error.message === "") {
    return new Error(error.errors.map((each: unknown) => (each instanceof Error ? each.message : String(each))).join("; "), {
      cause: error,
    });
  }
  return error instanceof Error ? error : new Error(String(error));
}
