import assert from "node:assert/strict";
import { parseQuantity, printQuantity } from "../../../../src/simulator/apiserver/quantity.ts";

describe("quantities", () => {
  // canonical forms as the documentation of resource.Quantity gives them
  const cases: readonly (readonly [string, string])[] = [
    ["0", "0"],
    ["0Mi", "0"],
    ["1", "1"],
    ["0.5", "500m"],
    ["1.5", "1500m"],
    ["1000m", "1"],
    ["1024Mi", "1Gi"],
    ["1.5Gi", "1536Mi"],
    ["512", "512"],
    ["0.5Ki", "512"],
    ["1000", "1k"],
    ["1500", "1500"],
    ["1e3", "1e3"],
    ["12e6", "12e6"],
    ["-1.5", "-1500m"],
    ["100n", "100n"],
    ["0.0000000001", "1n"],
    ["1E", "1E"],
    ["+5", "5"],
  ];
  for (const [text, want] of cases) {
    it(`${text} is ${want}`, () => {
      const quantity = parseQuantity(text);
      assert.ok(quantity);
      assert.equal(printQuantity(quantity), want);
    });
  }
  for (const text of ["", "banana", "1Kb", "--1", "1 Gi", ".", "1e", "KI"]) {
    it(`"${text}" is none`, () => assert.equal(parseQuantity(text), undefined));
  }
});
