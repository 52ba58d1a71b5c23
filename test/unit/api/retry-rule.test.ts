import assert from "node:assert/strict";
import { firstMatch, type RetryFacts, type RetryRule } from "../../../src/api/retry-rule.ts";

interface Case {
  readonly name: string;
  readonly rules: readonly RetryRule[];
  readonly facts: RetryFacts;
  /** The action of the rule that decides and its place; absent = none does. */
  readonly want?: string;
}

const cases: readonly Case[] = [
  { name: "no rule, no match", rules: [], facts: { failedCodes: [1] } },
  {
    name: "NotIn needs a code other than 0 that is not listed",
    rules: [{ onExitCodes: { operator: "NotIn", values: [1] }, action: "A" }],
    facts: { failedCodes: [1] },
  },
  {
    name: "NotIn does not match an end without codes",
    rules: [{ onExitCodes: { operator: "NotIn", values: [1] }, action: "A" }],
    facts: { reason: "NodeLost" },
  },
  {
    name: "the first that matches decides, the place tells which",
    rules: [
      { onReasons: ["NodeLost"], action: "A" },
      { onExitCodes: { operator: "In", values: [7] }, action: "B" },
      { onReasons: ["OOMKilled"], action: "C" },
    ],
    facts: { failedCodes: [137, 7], reason: "OOMKilled" },
    want: "B1",
  },
  {
    name: "a condition without a status means True",
    rules: [{ onPodConditions: [{ type: "DisruptionTarget" }], action: "A" }],
    facts: { conditions: ["DisruptionTarget=True"] },
    want: "A0",
  },
  {
    name: "a condition of another status does not match",
    rules: [{ onPodConditions: [{ type: "DisruptionTarget", status: "False" }], action: "A" }],
    facts: { conditions: ["DisruptionTarget=True"] },
  },
];

describe("retry.rules of any kind: the first that matches decides", () => {
  for (const tc of cases)
    it(tc.name, () => {
      const got = firstMatch(tc.rules, tc.facts);
      assert.equal(got && `${got.action}${got.index}`, tc.want);
    });
});
