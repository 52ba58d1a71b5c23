import type { TraceAttempt, TraceRow, TraceState } from "../api/trace.ts";
import { finalRunStates } from "../api/trace.ts";

/** The value of a cell. */
export type Cell = string | number | null;

/** A column: its name and its type in both engines. Instants are milliseconds since the epoch. */
interface Column {
  readonly name: string;
  readonly type: "text" | "bigint" | "integer";
}

const text = (name: string): Column => ({ name, type: "text" });
const bigint = (name: string): Column => ({ name, type: "bigint" });
const integer = (name: string): Column => ({ name, type: "integer" });

/** The columns that are written, in the order of {@link attemptCells} and {@link stateCells}. */
export const attemptColumns: readonly Column[] = [
  ...["namespace", "job", "job_uid", "run"].map(text),
  ...["item", "attempt"].map(integer),
  ...["pod", "source"].map(text),
  ...["started_at", "ended_at"].map(bigint),
  integer("success"),
  ...["result", "reason"].map(text),
  integer("exit_code"),
  ...["failure_cause", "host", "ip"].map(text),
];
export const stateColumns: readonly Column[] = [
  ...["namespace", "job", "job_uid", "run", "change_key", "scope", "items", "state", "reason", "message"].map(text),
  bigint("at"),
  integer("final"),
  text("source"),
  ...["fire_time", "started_at"].map(bigint),
  ...["total", "succeeded", "failed", "lost"].map(integer),
];

/** The cells of a row, in the order of the columns. */
export function attemptCells(row: TraceAttempt): Cell[] {
  return [
    row.namespace,
    row.job,
    row.jobUid,
    row.run,
    row.item,
    row.attempt,
    row.pod,
    row.source,
    row.startedAt ?? null,
    row.endedAt,
    row.success ? 1 : 0,
    row.result,
    row.reason,
    row.exitCode ?? null,
    row.failureCause,
    row.host,
    row.ip,
  ];
}

/** The same of a state. Two rows with equal keys tell of the same change: of a run each state comes once, of items at its instant. */
export function stateCells(row: TraceState): Cell[] {
  const isRun = row.scope === "Run";
  return [
    row.namespace,
    row.job,
    row.jobUid,
    row.run,
    isRun ? `Run/${row.state}/${row.state === "Waiting" ? row.reason : ""}` : `Items/${row.state}/${row.at}`,
    row.scope,
    row.items,
    row.state,
    row.reason,
    row.message,
    row.at,
    isRun && finalRunStates.includes(row.state) ? 1 : 0,
    row.source,
    row.fireTime ?? null,
    row.startedAt ?? null,
    row.total ?? null,
    row.succeeded ?? null,
    row.failed ?? null,
    row.lost ?? null,
  ];
}

/** A row as an engine returns it: by column; PostgreSQL gives a bigint as text. */
export type StoredRow = Readonly<Record<string, unknown>>;

const number = (value: unknown): number => Number(value);
const optional = <Name extends string>(name: Name, value: unknown) =>
  value === null || value === undefined ? {} : ({ [name]: Number(value) } as Record<Name, number>);

const runOf = (row: StoredRow) => ({
  namespace: String(row["namespace"]),
  job: String(row["job"]),
  jobUid: String(row["job_uid"]),
  run: String(row["run"]),
});

/** The attempt that a row of the table of attempts tells of. */
export function attemptOf(row: StoredRow): TraceAttempt {
  return {
    type: "attempt",
    ...runOf(row),
    item: number(row["item"]),
    attempt: number(row["attempt"]),
    pod: String(row["pod"]),
    source: String(row["source"]),
    ...optional("startedAt", row["started_at"]),
    endedAt: number(row["ended_at"]),
    success: number(row["success"]) === 1,
    result: String(row["result"]),
    reason: String(row["reason"]),
    ...optional("exitCode", row["exit_code"]),
    failureCause: String(row["failure_cause"]),
    host: String(row["host"]),
    ip: String(row["ip"]),
  };
}

/** The change of state that a row of the table of states tells of. */
export function stateOf(row: StoredRow): TraceState {
  return {
    type: "state",
    ...runOf(row),
    scope: row["scope"] === "Run" ? "Run" : "Items",
    items: String(row["items"]),
    state: String(row["state"]),
    reason: String(row["reason"]),
    message: String(row["message"]),
    at: number(row["at"]),
    source: String(row["source"]),
    ...optional("fireTime", row["fire_time"]),
    ...optional("startedAt", row["started_at"]),
    ...optional("total", row["total"]),
    ...optional("succeeded", row["succeeded"]),
    ...optional("failed", row["failed"]),
    ...optional("lost", row["lost"]),
  };
}

/** The rows of a batch by table. */
export function byTable(rows: readonly TraceRow[]): { readonly attempts: readonly TraceAttempt[]; readonly states: readonly TraceState[] } {
  const attempts: TraceAttempt[] = [];
  const states: TraceState[] = [];
  for (const row of rows) {
    if (row.type === "attempt") attempts.push(row);
    else states.push(row);
  }
  return { attempts, states };
}
