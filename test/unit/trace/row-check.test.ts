import assert from "node:assert/strict";
import { rowProblem } from "../../../src/trace/row-check.ts";
import { makeTraceAttempt, makeTraceState } from "../../support/builders/trace-row.ts";

describe("trace/row-check: rows that come over the network", () => {
  const attempt = makeTraceAttempt();
  const state = makeTraceState();
  const cases: readonly { readonly name: string; readonly rows: readonly unknown[]; readonly want: string | undefined }[] = [
    { name: "ours are right", rows: [attempt, state], want: undefined },
    { name: "not an object", rows: [null], want: "rows[0].type: must be attempt or state" },
    { name: "a type that is unknown", rows: [attempt, { ...state, type: "x" }], want: "rows[1].type: must be attempt or state" },
    { name: "an item that is no number", rows: [{ ...attempt, item: "1" }], want: "rows[0].item: must be a whole number" },
    { name: "an end that is missing", rows: [{ ...attempt, endedAt: undefined }], want: "rows[0].endedAt: must be a whole number" },
    {
      name: "a cause that is too long",
      rows: [{ ...attempt, failureCause: "x".repeat(4001) }],
      want: "rows[0].failureCause: must have at most 4000 characters",
    },
    {
      name: "a NUL, which PostgreSQL does not take",
      rows: [{ ...attempt, reason: "a\0" }],
      want: "rows[0].reason: must hold no NUL character",
    },
    {
      name: "an exit code with a fraction",
      rows: [{ ...attempt, exitCode: 1.5 }],
      want: "rows[0].exitCode: must be a whole number, or absent",
    },
    { name: "a success that is a word", rows: [{ ...attempt, success: "true" }], want: "rows[0].success: must be true or false" },
    { name: "a scope that is unknown", rows: [{ ...state, scope: "Pod" }], want: "rows[0].scope: must be Run or Items" },
  ];
  for (const tc of cases) it(tc.name, () => assert.equal(rowProblem(tc.rows), tc.want));
});
