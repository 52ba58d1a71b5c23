import { longestFailureCause, longestStateMessage, type TraceRow } from "../api/trace.ts";

type Kind = "text" | "number" | "optional number" | "boolean" | "scope";

interface Field {
  readonly kind: Kind;
  /** Characters of a text; absent = 300. */
  readonly longest?: number;
}

const text: Field = { kind: "text" };
const number: Field = { kind: "number" };
const optional: Field = { kind: "optional number" };
const identity = { namespace: text, job: text, jobUid: text, run: text, source: text };
const itemSet: Field = { kind: "text", longest: 4096 };

const attemptFields: Readonly<Record<string, Field>> = {
  ...identity,
  item: number,
  attempt: number,
  pod: text,
  startedAt: optional,
  endedAt: number,
  success: { kind: "boolean" },
  result: text,
  reason: text,
  exitCode: optional,
  failureCause: { kind: "text", longest: longestFailureCause },
  host: text,
  ip: text,
};
const stateFields: Readonly<Record<string, Field>> = {
  ...identity,
  scope: { kind: "scope" },
  items: itemSet,
  state: text,
  reason: text,
  message: { kind: "text", longest: longestStateMessage },
  at: number,
  fireTime: optional,
  startedAt: optional,
  total: optional,
  succeeded: optional,
  failed: optional,
  lost: optional,
};

/** What is wrong with rows that came from outside, as "rows[3].item: ..."; undefined when nothing is. */
export function rowProblem(rows: readonly unknown[]): string | undefined {
  for (const [index, row] of rows.entries()) {
    const type = (row as { readonly type?: unknown } | null)?.type;
    if (type !== "attempt" && type !== "state") return `rows[${index}].type: must be attempt or state`;
    const fields = type === "attempt" ? attemptFields : stateFields;
    for (const [name, field] of Object.entries(fields)) {
      const problem = fieldProblem((row as Readonly<Record<string, unknown>>)[name], field);
      if (problem !== undefined) return `rows[${index}].${name}: ${problem}`;
    }
  }
  return undefined;
}

/** Rows that {@link rowProblem} found nothing wrong with. */
export const checkedRows = (rows: readonly unknown[]): readonly TraceRow[] => rows as readonly TraceRow[];

function fieldProblem(value: unknown, { kind, longest = 300 }: Field): string | undefined {
  switch (kind) {
    case "text":
      if (typeof value !== "string") return "must be a text";
      if (value.length > longest) return `must have at most ${longest} characters`;
      return value.includes("\0") ? "must hold no NUL character" : undefined;
    case "number":
      return Number.isSafeInteger(value) ? undefined : "must be a whole number";
    case "optional number":
      return value === undefined || Number.isSafeInteger(value) ? undefined : "must be a whole number, or absent";
    case "boolean":
      return typeof value === "boolean" ? undefined : "must be true or false";
    case "scope":
      return value === "Run" || value === "Items" ? undefined : "must be Run or Items";
  }
}
