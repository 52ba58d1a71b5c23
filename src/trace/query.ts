import { type Cell, attemptColumns, type StoredRow, stateColumns } from "./schema.ts";
import { type AttemptQuery, defaultPageRows, mostPageRows, type TracePage, type TraceQuery, TraceQueryError } from "./store.ts";

/** What is asked for. */
export type QueryKind = "runs" | "attempts" | "states";

/** A statement with its values; `?1` or `$1` stands for the first. */
export interface Statement {
  readonly text: string;
  readonly values: readonly Cell[];
}

/** The select of a query, one row longer than its page, so that it shows whether there is another. Throws TraceQueryError. */
export function selectOf(kind: QueryKind, query: AttemptQuery, marker: "?" | "$"): Statement {
  const values: Cell[] = [];
  const value = (cell: Cell): string => {
    values.push(cell);
    return `${marker}${values.length}`;
  };
  const time = kind === "attempts" ? "ended_at" : "at";
  const where: string[] = kind === "runs" ? ["final = 1"] : [];
  for (const name of ["namespace", "job", "run"] as const) {
    const wanted = query[name];
    if (wanted !== undefined) where.push(`${name} = ${value(wanted)}`);
  }
  if (kind === "attempts" && query.item !== undefined) where.push(`item = ${value(query.item)}`);
  if (query.from !== undefined) where.push(`${time} >= ${value(query.from)}`);
  if (query.to !== undefined) where.push(`${time} < ${value(query.to)}`);
  if (query.results !== undefined && query.results.length > 0)
    where.push(`${kind === "attempts" ? "result" : "state"} in (${query.results.map(value).join(", ")})`);
  const order = orderOf(kind, query);
  if (query.cursor !== undefined) {
    const [first, second] = readCursor(query.cursor);
    where.push(`(${order.columns.join(", ")}) ${order.descending ? "<" : ">"} (${value(first)}, ${value(second)})`);
  }
  const names = (kind === "attempts" ? attemptColumns : stateColumns).map(({ name }) => name);
  const direction = order.descending ? " desc" : "";
  const condition = where.length === 0 ? "" : ` where ${where.join(" and ")}`;
  return {
    text:
      `select id, ${names.join(", ")} from ${kind === "attempts" ? "nuptse_attempts" : "nuptse_states"}${condition}` +
      ` order by ${order.columns.map((column) => column + direction).join(", ")} limit ${value(limitOf(query) + 1)}`,
    values,
  };
}

/** The page that the rows of {@link selectOf} make. */
export function pageOf<Row>(
  kind: QueryKind,
  query: AttemptQuery,
  rows: readonly StoredRow[],
  read: (row: StoredRow) => Row,
): TracePage<Row> {
  const limit = limitOf(query);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  if (rows.length <= limit || last === undefined) return { rows: page.map(read) };
  const { columns } = orderOf(kind, query);
  return { rows: page.map(read), next: columns.map((column) => String(last[column])).join("-") };
}

/** Items of one run have one order that people look for; everything else is told from its end. A run's id alone does not name one run. */
function orderOf(kind: QueryKind, query: TraceQuery): { readonly columns: readonly [string, string]; readonly descending: boolean } {
  const isOneRun = kind === "attempts" && query.namespace !== undefined && query.job !== undefined && query.run !== undefined;
  if (isOneRun) return { columns: ["item", "attempt"], descending: false };
  return { columns: [kind === "attempts" ? "ended_at" : "at", "id"], descending: true };
}

function limitOf({ limit = defaultPageRows }: TraceQuery): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > mostPageRows)
    throw new TraceQueryError(`limit must be a whole number from 1 to ${mostPageRows}`);
  return limit;
}

function readCursor(cursor: string): readonly [number, number] {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(cursor);
  if (match === null) throw new TraceQueryError("cursor must be what the page before gave as next");
  return [Number(match[1]), Number(match[2])];
}
