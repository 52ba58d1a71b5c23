import assert from "node:assert/strict";
import { resultText } from "../../../hack/bench/result-text.ts";

const table = { columns: ["load", "ours", "theirs"], rows: [["one item", "3", "11"]] };
const tableText = ["load      ours  theirs", "--------  ----  ------", "one item     3      11", ""];

const cases = [
  {
    name: "all targets kept, bounds included",
    figures: { writes: 3, ratio: 4 },
    targets: { writes: { max: 3 }, ratio: { min: 4 } },
    want: [
      "met     writes: 3 (at most 3)",
      "met     ratio: 4 (at least 4)",
      '{"name":"writes","figures":{"writes":3,"ratio":4},"targets":{"writes":{"max":3},"ratio":{"min":4}},"met":true}',
    ],
  },
  {
    name: "one target missed",
    figures: { writes: 4 },
    targets: { writes: { max: 3 } },
    want: ["MISSED  writes: 4 (at most 3)", '{"name":"writes","figures":{"writes":4},"targets":{"writes":{"max":3}},"met":false}'],
  },
  {
    name: "a target without its figure is missed",
    figures: {},
    targets: { writes: { min: 1, max: 3 } },
    want: [
      "MISSED  writes: not measured (at least 1, at most 3)",
      '{"name":"writes","figures":{},"targets":{"writes":{"min":1,"max":3}},"met":false}',
    ],
  },
];

describe("text of a bench's result", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const text = resultText({ name: "writes", figures: tc.figures, targets: tc.targets, table });
      assert.deepEqual(text.split("\n"), [...tableText, ...tc.want]);
    });
  }
});
