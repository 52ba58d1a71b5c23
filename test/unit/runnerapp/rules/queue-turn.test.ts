import assert from "node:assert/strict";
import { effectiveSpec } from "../../../../src/runnerapp/rules/effective-spec.ts";
import { queueTurn } from "../../../../src/runnerapp/rules/queue-turn.ts";
import { observedApp } from "../../../support/builders/runner-app.ts";

interface Row {
  readonly name: string;
  readonly existing: number;
  readonly admitted?: { readonly replicas: number; readonly surge: number };
  /** How large a fleet of 13 is taken for. */
  readonly want: number;
}

const rows: readonly Row[] = [
  { name: "it is as large as it was allowed to be", existing: 4, admitted: { replicas: 4, surge: 0 }, want: 4 },
  { name: "also when one has just failed", existing: 3, admitted: { replicas: 4, surge: 0 }, want: 4 },
  { name: "and no smaller than what exists, whatever was recorded", existing: 5, admitted: { replicas: 4, surge: 0 }, want: 5 },
  { name: "a new one, of which nothing exists, is what its spec says", existing: 0, want: 13 },
];

describe("a fleet of a queue while a new leader does not know what was decided", () => {
  for (const { name, existing, admitted, want } of rows)
    it(name, () => {
      const status = { ...(admitted !== undefined && { admitted }) };
      const observed = observedApp(
        { spec: { replicas: 13, queue: { name: "corp" } }, status },
        { admission: { choice: { kind: "queue", queue: "corp" } } },
      );
      const turn = queueTurn(observed, effectiveSpec(observed.app.spec), existing);
      assert.equal(effectiveSpec(observed.app.spec, turn.most).replicas, want);
      assert.equal(turn.mayCreate, 0);
    });
});
